//! A private Space whose deploy fails is left in dev mode, and a public one is not.

use std::time::Duration;

use local_hub::{BuildCause, BuildScript, Fault, FaultKind, RepoType, StageStep, TokenRole, User};

use crate::assert_ran;
use crate::harness::{Folder, Run, TestHub, hub_with};
use crate::settings::refuse;

const APP: &str = "ada/app";
const READ_TOKEN: &str = "hf_ATokenThatMayOnlyReadAndMustNotShowUp";

/// A Space that runs, and then a folder whose app crashes.
async fn crashing(visibility: &str) -> (TestHub, Folder) {
    failing(visibility, crash()).await
}

/// A Space that runs, and then a folder whose build is this one.
async fn failing(visibility: &str, build: BuildScript) -> (TestHub, Folder) {
    let folder = Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: gradio\n---\n"),
        ("app.py", "import gradio\n"),
        ("requirements.txt", "gradio\n"),
    ]);
    // A second token, for the proxy of a private Space.
    let reader = User { role: TokenRole::Read, ..User::new("ada", READ_TOKEN) };
    let hub = hub_with(|config| config.users.push(reader)).await;
    Run::new(&hub, &folder).input("visibility", visibility).run().await.ended(0, "deployed");
    folder.write("app.py", "import gradio as gr\n");
    hub.space(APP).script_builds(vec![build]).unwrap();
    (hub, folder)
}

/// A build after a commit, whose app ends.
fn crash() -> BuildScript {
    let steps = vec![
        StageStep::new(Duration::from_millis(200), "APP_STARTING"),
        StageStep::error(Duration::from_millis(1500), "RUNTIME_ERROR", "Exit code: 1"),
    ];
    let line = "ModuleNotFoundError: No module named 'cv2'".to_owned();
    BuildScript {
        run_log: vec![(Duration::from_millis(300), line)],
        ..BuildScript::new(BuildCause::Commit, steps)
    }
}

fn leaving_open(hub: &TestHub, folder: &Folder) -> Run {
    Run::new(hub, folder).input("leave_open_on_failure", "dev-mode")
}

/// Returns the bodies of the requests that switched dev mode.
fn switches(hub: &TestHub) -> Vec<String> {
    let requests = hub.requests();
    let switches = requests.iter().filter(|request| request.path.ends_with("/dev-mode"));
    switches.map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect()
}

