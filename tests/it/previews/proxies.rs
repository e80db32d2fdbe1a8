//! A private preview with a proxy: the address is that of the proxy, and both end with the pull request.

use local_github::PullState;
use local_hub::{DockerCommand, RepoType, Runtimes, TokenRole, User};

use super::world::{MARK, PREVIEW, Pull, REPOSITORY, World};
use crate::harness::{Run, hub_with, prepared_variable, static_space};

const READ_TOKEN: &str = "hf_TheTokenOfThePreviewsProxyThatMustNotShowUp";
const PROXY: &str = "ada/app-pr-12-proxy";

async fn world() -> World {
    let proxy = prepared_variable("HF_DEPLOY_PROXY");
    let hub = hub_with(|config| {
        config.edge = true;
        config.users.push(User { role: TokenRole::Read, ..User::new("ada", READ_TOKEN) });
        let docker = Some(DockerCommand { program: proxy.into(), args: Vec::new() });
        config.runtimes = Runtimes { docker, ..Runtimes::default() };
    })
    .await;
    World::with(hub, static_space()).await.private()
}

fn with_proxy(run: Run) -> Run {
    run.input("create_proxy", "true").secret("INPUT_PROXY_HF_TOKEN", READ_TOKEN)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_private_preview_is_shown_through_its_proxy() {
    let world = world().await;
    let run = with_proxy(world.run("opened", &Pull::open("aaaaaaa1")));
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!(ran.output("proxy_repo_id"), PROXY);
    for space in [PREVIEW, PROXY] {
        assert_eq!(world.mark(space).await.as_deref(), Some(MARK), "{space}");
    }
    assert_eq!(world.hub.repo(RepoType::Space, PREVIEW).visibility().as_deref(), Some("private"));
    let proxy = ran.output("proxy_url");
    assert!(world.comment().lines().next().unwrap().contains(proxy), "{}", world.comment());
    assert!(!world.comment().contains(ran.output("space_url")), "{}", world.comment());
    assert_eq!(world.github.deployments(REPOSITORY)[0].statuses[1].environment_url, proxy);
    world.assert_exists(&[PREVIEW, PROXY], &["Ready"], &["aaaaaaa1 success"]).await;
    let close = with_proxy(world.close("aaaaaaa1", PullState::Merged));
    let ran = close.run().await.ended(0, "deleted");
    assert_eq!((ran.output("proxy_enabled"), ran.output("proxy_url")), ("false", ""));
    world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_failure_shows_the_address_of_the_proxy_alone() {
    let world = world().await;
    let opened = with_proxy(world.run("opened", &Pull::open("aaaaaaa1")));
    let ran = opened.run().await.ended(0, "deployed");
    let run = with_proxy(world.push("aaaaaaa2")).input("source_dir", "missing");
    run.run().await.failed(2, "source_missing");
    assert_eq!(world.states(), ["Failed"]);
    let comment = world.comment();
    assert!(comment.contains(ran.output("proxy_url")), "{comment}");
    assert!(!comment.contains(ran.output("space_url")), "{comment}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_proxy_goes_even_when_the_space_is_gone() {
    let world = world().await;
    with_proxy(world.run("opened", &Pull::open("aaaaaaa1"))).run().await.ended(0, "deployed");
    world.delete_space(PREVIEW).await;
    assert_eq!(world.spaces().await, [PROXY]);
    // The workflow may no longer ask for a proxy.
    world.close("aaaaaaa1", PullState::Closed).run().await.ended(0, "deleted");
    world.assert_exists(&[], &["Deleted"], &["aaaaaaa1 inactive"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_proxy_of_another_space_is_never_touched() {
    let world = world().await;
    let own = Run::new(&world.hub, &world.folder).input("huggingface_repo", PREVIEW).input("private", "true");
    with_proxy(own).run().await.ended(0, "deployed");
    world.delete_space(PREVIEW).await;
    let run = with_proxy(world.run("opened", &Pull::open("aaaaaaa1")));
    let ran = run.run().await.failed(5, "preview_name_taken");
    assert!(ran.log.contains(PROXY), "{}", ran.log);
    assert_eq!(world.spaces().await, [PROXY]);
    let ran = world.close("aaaaaaa1", PullState::Closed).run().await.ended(0, "deleted");
    assert!(ran.log.contains("::warning::kept the Space `ada/app-pr-12-proxy`"), "{}", ran.log);
    assert_eq!(world.spaces().await, [PROXY]);
}
