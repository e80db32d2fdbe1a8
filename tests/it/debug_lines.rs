//! Debug lines of requests, which `RUNNER_DEBUG` and `HF_DEPLOY_LOG` turn on.

use crate::harness::{Run, TOKEN, hub, hub_with, static_space};

/// Returns the debug lines of requests to the Hub, sorted, because some requests run at the same time.
fn requests(log: &str) -> String {
    lines_with(log, "hub: request ")
}

fn lines_with(log: &str, part: &str) -> String {
    let mut lines: Vec<&str> = log.lines().filter(|line| line.contains(part)).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_logged_with_runner_debug() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).var("RUNNER_DEBUG", "1").run().await.ended(0, "deployed");
    assert_eq!(requests(&ran.log).lines().count(), hub.requests().len(), "{}", ran.log);
    insta::with_settings!({ filters => vec![
        (r"ms=\d+", "ms=[n]"),
        (r"request_id=\S+", "request_id=[id]"),
        (r"[0-9a-f]{40}", "[sha]"),
    ] }, {
        insta::assert_snapshot!(requests(&ran.log));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_logged_for_the_check_of_an_app() {
    let (hub, folder) = (hub_with(|config| config.edge = true).await, static_space());
    let run = || Run::new(&hub, &folder).input("visibility", "private");
    let ran = run().var("RUNNER_DEBUG", "1").run().await.ended(0, "deployed");
    assert_eq!(ran.output("verify_status"), "health_only");
    let own = ran.log.replace(&format!("::add-mask::{TOKEN}"), "");
    assert!(!own.contains(TOKEN), "{own}");
    assert!(!requests(&ran.log).is_empty(), "{}", ran.log);
    let shown = [lines_with(&ran.log, "app_check: "), lines_with(&ran.log, "phase: ")].join("\n");
    insta::with_settings!({ filters => vec![(r"ms=\d+", "ms=[n]"), (r"request_id=\S+", "request_id=[id]")] }, {
        insta::assert_snapshot!(shown);
    });
    // A list of targets leaves the others out.
    let ran = run().var("HF_DEPLOY_LOG", "app_check,github").run().await.ended(0, "unchanged");
    assert!(!lines_with(&ran.log, "app_check: request ").is_empty(), "{}", ran.log);
    assert_eq!(requests(&ran.log) + &lines_with(&ran.log, "phase: "), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_logged_at_the_chosen_level() {
    let (hub, folder) = (hub().await, static_space());
    for (filter, is_logged) in [("hub=debug", true), ("info", false), ("off", false)] {
        let ran = Run::new(&hub, &folder).var("HF_DEPLOY_LOG", filter).run().await;
        let lines = requests(&ran.log);
        assert_eq!(!lines.is_empty(), is_logged, "{filter}: {}", ran.log);
        assert!(!lines.contains("::debug::"), "{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_level_is_a_warning() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).var("HF_DEPLOY_LOG", "loud").run().await.ended(0, "deployed");
    assert!(ran.log.contains("ignored `HF_DEPLOY_LOG`: `loud` must be"), "{}", ran.log);
}
