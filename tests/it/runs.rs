//! Runs and their machine: signals, missing files, terminals.

use std::time::Duration;

use local_hub::{Fault, FaultKind, RepoType};

use crate::harness::{Run, hub, reached, static_space};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_says_so_and_commits_nothing() {
    for signal in ["INT", "TERM"] {
        let (hub, folder) = (hub().await, static_space());
        hub.inject(Fault {
            method: None,
            path_contains: "/preupload/".to_owned(),
            skip: 0,
            times: 9,
            kind: FaultKind::Delay(Duration::from_secs(60)),
        });
        let run = Run::new(&hub, &folder);
        let child = run.spawn();
        let id = child.id().unwrap().to_string();
        reached(&hub, "/preupload/", 1).await;
        let killed = std::process::Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
        assert!(killed.success());
        let ran = run.finish(child).await.ended(130, "cancelled");
        assert_eq!(ran.output("error_code"), "cancelled");
        assert_eq!(ran.output("repo_id"), "ada/app", "the known outputs are written");
        assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_that_cannot_be_written_fails_nothing() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).var("GITHUB_STEP_SUMMARY", "/nowhere/at/all").run().await;
    let ran = ran.ended(0, "deployed");
    assert!(ran.log.contains("cannot write the job summary"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_on_a_terminal_too() {
    let (hub, folder) = (hub().await, static_space());
    let run = ["GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_SHA", "GITHUB_REPOSITORY"]
        .into_iter()
        .fold(Run::new(&hub, &folder), Run::without);
    let ran = run.run().await;
    assert_eq!(ran.code, 0, "{}", ran.log);
    assert!(!ran.log.contains("::"), "no workflow commands outside a workflow:\n{}", ran.log);
    assert!(!ran.log.contains(crate::harness::TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_file_name_stays_in_its_place() {
    let (hub, folder) = (hub().await, static_space());
    for name in ["::set-output name=repo_id::evil", "%0A::error::x", "a|b`c`<b>x</b>.md", "\u{202e}txt.exe"] {
        folder.write(name, "x");
    }
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    crate::assert_ran!(ran);
    for line in ran.log.lines() {
        let command = line.trim_start().starts_with("::");
        let ours = ["::group::", "::endgroup::", "::add-mask::", "::stop-commands::"];
        assert!(
            !command || ours.iter().any(|ours| line.trim_start().starts_with(ours)) || line.ends_with("::"),
            "{line}"
        );
    }
    assert_eq!(ran.output("repo_id"), "ada/app");
}
