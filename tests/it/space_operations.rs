//! Operations on one Space, as the action and as the command.

use std::time::Duration;

use local_hub::{
    BuildCause, BuildScript, Fault, FaultKind, HubConfig, Log, NewRepo, RepoType, StageSha, StageStep, User,
};
use serde_json::Value;

use crate::assert_ran;
use crate::harness::{Folder, Ran, Run, TOKEN, TestHub, hub, hub_with, json_command, reached};
use crate::proxy::client;
use crate::settings::refuse;
use crate::signals::send;

const APP: &str = "ada/app";

/// A Hub, and the empty folder that the action runs in.
struct World {
    hub: TestHub,
    folder: Folder,
}

impl std::ops::Deref for World {
    type Target = TestHub;

    fn deref(&self) -> &TestHub {
        &self.hub
    }
}

/// A Hub with a Gradio Space that runs, and has a build of a moment.
async fn running_space() -> World {
    with_space(hub().await, "gradio")
}

fn with_space(hub: TestHub, sdk: &str) -> World {
    hub.create_repo(NewRepo::new("ada", RepoType::Space, APP).sdk(sdk)).unwrap();
    hub.repo(RepoType::Space, APP).commit_as("ada", "main", &[("app.py", b"print()\n")], "app").unwrap();
    hub.set_policy(|policy| policy.build_time = Duration::from_millis(200));
    World { hub, folder: Folder::new(&[]) }
}

/// Prepares an operation of the action.
fn operation(world: &World, operation: &str) -> Run {
    Run::new(world, &world.folder)
        .action("space")
        .without("INPUT_HUGGINGFACE_REPO")
        .input("space", APP)
        .input("operation", operation)
}

