//! Jobs with the checkout: it travels through a private bucket, and the output comes back.

use std::os::unix::fs::PermissionsExt as _;

use local_hub::FaultKind;

use super::{bare, job, on, only, printed};
use crate::harness::{Folder, Ran, TestHub, hub, until};
use crate::signals::send;

const BUCKET: &str = "ada/jobs-artifacts";

/// Paths of the files in the bucket, without the id of the run.
fn stored(hub: &TestHub) -> Vec<String> {
    hub.bucket(BUCKET).files().into_keys().map(|path| path.split_once('/').unwrap().1.to_owned()).collect()
}

fn output(folder: &Folder, ran: &Ran, path: &str) -> String {
    std::fs::read_to_string(folder.path().join(ran.output("output_dir")).join(path)).unwrap()
}

fn checkout() -> Folder {
    let folder = Folder::new(&[
        ("main.py", "import lib.greet\nprint(lib.greet.text)\n"),
        ("lib/greet.py", "text = 'hello from the checkout'\n"),
        ("bin/tool", "#!/bin/sh\necho tool runs\n"),
        (".gitignore", "ignored.txt\n"),
        ("ignored.txt", "stays here"),
    ]);
    let tool = folder.path().join("bin/tool");
    std::fs::set_permissions(tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn checkout_is_the_working_directory_and_the_output_comes_back() {
    let (hub, folder) = (hub().await, checkout());
    let script = "pwd; python3 main.py; bin/tool; ls -A; echo new >made.txt; mkdir /output/deep; echo '<xml/>' >/output/deep/junit.xml";
    let ran = job(&hub, &folder, script).input("source_dir", ".").run().await.ended(0, "succeeded");
    for line in ["/workspace", "hello from the checkout", "tool runs"] {
        assert!(ran.log.contains(&format!("\n{line}\n")), "{line}: {}", ran.log);
    }
    assert!(!ran.log.contains("ignored.txt\n") && !ran.log.contains("executables\n"), "{}", ran.log);
    assert_eq!(ran.output("output_files"), "1");
    assert_eq!(output(&folder, &ran, "deep/junit.xml"), "<xml/>\n");
    assert_eq!(stored(&hub), ["output/.keep", "output/deep/junit.xml"], "the checkout is deleted");
    assert_eq!(hub.bucket(BUCKET).is_private(), Some(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn checkout_travels_to_a_machine_without_namespaces() {
    let (hub, folder) = (hub().await, checkout());
    hub.set_policy(|policy| policy.jobs.has_namespaces = false);
    let script = "python3 main.py; bin/tool >/output/said.txt; ls -d /workspace/lib";
    let ran = job(&hub, &folder, script).input("source_dir", ".").run().await.ended(0, "succeeded");
    assert!(
        ran.log.contains("\nhello from the checkout\n") && ran.log.contains("/workspace/lib\n"),
        "{}",
        ran.log
    );
    assert_eq!(output(&folder, &ran, "said.txt"), "tool runs\n");
    assert!(!std::path::Path::new("/workspace").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn step_that_fetches_the_output_decides_if_it_stays() {
    let (hub, folder) = (hub().await, checkout());
    let first = job(&hub, &folder, "echo 1 >/output/a.txt").input("source_dir", ".");
    let first = first.input("wait", "false").input("keep_output", "false").run().await.ended(0, "running");
    let warning = "`keep_output` has no effect: the step that names the Job in `job_id` decides";
    assert!(first.log.contains(warning), "{}", first.log);
    let second = bare(&hub, &folder).input("job_id", first.output("job_id")).input("keep_output", "false");
    let second = second.run().await.ended(0, "succeeded");
    assert!(!second.log.contains("no effect"), "{}", second.log);
    assert_eq!(output(&folder, &second, "a.txt"), "1\n");
    assert_eq!(stored(&hub), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn output_of_a_failed_job_comes_back_too() {
    let (hub, folder) = (hub().await, checkout());
    let script = "echo 1 >/output/a.txt; exit 3";
    let ran = job(&hub, &folder, script).input("source_dir", ".").input("keep_output", "false").run().await;
    let ran = ran.failed(1, "job_failed");
    assert_eq!((ran.output("exit_code"), ran.output("output_files")), ("3", "1"));
    assert_eq!(output(&folder, &ran, "a.txt"), "1\n");
    assert_eq!(stored(&hub), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn command_has_the_checkout_read_only() {
    let (hub, folder) = (hub().await, checkout());
    let command = r#"["sh", "-c", "cat /workspace/lib/greet.py; touch /workspace/x || echo refused; echo x >/output/x"]"#;
    let run = bare(&hub, &folder).input("image", "python:3.12").input("command", command);
    let ran = run.input("source_dir", ".").run().await.ended(0, "succeeded");
    assert!(ran.log.contains("hello from the checkout") && ran.log.contains("\nrefused\n"), "{}", ran.log);
    assert_eq!((ran.output("output_files"), ran.output("exit_code")), ("1", ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn public_bucket_is_refused_before_anything_is_sent() {
    let (hub, folder) = (hub().await, checkout());
    hub.bucket(BUCKET).create("ada", false).unwrap();
    let ran = job(&hub, &folder, "true").input("source_dir", ".").run().await;
    assert_ne!(ran.code, 0);
    assert!(ran.log.contains("public"), "{}", ran.log);
    assert!(stored(&hub).is_empty() && hub.jobs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_run_leaves_no_checkout() {
    let (hub, folder) = (hub().await, checkout());
    let run = job(&hub, &folder, "echo begin; sleep 60").input("source_dir", ".");
    let child = run.spawn();
    printed(&hub, "begin").await;
    send("INT", child.id().unwrap());
    run.finish(child).await.ended(130, "cancelled");
    assert_eq!(only(&hub).stage(), "CANCELED");
    until(|| stored(&hub) == ["output/.keep"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_job_leaves_no_checkout() {
    let (hub, folder) = (hub().await, checkout());
    let refused =
        FaultKind::Status { code: 402, headers: Vec::new(), body: r#"{"error":"no credit"}"#.to_owned() };
    hub.inject(on("POST", "/api/jobs/ada", refused));
    job(&hub, &folder, "true").input("source_dir", ".").run().await.failed(3, "payment_required");
    assert_eq!(stored(&hub), ["output/.keep"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn output_of_a_job_that_was_left_running_is_fetched_by_another_step() {
    let (hub, folder) = (hub().await, checkout());
    let script = "sleep 2; python3 main.py >/output/said.txt";
    let first = job(&hub, &folder, script).input("source_dir", ".").input("wait", "false").run().await;
    let first = first.ended(0, "running");
    let elsewhere = Folder::new(&[]);
    let ran =
        bare(&hub, &elsewhere).input("job_id", first.output("job_id")).run().await.ended(0, "succeeded");
    assert_eq!(output(&elsewhere, &ran, "said.txt"), "hello from the checkout\n");
    assert_eq!(stored(&hub), ["output/.keep", "output/said.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn python_script_of_the_checkout_finds_its_modules() {
    let (hub, folder) = (hub().await, checkout());
    let _programs = super::run::provide_uv(&hub);
    let run = bare(&hub, &folder).input("script", "main.py").input("source_dir", ".");
    let ran = run.run().await.ended(0, "succeeded");
    assert!(ran.log.contains("\nhello from the checkout\n"), "{}", ran.log);
    assert_eq!(ran.output("exit_code"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn second_run_sends_no_content_again() {
    let (hub, folder) = (hub().await, checkout());
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(300_000)
    .collect();
    std::fs::write(folder.path().join("weights.bin"), noise).unwrap();
    let sent = async || {
        hub.clear_requests();
        let run = job(&hub, &folder, "test -s weights.bin").input("source_dir", ".");
        run.run().await.ended(0, "succeeded");
        let requests = hub.requests();
        requests
            .iter()
            .filter(|request| request.path.contains("xorb"))
            .map(|request| request.body_len)
            .sum::<u64>()
    };
    let (first, second) = (sent().await, sent().await);
    assert!(first > 300_000 && second < 10_000, "{first} {second}");
}
