//! Whole ways from a model to a verdict, each with an app that stands in for the generated one.

use local_hub::{Fault, FaultKind, RepoType, User};
use serde_json::json;

use super::{
    MODEL, SPACE, SPACE_TOKEN, World, action, action_for, bare_world, files, grant, kept_json, plant,
    requests, runs_at_once, scaffold, serve, space_by_hand, with_space_token, world, writes,
};
use crate::harness::Ran;
use crate::scripted_app::{chatting, closed_by_a_login};
use crate::settings::refuse;

const NO_ZERO_GPU: &str = "You must be subscribed to PRO to host Spaces with ZeroGPU";
const NO_GRADIO: &str = "Static Spaces are free for everyone, but hosting Gradio and Docker Spaces on free cpu-basic requires a PRO subscription";

/// The verdict, with what the run made and how it ended.
fn verdict(ran: &Ran) -> [&str; 4] {
    ["gate_status", "status", "created", "error_code"].map(|name| ran.output(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn login_page_is_no_proof_of_inference() {
    let world = world().await;
    serve(&world, SPACE, closed_by_a_login().await);
    let ran = action(&world).run().await;
    assert_eq!(
        (ran.code, verdict(&ran)),
        (1, ["health_only", "failed", "true", "check_failed"]),
        "{}",
        ran.log
    );
    let ran = action(&world).input("mode", "full_inference_attempt").run().await;
    assert_eq!((ran.code, verdict(&ran)), (0, ["health_only", "unchanged", "false", ""]), "{}", ran.log);
    assert!(ran.log.contains("::warning"), "{}", ran.log);
    let gate = kept_json(&world, &ran, "inference_gate.json");
    assert_eq!(gate["status"], "health_only");
    assert!(gate["reasons"][0].as_str().unwrap().contains("login"), "{gate}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gated_adapter_comes_to_an_answer_with_the_token_of_the_space() {
    let world = bare_world().await;
    plant(&world, "blocker-adapter-base-gated", |_| {});
    grant(&world, "acme/chat-7b").await;
    let space = "ada/chat-7b-lora";
    serve(&world, space, chatting("Mustard.").await);
    let run = || with_space_token(action_for(&world, "acme/chat-7b-lora"));
    let ran = run().run().await;
    assert_eq!(
        (ran.code, verdict(&ran)),
        (0, ["full_inference_success", "deployed", "true", ""]),
        "{}",
        ran.log
    );
    assert_eq!((ran.output("template"), ran.output("hardware")), ("peft-chat", "zero-a10g"));
    assert_eq!(world.space(space).secrets().unwrap().get("HF_TOKEN").map(String::as_str), Some(SPACE_TOKEN));
    let app = world.repo(RepoType::Space, space).read_file("main", "app.py").unwrap();
    let app = String::from_utf8(app).unwrap();
    assert!(app.contains("acme/chat-7b-lora") && app.contains("\"acme/chat-7b\""), "{app}");
    assert!(!app.contains(SPACE_TOKEN));

    // The next run finds everything as it is, and calls the app again.
    world.clear_requests();
    let again = run().run().await;
    assert_eq!((again.code, verdict(&again)), (0, ["full_inference_success", "unchanged", "false", ""]));
    assert_eq!(writes(&world), [""; 0], "{}", again.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn gated_model_comes_to_an_answer_with_the_token_of_the_space() {
    let world = bare_world().await;
    plant(&world, "chat", |facts| facts["gated"] = "manual".into());
    let run = || with_space_token(action(&world));
    let refused = run().run().await.failed(1, "technical_blocker");
    assert_eq!(refused.output("blockers"), "gated_no_access");
    grant(&world, MODEL).await;
    serve(&world, SPACE, chatting("Mustard.").await);
    let ran = run().run().await;
    assert_eq!(
        (ran.code, verdict(&ran)),
        (0, ["full_inference_success", "deployed", "true", ""]),
        "{}",
        ran.log
    );
    assert!(ran.log.contains("its users accepted terms, and visitors of the Space did not"), "{}", ran.log);
    let result = kept_json(&world, &ran, "tests/test_result.json");
    assert_eq!(result["calls"][0]["ok"], true, "{result}");
}

#[tokio::test(flavor = "multi_thread")]
async fn free_account_without_zero_gpu_gets_a_page_in_a_second_round() {
    let world = bare_world().await;
    world.add_user(User { is_pro: false, can_pay: false, ..User::new("eve", "hf_eveeveeveeve") });
    plant(&world, "runtime-static-of-safetensors-and-onnx", |_| {});
    runs_at_once(&world, "eve/sst2-both");
    refuse(&world, ("POST", "/api/repos/create"), 1, (402, NO_ZERO_GPU));
    let ran = action_for(&world, "acme/sst2-both").token("hf_eveeveeveeve").run().await;
    assert_eq!((ran.code, verdict(&ran)), (0, ["health_only", "deployed", "true", ""]), "{}", ran.log);
    assert_eq!((ran.output("template"), ran.output("hardware_status")), ("static-transformersjs", ""));
    assert!(ran.log.contains("trying another way to run the model"), "{}", ran.log);
    let creations = requests(&world).iter().filter(|line| line.ends_with("/repos/create")).count();
    assert_eq!(creations, 2);
    let tree = world.repo(RepoType::Space, "eve/sst2-both").tree("main").unwrap();
    assert!(tree.contains_key("index.html") && !tree.contains_key("app.py"), "{:?}", tree.keys());
    let kept = kept_json(&world, &ran, "inference_gate.json");
    assert_eq!(kept["evidence"]["template"], "static-transformersjs");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_for_a_payment_are_about_hardware_or_end_the_run() {
    let manual = ["manual_hardware_required", "failed"];
    let ended = |code: &'static str| ["", "failed", "false", code];
    for (status, message, expected) in [
        (402, NO_ZERO_GPU, [manual[0], manual[1], "true", "manual_hardware_required"]),
        (
            402,
            "Pre-paid credit balance is insufficient",
            [manual[0], manual[1], "true", "manual_hardware_required"],
        ),
        (402, "A PRO subscription is required", [manual[0], manual[1], "true", "manual_hardware_required"]),
        (
            403,
            "You must add a payment method to your account to upgrade your space's hardware",
            [manual[0], manual[1], "true", "manual_hardware_required"],
        ),
        // A Space without hardware would be refused as well.
        (402, NO_GRADIO, [manual[0], manual[1], "false", "manual_hardware_required"]),
        // These are not about hardware.
        (402, "Protected Spaces require a PRO subscription", ended("payment_required")),
        (402, "Private repository storage limit reached", ended("payment_required")),
        (403, "You do not have the rights to create a Space", ended("permission_denied")),
        (401, "Invalid credentials", ended("token_invalid")),
    ] {
        let world = world().await;
        refuse(&world, ("POST", "/api/repos/create"), 1, (status, message));
        let ran = action(&world).run().await;
        assert_eq!(verdict(&ran), expected, "{status} {message}\n{}", ran.log);
        let creations = requests(&world).iter().filter(|line| line.ends_with("/repos/create")).count();
        // A refusal is not tried again: the second request is for a Space without the hardware.
        assert_eq!(creations, if expected[2] == "true" { 2 } else { 1 }, "{status} {message}");
        let is_there = world.repo(RepoType::Space, SPACE).head("main").is_some();
        assert_eq!(is_there, expected[2] == "true", "{status} {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn next_free_hardware_is_asked_for_before_a_person_has_to_choose() {
    let world = bare_world().await;
    plant(&world, "text-classification", |facts| facts["id"] = "acme/small".into());
    runs_at_once(&world, "ada/small");
    refuse(&world, ("POST", "/api/repos/create"), 1, (402, NO_ZERO_GPU));
    let run = action_for(&world, "acme/small").input("mode", "safe-scaffold").input("verify", "false");
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!(
        (ran.output("hardware"), ran.output("hardware_status"), ran.output("price_usd_hour")),
        ("cpu-basic", "granted", "0"),
        "{}",
        ran.log
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn price_of_a_fallback_is_reported_although_nothing_depended_on_it() {
    let world = bare_world().await;
    plant(&world, "diffusers-lora", |_| {});
    runs_at_once(&world, "ada/sdxl-watercolor");
    refuse(&world, ("POST", "/api/repos/create"), 1, (402, NO_ZERO_GPU));
    let scaffold =
        || action_for(&world, "acme/sdxl-watercolor").input("mode", "safe-scaffold").input("verify", "false");
    // An adapter leaves no room for the prices before the creation.
    let manual = scaffold().run().await.failed(1, "manual_hardware_required");
    assert!(manual.log.contains("pick `l4x1` ($0.80 an hour) at"), "{}", manual.log);
    refuse(&world, ("POST", "/hardware"), 1, (402, NO_ZERO_GPU));
    let ran = scaffold().input("allow_fallback", "true").run().await;
    assert_eq!(ran.code, 0, "{}", ran.log);
    assert_eq!((ran.output("hardware"), ran.output("price_usd_hour")), ("l4x1", "0.8"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_that_comes_later_is_taken_by_the_next_run() {
    let world = world().await;
    refuse(&world, ("POST", "/api/repos/create"), 1, (402, NO_ZERO_GPU));
    action(&world).run().await.failed(1, "manual_hardware_required");
    serve(&world, SPACE, chatting("Mustard.").await);
    for (status, message) in [(402, NO_ZERO_GPU), (403, "You must add a payment method"), (401, "No")] {
        world.clear_requests();
        refuse(&world, ("POST", "/hardware"), 1, (status, message));
        let ran = action(&world).run().await.failed(1, "manual_hardware_required");
        assert_eq!((ran.output("status"), ran.output("created")), ("failed", "false"), "{}", ran.log);
        let is_wish = |line: &&String| line.starts_with("POST ") && line.ends_with("/hardware");
        assert_eq!(requests(&world).iter().filter(is_wish).count(), 1, "{:#?}", requests(&world));
    }
    let ran = action(&world).run().await;
    assert_eq!((ran.code, ran.output("gate_status")), (0, "full_inference_success"), "{}", ran.log);
    assert_eq!((ran.output("hardware"), ran.output("hardware_status")), ("zero-a10g", "granted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_revision_of_the_model_updates_its_space() {
    let world = world().await;
    let model = world.repo(RepoType::Model, MODEL);
    let first = model.head("main").unwrap();
    let second = model.commit_as("acme", "main", &[("new.txt", b"x\n")], "new").unwrap();
    let at = |revision: &str| scaffold(&world).input("revision", revision);
    at(&first).run().await.ended(0, "deployed");
    let before = files(&world);
    at(&first).run().await.ended(0, "unchanged");
    let ran = at(&second).run().await.ended(0, "deployed");
    assert_eq!(ran.output("created"), "false");
    let after = files(&world);
    let changed: Vec<&String> =
        after.iter().filter(|(path, text)| before.get(*path) != Some(text)).map(|(path, _)| path).collect();
    assert!(changed.contains(&&".hf-factory.json".to_owned()), "{changed:?}");
    assert!(!changed.contains(&&"requirements.txt".to_owned()), "{changed:?}");
    assert!(after[".hf-factory.json"].contains(&second) && before[".hf-factory.json"].contains(&first));
    let missing = at("v9").run().await.failed(2, "revision_not_found");
    assert!(missing.log.contains("check `revision`"), "{}", missing.log);
    assert_eq!(files(&world), after);
}

#[tokio::test(flavor = "multi_thread")]
async fn space_that_appears_during_the_run_is_left_alone() {
    let world = world().await;
    space_by_hand(&world, &[("README.md", b"---\nsdk: gradio\n---\n"), ("app.py", b"print()\n")]);
    let before = files(&world);
    // The look at the Space comes a moment before another writer creates it.
    world.inject(Fault {
        method: Some("GET".to_owned()),
        path_contains: format!("/api/spaces/{SPACE}"),
        skip: 0,
        times: 1,
        kind: FaultKind::Status {
            code: 404,
            headers: vec![("x-error-code".to_owned(), "RepoNotFound".to_owned())],
            body: json!({"error": "Repository not found"}).to_string(),
        },
    });
    let ran = action(&world).input("overwrite", "true").run().await.failed(5, "space_name_taken");
    assert_eq!(files(&world), before, "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn bundle_in_a_bucket_has_the_whole_run_also_of_a_blocked_one() {
    let world = world().await;
    plant(&world, "blocker-gguf-only", |_| {});
    let in_bucket = async |world: &World, ran: &Ran| {
        let id = ran.output("run_id");
        let files = world.bucket("ada/runs").files().into_keys();
        let of_run = files.filter_map(|path| Some(path.strip_prefix(&format!("runs/{id}/"))?.to_owned()));
        of_run.collect::<Vec<String>>()
    };
    serve(&world, SPACE, chatting("Mustard.").await);
    let ran = action(&world).input("bundle_bucket", "ada/runs").run().await.ended(0, "deployed");
    let found = in_bucket(&world, &ran).await;
    for file in [
        "state.json",
        "events.jsonl",
        "report.md",
        "target_space.json",
        "runtime_recommendation.json",
        "inference_gate.json",
        "generated/app.py",
        "generated/.hf-factory.json",
        "tests/test_result.json",
        "tests/api_schema.json",
    ] {
        assert!(found.contains(&file.to_owned()), "{file}: {found:#?}");
    }
    let ran = action_for(&world, "acme/only-gguf").input("bundle_bucket", "ada/runs").run().await;
    let ran = ran.failed(1, "technical_blocker");
    let found = in_bucket(&world, &ran).await;
    assert!(found.contains(&"TECHNICAL_BLOCKERS.json".to_owned()), "{found:#?}");
}
