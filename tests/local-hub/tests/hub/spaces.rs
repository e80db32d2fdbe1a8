//! Spaces: plans, settings, stages, keyless tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use local_hub::{DEFAULT_TOKEN, RepoType, StageSha, StageStep, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{file, header, start};

#[tokio::test]
async fn plans_and_settings() {
    let c = start().await;
    let mut free = User::new("bob", "hf_bob");
    (free.is_pro, free.can_pay) = (false, false);
    c.hub.add_user(free);
    let make = |sdk: &str| {
        c.request(Method::POST, "/api/repos/create")
            .bearer_auth("hf_bob")
            .json(&json!({"name": format!("s-{sdk}"), "type": "space", "sdk": sdk}))
    };
    assert_eq!(make("docker").send().await.unwrap().status(), 402);
    assert_eq!(make("static").send().await.unwrap().status(), 200);
    let body = json!({"name": "s", "type": "space", "sdk": "gradio", "visibility": "private",
        "secrets": [{"key": "A", "value": "1"}], "files": [{"path": "app.py", "content": "x"}]});
    assert_eq!(c.post("/api/repos/create", body.clone()).await.status(), 200);
    let again = c.post("/api/repos/create", body).await;
    assert_eq!(again.status(), 409);
    assert!(again.json::<Value>().await.unwrap()["url"].as_str().unwrap().ends_with("/spaces/ada/s"));
    assert_eq!(c.hub.secrets("ada/s").unwrap()["A"], "1");
    let vars: Value =
        c.post("/api/spaces/ada/s/variables", json!({"key": "V", "value": "2"})).await.json().await.unwrap();
    assert_eq!(vars["V"]["value"], "2");
    assert_eq!(c.post("/api/spaces/ada/s/secrets", json!({"key": "1bad", "value": ""})).await.status(), 400);
    let runtime = c.json("/api/spaces/ada/s/runtime").await;
    assert_eq!(runtime["stage"], "RUNNING");
    assert_eq!(runtime["sha"].as_str(), c.hub.head(RepoType::Space, "ada/s", "main").as_deref());
}

#[tokio::test]
async fn stages_follow_the_script() {
    let c = start().await;
    c.hub.create_repo_as("ada", RepoType::Space, "ada/s", Some("docker"), false).unwrap();
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["stage"], "NO_APP_FILE");
    let target = "/api/spaces/ada/s/commit/main";
    c.commit(target, &[header("a"), file("Dockerfile", b"FROM scratch")]).await;
    let first = c.hub.head(RepoType::Space, "ada/s", "main").unwrap();
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["sha"], json!(first));
    let mut stale = StageStep::new(Duration::ZERO, "RUNNING");
    stale.sha = StageSha::Previous;
    let script = vec![
        stale,
        StageStep::new(Duration::from_millis(200), "BUILDING"),
        StageStep::new(Duration::from_millis(400), "RUNNING"),
    ];
    c.commit(target, &[header("b"), file("x", b"x")]).await;
    c.hub.set_stage_script("ada/s", script).unwrap();
    let second = c.hub.head(RepoType::Space, "ada/s", "main").unwrap();
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["sha"], json!(first));
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["stage"], "RUNNING_BUILDING");
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["sha"], json!(second));
}

#[tokio::test]
async fn keyless_tokens_reach_one_repository() {
    let c = start().await;
    for name in ["one", "two"] {
        c.hub.create_repo_as("ada", RepoType::Space, &format!("ada/{name}"), Some("static"), true).unwrap();
    }
    let claims = BTreeMap::from([("repository".to_owned(), "o/r".to_owned())]);
    c.hub.add_trusted_publisher(RepoType::Space, "ada/one", claims).unwrap();
    let jwt = |repository: &str| {
        let part = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(json!({"repository": repository}).to_string());
        format!("e30.{part}.x")
    };
    let exchange = |subject: String, resource: &str| {
        c.request(Method::POST, "/oauth/token").json(&json!({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "subject_token": subject, "resource": resource}))
    };
    assert_eq!(exchange(jwt("o/other"), "spaces/ada/one").send().await.unwrap().status(), 400);
    let answer: Value = exchange(jwt("o/r"), "spaces/ada/one").send().await.unwrap().json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    assert!(token.starts_with("hf_jwt_") && token != DEFAULT_TOKEN);
    let get = |path: &str| c.request(Method::GET, path).bearer_auth(token);
    assert_eq!(get("/api/spaces/ada/one").send().await.unwrap().status(), 200);
    assert_eq!(get("/api/spaces/ada/two").send().await.unwrap().status(), 404);
    let create = c
        .request(Method::POST, "/api/repos/create")
        .bearer_auth(token)
        .json(&json!({"name": "n", "type": "model"}));
    assert_eq!(create.send().await.unwrap().status(), 401);
}
