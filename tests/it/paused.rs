//! Spaces that do not start by themselves: paused ones, and those in dev mode.

use local_hub::RepoType;

use crate::harness::{Folder, Run, TestHub, hub};
use crate::settings::refuse;

const APP: &str = "ada/app";

/// A Space that was deployed once.
async fn deployed() -> (TestHub, Folder) {
    let (hub, folder) =
        (hub().await, Folder::new(&[("README.md", "---\nsdk: gradio\n---\n"), ("app.py", "one\n")]));
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    (hub, folder)
}

/// Counts the restarts of the Space.
fn restarts(hub: &TestHub) -> usize {
    hub.requests().iter().filter(|request| request.path.ends_with("/restart")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_space_is_woken_by_a_deploy_without_changes() {
    let (hub, folder) = deployed().await;
    hub.space(APP).pause().unwrap();
    let ran = Run::new(&hub, &folder).run().await.ended(0, "unchanged");
    assert!(ran.log.contains("the Space is paused: waking it"), "{}", ran.log);
    assert_eq!((ran.output("space_stage"), restarts(&hub)), ("RUNNING", 1));
}

/// A commit alone does not start it, says the documentation.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_space_is_woken_after_a_change() {
    let (hub, folder) = deployed().await;
    hub.space(APP).pause().unwrap();
    folder.write("app.py", "two\n");
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!((ran.output("space_stage"), restarts(&hub)), ("RUNNING", 1), "{}", ran.log);
    assert_eq!(hub.space(APP).stage().unwrap().1.as_deref(), Some(ran.output("commit_sha")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_a_commit_restarts_is_left_to_it() {
    let (hub, folder) = deployed().await;
    hub.set_policy(|policy| policy.commit_restarts_paused = true);
    hub.space(APP).pause().unwrap();
    folder.write("app.py", "two\n");
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(restarts(&hub), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_that_is_refused_says_what_to_do() {
    let (hub, folder) = deployed().await;
    hub.space(APP).pause().unwrap();
    refuse(&hub, ("POST", "/restart"), 9, (403, "Only the owner may restart it"));
    let ran = Run::new(&hub, &folder).run().await.failed(3, "permission_denied");
    for expected in ["Only the owner may restart it", "restart the Space on its page, and run the job again"]
    {
        assert!(ran.log.contains(expected), "{expected}:\n{}", ran.log);
    }
    assert_eq!(hub.space(APP).stage().unwrap().0, "PAUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_dev_mode_holds_back_is_warned_about() {
    let (hub, folder) = deployed().await;
    let old = hub.repo(RepoType::Space, APP).head("main");
    hub.space(APP).set_dev_mode(true).unwrap();
    folder.write("app.py", "two\n");
    let ran = Run::new(&hub, &folder).input("timeout", "3s").run().await.failed(6, "space_not_ready");
    assert!(ran.log.contains("::warning::the Space is in dev mode"), "{}", ran.log);
    assert!(ran.log.contains("hint: the commit is on the branch: switch dev mode off"), "{}", ran.log);
    assert_eq!(hub.space(APP).stage().unwrap().1, old, "the old commit runs on");
}
