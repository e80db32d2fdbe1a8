//! Runs that wait for hardware, and the verification that completes their bundles: in the workspace, or in a bucket.

use serde_json::Value;

use super::{SPACE, World, action, kept_json, serve, world};
use crate::harness::{Folder, Ran, Run, files_below};
use crate::scripted_app::{chatting, closed_by_a_login};
use crate::settings::refuse;

const BUCKET: &str = "ada/runs";

/// Builds a Space that gets no hardware, with its bundle in the bucket.
async fn waiting() -> (World, Ran) {
    let world = world().await;
    refuse(&world, ("POST", "/api/repos/create"), 1, (402, "ZeroGPU needs PRO"));
    let ran = action(&world).input("bundle_bucket", BUCKET).run().await;
    let ran = ran.failed(1, "manual_hardware_required");
    assert_eq!(stored(&world, &ran, "state.json").await["error"]["code"], "manual_hardware_required");
    serve(&world, SPACE, chatting("Mustard.").await);
    (world, ran)
}

/// A verification that completes the run, in a workspace.
fn verify(world: &World, folder: &Folder, run_id: &str) -> Run {
    Run::new(&world.hub, folder)
        .action("verify")
        .without("INPUT_HUGGINGFACE_REPO")
        .input("space", SPACE)
        .input("run_id", run_id)
        .input("verify", "inference")
        .input("api_args", r#"["Hello!", 16, 0]"#)
}

/// A file of the bundle in the bucket.
async fn stored(world: &World, ran: &Ran, file: &str) -> Value {
    let path = format!("runs/{}/{file}", ran.output("run_id"));
    serde_json::from_slice(&world.bucket(BUCKET).read(&path).await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bundle_in_a_bucket_is_completed_by_a_later_job() {
    let (world, ran) = waiting().await;
    let id = ran.output("run_id");
    let later = Folder::new(&[]);
    let verified = verify(&world, &later, id).input("bundle_bucket", BUCKET).run().await;
    assert_eq!(
        (verified.code, verified.output("verify_status")),
        (0, "full_inference_success"),
        "{}",
        verified.log
    );
    let state = stored(&world, &ran, "state.json").await;
    assert_eq!(
        (&state["run_id"], &state["kind"], &state["status"], &state["gate_status"], &state["error"]),
        (
            &id.into(),
            &"build-space".into(),
            &"succeeded".into(),
            &"full_inference_success".into(),
            &Value::Null
        )
    );
    assert_eq!(stored(&world, &ran, "inference_gate.json").await["status"], "full_inference_success");
    assert_eq!(stored(&world, &ran, "tests/test_result.json").await["endpoint"], "/predict");
    let events = world.bucket(BUCKET).read(&format!("runs/{id}/events.jsonl")).await.unwrap();
    let events: Vec<Value> =
        String::from_utf8(events).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], number);
    }
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["data"]["run_id"]),
        (&"run_completed".into(), &verified.output("run_id").into())
    );
    // The files of the first run are still there, and the verification has a bundle of its own.
    let all: Vec<String> = world.bucket(BUCKET).files().into_keys().collect();
    for part in
        [format!("runs/{id}/generated/app.py"), format!("runs/{}/state.json", verified.output("run_id"))]
    {
        assert!(all.contains(&part), "{part}: {all:#?}");
    }
    let is_mark = |path: &&String| path.split('/').nth(2).is_some_and(|name| name.starts_with('.'));
    assert_eq!(all.iter().find(is_mark), None, "{all:#?}");
    let local = files_below(&later.path().join(".hf-deploy/runs"));
    assert!(local.iter().all(|(path, _)| !path.to_string_lossy().contains(".new-")), "{local:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bundle_in_workspace_and_bucket_is_completed_in_both() {
    let (world, ran) = waiting().await;
    let run = || verify(&world, &world.folder, ran.output("run_id")).input("bundle_bucket", BUCKET);
    world.space(SPACE).set_app(Some(closed_by_a_login().await));
    let refused = run().input("fail_on", "health_only").run().await;
    assert_eq!((refused.code, refused.output("verify_status")), (1, "health_only"), "{}", refused.log);
    let state = stored(&world, &ran, "state.json").await;
    assert_eq!((&state["status"], &state["gate_status"]), (&"failed".into(), &"health_only".into()));
    assert_eq!(state["error"]["code"], "manual_hardware_required", "the run is not completed yet");

    world.space(SPACE).set_app(Some(chatting("Mustard.").await));
    let verified = run().run().await;
    assert_eq!(verified.code, 0, "{}", verified.log);
    for state in [stored(&world, &ran, "state.json").await, kept_json(&world, &ran, "state.json")] {
        assert_eq!(
            (&state["status"], &state["gate_status"]),
            (&"succeeded".into(), &"full_inference_success".into())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn run_that_is_nowhere_is_reported_before_the_check() {
    let (world, ran) = waiting().await;
    let later = Folder::new(&[]);
    let id = ran.output("run_id");
    for (run, part) in [
        (verify(&world, &later, id), "its bundle is not in the workspace"),
        (
            verify(&world, &later, "gh-1-1-000000").input("bundle_bucket", BUCKET),
            "its bundle is neither in the workspace nor in the bucket `ada/runs`",
        ),
        (
            verify(&world, &later, "../runs").input("bundle_bucket", BUCKET),
            "its bundle is neither in the workspace nor in the bucket `ada/runs`",
        ),
        (
            verify(&world, &later, id).input("bundle_bucket", BUCKET).input("space", "ada/other"),
            "it is about the Space `ada/chat-7b`, and not `ada/other`",
        ),
    ] {
        let refused = run.run().await;
        assert_eq!((refused.code, refused.output("error_code")), (2, "invalid_input"), "{}", refused.log);
        assert!(refused.log.contains(part), "{part}: {}", refused.log);
    }
    let hint = verify(&world, &Folder::new(&[]), id).run().await;
    assert!(hint.log.contains("or set `bundle_bucket` of both to the same bucket"), "{}", hint.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn bucket_that_cannot_be_written_leaves_the_result_on_this_machine() {
    let (world, ran) = waiting().await;
    refuse(&world, ("POST", "/api/buckets/ada/runs/batch"), 99, (403, "no"));
    let run = verify(&world, &world.folder, ran.output("run_id")).input("bundle_bucket", BUCKET);
    let verified = run.run().await;
    assert_eq!(verified.code, 0, "{}", verified.log);
    assert!(
        verified.log.contains("::warning::the bucket does not have the result in the bundle of"),
        "{}",
        verified.log
    );
    assert_eq!(kept_json(&world, &ran, "state.json")["status"], "succeeded");
    assert_eq!(stored(&world, &ran, "state.json").await["status"], "failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn bundle_that_cannot_be_fetched_leaves_nothing_in_the_workspace() {
    let (world, ran) = waiting().await;
    let later = Folder::new(&[]);
    let run = || verify(&world, &later, ran.output("run_id")).input("bundle_bucket", BUCKET);
    refuse(&world, ("GET", "/buckets/ada/runs/xet-read-token"), 1, (403, "no"));
    let refused = run().run().await;
    assert_eq!((refused.code, refused.output("error_code")), (3, "permission_denied"), "{}", refused.log);
    let names = || {
        let runs = std::fs::read_dir(later.path().join(".hf-deploy/runs")).unwrap();
        runs.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(names(), [refused.output("run_id")]);
    let verified = run().run().await;
    assert_eq!(verified.code, 0, "{}", verified.log);
    assert!(names().contains(&ran.output("run_id").to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_run_of_the_same_id_keeps_its_bundle() {
    let (world, ran) = waiting().await;
    let path = format!("runs/{}/state.json", ran.output("run_id"));
    let theirs = br#"{"space": "ada/chat-7b", "started_at": "2026-01-01T00:00:00.000Z"}"#;
    world.bucket(BUCKET).write(&[(&path, theirs)]).await.unwrap();
    let run = verify(&world, &world.folder, ran.output("run_id")).input("bundle_bucket", BUCKET);
    let verified = run.run().await;
    assert_eq!(verified.code, 0, "{}", verified.log);
    assert_eq!(kept_json(&world, &ran, "state.json")["status"], "succeeded");
    assert_eq!(world.bucket(BUCKET).read(&path).await.unwrap(), theirs);
}
