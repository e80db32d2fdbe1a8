//! Trouble with GitHub: it is named once, and never fails a deploy that is good.

use std::time::Instant;

use local_github::{Access, Actor, Fault, Permissions};

use super::world::{GITHUB_TOKEN, NUMBER, PREVIEW, Pull, REPOSITORY, World};
use crate::harness::Run;

fn opened(world: &World) -> Run {
    world.run("opened", &Pull::open("aaaaaaa1"))
}

fn permit(world: &World, permissions: Permissions) {
    world.github.add_token(GITHUB_TOKEN, Actor::workflow(permissions));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_permission_is_one_notice() {
    let none = Permissions::default();
    for (permissions, keys, comments, deployments) in [
        (Permissions { pull_requests: Access::Read, ..Permissions::ALL }, vec!["pull-requests"], 0, 1),
        (Permissions { pull_requests: Access::None, ..Permissions::ALL }, vec!["pull-requests"], 0, 1),
        (Permissions { deployments: Access::Read, ..Permissions::ALL }, vec!["deployments"], 1, 0),
        (Permissions { deployments: Access::None, ..Permissions::ALL }, vec!["deployments"], 1, 0),
        (none, vec!["deployments", "pull-requests"], 0, 0),
        (
            Permissions { issues: Access::Write, pull_requests: Access::None, ..Permissions::ALL },
            vec![],
            1,
            1,
        ),
    ] {
        let world = World::new().await;
        permit(&world, permissions);
        let ran = opened(&world).run().await.ended(0, "deployed");
        assert_eq!(ran.log.matches("::notice::").count(), keys.len(), "{permissions:?}: {}", ran.log);
        for key in keys {
            assert!(ran.log.contains(&format!("add `{key}: write`")), "{}", ran.log);
        }
        assert!(!ran.log.contains("::warning::"), "{}", ran.log);
        let found = (world.comments().len(), world.deployments().len());
        assert_eq!(found, (comments, deployments), "{permissions:?}: {}", ran.log);
        assert_eq!(world.spaces().await, [PREVIEW]);
        let ran = world.close("aaaaaaa1", local_github::PullState::Closed).run().await.ended(0, "deleted");
        assert!(world.spaces().await.is_empty(), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_that_is_down_fails_nothing() {
    let world = World::new().await;
    let started = Instant::now();
    let ran = opened(&world).var("GITHUB_API_URL", "http://127.0.0.1:9").run().await.ended(0, "deployed");
    assert!(ran.log.contains("the deploy itself is not affected"), "{}", ran.log);
    assert!(started.elapsed().as_secs() < 70);
    world.assert_exists(&[PREVIEW], &[], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_that_never_answers_costs_about_a_minute() {
    let world = World::new().await;
    let delay = std::time::Duration::from_secs(600);
    world.github.plant(Fault { delay, ..Fault::new("", "", 1000, 502) });
    let started = Instant::now();
    let ran = opened(&world).run().await.ended(0, "deployed");
    assert!(ran.log.contains("no answer within "), "{}", ran.log);
    // Then it is not asked any more, which one warning says.
    assert_eq!(ran.log.matches("GitHub is not asked any more").count(), 1, "{}", ran.log);
    assert!(world.github.held().len() < 10, "{:?}", world.github.held());
    assert!(started.elapsed().as_secs() < 90, "{:?}: {}", started.elapsed(), ran.log);
    assert_eq!(world.spaces().await, [PREVIEW]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_that_answers_late_costs_about_a_minute() {
    let world = World::new().await;
    world.github.plant(Fault::late(1000, std::time::Duration::from_secs(15)));
    let started = Instant::now();
    let ran = opened(&world).run().await.ended(0, "deployed");
    assert!(started.elapsed().as_secs() < 90, "{:?}: {}", started.elapsed(), ran.log);
    assert_eq!(world.spaces().await, [PREVIEW]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_github_does_not_know_fails_nothing() {
    let world = World::new().await;
    let run = opened(&world).secret("INPUT_GITHUB_TOKEN", "ghs_AnotherTokenThatGithubDoesNotKnow");
    let ran = run.run().await.ended(0, "deployed");
    assert!(ran.log.contains("401 Bad credentials"), "{}", ran.log);
    // Each is named once, however often the run meets it.
    assert_eq!(ran.log.matches("cannot look up the account of the token").count(), 1, "{}", ran.log);
    let ran = opened(&world).without("INPUT_GITHUB_TOKEN").run().await.ended(0, "unchanged");
    assert!(ran.log.contains("::notice::no comment and no deployment on GitHub"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_make_no_second_comment_and_no_second_deployment() {
    for after in [true, false] {
        let world = World::new().await;
        world.github.plant(Fault { after, ..Fault::new("POST", "/comments", 1, 502) });
        world.github.plant(Fault { after, ..Fault::new("POST", "/deployments", 1, 502) });
        let ran = opened(&world).run().await.ended(0, "deployed");
        assert!(!ran.log.contains("::warning::"), "{}", ran.log);
        world.assert_exists(&[PREVIEW], &["Ready"], &["aaaaaaa1 success"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_are_asked_for_again() {
    let world = World::new().await;
    for path in ["/issues/12/comments", "/pulls/12", "/statuses"] {
        world.github.plant(Fault::new("GET", path, 1, 503));
    }
    world.github.plant(Fault::new("POST", "/graphql", 1, 503));
    world.github.plant(Fault::new("PATCH", "/comments", 1, 500));
    world.github.plant(Fault::new("POST", "/statuses", 1, 500));
    let ran = opened(&world).run().await.ended(0, "deployed");
    assert!(!ran.log.contains("::warning::"), "{}", ran.log);
    world.assert_exists(&[PREVIEW], &["Ready"], &["aaaaaaa1 success"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_is_waited_for_and_a_long_one_is_not() {
    let world = World::new().await;
    world.github.plant(Fault::secondary_rate_limit("/issues/12/comments", 1, 1));
    opened(&world).run().await.ended(0, "deployed");
    assert_eq!(world.states(), ["Ready"]);
    let started = Instant::now();
    world.github.plant(Fault::secondary_rate_limit("", 100, 3600));
    let ran = opened(&world).run().await.ended(0, "unchanged");
    assert!(started.elapsed().as_secs() < 30, "{}", ran.log);
    assert!(ran.log.contains("GitHub's rate limit asks for a wait of 3600 s"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_comment_is_found_among_300() {
    let world = World::new().await;
    opened(&world).run().await.ended(0, "deployed");
    for number in 0..300 {
        world.github.add_comment(REPOSITORY, NUMBER, Actor::person("mona"), &format!("comment {number}"));
    }
    world.push("aaaaaaa2").run().await.ended(0, "unchanged");
    let ours = world.comments().iter().filter(|comment| comment.author.login != "mona").count();
    assert_eq!((ours, world.comments().len()), (1, 301));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_deleted_by_hand_is_written_again() {
    let world = World::new().await;
    opened(&world).run().await.ended(0, "deployed");
    world.github.delete_comment(REPOSITORY, world.comments()[0].id);
    world.push("aaaaaaa2").run().await.ended(0, "unchanged");
    assert_eq!(world.states(), ["Ready"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_person_is_left_alone_and_two_of_ours_become_one() {
    let world = World::new().await;
    opened(&world).run().await.ended(0, "deployed");
    let body = world.comment();
    world.github.add_comment(REPOSITORY, NUMBER, Actor::person("mona"), &body);
    world.github.add_comment(REPOSITORY, NUMBER, Actor::workflow(Permissions::ALL), &body);
    world.push("aaaaaaa2").run().await.ended(0, "unchanged");
    let authors: Vec<String> = world.comments().iter().map(|comment| comment.author.login.clone()).collect();
    assert_eq!(authors, ["github-actions[bot]", "mona"]);
    assert_eq!(world.comments()[1].body, body);
    assert!(world.comments()[0].body.contains("commit/aaaaaaa2"));
    // The token of a person takes that person's comment.
    let token = "ghp_TheTokenOfMonaThatMustNotShowUp";
    world.github.add_token(token, Actor::person("Mona"));
    world.push("aaaaaaa3").secret("INPUT_GITHUB_TOKEN", token).run().await.ended(0, "unchanged");
    assert_eq!(world.comments().len(), 2);
    assert!(world.comments()[1].body.contains("commit/aaaaaaa3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_another_bot_is_left_alone() {
    let world = World::new().await;
    opened(&world).run().await.ended(0, "deployed");
    let body = world.comment();
    // Older than ours.
    world.github.delete_comment(REPOSITORY, world.comments()[0].id);
    world.github.add_comment(REPOSITORY, NUMBER, Actor::app("mirror[bot]"), &body);
    world.github.add_comment(REPOSITORY, NUMBER, Actor::workflow(Permissions::ALL), &body);
    world.push("aaaaaaa2").run().await.ended(0, "unchanged");
    // While GitHub does not name the account, only the account of workflows is ours.
    world.github.plant(Fault::new("POST", "/graphql", 100, 403));
    world.push("aaaaaaa3").run().await.ended(0, "unchanged");
    assert_eq!((world.comments().len(), &world.comments()[0].body), (2, &body));
    assert!(world.comments()[1].body.contains("commit/aaaaaaa3"), "{:?}", world.comments());
    // With the token of that bot, its comment is ours.
    let world = World::new().await;
    let token = "ghs_TheTokenOfTheMirrorThatMustNotShowUp";
    world.github.add_token(token, Actor::app("mirror[bot]"));
    opened(&world).run().await.ended(0, "deployed");
    for head in ["aaaaaaa2", "aaaaaaa3"] {
        world.push(head).secret("INPUT_GITHUB_TOKEN", token).run().await.ended(0, "unchanged");
    }
    let authors: Vec<String> = world.comments().iter().map(|comment| comment.author.login.clone()).collect();
    assert_eq!(authors, ["github-actions[bot]", "mirror[bot]"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_go_to_github_enterprise() {
    let world = World::new().await;
    assert!(world.github.api_url().ends_with("/api/v3"));
    let run = opened(&world).var("GITHUB_SERVER_URL", "https://ghe.example:8443");
    run.run().await.ended(0, "deployed");
    assert_eq!(world.mark(PREVIEW).await.as_deref(), Some("ghe.example:8443/octo/hello#12"));
    assert!(world.comment().contains("(https://ghe.example:8443/octo/hello/commit/aaaaaaa1"));
}
