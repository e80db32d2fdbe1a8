//! `github_deployment`: a deploy outside of pull requests is a deployment on GitHub.

use local_github::{Access, Actor, Permissions};

use super::world::{GITHUB_TOKEN, Pull, REPOSITORY, World};
use crate::harness::Run;

fn run(world: &World, environment: &str) -> Run {
    let run = world.run("push", &Pull::open("aaaaaaa1")).var("GITHUB_EVENT_NAME", "push");
    run.without("INPUT_PREVIEW").input("github_deployment", environment)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_is_a_deployment_on_request() {
    let world = World::new().await;
    let ran = run(&world, "production").run().await.ended(0, "deployed");
    let deployments = world.github.deployments(REPOSITORY);
    assert_eq!(ran.output("deployment_id"), deployments[0].id.to_string());
    assert!(deployments[0].is_production && !deployments[0].is_transient);
    assert_eq!(deployments[0].statuses[1].environment_url, ran.output("space_url"));
    assert_eq!(
        (ran.output("preview"), ran.output("repo_id"), ran.output("comment_url")),
        ("false", "ada/app", "")
    );
    run(&world, "production").run().await.ended(0, "unchanged");
    world.assert_exists(&["ada/app"], &[], &["01234567 inactive", "01234567 success"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_deploy_is_a_failed_deployment() {
    let world = World::new().await;
    run(&world, "staging").input("source_dir", "missing").run().await.failed(2, "source_missing");
    assert_eq!(world.deployments(), ["01234567 failure"]);
    // A dry run deploys nothing.
    run(&world, "staging").input("dry_run", "true").run().await.ended(0, "dry-run");
    assert_eq!(world.deployments(), ["01234567 failure"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_fails_leaves_the_deployment_before_it() {
    let world = World::new().await;
    for environment in ["production", "staging"] {
        let before = world.deployments();
        let ran = run(&world, environment).run().await;
        assert_eq!(ran.code, 0, "{}", ran.log);
        run(&world, environment).input("source_dir", "missing").run().await.failed(2, "source_missing");
        assert_eq!(world.deployments()[before.len()..], ["01234567 success", "01234567 failure"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_deployed_to_its_page() {
    let world = World::new().await;
    let ran = run(&world, "models").input("repo_type", "model").run().await.ended(0, "deployed");
    let deployments = world.github.deployments(REPOSITORY);
    assert_eq!(deployments[0].statuses[1].environment_url, ran.output("repo_url"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_one_notice_and_no_failure() {
    let world = World::new().await;
    let permissions = Permissions { deployments: Access::None, ..Permissions::ALL };
    world.github.add_token(GITHUB_TOKEN, Actor::workflow(permissions));
    let ran = run(&world, "production").run().await.ended(0, "deployed");
    assert_eq!(ran.log.matches("::notice::").count(), 1, "{}", ran.log);
    assert!(ran.log.contains("add `deployments: write` to the `permissions:` of the job"), "{}", ran.log);
    let run = run(&world, "production").without("INPUT_GITHUB_TOKEN");
    let ran = run.run().await.ended(0, "unchanged");
    assert!(ran.log.contains("`github_token` is empty"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_needs_the_commit_of_a_run() {
    let world = World::new().await;
    let ran = run(&world, "production").without("GITHUB_SHA").run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("`github_deployment` needs the commit of a workflow run"), "{}", ran.log);
}
