//! Recorded breaches of the contract.

use local_hub::contract::OpenApi;
use local_hub::{DEFAULT_TOKEN, Fault, FaultKind, NewRepo, RepoType};
use reqwest::Method;
use serde_json::json;

use crate::client::{file, header, start};

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn breaches_of_the_document_are_recorded() {
    OpenApi::required();
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let breaches = |expect: &str| {
        c.hub.clear_requests();
        let found = c.hub.violations();
        c.hub.forgive_violations();
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
    breaches("unknown key \"visability\" in the body");
    let nested = json!({"name": "y", "type": "model", "files": [{"path": "a", "content": "", "mode": "x"}]});
    c.post("/api/repos/create", nested).await;
    breaches("unknown key \"mode\" at /files/0");
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
#[ignore = "needs tests/run setup"]
async fn requests_that_a_fault_answers_are_checked_against_the_document() {
    OpenApi::required();
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let kind = FaultKind::Status { code: 503, headers: vec![], body: String::new() };
    c.hub.inject(Fault { method: None, path_contains: "/".to_owned(), skip: 0, times: 2, kind });
    c.post("/api/models/ada/m/preupload/main", json!({"files": [], "gitignore": ""})).await;
    let odd = json!({"key": "file", "value": {"path": "a", "body": ""}});
    c.commit("/api/models/ada/m/commit/main", &[header("x"), odd]).await;
    let found = c.hub.violations();
    for expect in ["unknown key \"gitignore\"", "'body' was unexpected"] {
        assert!(found.iter().any(|v| v.contains(expect)), "{expect}: {found:?}");
    }
}

#[tokio::test]
async fn refusals_match_the_hubs() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/secret").private()).unwrap();
    let anonymous = c.request(Method::GET, "/api/models/ada/secret").send().await.unwrap();
    assert_eq!((anonymous.status().as_u16(), anonymous.headers().get("x-error-code")), (401, None));
    assert_eq!(anonymous.headers()["x-error-message"], "Invalid username or password.");
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
