//! The edge: who is let in, which headers come and go, streams and tunnels.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use local_hub::{DEFAULT_TOKEN, Fault, FaultKind};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::Client;
use crate::runtime::{APP, ask, deploy, running, until};

async fn space(private: bool) -> Client {
    let c = running().await;
    let card = "---\nsdk: gradio\nsdk_version: 4.0.0\ncustom_headers:\n  cross-origin-opener-policy: same-origin\n---\n";
    deploy(&c, "ada/g", &[("README.md", card), ("app.py", APP)]).await;
    if private {
        let settings = c.request(Method::PUT, "/api/spaces/ada/g/settings");
        let done = settings.bearer_auth(DEFAULT_TOKEN).json(&json!({"private": true})).send().await.unwrap();
        assert_eq!(done.status(), 200);
    }
    until(&c, "ada/g", "RUNNING").await;
    c
}

fn to(c: &Client, path: &str) -> RequestBuilder {
    c.request(Method::GET, &format!("{}{path}", c.hub.space("ada/g").host().unwrap()))
}

async fn seen(request: RequestBuilder) -> Vec<(String, String)> {
    let seen: Value = request.send().await.unwrap().json().await.unwrap();
    serde_json::from_value(seen["headers"].clone()).unwrap()
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn a_private_space_needs_the_token() {
    let c = space(true).await;
    for refused in [
        to(&c, "/"),
        to(&c, "/").header("x-api-key", DEFAULT_TOKEN),
        to(&c, "/").header("x-hf-authorization", "Bearer hf_wrong"),
        to(&c, "/?__sign=x"),
    ] {
        let page = refused.send().await.unwrap();
        assert_eq!(page.status(), 404);
        assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
        assert!(page.headers().contains_key("x-request-id"));
        assert!(!page.headers().contains_key("x-proxied-host"));
        assert!(page.text().await.unwrap().contains("Sorry, we can't find the page you are looking for"));
    }
    let bearer = format!("Bearer {DEFAULT_TOKEN}");
    let headers =
        seen(to(&c, "/").header("x-hf-authorization", &bearer).header("authorization", "Bearer own")).await;
    assert_eq!(value(&headers, "x-hf-authorization"), None);
    assert_eq!(value(&headers, "authorization"), Some("Bearer own"));
    let headers = seen(to(&c, "/").header("authorization", &bearer)).await;
    assert_eq!(value(&headers, "authorization"), Some(bearer.as_str()));
    let jwt = c.json("/api/spaces/ada/g/jwt").await["token"].as_str().unwrap().to_owned();
    let page = to(&c, &format!("/?__sign={jwt}")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let cookie = page.headers()["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    assert_eq!(cookie, format!("spaces-jwt={jwt}"));
    assert_eq!(to(&c, "/").header("cookie", cookie).send().await.unwrap().status(), 200);
    assert_eq!(c.hub.space("ada/g").edge_requests().unwrap().len(), 8);
    assert!(c.hub.requests().iter().all(|r| !r.path.is_empty() && r.path != "/"));
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn headers_come_and_go() {
    let c = space(false).await;
    let sent = to(&c, "/")
        .header("x-forwarded-for", "1.2.3.4")
        .header("x-forwarded-host", "public.example")
        .header("x-ip-token", "mine")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("x-hf-authorization", "Bearer whatever");
    let headers = seen(sent).await;
    assert_eq!(value(&headers, "x-forwarded-for"), Some("1.2.3.4, 127.0.0.1"));
    assert_eq!(value(&headers, "x-forwarded-proto"), Some("https"));
    assert_eq!(value(&headers, "x-forwarded-host"), Some("public.example"));
    assert_eq!(value(&headers, "x-ip-token"), Some("mine"));
    assert_eq!(value(&headers, "x-hop"), None);
    assert_eq!(value(&headers, "x-hf-authorization"), None);
    assert!(value(&headers, "x-request-id").is_some());
    assert_eq!(value(&headers, "transfer-encoding"), None, "a request without a body stays one");
    assert!(c.hub.space("ada/g").host().unwrap().ends_with(value(&headers, "host").unwrap()));

    let page = to(&c, "/--replicas/abc/x").header("origin", "https://other.example").send().await.unwrap();
    let head = page.headers();
    assert_eq!(head["access-control-allow-origin"], "https://other.example");
    assert_eq!(head.get_all("access-control-allow-origin").iter().count(), 1);
    assert_eq!(head["access-control-allow-credentials"], "true");
    assert_eq!(head["x-proxied-path"], "/x");
    assert!(head.contains_key("x-proxied-host") && head.contains_key("x-proxied-replica"));
    assert!(head["link"].to_str().unwrap().ends_with("/spaces/ada/g>;rel=\"canonical\""));
    assert_eq!(head["cross-origin-opener-policy"], "same-origin");

    let count = c.hub.space("ada/g").edge_requests().unwrap().len();
    let preflight = c
        .request(Method::OPTIONS, &c.hub.space("ada/g").host().unwrap())
        .header("origin", "https://other.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-a")
        .send()
        .await
        .unwrap();
    assert_eq!(preflight.status(), 200);
    assert_eq!(preflight.headers()["access-control-allow-methods"], "POST");
    assert_eq!(preflight.headers()["access-control-allow-headers"], "x-a");
    assert!(!preflight.headers().contains_key("x-proxied-host"));
    assert_eq!(c.hub.space("ada/g").edge_requests().unwrap().len(), count + 1);
    let plain = c.request(Method::OPTIONS, &c.hub.space("ada/g").host().unwrap()).send().await.unwrap();
    assert_eq!(plain.status(), 501, "the app answers it");
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn streams_and_tunnels_pass() {
    let c = space(false).await;
    let start = Instant::now();
    let mut stream = to(&c, "/stream").send().await.unwrap().bytes_stream();
    assert_eq!(stream.next().await.unwrap().unwrap(), "data: 0\n\n");
    assert!(start.elapsed() < Duration::from_millis(500), "the first event does not wait for the last");
    let address = c.hub.space("ada/g").host().unwrap().replace("http://", "");
    let mut socket = tokio::net::TcpStream::connect(&address).await.unwrap();
    let hello =
        format!("GET /ws HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\nearly\n");
    socket.write_all(hello.as_bytes()).await.unwrap();
    let mut text = String::new();
    let mut buffer = [0u8; 1024];
    for line in ["echo early\n", "echo late\n"] {
        while !text.ends_with(line) {
            let read = tokio::time::timeout(Duration::from_secs(5), socket.read(&mut buffer));
            let n = read.await.unwrap().unwrap();
            assert!(n > 0, "{text}");
            text.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
        }
        socket.write_all(b"late\n").await.unwrap();
    }
    assert!(text.starts_with("HTTP/1.1 101"), "{text}");
    assert!(text.to_lowercase().contains("upgrade: echo"));
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn faults_strike_at_the_edge_too() {
    let c = space(false).await;
    let kind = FaultKind::Status { code: 502, headers: vec![], body: String::new() };
    c.hub
        .space("ada/g")
        .inject_edge(Fault { method: None, path_contains: "/".into(), skip: 0, times: 1, kind })
        .unwrap();
    assert_eq!(ask(&c, "ada/g", "/").await.status(), 502);
    assert_eq!(ask(&c, "ada/g", "/").await.status(), 200);
    let host = c.hub.space("ada/g").host().unwrap();
    let gone = c
        .request(Method::DELETE, "/api/repos/delete")
        .bearer_auth(DEFAULT_TOKEN)
        .json(&json!({"name": "g", "organization": "ada", "type": "space"}));
    assert_eq!(gone.send().await.unwrap().status(), 200);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let other = Client::http();
    assert!(other.get(host).send().await.is_err(), "a deleted Space has no address");
}
