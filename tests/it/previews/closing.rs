//! A preview ends with its pull request, and nothing else does.

use local_github::{Fault, PullState};
use local_hub::{BuildScript, StageStep};

use super::opening::gradio_space;
use super::world::{MARK, NUMBER, PREVIEW, Pull, REPOSITORY, World, assert_comment, writes};
use crate::assert_ran;
use crate::harness::{Run, hub, until};
use crate::settings::refuse;
use crate::signals::send;

async fn with_preview() -> World {
    let world = World::new().await;
    world.run("opened", &Pull::open("aaaaaaa1")).run().await.ended(0, "deployed");
    world.hub.clear_requests();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pull_request_leaves_no_space() {
    for state in [PullState::Closed, PullState::Merged] {
        let world = with_preview().await;
        let ran = world.close("aaaaaaa1", state).run().await.ended(0, "deleted");
        assert_eq!((ran.output("preview"), ran.output("space_url")), ("true", ""));
        assert_ne!(ran.output("comment_url"), "");
        assert_eq!(writes(&world.hub), ["DELETE /api/repos/delete"]);
        world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive"]).await;
        if state == PullState::Merged {
            assert_comment!(world);
            assert_ran!(ran);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_needs_no_checkout() {
    let world = with_preview().await;
    for path in ["README.md", "index.html", "style.css"] {
        world.folder.remove(path);
    }
    let run = world.close("aaaaaaa1", PullState::Closed).input("source_dir", "dist");
    run.run().await.ended(0, "deleted");
    assert!(world.spaces().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_that_is_gone_already_is_fine() {
    let world = World::new().await;
    let ran = world.close("aaaaaaa1", PullState::Closed).run().await.ended(0, "deleted");
    assert!(ran.log.contains("there is no Space `ada/app-pr-12`"), "{}", ran.log);
    // A close without a comment makes none.
    world.assert_exists(&[], &[], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_deleted_once_without_a_name_for_its_proxy() {
    let world = with_preview().await;
    let run = world.close("aaaaaaa1", PullState::Closed).input("proxy_space_suffix", "");
    let ran = run.run().await.ended(0, "deleted");
    assert_eq!(writes(&world.hub), ["DELETE /api/repos/delete"]);
    assert!(!ran.log.contains("there is no Space"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_event_of_a_closed_pull_request_leaves_no_space() {
    let world = with_preview().await;
    world.close("aaaaaaa1", PullState::Closed);
    world.run("labeled", &Pull::closed("aaaaaaa1")).run().await.ended(0, "deleted");
    world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_without_the_mark_is_kept_with_a_warning() {
    for variables in ["MODE=fast", "none"] {
        let world = World::new().await;
        let own = Run::new(&world.hub, &world.folder).input("huggingface_repo", PREVIEW);
        own.input("variables", variables).run().await.ended(0, "deployed");
        world.hub.clear_requests();
        let ran = world.close("aaaaaaa1", PullState::Closed).run().await.ended(0, "skipped");
        assert!(ran.log.contains("::warning::kept the Space `ada/app-pr-12`"), "{}", ran.log);
        assert_eq!(writes(&world.hub), [""; 0]);
        assert_eq!(world.spaces().await, [PREVIEW]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_with_the_mark_of_another_pull_request_is_kept() {
    let world = with_preview().await;
    let other = Pull { number: 120, ..Pull::closed("aaaaaaa1") };
    let run = world.run("closed", &other).input("preview_suffix", "-pr-12{number}");
    // The name of the other pull request is `app-pr-12120`, and no Space has it.
    run.run().await.ended(0, "deleted");
    let run = world.run("closed", &Pull::closed("aaaaaaa1")).var("GITHUB_REPOSITORY", "octo/another");
    let ran = run.run().await.ended(0, "skipped");
    assert!(ran.log.contains(&format!("its variable `HF_DEPLOY_PREVIEW` is `{MARK}`")), "{}", ran.log);
    assert_eq!(world.spaces().await, [PREVIEW]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_cannot_be_deleted_is_an_error() {
    let world = with_preview().await;
    refuse(&world.hub, ("DELETE", "/repos/delete"), 9, (403, "You cannot delete this repo"));
    let ran = world.close("aaaaaaa1", PullState::Closed).run().await.failed(3, "permission_denied");
    assert!(ran.log.contains("the preview Space `ada/app-pr-12` stays"), "{}", ran.log);
    assert!(ran.log.contains("/spaces/ada/app-pr-12/settings"), "{}", ran.log);
    world.assert_exists(&[PREVIEW], &["Ready"], &["aaaaaaa1 success"]).await;
    world.hub.clear_faults();
    world.run("closed", &Pull::closed("aaaaaaa1")).run().await.ended(0, "deleted");
    world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_is_cancelled_after_the_deletion_still_says_so() {
    let world = with_preview().await;
    let delay = std::time::Duration::from_secs(60);
    world.github.plant(Fault { delay, ..Fault::new("PATCH", "/issues/comments/", 1, 502) });
    let run = world.close("aaaaaaa1", PullState::Merged);
    let child = run.spawn();
    until(|| !world.github.held().is_empty()).await;
    send("TERM", child.id().unwrap());
    let ran = run.finish(child).await.ended(130, "cancelled");
    assert!(ran.log.contains("cancelled after the preview was deleted"), "{}", ran.log);
    world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_another_case_is_the_same_preview() {
    let world = with_preview().await;
    world.push("aaaaaaa2").input("huggingface_repo", "Ada/App").run().await.ended(0, "unchanged");
    let deployments = ["aaaaaaa1 inactive", "aaaaaaa2 success"];
    world.assert_exists(&[PREVIEW], &["Ready"], &deployments).await;
    let close = world.close("aaaaaaa2", PullState::Merged).input("huggingface_repo", "Ada/App");
    close.run().await.ended(0, "deleted");
    world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive", "aaaaaaa2 inactive"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_overlaps_the_close_deletes_what_it_made() {
    let world = World::with(hub().await, gradio_space()).await;
    let steps = vec![StageStep::new(std::time::Duration::from_secs(3), "RUNNING")];
    world.hub.space(PREVIEW).script_builds(vec![BuildScript { steps, ..BuildScript::default() }]).unwrap();
    let run = world.run("opened", &Pull::open("aaaaaaa1"));
    let child = run.spawn();
    until(|| world.states() == ["Building"]).await;
    world.github.change_pull(REPOSITORY, NUMBER, |pull| pull.state = PullState::Merged);
    let ran = run.finish(child).await.ended(0, "deleted");
    assert!(ran.log.contains("pull request #12 was closed meanwhile"), "{}", ran.log);
    world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_during_the_build_ends_both_runs_well() {
    let world = World::with(hub().await, gradio_space()).await;
    let steps = vec![StageStep::new(std::time::Duration::from_secs(5), "RUNNING")];
    world.hub.space(PREVIEW).script_builds(vec![BuildScript { steps, ..BuildScript::default() }]).unwrap();
    let run = world.run("opened", &Pull::open("aaaaaaa1"));
    let child = run.spawn();
    crate::harness::reached(&world.hub, "/runtime", 1).await;
    world.close("aaaaaaa1", PullState::Closed).run().await.ended(0, "deleted");
    assert!(world.spaces().await.is_empty());
    run.finish(child).await.ended(0, "deleted");
    world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive"]).await;
}
