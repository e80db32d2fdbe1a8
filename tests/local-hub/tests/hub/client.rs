//! A small client for the tests.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use local_hub::contract::OpenApi;
use local_hub::{Contract, DEFAULT_TOKEN, HubConfig, LocalHub};
use reqwest::{Method, Response};
use serde_json::{Value, json};

pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) hub: LocalHub,
}

pub(crate) async fn start() -> Client {
    with(HubConfig::default()).await
}

/// Starts a Hub that checks the contract if there is a document.
pub(crate) async fn with(config: HubConfig) -> Client {
    let contract = OpenApi::find(None).unwrap().map(|contract| contract as Arc<dyn Contract>);
    let hub = LocalHub::start(HubConfig { contract, ..config }).await.unwrap();
    // Builds take no time unless a test sets one.
    hub.set_policy(|policy| policy.build_time = Duration::ZERO);
    Client { http: Client::http(), hub }
}

impl Client {
    /// Plain HTTP that follows no redirect.
    pub(crate) fn http() -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url =
            if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.hub.endpoint()) };
        self.http.request(method, url)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).bearer_auth(DEFAULT_TOKEN).send().await.unwrap()
    }

    pub(crate) async fn as_user(&self, token: &str, method: Method, path: &str, body: Value) -> Response {
        self.request(method, path).bearer_auth(token).json(&body).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Response {
        self.request(Method::POST, path).bearer_auth(DEFAULT_TOKEN).json(&body).send().await.unwrap()
    }

    pub(crate) fn commit_request(&self, target: &str, lines: &[Value]) -> reqwest::RequestBuilder {
        let body: String = lines.iter().map(|l| format!("{l}\n")).collect();
        self.request(Method::POST, target)
            .bearer_auth(DEFAULT_TOKEN)
            .header("content-type", "application/x-ndjson")
            .body(body)
    }

    pub(crate) async fn commit(&self, target: &str, lines: &[Value]) -> Response {
        self.commit_request(target, lines).send().await.unwrap()
    }
}

/// An answer's status, error code and message.
pub(crate) fn refusal(answer: &Response) -> (u16, &str, &str) {
    let text = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
    (answer.status().as_u16(), text("x-error-code"), text("x-error-message"))
}

pub(crate) fn header(summary: &str) -> Value {
    json!({"key": "header", "value": {"summary": summary, "description": ""}})
}

pub(crate) fn file(path: &str, content: &[u8]) -> Value {
    let content = base64::engine::general_purpose::STANDARD.encode(content);
    json!({"key": "file", "value": {"path": path, "content": content, "encoding": "base64"}})
}
