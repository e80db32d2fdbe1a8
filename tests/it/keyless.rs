//! Deploys without a stored token: the job's identity is exchanged for a token of one repo.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use local_hub::{FaultKind, RepoType};
use serde_json::json;

use crate::assert_ran;
use crate::harness::{Folder, Run, TestHub, hub, static_space};
use crate::settings::refuse;

/// What opens GitHub's token server to the job.
const REQUEST_TOKEN: &str = "the-request-token-of-this-job";

/// GitHub's token server. It gives out identities of `octo/hello` on `main`.
#[derive(Clone, Default)]
pub(crate) struct GitHub {
    minted: Arc<AtomicUsize>,
}

impl GitHub {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(mint).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        format!("http://{address}/token?api-version=2.0")
    }

    fn minted(&self) -> usize {
        self.minted.load(Ordering::Relaxed)
    }
}

async fn mint(
    State(github): State<GitHub>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {REQUEST_TOKEN}")) || !query.contains_key("api-version") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let number = github.minted.fetch_add(1, Ordering::Relaxed);
    let claims = json!({
        "aud": query["audience"], "repository": "octo/hello", "ref": "refs/heads/main", "workflow": "Deploy",
        "sub": "repo:octo/hello:ref:refs/heads/main", "exp": 4_102_444_800_u64, "jti": number,
    });
    let token = format!("eyJhbGciOiJub25lIn0.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims.to_string()));
    axum::Json(json!({ "value": token })).into_response()
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

async fn keyless(hub: &TestHub, folder: &Folder, github: &GitHub) -> Run {
    without_token(Run::new(hub, folder), github).await
}

/// The same run, signed in by nothing but the identity of its job.
pub(crate) async fn without_token(run: Run, github: &GitHub) -> Run {
    run.without("INPUT_HF_TOKEN")
        .var("ACTIONS_ID_TOKEN_REQUEST_URL", &github.start().await)
        .secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_job_needs_no_token() {
    let (hub, folder) = space().await;
    trust(&hub, "octo/hello");
    let github = GitHub::default();
    let ran = keyless(&hub, &folder, &github).await.run().await.ended(0, "deployed");
    assert_eq!(ran.output("auth"), "oidc");
    assert_eq!(github.minted(), 1, "one exchange for the one repo");
    let exchanges = hub.requests().into_iter().filter(|request| request.path == "/oauth/token").count();
    assert_eq!(exchanges, 1);
    // What was made on the way shows up nowhere but in the masks.
    let unmasked: Vec<&str> = ran.log.lines().filter(|line| !line.starts_with("::add-mask::")).collect();
    assert!(unmasked.iter().all(|line| !line.contains("hf_jwt_") && !line.contains("eyJ")), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_user_wins() {
    let (hub, folder) = space().await;
    let github = GitHub::default();
    let run = keyless(&hub, &folder, &github).await.input("hf_token", crate::harness::TOKEN);
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!((ran.output("auth"), github.minted()), ("token", 0));
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
    let github = GitHub::default();
    let ran = keyless(&hub, &folder, &github).await.run().await.ended(0, "deployed");
    assert!(github.minted() >= 2, "{}", ran.log);
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
    let github = GitHub::default();
    keyless(&hub, &folder, &github).await.run().await.ended(0, "deployed");
    assert_eq!(github.minted(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_nobody_trusts_learns_what_it_says_of_itself() {
    let (hub, folder) = space().await;
    trust(&hub, "somebody/else");
    let ran = keyless(&hub, &folder, &GitHub::default()).await.run().await.failed(3, "keyless_refused");
    assert!(ran.log.contains("`repository` = `octo/hello`"), "{}", ran.log);
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repo_that_is_not_there_has_to_be_made_by_hand() {
    let hub = hub().await;
    let folder = static_space();
    let ran = keyless(&hub, &folder, &GitHub::default()).await.run().await.failed(3, "keyless_refused");
    assert!(ran.log.contains("make it once by hand"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn github_that_gives_no_identity_is_told_apart() {
    let (hub, folder) = space().await;
    let run = keyless(&hub, &folder, &GitHub::default()).await;
    let ran =
        run.var("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another").run().await.failed(3, "id_token_unavailable");
    assert!(ran.log.contains("id-token: write"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_that_nobody_trusts_looks_as_everybody_may() {
    let (hub, folder) = space().await;
    let run = keyless(&hub, &folder, &GitHub::default()).await.input("dry_run", "true");
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

/// Nobody knows whether a keyless token may: where it may not, that is said, before anything is written.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_keyless_token_may_not_do_is_told_with_what_to_do_by_hand() {
    let (hub, folder) = space().await;
    trust(&hub, "octo/hello");
    refuse(&hub, "GET", "/variables", 1, 401, "Invalid username or password.");
    let run = keyless(&hub, &folder, &GitHub::default()).await.input("variables", "MODE=fast");
    let ran = run.run().await.failed(3, "permission_denied");
    assert!(ran.log.contains("set variables, secrets, hardware and visibility once by hand"), "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_whose_state_is_hidden_is_not_waited_for_and_not_called_live() {
    let (hub, folder) = space().await;
    trust(&hub, "octo/hello");
    refuse(&hub, "GET", "/runtime", 9, 401, "Invalid username or password.");
    let ran = keyless(&hub, &folder, &GitHub::default()).await.run().await.ended(0, "deployed");
    assert_eq!(ran.output("space_stage"), "");
    assert!(
        ran.log.contains("::warning::the commit is on the Hub, but whether it runs is not known"),
        "{}",
        ran.log
    );
}