/// The requests that change something, with the ends of their paths.
fn writes(hub: &TestHub) -> Vec<String> {
    let requests = hub.requests().into_iter().filter(|request| request.method != "GET");
    requests.map(|request| request.path.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

/// Runs the command with `--json`: its exit code, and the object on stdout.
async fn json(hub: &TestHub, arguments: &[&str]) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    let fixed = ["space", "--space", APP, "--operation"];
    json_command(hub, folder.path(), &[&fixed[..], arguments].concat()).await
}

fn stage(hub: &TestHub) -> String {
    hub.space(APP).stage().unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_the_space_and_changes_nothing() {
    let hub = running_space().await;
    let ran = operation(&hub, "status").run().await.ended(0, "unchanged");
    assert_ran!(ran);
    assert_eq!(writes(&hub), [""; 0]);
    let (code, value) = json(&hub, &["status"]).await;
    assert_eq!((code, &value["space_stage"], &value["dev_mode"]), (0, &"RUNNING".into(), &"false".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_with_a_wait_does_not_wake_a_paused_space() {
    let hub = running_space().await;
    hub.space(APP).pause().unwrap();
    let ran = operation(&hub, "status").input("wait", "true").run().await.failed(6, "space_not_ready");
    assert!(ran.log.contains("the Space `ada/app` is paused"), "{}", ran.log);
    assert!(ran.log.contains("hint: wake the Space with the operation `wake`"), "{}", ran.log);
    assert_eq!(writes(&hub), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_waits_until_the_app_runs_again() {
    let hub = running_space().await;
    for (word, query) in [("restart", ""), ("factory-restart", "factory=true")] {
        hub.clear_requests();
        let ran = operation(&hub, word).run().await.ended(0, "done");
        assert_eq!(
            (writes(&hub), ran.output("space_stage")),
            (vec!["restart".to_owned()], "RUNNING"),
            "{word}"
        );
        let sent = hub.requests().into_iter().find(|request| request.method == "POST").unwrap();
        assert_eq!(sent.query, query, "{word}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_fails_after_a_restart_is_diagnosed() {
    let hub = running_space().await;
    let steps = vec![
        StageStep::new(Duration::ZERO, "APP_STARTING"),
        StageStep {
            sha: StageSha::Head,
            error_message: Some(
                "Exit code: 1. Reason: application does not seem to be initialized".to_owned(),
            ),
            ..StageStep::new(Duration::from_millis(300), "RUNTIME_ERROR")
        },
    ];
    let lines = vec![(Duration::ZERO, "ModuleNotFoundError: No module named 'cv2'".to_owned())];
    let script =
        BuildScript { cause: Some(BuildCause::Restart), steps, run_log: lines, ..BuildScript::default() };
    hub.space(APP).script_builds(vec![script]).unwrap();
    let ran = operation(&hub, "restart").run().await.failed(1, "space_crashed");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn pause_and_wake_are_done_once() {
    let hub = running_space().await;
    operation(&hub, "pause").run().await.ended(0, "done");
    assert_eq!(stage(&hub), "PAUSED");
    let again = operation(&hub, "pause").run().await.ended(0, "unchanged");
    assert_eq!(again.output("space_stage"), "PAUSED");
    let woken = operation(&hub, "wake").run().await.ended(0, "done");
    assert_eq!((woken.output("space_stage"), stage(&hub).as_str()), ("RUNNING", "RUNNING"));
    operation(&hub, "wake").run().await.ended(0, "unchanged");
    assert_eq!(writes(&hub), ["pause", "restart"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sleeping_space_is_woken() {
    let hub = running_space().await;
    hub.space(APP).sleep().unwrap();
    operation(&hub, "wake").run().await.ended(0, "done");
    assert_eq!(stage(&hub), "RUNNING");
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_names_its_price() {
    let hub = running_space().await;
    let ran = operation(&hub, "hardware").input("hardware", "t4-small").input("sleep_time", "1h").run().await;
    let ran = ran.ended(0, "done");
    assert_ran!(ran);
    let again = operation(&hub, "hardware").input("hardware", "t4-small").run().await.ended(0, "unchanged");
    assert_eq!(again.output("price_usd_per_hour"), "0.40");
    assert_eq!(writes(&hub), ["hardware"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_hardware_fails_with_the_reasons() {
    let hub = with_space(hub_with(|config: &mut HubConfig| config.users[0].can_pay = false).await, "gradio");
    let run = operation(&hub, "hardware").input("hardware", "t4-small").input("fallback_hardware", "l4x1");
    let ran = run.run().await.failed(3, "hardware_refused");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn sleep_time_is_set_where_the_hardware_has_one() {
    let hub = running_space().await;
    let ran = operation(&hub, "sleep-time").input("sleep_time", "2h").run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("`cpu-basic` always sleeps after 48 hours"), "{}", ran.log);
    operation(&hub, "hardware").input("hardware", "t4-small").run().await.ended(0, "done");
    let ran = operation(&hub, "sleep-time").input("sleep_time", "2h").run().await.ended(0, "done");
    assert_eq!(ran.output("sleep_time_seconds"), "7200");
    operation(&hub, "sleep-time").input("sleep_time", "2h").run().await.ended(0, "unchanged");
    let never = operation(&hub, "sleep-time").input("sleep_time", "never").run().await.ended(0, "done");
    assert_eq!(never.output("sleep_time_seconds"), "-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_mode_gives_the_addresses_and_ends() {
    let hub = running_space().await;
    let ran = operation(&hub, "dev-mode").run().await.ended(0, "done");
    assert_ran!(ran);
    assert!(ran.output("ssh_address").ends_with("@ssh.hf.space"));
    let again = operation(&hub, "dev-mode").run().await.ended(0, "unchanged");
    assert_eq!(again.output("editor_url"), ran.output("editor_url"));
    // The branch moves meanwhile, and its head is built at the end of dev mode.
    let head =
        hub.repo(RepoType::Space, APP).commit_as("ada", "main", &[("app.py", b"print(2)\n")], "two").unwrap();
    let off = operation(&hub, "dev-mode").input("dev_mode", "off").run().await.ended(0, "done");
    assert_eq!((off.output("dev_mode"), off.output("commit_sha")), ("false", head.as_str()));
    operation(&hub, "dev-mode").input("dev_mode", "off").run().await.ended(0, "unchanged");
    assert_eq!(writes(&hub), ["dev-mode", "dev-mode"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_mode_without_a_plan_names_the_plan() {
    let free = |config: &mut HubConfig| {
        config.users[0].is_pro = false;
        config.users.push(User::new("eve", "hf_TokenOfEveWhoIsPro"));
    };
    let hub = with_space(hub_with(free).await, "gradio");
    let ran = operation(&hub, "dev-mode").run().await.failed(3, "payment_required");
    assert!(ran.log.contains("hint: dev mode needs a PRO user"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_show_the_last_lines() {
    let hub = running_space().await;
    for number in 0..5 {
        hub.space(APP).push_log(Log::Run, &format!("line {number}")).unwrap();
    }
    let (code, value) = json(&hub, &["logs", "--log", "run", "--lines", "2"]).await;
    assert_eq!((code, &value["logs"]["run"]), (0, &serde_json::json!(["line 3", "line 4"])));
    let ran = operation(&hub, "logs").input("log", "run").run().await.ended(0, "unchanged");
    assert!(ran.log.contains("line 0\nline 1\nline 2"), "{}", ran.log);
    let followed = operation(&hub, "logs").input("wait", "true").input("log", "run").input("timeout", "2s");
    let child = followed.spawn();
    reached(&hub, "/logs/run", 3).await;
    hub.space(APP).push_log(Log::Run, "a late line").unwrap();
    let ran = followed.finish(child).await.ended(0, "unchanged");
    assert!(ran.log.contains("a late line"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_needs_the_name_twice() {
    let hub = running_space().await;
    for confirm in ["", "ada/ap", "ada/App", "true"] {
        let ran = operation(&hub, "delete").input("confirm", confirm).run().await.failed(2, "invalid_input");
        assert!(ran.log.contains("must repeat `space`, `ada/app`"), "{}", ran.log);
    }
    assert_eq!(hub.requests().len(), 0);
    let ran = operation(&hub, "delete").input("confirm", APP).run().await.ended(0, "done");
    assert_ran!(ran);
    assert!(hub.space(APP).stage().is_err());
    operation(&hub, "delete").input("confirm", APP).run().await.failed(3, "repo_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_space_is_not_deleted_by_its_former_name() {
    let hub = running_space().await;
    let body = serde_json::json!({ "fromRepo": APP, "toRepo": "ada/other", "type": "space" });
    let moved = client().post(format!("{}/api/repos/move", hub.endpoint())).bearer_auth(TOKEN).json(&body);
    assert!(moved.send().await.unwrap().status().is_success());
    hub.clear_requests();
    let ran = operation(&hub, "delete").input("confirm", APP).run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("it is `ada/other` now (nothing was changed)"), "{}", ran.log);
    assert_eq!(writes(&hub), [""; 0]);
    let ran = operation(&hub, "restart").run().await.ended(0, "done");
    assert!(ran.log.contains("::warning::the Space `ada/app` is `ada/other` now"), "{}", ran.log);
    assert_eq!(ran.output("repo_id"), "ada/other");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_in_a_static_space() {
    let hub = with_space(hub().await, "static");
    for word in ["restart", "factory-restart", "pause", "wake", "logs", "dev-mode"] {
        let ran = operation(&hub, word).run().await.failed(2, "invalid_input");
        assert!(ran.log.contains("nothing runs in a static Space"), "{word}: {}", ran.log);
    }
    assert_eq!(writes(&hub), [""; 0]);
    operation(&hub, "status").run().await.ended(0, "unchanged");
    operation(&hub, "delete").input("confirm", APP).run().await.ended(0, "done");
}

/// Runs a restart whose request the Hub answers with a refusal.
async fn refused_restart(code: u16, message: &str) -> Ran {
    let hub = running_space().await;
    refuse(&hub, ("POST", "/restart"), 9, (code, message));
    operation(&hub, "restart").run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_their_codes_and_fixes() {
    for (code, message, exit, error_code, fix) in [
        (
            401,
            "Invalid username or password.",
            3,
            "permission_denied",
            "tokens of OAuth apps may not restart a Space",
        ),
        (
            402,
            "A PRO subscription is required",
            3,
            "payment_required",
            "use a PRO, Team or Enterprise namespace",
        ),
        (
            403,
            "Only the owner may restart it",
            3,
            "permission_denied",
            "your role must be `write` or `admin`",
        ),
        (
            404,
            "Repository not found",
            3,
            "repo_not_found",
            "was deleted, renamed or made private after this run",
        ),
        (409, "another operation is in progress", 5, "conflict", "run the job again"),
    ] {
        let ran = refused_restart(code, message).await.failed(exit, error_code);
        assert!(ran.log.contains(message) && ran.log.contains(fix), "{code}: {}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_hub_does_not_know_is_named() {
    let hub = running_space().await;
    let ran = operation(&hub, "restart").token("hf_WrongTokenThatTheHubDoesNotKnow").run().await;
    let ran = ran.failed(3, "token_invalid");
    assert!(ran.log.contains("the Hub does not accept this token"), "{}", ran.log);
    let ran = operation(&hub, "restart").without("INPUT_HF_TOKEN").run().await.failed(3, "token_missing");
    assert!(ran.log.contains("`hf_token` must hold a token with write access"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_that_pass_are_tried_again() {
    let hub = running_space().await;
    let fault = |path: &str, times, kind| Fault {
        method: None,
        path_contains: path.to_owned(),
        skip: 0,
        times,
        kind,
    };
    let status = |code| FaultKind::Status { code, headers: Vec::new(), body: String::new() };
    hub.inject(fault("/restart", 1, status(503)));
    hub.inject(fault("/runtime", 1, status(500)));
    operation(&hub, "restart").run().await.ended(0, "done");
    // The answer is lost, and a second restart does no harm.
    hub.inject(fault("/restart", 1, FaultKind::DropAfterApply));
    operation(&hub, "restart").run().await.ended(0, "done");
    let limited = vec![("retry-after".to_owned(), "1".to_owned())];
    hub.inject(fault("/pause", 1, FaultKind::Status { code: 429, headers: limited, body: String::new() }));
    operation(&hub, "pause").run().await.ended(0, "done");
    hub.inject(fault("/repos/delete", 1, FaultKind::DropAfterApply));
    operation(&hub, "delete").input("confirm", APP).run().await.ended(0, "done");
    assert!(hub.space(APP).stage().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_is_too_long_ends_the_run() {
    let hub = running_space().await;
    let limited = vec![("retry-after".to_owned(), "7200".to_owned())];
    hub.inject(Fault {
        method: None,
        path_contains: "/restart".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::Status { code: 429, headers: limited, body: String::new() },
    });
    operation(&hub, "restart").run().await.failed(4, "rate_limited");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_vanishes_during_the_wait_is_named() {
    let hub = running_space().await;
    hub.set_policy(|policy| policy.build_time = Duration::from_secs(60));
    let run = operation(&hub, "restart");
    let child = run.spawn();
    reached(&hub, "/restart", 1).await;
    reached(&hub, "/logs/build", 1).await;
    let (code, _) = json(&hub, &["delete", "--confirm", APP]).await;
    assert_eq!(code, 0);
    let ran = run.finish(child).await.failed(3, "repo_not_found");
    assert!(ran.log.contains("deleted, renamed or made private after this run had found it"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_without_an_effect_times_out() {
    let hub = running_space().await;
    hub.inject(Fault {
        method: Some("POST".to_owned()),
        path_contains: "/pause".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::Status { code: 200, headers: Vec::new(), body: "{}".to_owned() },
    });
    let ran = operation(&hub, "pause").input("timeout", "1s").run().await.failed(6, "space_not_ready");
    assert!(ran.log.contains("is still running 1 s after it was paused"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_wait_says_that_the_hub_goes_on() {
    let hub = running_space().await;
    hub.set_policy(|policy| policy.build_time = Duration::from_secs(60));
    let run = operation(&hub, "restart");
    let child = run.spawn();
    reached(&hub, "/restart", 1).await;
    send("INT", child.id().unwrap());
    let ran = run.finish(child).await.ended(130, "cancelled");
    assert!(ran.log.contains("cancelled: the Hub goes on with what it was asked for"), "{}", ran.log);
}
