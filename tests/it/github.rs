//! The client for GitHub against the local GitHub.

use std::time::{Duration, Instant};

use hf_deploy::github::{
    Cause, DeploymentState, Github, GithubOptions, NewDeployment, NewStatus, Permission,
};
use hf_deploy::hub::Secret;
use local_github::{Access, Actor, Fault, LocalGithub, Permissions, PullState};

const REPO: &str = "octo/hello";
const HEAD: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn client(github: &LocalGithub, token: &str) -> Github {
    let options = GithubOptions {
        api: github.api_url().parse().unwrap(),
        token: Secret::new(token),
        repository: REPO.to_owned(),
    };
    Github::new(options).unwrap()
}

async fn github() -> (LocalGithub, Github) {
    let github = LocalGithub::start().await.unwrap();
    github.add_token("ghs_workflow", Actor::workflow(Permissions::ALL));
    github.add_repository(REPO, false);
    github.open_pull(REPO, 7, "A change", HEAD);
    let client = client(&github, "ghs_workflow");
    (github, client)
}

fn new_deployment() -> NewDeployment {
    NewDeployment {
        commit: HEAD.to_owned(),
        environment: "preview".to_owned(),
        description: "acme/app-pr-7".to_owned(),
        task: "deploy:acme/app-pr-7".to_owned(),
        is_transient: true,
        is_production: false,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comment_is_written_found_among_300_updated_and_deleted() {
    let (github, client) = github().await;
    for number in 0..300 {
        github.add_comment(REPO, 7, Actor::person("octocat"), &format!("comment {number}"));
    }
    let written = client.create_comment(7, "Building").await.unwrap();
    let comments = client.list_comments(7).await.unwrap();
    assert_eq!(comments.len(), 301);
    let own: Vec<u64> = comments.iter().filter(|one| one.is_by(None)).map(|one| one.id).collect();
    assert_eq!(own, [written.id]);
    assert_eq!(client.update_comment(written.id, "Ready").await.unwrap().body, "Ready");
    client.delete_comment(written.id).await.unwrap();
    client.delete_comment(written.id).await.unwrap();
    assert!(client.update_comment(written.id, "x").await.unwrap_err().is_not_found());
    assert!(github.breaches().is_empty(), "{:?}", github.breaches());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_token_has_the_login_that_its_comments_have() {
    let (github, workflow) = github().await;
    github.add_token("ghp_person", Actor::person("Octocat"));
    github.add_token("ghs_app", Actor::app("mirror[bot]"));
    let clients = [workflow, client(&github, "ghp_person"), client(&github, "ghs_app")];
    for (client, login) in clients.iter().zip(["github-actions[bot]", "Octocat", "mirror[bot]"]) {
        assert_eq!(client.login().await.unwrap().as_deref(), Some(login));
        let comment = client.create_comment(7, "x").await.unwrap();
        assert!(comment.is_by(Some(&login.to_lowercase())) && !comment.is_by(Some("mona")), "{comment:?}");
        assert_eq!(comment.is_by(None), login == "github-actions[bot]");
        assert_eq!(comment.number(), Some(7));
    }
    assert!(github.breaches().is_empty(), "{:?}", github.breaches());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_github_refuses_to_name_is_unknown_and_a_broken_answer_is_not() {
    let (github, client) = github().await;
    for status in [403, 404] {
        github.plant(Fault::new("POST", "/graphql", 1, status));
        assert_eq!(client.login().await.unwrap(), None);
    }
    github.plant(Fault::new("POST", "/graphql", 2, 502));
    assert!(client.login().await.unwrap().is_some());
    github.plant(Fault::new("POST", "/graphql", 1, 401));
    assert!(client.login().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_goes_through_its_states() {
    let (github, client) = github().await;
    let deployment = client.create_deployment(&new_deployment()).await.unwrap();
    assert_eq!(client.deployment_state(deployment.id).await.unwrap(), None);
    for (state, url) in
        [(DeploymentState::InProgress, None), (DeploymentState::Success, Some("https://a.hf.space"))]
    {
        let status = NewStatus {
            state,
            description: "é".repeat(200),
            environment_url: url.map(str::to_owned),
            log_url: Some("https://github.com/octo/hello/actions/runs/1".to_owned()),
        };
        client.set_deployment_status(deployment.id, &status).await.unwrap();
        assert_eq!(client.deployment_state(deployment.id).await.unwrap(), Some(state));
    }
    let found = client.list_deployments("preview", Some("deploy:acme/app-pr-7")).await.unwrap();
    assert_eq!(found, [deployment]);
    assert!(client.list_deployments("preview", Some("deploy:other")).await.unwrap().is_empty());
    assert_eq!(client.list_deployments("preview", None).await.unwrap().len(), 1);
    let on_github = &github.deployments(REPO)[0];
    assert!(on_github.is_transient && !on_github.is_production);
    assert_eq!(on_github.statuses[1].environment_url, "https://a.hf.space");
    assert_eq!(on_github.statuses[1].description.chars().count(), 140);
    assert!(github.breaches().is_empty(), "{:?}", github.breaches());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_is_looked_up_and_may_be_gone() {
    let (github, client) = github().await;
    let pull = client.pull_request(7).await.unwrap().unwrap();
    assert!(pull.is_open && pull.head == HEAD && pull.title == "A change", "{pull:?}");
    github.change_pull(REPO, 7, |pull| pull.state = PullState::Merged);
    assert!(!client.pull_request(7).await.unwrap().unwrap().is_open);
    github.delete_pull(REPO, 7);
    assert_eq!(client.pull_request(7).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named() {
    let (github, _) = github().await;
    github.add_token(
        "ghs_reader",
        Actor::workflow(Permissions { pull_requests: Access::Read, ..Permissions::default() }),
    );
    let reader = client(&github, "ghs_reader");
    let error = reader.create_comment(7, "x").await.unwrap_err();
    assert_eq!(error.missing_permission(), Some(Permission::PullRequests));
    assert_eq!(
        error.to_string(),
        "cannot comment on pull request #7: the token lacks the permission `pull-requests: write` (Resource not accessible by integration)"
    );
    let error = reader.create_deployment(&new_deployment()).await.unwrap_err();
    assert_eq!(error.missing_permission(), Some(Permission::Deployments));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_answer_is_asked_again_except_for_what_creates() {
    let (github, client) = github().await;
    github.plant(Fault::new("GET", "comments", 2, 502));
    assert!(client.list_comments(7).await.unwrap().is_empty());
    github.plant(Fault { after: true, ..Fault::new("POST", "comments", 1, 502) });
    let error = client.create_comment(7, "x").await.unwrap_err();
    assert!(error.is_ambiguous(), "{error}");
    assert_eq!(github.comments(REPO, 7).len(), 1, "a second request would have made a second comment");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_rate_limit_is_waited_for_within_a_minute() {
    let (github, client) = github().await;
    github.plant(Fault::secondary_rate_limit("comments", 1, 1));
    let began = Instant::now();
    client.create_comment(7, "x").await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    github.plant(Fault::secondary_rate_limit("comments", 1, 61));
    let error = client.create_comment(7, "x").await.unwrap_err();
    assert!(
        matches!(error.cause, Cause::RateLimited { wait: Some(wait) } if wait.as_secs() == 61),
        "{error}"
    );
    assert!(began.elapsed() < Duration::from_secs(30), "a longer wait is not waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_rate_limit_is_waited_for_until_its_reset() {
    let (github, client) = github().await;
    let reset = jiff::Timestamp::now().as_second() + 1;
    let headers = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", reset.to_string())];
    github.plant(Fault { headers, ..Fault::new("GET", "pulls", 1, 403) });
    assert!(client.pull_request(7).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_shows_the_token() {
    let (github, _) = github().await;
    let stranger = client(&github, "ghs_unknown_token");
    let error = stranger.pull_request(7).await.unwrap_err();
    assert!(!format!("{error} {error:?} {stranger:?}").contains("ghs_unknown_token"), "{error:?}");
    assert!(error.to_string().contains("401 Bad credentials"), "{error}");
}
