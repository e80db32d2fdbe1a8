//! A green run means that this commit is running; a red one says why it is not.

use std::time::Duration;

use local_hub::{
    BuildCause, BuildScript, CommitAnswer, Fault, FaultKind, LocalHub, Log, LogStep, RepoType, StageStep,
};

use crate::assert_ran;
use crate::harness::{
    Folder, Run, TestHub, hub, hub_with, reached, static_space, static_space_with_picture, tree, until,
};

const APP: &str = "ada/app";

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn gradio_space() -> Folder {
    Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: gradio\n---\n"),
        ("app.py", "import gradio\n"),
        ("requirements.txt", "gradio\n"),
    ])
}

/// The next build.
fn script(hub: &LocalHub, steps: Vec<StageStep>, build_log: &[&str], run_log: &[&str]) {
    let lines = |lines: &[&str], at: u64| lines.iter().map(|line| (ms(at), (*line).to_owned())).collect();
    let script =
        BuildScript { cause: None, steps, build_log: lines(build_log, 100), run_log: lines(run_log, 1000) };
    hub.space(APP).script_builds(vec![script]).unwrap();
}

fn healthy() -> Vec<StageStep> {
    vec![StageStep::new(ms(1500), "APP_STARTING"), StageStep::new(ms(4500), "RUNNING")]
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_and_logs_are_printed_until_this_commit_runs() {
    let (hub, folder) = (hub().await, gradio_space());
    script(&hub, healthy(), &["Step 1/2 : FROM python", "Step 2/2 : COPY . ."], &["Running on 0.0.0.0:7860"]);
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_ran!(ran);
    assert_eq!(ran.output("space_stage"), "RUNNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails() {
    let (hub, folder) = (hub().await, gradio_space());
    let steps =
        vec![StageStep::error(ms(2500), "BUILD_ERROR", "Job failed with exit code: 1. Reason: cache miss")];
    let log = ["Collecting gradio", "ERROR: ResolutionImpossible: for help visit the docs"];
    script(&hub, steps, &log, &[]);
    let ran = Run::new(&hub, &folder).run().await.failed(1, "space_build_failed");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_crashes() {
    let (hub, folder) = (hub().await, gradio_space());
    let steps = vec![
        StageStep::new(ms(500), "APP_STARTING"),
        StageStep::error(ms(4000), "RUNTIME_ERROR", "Exit code: 1. Reason: the app ended"),
    ];
    let log = [
        "Traceback (most recent call last):",
        "ModuleNotFoundError: No module named 'cv2'",
        "::error::not ours",
    ];
    script(&hub, steps, &["built"], &log);
    let ran = Run::new(&hub, &folder).run().await.failed(1, "space_crashed");
    assert_ran!(ran);
    let stopped = ran.log.find("::stop-commands::").expect("outside text is fenced");
    assert!(stopped < ran.log.find("not ours").unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_is_not_configured_right() {
    let (hub, folder) = (hub().await, gradio_space());
    let steps = vec![StageStep::error(ms(1500), "CONFIG_ERROR", "Collision on variables and secrets names")];
    script(&hub, steps, &[], &[]);
    assert_ran!(Run::new(&hub, &folder).run().await.failed(1, "space_misconfigured"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_without_an_app() {
    let (hub, folder) = (hub().await, gradio_space());
    script(&hub, vec![StageStep::error(ms(1500), "NO_APP_FILE", "")], &[], &[]);
    assert_ran!(Run::new(&hub, &folder).run().await.failed(1, "space_without_app"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_never_starts() {
    let (hub, folder) = (hub().await, gradio_space());
    script(&hub, vec![StageStep::new(ms(500), "APP_STARTING")], &["built"], &["loading the model"]);
    let ran = Run::new(&hub, &folder).input("timeout", "5s").run().await.failed(6, "space_not_ready");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_previous_image_is_not_taken_for_this_commit() {
    let (hub, folder) = (hub().await, gradio_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    hub.set_policy(|policy| policy.stale_running = ms(2500));
    script(&hub, healthy(), &[], &[]);
    folder.write("app.py", "import gradio as gr\n");
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(hub.space(APP).stage().unwrap().1.as_deref(), Some(ran.output("commit_sha")));
    assert!(
        ran.log.contains("running the previous version\n"),
        "the stage is printed, and the wait goes on:\n{}",
        ran.log
    );
    assert!(ran.log.contains("starting (the previous version keeps running) after"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_closes_and_replays_is_printed_once() {
    let (hub, folder) = (hub().await, gradio_space());
    let line = |text: &str| {
        let event = format!("data: {{\"data\":\"{text}\\n\",\"timestamp\":\"of {text}\"}}\n\n");
        LogStep::Raw(event.into_bytes())
    };
    let first = vec![line("one"), LogStep::KeepAlive, line("two"), LogStep::Close];
    let second = vec![
        line("one"),
        line("two"),
        LogStep::SplitLine { line: "three".to_owned(), at: 9, pause: ms(200) },
        LogStep::CrlfLine("four".to_owned()),
        LogStep::Wait(Duration::from_secs(60)),
    ];
    hub.space(APP).script_log_connections(Log::Build, vec![first, second]);
    script(&hub, vec![StageStep::new(ms(5000), "RUNNING")], &[], &[]);
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    for text in ["one", "two", "three", "four"] {
        assert_eq!(ran.log.lines().filter(|line| *line == text).count(), 1, "{text}\n{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_read_does_not_end_the_wait() {
    let (hub, folder) = (hub().await, gradio_space());
    let kind = FaultKind::Status { code: 403, headers: vec![], body: r#"{"error":"no"}"#.to_owned() };
    let fault = Fault { method: None, path_contains: "/logs/".to_owned(), skip: 0, times: 99, kind };
    hub.inject(fault);
    script(&hub, healthy(), &["built"], &[]);
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_not_see_the_state_is_warned_about() {
    let (hub, folder) = (hub().await, gradio_space());
    let kind = FaultKind::Status { code: 403, headers: vec![], body: r#"{"error":"no"}"#.to_owned() };
    hub.inject(Fault { method: None, path_contains: "/runtime".to_owned(), skip: 0, times: 99, kind });
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("whether it runs is not known"), "{}", ran.log);
    assert_eq!(ran.output("space_stage"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_is_overtaken_says_so() {
    let (hub, folder) = (hub().await, gradio_space());
    script(&hub, vec![StageStep::new(ms(60_000), "RUNNING")], &[], &[]);
    let run = Run::new(&hub, &folder);
    let child = run.spawn();
    // It waits for its own commit by now.
    reached(&hub, "/runtime", 1).await;
    script(&hub, vec![StageStep::new(ms(500), "RUNNING")], &[], &[]);
    hub.repo(RepoType::Space, APP).commit_as("ada", "main", &[("app.py", b"theirs")], "theirs").unwrap();
    assert_ran!(run.finish(child).await.failed(5, "overtaken"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleeping_space_is_woken_by_a_deploy_without_changes() {
    let (hub, folder) = (hub().await, gradio_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    hub.space(APP).sleep().unwrap();
    let ran = Run::new(&hub, &folder).run().await.ended(0, "unchanged");
    assert!(ran.log.contains("the Space is sleeping: waking it"), "{}", ran.log);
    assert_eq!(ran.output("space_stage"), "RUNNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_without_changes_over_a_broken_space_is_red() {
    let (hub, folder) = (hub().await, gradio_space());
    let steps = vec![StageStep::error(ms(500), "RUNTIME_ERROR", "CUDA out of memory")];
    hub.space(APP).script_stages(steps).unwrap();
    let ran = Run::new(&hub, &folder).input("wait", "false").run().await.ended(0, "deployed");
    assert_eq!(ran.output("space_stage"), "", "the step did not wait");
    tokio::time::sleep(ms(1000)).await;
    let ran = Run::new(&hub, &folder).run().await.failed(1, "space_crashed");
    assert!(ran.log.contains("the GPU has too little memory"), "{}", ran.log);
}

/// A Space that runs, and then a commit that does not build.
async fn broken_deploy() -> (TestHub, Folder) {
    let (hub, folder) = (hub().await, gradio_space());
    folder.write("model.bin", [7u8; 300].map(|byte| byte.wrapping_mul(37)));
    folder.write("old.txt", "old");
    folder.write("old\\name.txt", "a backslash");
    Run::new(&hub, &folder).input("variables", "MODE=old").run().await.ended(0, "deployed");
    folder.write("model.bin", [9u8; 300].map(|byte| byte.wrapping_mul(41)));
    folder.write("app.py", "broken");
    folder.write("new.txt", "new");
    folder.remove("old.txt");
    folder.remove("old\\name.txt");
    folder.write("new\\name.txt", "another one");
    (hub, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_restores_the_previous_tree() {
    let (hub, folder) = broken_deploy().await;
    let before = tree(&hub, RepoType::Space);
    let broken = |cause| BuildScript {
        cause: Some(cause),
        steps: vec![StageStep::error(ms(1500), "BUILD_ERROR", "exit code: 1")],
        build_log: vec![(ms(100), "broken".to_owned())],
        run_log: vec![],
    };
    hub.space(APP).script_builds(vec![broken(BuildCause::Commit)]).unwrap();
    hub.clear_requests();
    let run = Run::new(&hub, &folder).input("on_failure", "rollback").input("variables", "MODE=new\nEXTRA=1");
    let ran = run.run().await.ended(1, "rolled-back");
    assert_ran!(ran);
    assert_eq!(ran.log.matches("did not build").count(), 1, "the error is printed once");
    // Small files of the previous commit are read where the Hub redirects to.
    assert!(hub.requests().iter().any(|request| request.path.contains("/resolve-cache/")), "{}", ran.log);
    assert_eq!(tree(&hub, RepoType::Space), before);
    assert!(ran.log.contains("restored variable `MODE`"), "{}", ran.log);
    let head = hub.repo(RepoType::Space, APP).head("main").unwrap();
    assert_eq!(ran.output("rollback_commit_sha"), head);
    assert_eq!(ran.output("error_code"), "space_build_failed");
    let stored = hub.requests().iter().filter(|request| request.path.contains("xorb")).count();
    assert!(stored <= 3, "the large file is named, not sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_the_way_back_is_not_shown_as_that_of_the_failure() {
    let (hub, folder) = broken_deploy().await;
    let fails = StageStep::error(ms(500), "NO_APP_FILE", "");
    let back = BuildScript {
        cause: Some(BuildCause::Commit),
        steps: vec![StageStep::new(ms(1500), "RUNNING")],
        build_log: vec![(ms(100), "building the old app again".to_owned())],
        run_log: vec![],
    };
    hub.space(APP).script_builds(vec![BuildScript::new(BuildCause::Commit, vec![fails]), back]).unwrap();
    let ran = Run::new(&hub, &folder).input("on_failure", "rollback").run().await.ended(1, "rolled-back");
    assert!(ran.log.contains("building the old app again"), "{}", ran.log);
    assert!(!ran.summary.contains("building the old app again"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_in_parts_is_built_once_and_rolled_back_at_once() {
    let (hub, folder) = broken_deploy().await;
    // Neither the merge nor the commit of the way back is named.
    hub.set_policy(|policy| {
        policy.merges_name_their_commit = false;
        policy.commit_answer = CommitAnswer::Nameless;
    });
    let before = (tree(&hub, RepoType::Space), hub.repo(RepoType::Space, APP).commits("main").len());
    let broken = BuildScript {
        cause: Some(BuildCause::Commit),
        steps: vec![StageStep::error(ms(1500), "BUILD_ERROR", "exit code: 1")],
        build_log: vec![(ms(100), "broken".to_owned())],
        run_log: vec![],
    };
    hub.space(APP).script_builds(vec![broken]).unwrap();
    let run = Run::new(&hub, &folder).input("on_failure", "rollback").input("max_commit_files", "1");
    let ran = run.run().await.ended(1, "rolled-back");
    assert_eq!(tree(&hub, RepoType::Space), before.0);
    // The deploy and the way back: a build of its own for each part would have found no broken one any more.
    assert_eq!(hub.repo(RepoType::Space, APP).commits("main").len(), before.1 + 2);
    assert_eq!(ran.output("rollback_commit_sha"), hub.repo(RepoType::Space, APP).head("main").unwrap());
}

fn held(path_contains: &str) -> Fault {
    Fault {
        method: None,
        path_contains: path_contains.to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::Delay(ms(1500)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_keeps_the_commit_of_another_writer() {
    // Theirs comes before the way back has looked at the branch, or after.
    for after_the_look in [false, true] {
        let hub = hub_with(|config| config.edge = true).await;
        let folder = static_space_with_picture();
        Run::new(&hub, &folder).run().await.ended(0, "deployed");
        folder.write("index.html", "<h1>Goodbye</h1>\n");
        let visits = || hub.space(APP).edge_requests().unwrap().len();
        let before = visits();
        hub.space(APP).inject_edge(held("/")).unwrap();
        let run = Run::new(&hub, &folder).input("health_contains", "Hello").input("on_failure", "rollback");
        let child = run.spawn();
        until(|| visits() > before).await;
        if after_the_look {
            let ours = hub.repo(RepoType::Space, APP).head("main").unwrap();
            hub.inject(held(&format!("/tree/{ours}")));
            reached(&hub, &format!("/tree/{ours}"), 1).await;
        }
        hub.repo(RepoType::Space, APP)
            .commit_as("ada", "main", &[("theirs.txt", b"theirs")], "theirs")
            .unwrap();
        let theirs = tree(&hub, RepoType::Space);
        let ran = run.finish(child).await;
        assert_eq!((ran.code, ran.output("status"), ran.output("verify_status")), (1, "failed", "failed"));
        let expected = "::warning::not rolled back: another writer committed after this deploy";
        assert!(ran.log.contains(expected), "{}", ran.log);
        assert_eq!(tree(&hub, RepoType::Space), theirs);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_space_has_nothing_to_go_back_to() {
    let (hub, folder) = (hub().await, gradio_space());
    script(&hub, vec![StageStep::error(ms(1500), "BUILD_ERROR", "exit code: 1")], &["broken"], &[]);
    let ran = Run::new(&hub, &folder).input("on_failure", "rollback").run().await;
    let ran = ran.failed(1, "space_build_failed");
    assert!(ran.log.contains("there is nothing to go back to"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_space_runs_at_once() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(ran.output("space_stage"), "RUNNING");
    assert!(ran.output("timings").contains("\"wait\":"), "{ran:?}");
}
