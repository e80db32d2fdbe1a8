//! The local GitHub as a client sees it.

#![allow(clippy::expect_used, reason = "a test that goes on would only say less")]

use local_github::{Access, Actor, Fault, LocalGithub, Permissions, PullState};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const REPO: &str = "octo/hello";

struct Client {
    http: reqwest::Client,
    base: String,
    token: &'static str,
}

impl Client {
    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}/{path}", self.base)).bearer_auth(self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("the local GitHub answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer is text");
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, Some(body)).await
    }

    fn with_token(&self, token: &'static str) -> Self {
        Self { http: self.http.clone(), base: self.base.clone(), token }
    }
}

async fn github() -> (LocalGithub, Client) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let github = LocalGithub::start().await.expect("the local GitHub starts");
    github.add_token("ghs_workflow", Actor::workflow(Permissions::ALL));
    github.add_repository(REPO, false);
    github.open_pull(REPO, 7, "A change", &"a".repeat(40));
    let client = Client {
        http: reqwest::Client::builder().no_proxy().user_agent("test").build().expect("a client is made"),
        base: format!("{}/repos/{REPO}", github.api_url()),
        token: "ghs_workflow",
    };
    (github, client)
}

#[tokio::test]
async fn comments_are_created_changed_listed_and_deleted() {
    let (github, client) = github().await;
    let (status, comment) = client.post("issues/7/comments", json!({ "body": "Building" })).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(comment["user"]["login"], "github-actions[bot]");
    assert_eq!(comment["user"]["type"], "Bot");
    let path = format!("issues/comments/{}", comment["id"]);
    let (status, changed) = client.send(Method::PATCH, &path, Some(json!({ "body": "Ready" }))).await;
    assert_eq!((status, &changed["body"]), (StatusCode::OK, &json!("Ready")));
    assert_eq!(github.comments(REPO, 7)[0].edits, 1);
    assert_eq!(client.send(Method::DELETE, &path, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(client.get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(client.post("issues/8/comments", json!({ "body": "x" })).await.0, StatusCode::NOT_FOUND);
    assert!(github.breaches().is_empty(), "{:?}", github.breaches());
}

#[tokio::test]
async fn comments_come_in_pages() {
    let (github, client) = github().await;
    for number in 0..250 {
        github.add_comment(REPO, 7, Actor::person("octocat"), &format!("comment {number}"));
    }
    let (_, first) = client.get("issues/7/comments").await;
    assert_eq!(first.as_array().map(Vec::len), Some(30));
    let (_, last) = client.get("issues/7/comments?per_page=100&page=3").await;
    assert_eq!(last.as_array().map(Vec::len), Some(50));
    assert_eq!(last[49]["body"], "comment 249");
}

#[tokio::test]
async fn comments_of_the_repository_come_in_the_order_of_their_changes() {
    let (github, client) = github().await;
    github.open_pull(REPO, 8, "Another", &"b".repeat(40));
    let first = github.add_comment(REPO, 7, Actor::person("octocat"), "first");
    github.add_comment(REPO, 8, Actor::person("octocat"), "second");
    let path = format!("issues/comments/{first}");
    client.send(Method::PATCH, &path, Some(json!({ "body": "changed" }))).await;
    let bodies = |rows: &Value| -> Vec<String> {
        let rows = rows.as_array().into_iter().flatten();
        rows.filter_map(|row| row["body"].as_str().map(str::to_owned)).collect()
    };
    let (_, oldest) = client.get("issues/comments").await;
    assert_eq!(bodies(&oldest), ["changed", "second"]);
    let (_, recent) = client.get("issues/comments?sort=updated&direction=desc").await;
    assert_eq!(bodies(&recent), ["changed", "second"]);
    let (_, early) = client.get("issues/comments?sort=updated&direction=asc").await;
    assert_eq!(bodies(&early), ["second", "changed"]);
    assert!(recent[0]["issue_url"].as_str().is_some_and(|url| url.ends_with("/issues/7")));
    assert!(github.breaches().is_empty(), "{:?}", github.breaches());
}

#[tokio::test]
async fn graphql_names_the_account_of_every_token() {
    let (github, client) = github().await;
    github.add_token("ghp_person", Actor::person("octocat"));
    let ask = |token: &'static str, query: &str| {
        let url = github.api_url().replace("/api/v3", "/api/graphql");
        client.http.post(url).bearer_auth(token).json(&json!({ "query": query })).send()
    };
    for (token, login) in [("ghs_workflow", "github-actions[bot]"), ("ghp_person", "octocat")] {
        let answer = ask(token, "query { viewer { login } }").await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(answer["data"]["viewer"]["login"], login);
    }
    let other: Value =
        ask("ghs_workflow", "{ viewer { email } }").await.expect("an answer").json().await.expect("JSON");
    assert!(other["errors"][0]["message"].is_string(), "{other}");
    assert_eq!(
        ask("unknown", "{ viewer { login } }").await.expect("an answer").status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_comment_over_the_limit_is_refused() {
    let (_github, client) = github().await;
    let post = |length: usize| client.post("issues/7/comments", json!({ "body": "é".repeat(length) }));
    assert_eq!(post(65_536).await.0, StatusCode::CREATED);
    let (status, answer) = post(65_537).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer["message"].as_str().is_some_and(|text| text.contains("65536")), "{answer}");
}

#[tokio::test]
async fn deployments_have_statuses_and_the_last_one_counts() {
    let (github, client) = github().await;
    let ask = json!({
        "ref": "b".repeat(40), "environment": "preview", "transient_environment": true,
        "production_environment": false, "auto_merge": false, "required_contexts": [],
    });
    let (status, deployment) = client.post("deployments", ask).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = format!("deployments/{}/statuses", deployment["id"]);
    for state in ["in_progress", "success"] {
        let (status, answer) =
            client.post(&path, json!({ "state": state, "environment_url": "https://a.hf.space" })).await;
        assert_eq!((status, &answer["state"]), (StatusCode::CREATED, &json!(state)));
    }
    assert_eq!(github.deployments(REPO)[0].state(), Some("success"));
    let (_, statuses) = client.get(&path).await;
    assert_eq!(statuses[0]["state"], "success", "the newest comes first");
    let (_, none) = client.get("deployments?environment=production").await;
    assert_eq!(none, json!([]));
    assert!(github.breaches().is_empty(), "{:?}", github.breaches());
}

#[tokio::test]
async fn a_deployment_waits_for_checks_unless_it_asks_for_none() {
    let (_github, client) = github().await;
    let (status, _) = client.post("deployments", json!({ "ref": "main", "auto_merge": false })).await;
    assert_eq!(status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_success_ends_earlier_deployments_except_transient_ones() {
    let (github, client) = github().await;
    for is_transient in [true, false, false] {
        let ask = json!({
            "ref": "main", "environment": "demo", "transient_environment": is_transient,
            "auto_merge": false, "required_contexts": [],
        });
        let (_, deployment) = client.post("deployments", ask).await;
        client
            .post(&format!("deployments/{}/statuses", deployment["id"]), json!({ "state": "success" }))
            .await;
    }
    let deployments = github.deployments(REPO);
    let states: Vec<_> = deployments.iter().map(|one| one.state()).collect();
    assert_eq!(states, [Some("success"), Some("inactive"), Some("success")]);
}

#[tokio::test]
async fn permissions_are_refused_as_github_words_it() {
    let (github, client) = github().await;
    github.add_token("ghs_reader", Actor::workflow(Permissions::default()));
    let reader = client.with_token("ghs_reader");
    let (status, answer) = reader.post("issues/7/comments", json!({ "body": "x" })).await;
    assert_eq!(
        (status, &answer["message"]),
        (StatusCode::FORBIDDEN, &json!("Resource not accessible by integration"))
    );
    assert_eq!(reader.get("deployments").await.0, StatusCode::FORBIDDEN);
    assert_eq!(reader.get("pulls/7").await.0, StatusCode::OK, "the repository is public");
    github.add_token(
        "ghs_issues",
        Actor::workflow(Permissions { issues: Access::Write, ..Permissions::default() }),
    );
    let (status, _) = client.with_token("ghs_issues").post("issues/7/comments", json!({ "body": "x" })).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(client.with_token("unknown").get("pulls/7").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pull_requests_show_their_state_and_their_head() {
    let (github, client) = github().await;
    let (_, open) = client.get("pulls/7").await;
    assert_eq!((&open["state"], &open["merged"]), (&json!("open"), &json!(false)));
    assert_eq!(open["head"]["repo"]["full_name"], REPO);
    github.change_pull(REPO, 7, |pull| pull.state = PullState::Merged);
    let (_, merged) = client.get("pulls/7").await;
    assert_eq!((&merged["state"], &merged["merged"]), (&json!("closed"), &json!(true)));
    github.delete_pull(REPO, 7);
    assert_eq!(client.get("pulls/7").await.0, StatusCode::NOT_FOUND);
    assert!(github.breaches().is_empty(), "{:?}", github.breaches());
}

#[tokio::test]
async fn planted_faults_answer_in_place_of_github_and_may_come_after_the_work() {
    let (github, client) = github().await;
    github.plant(Fault::secondary_rate_limit("comments", 1, 3));
    let (status, answer) = client.post("issues/7/comments", json!({ "body": "x" })).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(answer["message"].as_str().is_some_and(|text| text.contains("secondary rate limit")));
    assert!(github.comments(REPO, 7).is_empty());
    github.plant(Fault { after: true, ..Fault::new("POST", "comments", 1, 502) });
    let (status, _) = client.post("issues/7/comments", json!({ "body": "x" })).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(github.comments(REPO, 7).len(), 1);
    assert_eq!(client.post("issues/7/comments", json!({ "body": "x" })).await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn a_job_gets_an_id_token_with_its_claims() {
    let (github, client) = github().await;
    let url = github.allow_id_tokens("request-token", json!({ "repository": REPO }));
    let ask = |token: &'static str| client.http.get(format!("{url}&audience=hub")).bearer_auth(token).send();
    let refused = ask("another").await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    let answer: Value = ask("request-token").await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["value"].as_str().map(|token| token.split('.').count()), Some(3));
    assert_eq!(github.issued_id_tokens(), 1);
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn requests_and_answers_are_compared_with_githubs_own_document() {
    let (github, client) = github().await;
    assert!(github.checks_contract(), "GITHUB_OPENAPI names no document: run `tests/run`");
    client.post("issues/7/comments", json!({ "text": "no body" })).await;
    client.get("deployments?colour=red").await;
    let breaches = github.breaches();
    assert_eq!(breaches.len(), 3, "{breaches:?}");
    for (breach, word) in breaches.iter().zip(["required", "`text`", "`colour`"]) {
        assert!(breach.contains(word), "{breach}");
    }
}
