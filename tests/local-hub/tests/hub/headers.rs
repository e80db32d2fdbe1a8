//! Headers that every answer has.

use local_hub::{DEFAULT_TOKEN, NewRepo, RepoType};
use reqwest::Method;

use crate::client::start;

#[tokio::test]
async fn request_ids_are_those_of_the_request() {
    let c = start().await;
    let id = async |headers: &[(&str, &str)]| {
        let mut request = c.request(Method::GET, "/api/whoami-v2").bearer_auth(DEFAULT_TOKEN);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    assert_eq!(id(&[("x-request-id", "custom-id")]).await, "custom-id");
    assert_eq!(id(&[("x-request-id", "custom-id"), ("x-amzn-trace-id", "custom-id")]).await, "custom-id");
    let traced = id(&[("x-amzn-trace-id", "a-trace")]).await;
    assert!(traced.starts_with("Root=1-") && traced.ends_with(";a-trace"), "{traced}");
    assert!(id(&[]).await.starts_with("Root=1-"));
}

#[tokio::test]
async fn other_origins_may_read() {
    let c = start().await;
    let allowed = async |origin: Option<&str>| {
        let mut request = c.request(Method::GET, "/api/models");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.send().await.unwrap();
        answer.headers()["access-control-allow-origin"].to_str().unwrap().to_owned()
    };
    assert_eq!(allowed(None).await, c.hub.endpoint());
    assert_eq!(allowed(Some("https://example.org")).await, "https://example.org");
}

#[tokio::test]
async fn a_plain_ok_has_an_etag() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let answer = c.post("/api/models/ada/m/branch/dev", serde_json::json!({})).await;
    assert_eq!(answer.headers()["etag"], "W/\"2-nOO9QiTIwXgNtWtBJezz8kv3SLc\"");
}
