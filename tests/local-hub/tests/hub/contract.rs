//! Breaches of the contract are noticed.

use local_hub::{DEFAULT_TOKEN, RepoType};
use reqwest::Method;
use serde_json::json;

use crate::client::{file, header, start};

#[tokio::test]
async fn breaches_are_recorded() {
    let c = start().await;
    if std::env::var_os("HUB_OPENAPI").is_none()
        && !std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/hub-openapi.json")
            .is_file()
    {
        return;
    }
    c.hub.create_repo_as("ada", RepoType::Model, "ada/m", None, false).unwrap();
    let breaches = |expect: &str| {
        let found = c.hub.violations();
        c.hub.clear_requests();
        assert!(found.iter().any(|v| v.contains(expect)), "{expect}: {found:?}");
    };
    c.get("/api/models/ada/m/refs?include=1").await;
    breaches("unknown query parameter \"include\"");
    c.get("/api/models/ada/m/tree/main?recursive=true&depth=2").await;
    breaches("unknown query parameter \"depth\"");
    c.get("/api/models/ada/m/nonsense").await;
    breaches("neither the OpenAPI document");
    c.post("/api/models/ada/m/preupload/main", json!({"files": [{"path": "a", "size": "3", "sample": ""}]}))
        .await;
    breaches("is not of type \"number\"");
    c.post("/api/repos/create", json!({"name": "x", "type": "model", "visability": "private"})).await;
    breaches("unknown key \"visability\"");
    c.request(Method::POST, "/api/models/ada/m/preupload/main")
        .bearer_auth(DEFAULT_TOKEN)
        .body("{\"files\":[]}")
        .send()
        .await
        .unwrap();
    breaches("content type \"\"");
    let mut odd = header("x");
    odd["value"]["parentCommit"] = json!("abc1234");
    c.commit("/api/models/ada/m/commit/main", &[odd, file("a", b"a")]).await;
    breaches("does not match");
    c.commit(
        "/api/models/ada/m/commit/main",
        &[header("x"), json!({"key": "file", "value": {"path": "a", "body": ""}})],
    )
    .await;
    breaches("body");
    c.post(
        "/api/models/ada/m/preupload/main",
        json!({"files": [{"path": "a", "size": 3, "sample": "YWJj"}]}),
    )
    .await;
    c.hub.assert_contract_kept();
}

#[tokio::test]
async fn access_is_refused_as_the_hub_does() {
    let c = start().await;
    c.hub.create_repo_as("ada", RepoType::Model, "ada/secret", None, true).unwrap();
    let anonymous = c.request(Method::GET, "/api/models/ada/secret").send().await.unwrap();
    assert_eq!(
        (anonymous.status().as_u16(), anonymous.headers()["x-error-code"].to_str().unwrap()),
        (401, "RepoNotFound")
    );
    let bad = c.request(Method::GET, "/api/whoami-v2").bearer_auth("hf_no").send().await.unwrap();
    assert_eq!(bad.status(), 401);
    assert!(bad.text().await.unwrap().contains("Invalid credentials in Authorization header"));
    assert_eq!(c.get("/api/models/ada/none").await.status(), 404);
    let mut reader = local_hub::User::new("ada", "hf_reader");
    reader.role = local_hub::TokenRole::Read;
    c.hub.add_user(reader);
    let create = c
        .request(Method::POST, "/api/repos/create")
        .bearer_auth("hf_reader")
        .json(&json!({"name": "r", "type": "model"}));
    assert_eq!(create.send().await.unwrap().status(), 403);
}
