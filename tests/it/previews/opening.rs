//! A preview is created and updated, and its comment and deployment say so.

use local_hub::{BuildScript, RepoType, StageStep};
use serde_json::{Value, json};

use super::world::{MARK, PREVIEW, Pull, World, assert_comment, commit, readme, writes};
use crate::assert_ran;
use crate::harness::{Folder, Run, hub, until};

/// A Gradio Space, which can have hardware.
pub(super) fn gradio_space() -> Folder {
    Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: gradio\napp_file: app.py\n---\n"),
        ("app.py", "import gradio\n"),
        ("requirements.txt", "gradio\n"),
    ])
}

fn created_with(world: &World) -> Value {
    let requests = world.hub.requests();
    let create = requests.iter().rfind(|request| request.path == "/api/repos/create").unwrap();
    serde_json::from_slice(&create.body).unwrap()
}

fn opened() -> Pull {
    Pull::open("aaaaaaa1")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_gets_a_space_of_its_own() {
    let world = World::new().await;
    let ran = world.run("opened", &opened()).run().await.ended(0, "deployed");
    world.assert_exists(&[PREVIEW], &["Ready"], &["aaaaaaa1 success"]).await;
    assert_eq!(world.mark(PREVIEW).await.as_deref(), Some(MARK));
    assert!(readme(&world.hub, PREVIEW).contains("\ntitle: \"Hello (PR 12)\"\n"));
    assert_eq!(
        std::fs::read_to_string(world.folder.path().join("README.md")).unwrap().matches("PR 12").count(),
        0
    );
    assert_eq!((ran.output("preview"), ran.output("repo_id")), ("true", PREVIEW));
    let comment = &world.comments()[0];
    assert!(ran.output("comment_url").ends_with(&format!("#issuecomment-{}", comment.id)), "{ran:#?}");
    let deployment = &world.github.deployments(super::world::REPOSITORY)[0];
    assert_eq!(ran.output("deployment_id"), deployment.id.to_string());
    assert!(deployment.is_transient && !deployment.is_production && deployment.environment == "preview");
    let states: Vec<&str> = deployment.statuses.iter().map(|status| status.state.as_str()).collect();
    assert_eq!(states, ["in_progress", "success"]);
    assert_eq!(deployment.statuses[1].environment_url, ran.output("space_url"));
    assert!(comment.body.contains(ran.output("space_url")), "{}", comment.body);
    assert_comment!(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_and_the_summary_name_the_preview() {
    let world = World::new().await;
    let ran = world.run("opened", &opened()).run().await.ended(0, "deployed");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_event_deploys_as_always() {
    let world = World::new().await;
    // A merge queue has no pull request of its own.
    for event in ["push", "workflow_dispatch", "issue_comment", "pull_request_review", "merge_group"] {
        let run = world.run("created", &opened()).var("GITHUB_EVENT_NAME", event);
        let ran = run.run().await;
        assert_eq!((ran.code, ran.output("preview")), (0, "false"), "{event}: {}", ran.log);
    }
    assert!(world.github.requests().is_empty());
    assert_eq!(world.spaces().await, ["ada/app"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_without_a_change_is_no_commit_and_no_build() {
    let world = World::new().await;
    world.run("opened", &opened()).run().await.ended(0, "deployed");
    world.hub.clear_requests();
    world.push("aaaaaaa2").run().await.ended(0, "unchanged");
    assert_eq!(writes(&world.hub), [""; 0]);
    assert!(world.comment().contains("[aaaaaaa](https://github.example/octo/hello/commit/aaaaaaa2"));
    world.assert_exists(&[PREVIEW], &["Ready"], &["aaaaaaa1 inactive", "aaaaaaa2 success"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_comment_says_building_while_the_space_builds() {
    let world = World::with(hub().await, gradio_space()).await;
    let steps = vec![StageStep::new(std::time::Duration::from_secs(4), "RUNNING")];
    world.hub.space(PREVIEW).script_builds(vec![BuildScript { steps, ..BuildScript::default() }]).unwrap();
    let run = world.run("opened", &opened());
    let child = run.spawn();
    until(|| !world.comments().is_empty() && !world.deployments().is_empty()).await;
    assert_eq!(world.states(), ["Building"]);
    assert_comment!(world);
    until(|| world.deployments() == ["aaaaaaa1 in_progress"]).await;
    run.finish(child).await.ended(0, "deployed");
    assert_eq!((world.states(), world.comments()[0].edits), (vec!["Ready".to_owned()], 1));
    assert!(!world.comment().to_lowercase().contains("building"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_build_shows_code_cause_hint_and_log() {
    let world = World::with(hub().await, gradio_space()).await;
    let error = "Job failed with exit code: 1. Reason: cache miss";
    let lines = (0..30).map(|line| format!("line {line}"));
    let log = lines.chain(["Building wheel for x".to_owned(), "ERROR: @octocat fixes #1 <b>```".to_owned()]);
    world
        .hub
        .space(PREVIEW)
        .script_builds(vec![BuildScript {
            steps: vec![StageStep::error(std::time::Duration::from_secs(2), "BUILD_ERROR", error)],
            build_log: log.map(|line| (std::time::Duration::from_millis(100), line)).collect(),
            ..BuildScript::default()
        }])
        .unwrap();
    let ran = world.run("opened", &opened()).run().await.failed(1, "space_build_failed");
    assert_eq!(ran.output("preview"), "true");
    assert!(!world.comment().to_lowercase().contains("building"), "{}", world.comment());
    world.assert_exists(&[PREVIEW], &["Failed"], &["aaaaaaa1 failure"]).await;
    assert_comment!(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mark_survives_settings_that_are_overwritten() {
    let world = World::new().await;
    let run = |variables| {
        let run = world.push("aaaaaaa2").input("settings_strategy", "overwrite");
        run.input("variables", variables)
    };
    run("MODE=fast").run().await.ended(0, "deployed");
    run("none").run().await.ended(0, "deployed");
    let variables = world.get(&format!("/api/spaces/{PREVIEW}/variables")).await;
    let names: Vec<&String> = variables.as_object().unwrap().keys().collect();
    assert_eq!(names, ["HF_DEPLOY_PREVIEW"]);
    assert_eq!(world.mark(PREVIEW).await.as_deref(), Some(MARK));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_as_private_as_the_repository_unless_an_input_says_another() {
    for (input, is_private, expected) in [
        (None, true, "private"),
        (None, false, "public"),
        (Some(("private", "false")), true, "public"),
        (Some(("private", "true")), false, "private"),
        (Some(("visibility", "public")), true, "public"),
    ] {
        let world = World::new().await;
        let world = if is_private { world.private() } else { world };
        let run = world.run("opened", &opened());
        let run = match input {
            Some((name, value)) => run.input(name, value),
            None => run,
        };
        run.run().await.ended(0, "deployed");
        let visibility = world.hub.repo(RepoType::Space, PREVIEW).visibility();
        assert_eq!(visibility.as_deref(), Some(expected), "{input:?} {is_private}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_hardware_sleeps_soon_and_its_price_is_named() {
    let world = World::with(hub().await, gradio_space()).await;
    let run = world.run("opened", &opened()).input("hardware", "t4-small");
    let ran = run.run().await.ended(0, "deployed");
    let created = created_with(&world);
    assert_eq!((&created["hardware"], &created["sleepTimeSeconds"]), (&json!("t4-small"), &json!(900)));
    let named = "an hour while it runs";
    assert!(ran.log.contains("the preview asks for `t4-small`: $") && ran.log.contains(named), "{}", ran.log);
    assert!(
        world.comment().contains("`t4-small`: $") && world.comment().contains(named),
        "{}",
        world.comment()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_price_of_each_hardware_that_may_be_granted_is_named() {
    let world = World::with(hub().await, gradio_space()).await;
    let run = world.run("opened", &opened()).input("hardware", "t4-small");
    let ran = run.input("fallback_hardware", "cpu-upgrade\ncpu-basic").run().await.ended(0, "deployed");
    let line = "the preview asks for `t4-small`: $0.40 an hour while it runs, or else for `cpu-upgrade`: $0.03 an hour while it runs, or else for `cpu-basic`: free; it sleeps after 15 min without visitors";
    assert!(ran.log.contains(line), "{}", ran.log);
    // Hardware that the run does not ask for costs the same.
    let ran = world.push("aaaaaaa2").run().await.ended(0, "unchanged");
    assert!(ran.log.contains("the preview has `t4-small`: $0.40 an hour while it runs"), "{}", ran.log);
    assert!(world.comment().contains("| Hardware | `t4-small`: $0.40 an hour while it runs |"));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_name_the_input_of_the_preview() {
    let world = World::with(hub().await, gradio_space()).await;
    let run = world.run("opened", &opened()).input("preview_sleep_time", "5m");
    let ran = run.run().await.ended(0, "deployed");
    let warning = "::warning::`preview_sleep_time` cannot be set on `cpu-basic`";
    assert!(ran.log.contains(warning), "{}", ran.log);
    let run = world.push("aaaaaaa2").input("sleep_time", "5m");
    let ran = run.run().await.ended(0, "unchanged");
    assert!(ran.log.contains("::warning::`sleep_time` cannot be set on `cpu-basic`"), "{}", ran.log);
    let world = World::new().await;
    let run = world.run("opened", &opened()).input("preview_hardware", "t4-small");
    let ran = run.run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("`preview_hardware` must be left out for a static Space"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_has_a_preview_as_any_pull_request() {
    let world = World::new().await;
    let draft = Pull { is_draft: true, ..opened() };
    world.run("opened", &draft).run().await.ended(0, "deployed");
    world.run("ready_for_review", &opened()).run().await.ended(0, "unchanged");
    world.run("converted_to_draft", &draft).run().await.ended(0, "unchanged");
    assert_eq!((world.spaces().await, world.states()), (vec![PREVIEW.to_owned()], vec!["Ready".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn previews_can_have_other_hardware() {
    let world = World::with(hub().await, gradio_space()).await;
    let run = world.run("opened", &opened()).input("hardware", "a100-large").input("sleep_time", "1h");
    let run = run.input("preview_hardware", "cpu-upgrade").input("preview_sleep_time", "5m");
    run.run().await.ended(0, "deployed");
    let created = created_with(&world);
    assert_eq!((&created["hardware"], &created["sleepTimeSeconds"]), (&json!("cpu-upgrade"), &json!(300)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suffix_names_the_preview_and_a_long_name_is_cut() {
    let world = World::new().await;
    let run = world.run("opened", &opened()).input("preview_suffix", ".{number}-preview");
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!(ran.output("repo_id"), "ada/app.12-preview");
    let long = format!("ada/{}", "x".repeat(96));
    let run = world.run("opened", &opened()).input("huggingface_repo", &long);
    let ran = run.run().await.ended(0, "deployed");
    let name = ran.output("repo_id").strip_prefix("ada/").unwrap().to_owned();
    assert!(name.len() == 90 && name.starts_with("xxxx") && name.ends_with("-pr-12"), "{name}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_are_part_of_a_name_leave_the_comment_whole() {
    let world = World::new().await;
    for head in ["aaaaaaa1", "aaaaaaa2"] {
        let run = world.push(head).input("secrets", "KIND\nNAME\nTOOL").var("KIND", "space");
        let run = run.var("NAME", "app-pr-12").var("TOOL", "preview");
        let ran = run.run().await;
        assert_eq!(ran.code, 0, "{}", ran.log);
        let comment = world.comment();
        assert!(!comment.contains("***") && comment.contains(ran.output("space_url")), "{comment}");
    }
    world.close("aaaaaaa2", local_github::PullState::Merged).run().await.ended(0, "deleted");
    assert_eq!(world.states(), ["Deleted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_comment_can_be_turned_off() {
    let world = World::new().await;
    let ran =
        world.run("opened", &opened()).input("preview_comment", "false").run().await.ended(0, "deployed");
    assert_eq!(ran.output("comment_url"), "");
    world.assert_exists(&[PREVIEW], &[], &["aaaaaaa1 success"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_that_is_not_waited_for_says_so() {
    let world = World::new().await;
    world.run("opened", &opened()).input("wait", "false").run().await.ended(0, "deployed");
    assert!(world.comment().contains("the workflow does not wait for the Space"), "{}", world.comment());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_touches_neither_the_hub_nor_github() {
    let world = World::new().await;
    for pull in [opened(), Pull::closed("aaaaaaa1")] {
        let ran = world.run("opened", &pull).input("dry_run", "true").run().await.ended(0, "dry-run");
        assert_eq!(ran.output("preview"), "true");
    }
    assert_eq!(writes(&world.hub), [""; 0]);
    assert!(world.github.requests().is_empty());
    world.assert_exists(&[], &[], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_message_and_a_branch_of_the_inputs_do_not_move_the_preview() {
    let world = World::new().await;
    let run = world.run("opened", &opened()).input("create_pr", "true").input("revision", "next");
    let ran = run.run().await.ended(0, "deployed");
    assert!(ran.log.contains("::warning::`revision`, `create_pr` have no effect"), "{}", ran.log);
    assert!(readme(&world.hub, PREVIEW).contains("(PR 12)"));
}

/// The runner passes the workflow's token to each run, which must stay unused without a preview.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_previews_does_not_use_the_token() {
    let world = World::new().await;
    let run: Run = world.run("opened", &opened()).input("preview", "false");
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!((ran.output("preview"), ran.output("repo_id")), ("false", "ada/app"));
    assert!(world.github.requests().is_empty() && commit("a").len() == 40);
}