fn is_open(hub: &TestHub) -> bool {
    hub.space(APP).dev_mode().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_space_that_crashes_is_left_in_dev_mode() {
    let (hub, folder) = crashing("private").await;
    let ran = leaving_open(&hub, &folder).run().await.failed(1, "space_crashed");
    assert_ran!(ran);
    assert!(is_open(&hub));
    assert!(ran.output("ssh_address").ends_with("@ssh.hf.space"), "{ran:?}");
    assert!(ran.output("editor_url").contains("/spaces/ada/app/dev-mode/vscode-web"), "{ran:?}");
    for text in [ran.output("ssh_address"), ran.output("editor_url")] {
        assert!(ran.log.contains(text) && ran.summary.contains(text), "{text}\n{}\n{}", ran.log, ran.summary);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_ends_dev_mode_and_deploys() {
    let (hub, folder) = crashing("private").await;
    leaving_open(&hub, &folder).run().await.failed(1, "space_crashed");
    folder.write("app.py", "import gradio as good\n");
    let ran = leaving_open(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(hub.space(APP).stage().unwrap().1.as_deref(), Some(ran.output("commit_sha")), "{}", ran.log);
    assert_eq!(
        (switches(&hub), is_open(&hub)),
        (vec![r#"{"enabled":true}"#.into(), r#"{"enabled":false}"#.into()], false)
    );
    assert_eq!((ran.output("ssh_address"), ran.output("editor_url")), ("", ""));
    // Another run of the same commit changes nothing.
    leaving_open(&hub, &folder).run().await.ended(0, "unchanged");
    assert_eq!(switches(&hub).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_open_is_not_rolled_back() {
    let (hub, folder) = crashing("private").await;
    let ran = leaving_open(&hub, &folder).input("on_failure", "rollback").run().await;
    let ran = ran.failed(1, "space_crashed");
    assert!(ran.log.contains("not rolled back: the Space stays as it failed"), "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Space, APP).head("main").as_deref(), Some(ran.output("commit_sha")));
    assert!(is_open(&hub) && ran.output("rollback_commit_sha").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_space_is_never_left_open() {
    for visibility in ["public", "protected"] {
        let (hub, folder) = crashing(visibility).await;
        let ran = leaving_open(&hub, &folder).input("on_failure", "rollback").run().await;
        let ran = ran.ended(1, "rolled-back");
        let reason = "it is not private, and visitors would meet the failed app";
        let early =
            format!("::warning::`leave_open_on_failure` has no effect on the Space `{APP}`: {reason}");
        let late = format!("::warning::the Space `{APP}` is not left in dev mode: {reason}");
        for expected in [early, late] {
            assert!(ran.log.contains(&expected), "{expected}\n{}", ran.log);
        }
        assert_eq!((switches(&hub), ran.output("ssh_address")), (Vec::new(), ""));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_space_behind_a_public_proxy_is_not_left_open() {
    let (hub, folder) = crashing("private").await;
    let run = leaving_open(&hub, &folder).input("private", "true").input("create_proxy", "true");
    let ran = run.secret("INPUT_PROXY_HF_TOKEN", READ_TOKEN).run().await.failed(1, "space_crashed");
    assert!(ran.log.contains("is not left in dev mode: its proxy is public"), "{}", ran.log);
    assert!(switches(&hub).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_plan_or_the_right_the_run_keeps_its_own_error() {
    for (status, text, hint) in [
        (402, "Dev mode requires a PRO subscription", "dev mode needs a PRO user"),
        (403, "You may not change this Space", "your role must be `write`"),
    ] {
        let (hub, folder) = crashing("private").await;
        refuse(&hub, ("POST", "/dev-mode"), 9, (status, text));
        let ran = leaving_open(&hub, &folder).run().await.failed(1, "space_crashed");
        let warning =
            ran.log.lines().find(|line| line.contains("is not left in dev mode")).unwrap_or_default();
        assert!(warning.starts_with("::warning::") && warning.contains(text), "{warning}\n{}", ran.log);
        assert!(warning.contains(hint), "{warning}");
        assert!(!is_open(&hub) && ran.output("editor_url").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_dev_mode_leaves_the_rollback() {
    let (hub, folder) = crashing("private").await;
    refuse(&hub, ("POST", "/dev-mode"), 9, (402, "Dev mode requires a PRO subscription"));
    leaving_open(&hub, &folder).input("on_failure", "rollback").run().await.ended(1, "rolled-back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_up() {
    let (hub, folder) = crashing("private").await;
    hub.inject(Fault {
        method: Some("POST".to_owned()),
        path_contains: "/dev-mode".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::DropAfterApply,
    });
    let ran = leaving_open(&hub, &folder).run().await.failed(1, "space_crashed");
    assert!(is_open(&hub) && !ran.output("editor_url").is_empty(), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_without_an_image_has_nothing_to_look_into() {
    let steps = vec![StageStep::error(Duration::from_millis(500), "BUILD_ERROR", "Exit code: 1")];
    let (hub, folder) = failing("private", BuildScript::new(BuildCause::Commit, steps)).await;
    let ran = leaving_open(&hub, &folder).run().await.failed(1, "space_build_failed");
    assert!(ran.log.contains("is not left in dev mode: it has no container to look into"), "{}", ran.log);
    assert!(switches(&hub).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_nothing_waits_for_warns() {
    let (hub, folder) = crashing("private").await;
    let ran = leaving_open(&hub, &folder).input("wait", "false").run().await.ended(0, "deployed");
    assert!(ran.log.contains("::warning::`leave_open_on_failure` has no effect"), "{}", ran.log);
    assert!(switches(&hub).is_empty());
}
