//! Failures of the Hub's own machinery: they are named, and a deploy is not rolled back for them.

use std::time::Duration;

use local_hub::{BuildCause, BuildScript, RepoType, StageStep};

use crate::assert_ran;
use crate::harness::{Folder, Ran, Run, TestHub, hub};

const APP: &str = "ada/app";

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Deploys a change to a running Space, with a rollback wanted, and the build goes as the steps say.
async fn deploy_a_change(steps: Vec<StageStep>, build_log: &[&str]) -> (TestHub, Ran) {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", "---\nsdk: docker\n---\n"), ("Dockerfile", "FROM python\n")]);
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("more.txt", "more");
    let build_log = build_log.iter().map(|line| (ms(100), (*line).to_owned())).collect();
    let script = BuildScript { build_log, ..BuildScript::new(BuildCause::Commit, steps) };
    hub.space(APP).script_builds(vec![script]).unwrap();
    let run = Run::new(&hub, &folder).input("variables", "MODE=new").input("on_failure", "rollback");
    let ran = run.run().await;
    (hub, ran)
}

fn assert_kept(hub: &TestHub, ran: &Ran) {
    let head = hub.repo(RepoType::Space, APP).head("main").unwrap();
    assert_eq!(ran.output("commit_sha"), head, "{}", ran.log);
    assert_eq!(ran.output("rollback_commit_sha"), "");
    assert_eq!(hub.repo(RepoType::Space, APP).commits("main").len(), 2);
    assert!(ran.log.contains("not rolled back: the app did not cause the failure"), "{}", ran.log);
    assert!(!ran.log.contains("restored variable"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_fails_is_no_reason_to_roll_back() {
    let message = "Job failed with exit code: 128. Reason: containerd: could not pull";
    let (hub, ran) = deploy_a_change(vec![StageStep::error(ms(500), "BUILD_ERROR", message)], &[]).await;
    let ran = ran.failed(4, "hub_unavailable");
    assert_kept(&hub, &ran);
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_restarts_a_space_that_the_hub_failed_to_build() {
    let message = "Job failed with exit code: 128";
    for (stage, message) in [("BUILD_ERROR", message), ("RUNTIME_ERROR", "Scheduling failure: no node")] {
        let hub = hub().await;
        let folder =
            Folder::new(&[("README.md", "---\nsdk: docker\n---\n"), ("Dockerfile", "FROM python\n")]);
        let script = BuildScript::new(BuildCause::Create, vec![StageStep::error(ms(300), stage, message)]);
        hub.space(APP).script_builds(vec![script]).unwrap();
        let first = Run::new(&hub, &folder).run().await;
        assert_eq!(first.output("status"), "failed", "{}", first.log);
        let ran = Run::new(&hub, &folder).run().await.ended(0, "unchanged");
        assert!(ran.log.contains("restarting the Space after a failure of the Hub ("), "{}", ran.log);
        assert_eq!(ran.output("space_stage"), "RUNNING");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_refuses_the_image_is_no_reason_to_roll_back() {
    let log =
        ["--> Pushing image", "ERROR: failed to push spaces-registry.example/spaces/1: 401 Unauthorized"];
    for message in ["Unexpected job error", "Build failed"] {
        let steps = vec![StageStep::error(ms(500), "BUILD_ERROR", message)];
        let (hub, ran) = deploy_a_change(steps, &log).await;
        assert_kept(&hub, &ran.failed(4, "hub_unavailable"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_that_is_not_free_is_no_reason_to_roll_back() {
    let steps = vec![
        StageStep::new(ms(300), "APP_STARTING"),
        StageStep::error(ms(800), "RUNTIME_ERROR", "Scheduling failure: not enough hardware capacity"),
    ];
    let (hub, ran) = deploy_a_change(steps, &[]).await;
    let ran = ran.failed(3, "hardware_refused");
    assert_kept(&hub, &ran);
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_runtime_that_fails_is_no_reason_to_roll_back() {
    let runtime = "Exit code: 128. Reason: failed to create containerd task: failed to create shim task";
    let steps = |message: &str| vec![StageStep::error(ms(500), "RUNTIME_ERROR", message)];
    let (hub, ran) = deploy_a_change(steps(&format!("{runtime}: context canceled")), &[]).await;
    assert_kept(&hub, &ran.failed(4, "hub_unavailable"));

    let message = format!("{runtime}: exec: \"/app/start.sh\": permission denied");
    let (_hub, ran) = deploy_a_change(steps(&message), &[]).await;
    assert_eq!(ran.ended(1, "rolled-back").output("error_code"), "space_crashed");
}
