//! Jobs that end otherwise than by their script, and Jobs that are refused.

use std::time::Duration;

use local_hub::{FaultKind, TokenRole, TokenScope, User};

use super::{assert_job_ran, job, on, only, printed};
use crate::harness::{Folder, TOKEN, hub, hub_with};

#[tokio::test(flavor = "multi_thread")]
async fn timeout_has_its_own_code() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let ran = job(&hub, &folder, "echo begin; sleep 30").input("timeout", "5s").run().await;
    let ran = ran.failed(6, "job_timeout");
    assert_eq!((ran.output("exit_code"), ran.output("job_stage")), ("", "ERROR"));
    assert_job_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn timeout_of_a_later_attempt_has_no_exit_code() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let scratch = tempfile::Builder::new().tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = scratch.path().join("tried");
    let script = format!("if test -e '{0}'; then sleep 60; fi; touch '{0}'; exit 3", file.display());
    let ran = job(&hub, &folder, &script).input("attempts", "2").input("timeout", "3s").run().await;
    let ran = ran.failed(6, "job_timeout");
    assert_eq!(ran.output("exit_code"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn attempt_that_is_killed_does_not_have_the_exit_code_of_an_earlier_one() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    // The first process of a namespace cannot be killed from inside.
    hub.set_policy(|policy| policy.jobs.has_namespaces = false);
    let scratch = tempfile::Builder::new().tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = scratch.path().join("tried");
    let script =
        format!("if test -e '{0}'; then kill -9 $PPID; sleep 9; fi; touch '{0}'; exit 3", file.display());
    let ran = job(&hub, &folder, &script).input("attempts", "2").run().await.failed(1, "job_failed");
    assert_eq!(ran.output("exit_code"), "");
    assert!(ran.log.contains("failed: Job failed with exit code: 137"), "{}", ran.log);
    assert_eq!(ran.log.matches(": attempt begins\n").count(), 2, "{}", ran.log);
    // Attempts that fail between two looks at the Job are all reported.
    let ran = job(&hub, &folder, "exit 4").input("attempts", "3").run().await.failed(1, "job_failed");
    assert_eq!(ran.output("exit_code"), "4");
    for line in ["attempt 1 of 3 failed", "attempt 2 of 3 failed"] {
        assert_eq!(ran.log.matches(line).count(), 1, "{line}: {}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancellation_by_another_user_has_its_own_code() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let run = job(&hub, &folder, "echo begin; sleep 30");
    let child = run.spawn();
    printed(&hub, "begin").await;
    only(&hub).cancel(None);
    let ran = run.finish(child).await.failed(1, "job_cancelled");
    assert_eq!(ran.output("job_stage"), "CANCELED");
    assert!(ran.log.contains("\nbegin\n"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleted_job_has_its_own_code() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let run = job(&hub, &folder, "echo begin; sleep 30");
    let child = run.spawn();
    printed(&hub, "begin").await;
    only(&hub).delete();
    run.finish(child).await.failed(1, "job_deleted");
}

#[tokio::test(flavor = "multi_thread")]
async fn job_without_credits_is_refused_or_cancelled() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.set_policy(|policy| policy.jobs.credits = Some(0));
    let ran = job(&hub, &folder, "true").run().await.failed(3, "payment_required");
    assert!(ran.log.contains("Pre-paid credit balance is insufficient"), "{}", ran.log);
    assert_job_ran!(ran);
    hub.set_policy(|policy| policy.jobs.credits = Some(1000));
    let ran =
        job(&hub, &folder, "sleep 30").input("flavor", "h200").run().await.failed(3, "payment_required");
    assert!(ran.log.contains("the credits are used up"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn image_that_cannot_be_pulled_gives_the_message_of_the_hub() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.set_policy(|policy| policy.jobs.missing_images = ["python:3.12".to_owned()].into());
    let ran = job(&hub, &folder, "true").run().await.failed(1, "job_not_started");
    assert!(ran.log.contains("Failed to pull image"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_without_the_permission_is_named() {
    let scope = TokenScope {
        entity_type: "user".to_owned(),
        entity_name: "ada".to_owned(),
        permissions: vec!["job.read".to_owned()],
    };
    for role in [TokenRole::Read, TokenRole::FineGrained { scoped: vec![scope], global: Vec::new() }] {
        let hub = hub_with(|config| config.users = vec![User { role, ..User::new("ada", TOKEN) }]).await;
        let ran = job(&hub, &Folder::new(&[]), "true").run().await.failed(3, "permission_denied");
        assert!(
            ran.log.contains("hint: the token needs the permission `job.write` for `ada`"),
            "{}",
            ran.log
        );
        assert!(hub.jobs().is_empty());
    }
    let hub = hub().await;
    job(&hub, &Folder::new(&[]), "true").token("hf_unknown_token").run().await.failed(3, "token_invalid");
    job(&hub, &Folder::new(&[]), "true")
        .input("namespace", "acme")
        .run()
        .await
        .failed(3, "permission_denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn flavor_that_the_hub_has_not_names_the_nearest() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let ran = job(&hub, &folder, "true").input("flavor", "a100x4").run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("hint: set `flavor: a100-large`"), "{}", ran.log);
    assert!(hub.jobs().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn hub_that_fails_for_a_while_does_not_end_the_run() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let run = job(&hub, &folder, "echo begin; sleep 4; echo end");
    let child = run.spawn();
    printed(&hub, "begin").await;
    let mut fault = on(
        "GET",
        "/api/jobs/ada/",
        FaultKind::Status { code: 503, headers: Vec::new(), body: String::new() },
    );
    fault.times = 3;
    hub.inject(fault);
    hub.inject(on("GET", "/api/jobs/ada/", FaultKind::DropConnection));
    let ran = run.finish(child).await.ended(0, "succeeded");
    assert!(ran.log.contains("looking again") && ran.log.contains("\nend\n"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn workspace_with_a_link_is_refused_before_a_job_is_created() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(".hf-deploy")).unwrap();
    let ran = job(&hub, &folder, "true").run().await.failed(1, "local_io");
    assert!(ran.log.contains("is not a folder"), "{}", ran.log);
    assert!(hub.jobs().is_empty() && std::fs::read_dir(elsewhere.path()).unwrap().next().is_none());
    let folder = Folder::new(&[("a.txt", "a")]);
    std::fs::create_dir(folder.path().join(".hf-deploy")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join(".hf-deploy/job")).unwrap();
    let ran = job(&hub, &folder, "true").input("source_dir", ".").run().await.failed(1, "local_io");
    assert!(ran.log.contains("`job` is there, and is not a folder"), "{}", ran.log);
    assert!(hub.jobs().is_empty() && std::fs::read_dir(elsewhere.path()).unwrap().next().is_none());
    a_rule_keeps_the_log_out_of_git().await;
}

async fn a_rule_keeps_the_log_out_of_git() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.set_policy(|policy| policy.jobs.queue_time = Duration::from_millis(10));
    job(&hub, &folder, "true").run().await.ended(0, "succeeded");
    assert_eq!(std::fs::read_to_string(folder.path().join(".hf-deploy/.gitignore")).unwrap(), "*\n");
}
