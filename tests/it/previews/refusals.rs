//! Inputs and runs that get no preview, each with its reason.

use std::collections::BTreeMap;

use super::world::{MARK, PREVIEW, Pull, REPOSITORY, World, writes};
use crate::assert_ran;
use crate::harness::{Ran, Run};
use crate::keyless::without_token;

fn opened() -> Pull {
    Pull::open("aaaaaaa1")
}

async fn refused(world: &World, name: &str, value: &str, part: &str) {
    let ran = world.run("opened", &opened()).input(name, value).run().await.failed(2, "invalid_input");
    assert!(ran.log.contains(part), "{value}: {}", ran.log);
    assert!(world.hub.requests().is_empty() && world.github.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_inputs_are_named() {
    let world = World::new().await;
    refused(&world, "preview_suffix", "-preview", "`preview_suffix` must hold `{number}`").await;
    refused(&world, "preview_suffix", "/pr-{number}", "`preview_suffix` has the character '/'").await;
    refused(&world, "preview_hardware", "t4-smal", "did you mean `t4-small`?").await;
    refused(&world, "preview_sleep_time", "soon", "`preview_sleep_time`").await;
    refused(&world, "preview_comment", "maybe", "`preview_comment`").await;
    refused(&world, "variables", "HF_DEPLOY_PREVIEW=x", "`variables` must not name `HF_DEPLOY_PREVIEW`")
        .await;
    let run = world.run("opened", &opened()).input("secrets", "HF_DEPLOY_PREVIEW");
    let ran = run.secret("HF_DEPLOY_PREVIEW", "a-secret-value").run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("`secrets` must not name `HF_DEPLOY_PREVIEW`"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_of_previews_without_one_get_a_warning() {
    let world = World::new().await;
    let run = world.run("opened", &opened()).input("preview", "false").input("preview_hardware", "cpu-basic");
    let ran = run.run().await.ended(0, "deployed");
    assert!(
        ran.log.contains("::warning::`preview_hardware` has no effect: `preview` is not `true`"),
        "{}",
        ran.log
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_is_an_error_before_any_write() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("event.json");
    std::fs::write(&broken, "{").unwrap();
    for path in ["/nowhere/event.json", broken.to_str().unwrap(), ""] {
        let run = world.run("opened", &opened()).var("GITHUB_EVENT_PATH", path);
        let ran = run.run().await.failed(2, "invalid_input");
        assert!(
            ran.log.contains("`GITHUB_EVENT_PATH` must name the event of the pull request"),
            "{}",
            ran.log
        );
    }
    // No pull request has the number 0.
    let run = world.run("opened", &Pull { number: 0, ..opened() });
    run.run().await.failed(2, "invalid_input");
    assert!(world.hub.requests().is_empty() && world.github.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyless_job_cannot_have_previews() {
    let world = World::new().await;
    let run = without_token(world.run("opened", &opened()), &world.github).await;
    let ran = run.run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("the identity of the job cannot create Spaces"), "{}", ran.log);
    // Outside of pull requests it deploys as always.
    let claims = BTreeMap::from([("repository".to_owned(), REPOSITORY.to_owned())]);
    Run::new(&world.hub, &world.folder).run().await.ended(0, "deployed");
    world.hub.repo(local_hub::RepoType::Space, "ada/app").add_trusted_publisher(claims).unwrap();
    let run = world.run("opened", &opened()).var("GITHUB_EVENT_NAME", "push");
    without_token(run, &world.github).await.run().await.ended(0, "unchanged");
}

async fn skipped(run: Run) -> Ran {
    let ran = run.without("INPUT_HF_TOKEN").run().await.ended(0, "skipped");
    assert_eq!(ran.output("preview"), "true");
    assert!(ran.log.contains("::notice::skipped: GitHub gives no secrets to this run"), "{}", ran.log);
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_and_dependabot_are_skipped_without_a_token() {
    let world = World::new().await;
    let fork = Pull { from: "mona/hello", ..opened() };
    let secrets = |run: Run| run.input("secrets", "API_KEY");
    let ran = skipped(secrets(world.run("opened", &fork))).await;
    skipped(world.run("closed", &Pull { is_open: false, ..fork.clone() })).await;
    skipped(world.run("opened", &opened()).var("GITHUB_ACTOR", "dependabot[bot]")).await;
    assert!(world.hub.requests().is_empty() && world.github.requests().is_empty());
    assert_ran!(ran);
    // With a token, the pull request of a fork deploys.
    world.run("opened", &fork).run().await.ended(0, "deployed");
    world.assert_exists(&[PREVIEW], &["Ready"], &["aaaaaaa1 success"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_of_the_same_repository_needs_the_token() {
    let world = World::new().await;
    let run = world.run("opened", &opened()).without("INPUT_HF_TOKEN");
    run.run().await.failed(3, "token_missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn pull_request_target_warns_once() {
    let world = World::new().await;
    let fork = Pull { from: "mona/hello", ..opened() };
    let run = world.run("opened", &fork).var("GITHUB_EVENT_NAME", "pull_request_target");
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!(ran.log.matches("runs foreign code").count(), 1, "{}", ran.log);
    assert_eq!(world.spaces().await, [PREVIEW]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_made_by_hand_is_never_written_to() {
    let world = World::new().await;
    Run::new(&world.hub, &world.folder).input("huggingface_repo", PREVIEW).run().await.ended(0, "deployed");
    world.hub.clear_requests();
    let ran = world.run("opened", &opened()).run().await.failed(5, "preview_name_taken");
    assert_eq!(writes(&world.hub), [""; 0]);
    assert!(ran.log.contains("set `preview_suffix` to another ending"), "{}", ran.log);
    world.assert_exists(&[PREVIEW], &["Failed"], &["aaaaaaa1 failure"]).await;
    // Its app and its hardware are not those of the preview.
    assert!(!world.comment().contains("| App |") && !world.comment().contains("| Hardware |"));
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_another_repository_is_never_written_to() {
    let world = World::new().await;
    world.run("opened", &opened()).run().await.ended(0, "deployed");
    world.github.add_repository("octo/other", false);
    world.hub.clear_requests();
    let run = world.run("opened", &opened()).var("GITHUB_REPOSITORY", "octo/other");
    let ran = run.run().await.failed(5, "preview_name_taken");
    assert!(ran.log.contains(&format!("its variable `HF_DEPLOY_PREVIEW` is `{MARK}`")), "{}", ran.log);
    assert_eq!(writes(&world.hub), [""; 0]);
}
