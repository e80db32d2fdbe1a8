//! Deploys without a stored token: the job's identity is exchanged for a token of one repo.

use std::collections::BTreeMap;

use local_github::LocalGithub;
use local_hub::{FaultKind, RepoType};
use serde_json::json;

use crate::assert_ran;
use crate::harness::{Folder, Run, TestHub, hub, static_space};
use crate::settings::refuse;

/// Token of the job for GitHub's endpoint of ID tokens.
const REQUEST_TOKEN: &str = "the-request-token-of-this-job";

/// Starts a GitHub that gives the job an identity of `octo/hello` on `main`.
pub(crate) async fn github() -> LocalGithub {
    LocalGithub::start().await.expect("the local GitHub starts")
}

/// A Hub with the static Space `ada/app`, and a folder that differs from it.
async fn space() -> (TestHub, Folder) {
    let hub = hub().await;
    let folder = static_space();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("index.html", "<h1>Hello again</h1>\n");
    hub.clear_requests();
    (hub, folder)
}

fn trust(hub: &TestHub, repository: &str) {
    let claims = BTreeMap::from([("repository".to_owned(), repository.to_owned())]);
    hub.repo(RepoType::Space, "ada/app").add_trusted_publisher(claims).unwrap();
}

async fn keyless(hub: &TestHub, folder: &Folder, github: &LocalGithub) -> Run {
    without_token(Run::new(hub, folder), github).await
}

/// The same run, signed in by nothing but the identity of its job.
pub(crate) async fn without_token(run: Run, github: &LocalGithub) -> Run {
    let claims = json!({
        "repository": "octo/hello", "ref": "refs/heads/main", "workflow": "Deploy",
        "sub": "repo:octo/hello:ref:refs/heads/main", "exp": 4_102_444_800_u64,
    });
    run.without("INPUT_HF_TOKEN")
        .var("ACTIONS_ID_TOKEN_REQUEST_URL", &github.allow_id_tokens(REQUEST_TOKEN, claims))
        .secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_job_needs_no_token() {
    let (hub, folder) = space().await;
    trust(&hub, "octo/hello");
    let github = github().await;
    let ran = keyless(&hub, &folder, &github).await.run().await.ended(0, "deployed");
    assert_eq!(ran.output("auth"), "oidc");
    assert_eq!(github.issued_id_tokens(), 1, "one exchange for the one repo");
    let exchanges = hub.requests().into_iter().filter(|request| request.path == "/oauth/token").count();
    assert_eq!(exchanges, 1);
    // What was made on the way shows up nowhere but in the masks.
    let unmasked: Vec<&str> = ran.log.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
    assert!(unmasked.iter().all(|line| !line.contains("hf_jwt_") && !line.contains("eyJ")), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_user_wins() {
    let (hub, folder) = space().await;
    let github = github().await;
    let run = keyless(&hub, &folder, &github).await.input("hf_token", crate::harness::TOKEN);
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!((ran.output("auth"), github.issued_id_tokens()), ("token", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_ends_is_exchanged_again() {
    let (hub, folder) = space().await;
    trust(&hub, "octo/hello");
    hub.set_policy(|policy| policy.repo_token_seconds = 2);
    hub.inject(local_hub::Fault {
        method: Some("POST".to_owned()),
        path_contains: "/commit/".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::Status {
            code: 503,
            headers: vec![("retry-after".to_owned(), "3".to_owned())],
            body: String::new(),
        },
    });
    let github = github().await;
    let ran = keyless(&hub, &folder, &github).await.run().await.ended(0, "deployed");
    assert!(github.issued_id_tokens() >= 2, "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_the_hub_breaks_off_is_tried_again() {
    let (hub, folder) = space().await;
    trust(&hub, "octo/hello");
    let body =
        json!({"error": "invalid_grant", "error_description": "This operation was aborted"}).to_string();
    hub.inject(local_hub::Fault {
        method: Some("POST".to_owned()),
        path_contains: "/oauth/token".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::Status { code: 400, headers: Vec::new(), body },
    });
    let github = github().await;
    keyless(&hub, &folder, &github).await.run().await.ended(0, "deployed");
    assert_eq!(github.issued_id_tokens(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn untrusted_job_gets_its_claims() {
    let (hub, folder) = space().await;
    trust(&hub, "another/repo");
    let ran = keyless(&hub, &folder, &github().await).await.run().await.failed(3, "keyless_refused");
    assert!(ran.log.contains("`repository` = `octo/hello`"), "{}", ran.log);
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repo_that_is_not_there_has_to_be_made_by_hand() {
    let hub = hub().await;
    let folder = static_space();
    let ran = keyless(&hub, &folder, &github().await).await.run().await.failed(3, "keyless_refused");
    assert!(ran.log.contains("create it once by hand"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_identity_token_has_its_own_error() {
    let (hub, folder) = space().await;
    let github = github().await;
    let run = keyless(&hub, &folder, &github).await;
    let ran =
        run.var("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another").run().await.failed(3, "id_token_unavailable");
    assert!(ran.log.contains("id-token: write"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn untrusted_dry_run_plans_as_an_anonymous_reader() {
    let (hub, folder) = space().await;
    let github = github().await;
    let run = keyless(&hub, &folder, &github).await.input("dry_run", "true");
    let ran = run.run().await.ended(0, "dry-run");
    assert_eq!(ran.output("files_updated"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_without_secrets_is_passed_over_where_the_workflow_says_so() {
    let (hub, folder) = space().await;
    let fork = || Run::new(&hub, &folder).without("INPUT_HF_TOKEN").var("GITHUB_EVENT_NAME", "pull_request");
    fork().run().await.failed(3, "token_missing");
    let ran = fork().input("missing_token", "skip").run().await.ended(0, "skipped");
    assert_eq!(hub.requests().len(), 0);
    assert_ran!(ran);
    // Elsewhere a missing token is a mistake.
    let push = Run::new(&hub, &folder).without("INPUT_HF_TOKEN").var("GITHUB_EVENT_NAME", "push");
    push.input("missing_token", "skip").run().await.failed(3, "token_missing");
}

/// The Hub does not document the rights of a keyless token, so a refusal before the first write names the alternative.
#[tokio::test(flavor = "multi_thread")]
async fn refused_keyless_token_gets_the_manual_alternative() {
    let (hub, folder) = space().await;
    trust(&hub, "octo/hello");
    refuse(&hub, ("GET", "/variables"), 1, (401, "Invalid username or password."));
    let github = github().await;
    let run = keyless(&hub, &folder, &github).await.input("variables", "MODE=fast");
    let ran = run.run().await.failed(3, "permission_denied");
    assert!(ran.log.contains("set variables, secrets, hardware and visibility once by hand"), "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_whose_state_is_hidden_is_not_waited_for_and_not_called_live() {
    let (hub, folder) = space().await;
    trust(&hub, "octo/hello");
    refuse(&hub, ("GET", "/runtime"), 9, (401, "Invalid username or password."));
    let ran = keyless(&hub, &folder, &github().await).await.run().await.ended(0, "deployed");
    assert_eq!(ran.output("space_stage"), "");
    assert!(
        ran.log.contains("::warning::the commit is on the Hub, but whether it runs is not known"),
        "{}",
        ran.log
    );
}
