//! Settings of a running Space change only together with the files, and are restored otherwise.

use local_hub::{BuildCause, BuildScript, StageStep};

use crate::harness::{Folder, Run, TestHub, hub, hub_with, static_space, static_space_with_picture};
use crate::settings::refuse;

const APP: &str = "ada/app";

/// Returns the changes of the Space other than files, in order.
fn changes(hub: &TestHub) -> Vec<String> {
    let settings = ["/variables", "/secrets", "/settings", "/hardware", "/sleeptime", "/volumes"];
    let is_change = |path: &str| settings.iter().any(|ending| path.ends_with(ending));
    hub.requests()
        .into_iter()
        .filter(|request| request.method != "GET" && is_change(&request.path))
        .map(|request| format!("{} {}", request.method, String::from_utf8_lossy(&request.body)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_and_another_branch_leave_the_running_space_alone() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    for (input, value) in [("create_pr", "true"), ("revision", "dev")] {
        folder.write("index.html", input);
        hub.clear_requests();
        let ran = Run::new(&hub, &folder)
            .input(input, value)
            .input("variables", "MODE=new")
            .input("secrets", "KEY")
            .secret("KEY", "value-of-the-secret-key")
            .input("private", "true")
            .run()
            .await
            .ended(0, "deployed");
        assert_eq!(changes(&hub), [""; 0], "{input}");
        assert!(
            ran.log.contains("::warning::left as they are: `variables`, `secrets`, `visibility`"),
            "{}",
            ran.log
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_of_a_commit_that_did_not_land_are_taken_back() {
    let (hub, folder) = (hub().await, static_space_with_picture());
    let run = |variables: &str| Run::new(&hub, &folder).input("variables", variables);
    run("MODE=old").run().await.ended(0, "deployed");
    folder.write("index.html", "new");
    refuse(&hub, ("POST", "/commit/"), 1, (400, "Not like this"));
    hub.clear_requests();
    let ran = run("MODE=new\nEXTRA=1").run().await.failed(1, "hub_refused");
    assert_eq!(
        changes(&hub),
        [
            r#"POST {"key":"MODE","value":"new"}"#,
            r#"POST {"key":"EXTRA","value":"1"}"#,
            r#"POST {"key":"MODE","value":"old"}"#,
            r#"DELETE {"key":"EXTRA"}"#
        ]
    );
    assert!(ran.log.contains("restored variable `MODE`"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_app_runs_with_the_old_variables_while_large_files_are_sent() {
    let (hub, folder) = (hub().await, static_space());
    let run = |variables: &str| Run::new(&hub, &folder).input("variables", variables);
    run("MODE=old").run().await.ended(0, "deployed");
    folder.write("weights.bin", vec![7; 50_000]);
    hub.clear_requests();
    run("MODE=new").run().await.ended(0, "deployed");
    let requests = hub.requests();
    let written = |path: &str| {
        requests.iter().position(|request| request.method == "POST" && request.path.contains(path))
    };
    let stored = requests.iter().rposition(|request| request.path.contains("shard"));
    assert!(
        stored.is_some() && stored < written("/variables") && written("/variables") < written("/commit/")
    );
}

/// A Space whose variables alone break it.
async fn broken_by_a_variable() -> (TestHub, Folder) {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).input("variables", "MODE=old").run().await.ended(0, "deployed");
    let crash = BuildScript {
        cause: Some(BuildCause::Setting),
        steps: vec![StageStep::error(std::time::Duration::from_millis(500), "RUNTIME_ERROR", "exit code: 1")],
        build_log: vec![],
        run_log: vec![],
    };
    hub.space(APP).script_builds(vec![crash]).unwrap();
    (hub, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_of_settings_alone_is_rolled_back_as_well() {
    let (hub, folder) = broken_by_a_variable().await;
    let run = Run::new(&hub, &folder).input("on_failure", "rollback").input("variables", "MODE=bad");
    let ran = run.run().await.ended(1, "rolled-back");
    assert_eq!(ran.output("error_code"), "space_crashed");
    assert!(ran.log.contains("restored variable `MODE`"), "{}", ran.log);
    assert_eq!(ran.output("rollback_commit_sha"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_hub_is_waited_out() {
    let hub = hub_with(|config| config.edge = true).await;
    let folder = static_space();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("index.html", "<h1>New</h1>\n");
    refuse(&hub, ("GET", "/runtime"), 7, (503, "Down"));
    let run = Run::new(&hub, &folder).input("on_failure", "rollback").input("timeout", "3m");
    let ran = run.run().await.ended(0, "deployed");
    assert!(
        ran.log.contains("reading the state of the Space again: cannot read the state of the Space"),
        "{}",
        ran.log
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_that_does_not_end_is_no_reason_to_roll_back() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("index.html", "<h1>New</h1>\n");
    refuse(&hub, ("GET", "/runtime"), usize::MAX, (503, "Down"));
    let run = Run::new(&hub, &folder).input("on_failure", "rollback").input("timeout", "5s");
    let ran = run.run().await.failed(4, "hub_unavailable");
    assert!(ran.log.contains("not rolled back: the app did not cause the failure"), "{}", ran.log);
    assert_eq!(ran.output("rollback_commit_sha"), "");
}
