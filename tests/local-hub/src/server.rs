//! The way of a request: recorded, hit by a fault or not, checked against the contract, answered.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::answer::{HubError, raw, set};
use crate::auth::Caller;
use crate::conn::Conn;
use crate::faults::FaultKind;
use crate::hub::Hub;
use crate::record::Entry;
use crate::routes::resolve::XET_INFO;
use crate::util::{lock, now_ms, parse_query, percent_decode, unique_hex};
use crate::{routes, xet};

/// A request as routes see it.
pub(crate) struct Req {
    pub(crate) hub: Arc<Hub>,
    pub(crate) method: Method,
    /// Path as sent, with its escapes.
    pub(crate) path: String,
    /// Query string as sent.
    pub(crate) query_text: String,
    /// Path segments with their escapes resolved (a segment may hold `/`).
    pub(crate) segs: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) caller: Caller,
    /// The body, unless the route reads it as a stream.
    pub(crate) body: Bytes,
    /// The body of a streamed route.
    pub(crate) stream: Mutex<Option<Body>>,
    pub(crate) entry: Entry,
}

impl Req {
    /// First value of a query parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// Whether a flag is set: `1`, `true` or present without a value.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.param(name).is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | ""))
    }

    /// All values of a repeated parameter, also written `name[]`.
    pub(crate) fn params(&self, name: &str) -> Vec<&str> {
        let listed = format!("{name}[]");
        self.query.iter().filter(|(k, _)| k == name || *k == listed).map(|(_, v)| v.as_str()).collect()
    }

    /// The JSON body, or the Hub's 400.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, HubError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|e| HubError::bad_request(format!("Invalid request body: {e}")))
    }

    /// The body of a streamed route; empty the second time.
    pub(crate) fn take_stream(&self) -> Body {
        lock(&self.stream).take().unwrap_or_else(Body::empty)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
}

/// The service of one listener.
pub(crate) fn service(hub: Arc<Hub>) -> IntoMakeServiceWithConnectInfo<Router, Conn> {
    Router::new().fallback(handle).with_state(hub).into_make_service_with_connect_info::<Conn>()
}

async fn handle(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(conn): ConnectInfo<Conn>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    if path.starts_with("/__local/") {
        return routes::local::answer(&hub, &parts.method, &path, body).await;
    }
    let method = parts.method.clone();
    let headers = parts.headers.clone();
    let entry = hub.log.begin(method.as_str(), &path, &query, &headers);
    let target = if query.is_empty() { path.clone() } else { format!("{path}?{query}") };
    let fault = hub.faults.hit(method.as_str(), &target);
    let body = entry.tap(body);
    match &fault {
        Some(FaultKind::DropConnection) => {
            conn.reset();
            return Response::new(Body::empty());
        }
        Some(FaultKind::Status { code, headers: extra, body: text }) => {
            hear(&hub, &method, &path, &query, &headers, body, &entry).await;
            let mut response = fault_answer(*code, text);
            decorate(&hub, &headers, &path, &mut response);
            for (name, value) in extra {
                set(&mut response, &name.to_ascii_lowercase(), value);
            }
            entry.status(*code);
            return response;
        }
        Some(FaultKind::Delay(time)) => {
            hub.sleep(*time).await;
        }
        _ => {}
    }
    let mut response = if xet::is_cas_path(&path) {
        cas(&hub, parts, body).await
    } else {
        answer(&hub, &method, &path, &query, &headers, body, &entry).await
    };
    match fault {
        Some(FaultKind::DropAfterApply) => {
            drain(response.into_body()).await;
            conn.reset();
            return Response::new(Body::empty());
        }
        Some(FaultKind::StatusAfterApply { code, body }) => {
            drain(response.into_body()).await;
            response = fault_answer(code, &body);
            decorate(&hub, &headers, &path, &mut response);
        }
        Some(FaultKind::TruncateBody { after }) => response = truncate(response, after).await,
        _ => {}
    }
    entry.status(response.status().as_u16());
    response
}

async fn cas(hub: &Hub, parts: axum::http::request::Parts, body: Body) -> Response {
    let Some(xet) = &hub.xet else {
        return raw(404, "text/plain", b"Not Found".to_vec());
    };
    match forward(hub, xet, parts, body).await {
        Ok(response) => response,
        Err(error) => raw(502, "text/plain", format!("{error:#}").into_bytes()),
    }
}

/// Passes a request on to the CAS, and adds the files of a shard to the repository of its token.
async fn forward(
    hub: &Hub,
    xet: &xet::Xet,
    parts: axum::http::request::Parts,
    body: Body,
) -> anyhow::Result<Response> {
    let xet::Forwarded { response, uploaded } = xet.forward(parts, body).await?;
    if let Some((repo_id, files)) = uploaded
        && let Some(repo) = hub.store.by_id(&repo_id)
    {
        for sha256 in files {
            repo.large.add(&sha256)?;
        }
    }
    Ok(response)
}

/// Reads a request that a fault answers, and compares it with the contract: what is refused has to be right too.
async fn hear(
    hub: &Hub,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: Body,
    entry: &Entry,
) {
    if xet::is_cas_path(path) {
        return drain(body).await;
    }
    let Ok(bytes) = axum::body::to_bytes(body, 1 << 30).await else { return };
    let streamed = routes::is_streamed(method, path);
    check(hub, method, path, &parse_query(query), headers, (!streamed).then_some(&bytes), entry);
    let lines =
        headers.get("content-type").is_some_and(|t| t.as_bytes().starts_with(b"application/x-ndjson"));
    if streamed
        && lines
        && let Some(contract) = &hub.contract
    {
        for text in contract.check_commit(&bytes) {
            entry.violation(text);
        }
    }
}

/// Where a request is the storage's: content travels there without a token.
fn is_storage(path: &str) -> bool {
    path.starts_with("/__lfs/") || path.starts_with("/__cdn/")
}

/// Writes down where a request breaks the contract; `body` is `None` when it is read as a stream.
fn check(
    hub: &Hub,
    method: &Method,
    path: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
    body: Option<&Bytes>,
    entry: &Entry,
) {
    if is_storage(path) {
        // The official client confirms an upload with its token.
        if !path.starts_with("/__lfs/verify/") && headers.contains_key("authorization") {
            entry.violation("a Hub token was sent to a storage URL");
        }
    } else if let Some(contract) = &hub.contract {
        for text in contract.check(method.as_str(), path, query, headers, body) {
            entry.violation(text);
        }
    }
}

async fn answer(
    hub: &Arc<Hub>,
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
    body: Body,
    entry: &Entry,
) -> Response {
    let streamed = routes::is_streamed(method, path);
    let (bytes, stream) = if streamed {
        (Bytes::new(), Some(body))
    } else {
        match axum::body::to_bytes(body, 1 << 30).await {
            Ok(bytes) => (bytes, None),
            Err(error) => return raw(400, "text/plain", error.to_string().into_bytes()),
        }
    };
    let pairs = parse_query(query);
    let storage = is_storage(path);
    check(hub, method, path, &pairs, headers, (!streamed).then_some(&bytes), entry);
    let caller = if storage { Ok(Caller::Anonymous) } else { Caller::of(hub, headers) };
    let mut response = match caller {
        Err(error) => error.into_response(),
        Ok(caller) => {
            let req = Req {
                hub: hub.clone(),
                method: method.clone(),
                path: path.to_owned(),
                query_text: query.to_owned(),
                segs: path.trim_start_matches('/').split('/').map(percent_decode).collect(),
                query: pairs,
                headers: headers.clone(),
                caller,
                body: bytes,
                stream: Mutex::new(stream),
                entry: entry.clone(),
            };
            match hub.over_quota(headers, path) {
                Some(error) => error.into_response(),
                None => routes::route(req).await.unwrap_or_else(HubError::into_response),
            }
        }
    };
    if !storage {
        response = check_own_answer(hub, method, path, response).await;
        decorate(hub, headers, path, &mut response);
        let fresh =
            headers.get("if-none-match").is_some_and(|tag| Some(tag) == response.headers().get("etag"));
        if fresh && response.status() == StatusCode::OK && matches!(*method, Method::GET | Method::HEAD) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response.headers_mut().remove("content-length");
            *response.body_mut() = Body::empty();
        }
    }
    response
}

/// Compares a JSON answer with the contract's own schema of it.
async fn check_own_answer(hub: &Hub, method: &Method, path: &str, response: Response) -> Response {
    let Some(contract) = &hub.contract else { return response };
    let media = response.headers().get("content-type").map_or(&b""[..], |t| t.as_bytes());
    // A download has a schema for the description of a Xet file, but none for a file that happens to be JSON.
    let download = path.contains("/resolve/") || path.starts_with("/api/resolve-cache/");
    let expected = if download { XET_INFO } else { "application/json" };
    if !media.starts_with(expected.as_bytes()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 30).await.unwrap_or_default();
    for text in contract.check_answer(method.as_str(), path, parts.status.as_u16(), &bytes) {
        lock(&hub.own_breaches).push(format!("{method} {path}: {text}"));
    }
    Response::from_parts(parts, Body::from(bytes))
}

pub(crate) async fn drain(body: Body) {
    let mut stream = body.into_data_stream();
    while let Some(Ok(_)) = stream.next().await {}
}

fn fault_answer(code: u16, body: &str) -> Response {
    let kind = if body.trim_start().starts_with(['{', '[']) {
        "application/json; charset=utf-8"
    } else {
        "text/html"
    };
    raw(code, kind, body.as_bytes().to_vec())
}

/// Breaks the body off; the announced length stays, so the client notices.
pub(crate) async fn truncate(response: Response, after: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 30).await.unwrap_or_default();
    parts.headers.insert("content-length", bytes.len().into());
    let head = bytes.slice(..after.min(bytes.len()));
    let frames: [Result<Bytes, std::io::Error>; 2] =
        [Ok(head), Err(std::io::ErrorKind::ConnectionReset.into())];
    // The pause lets the first frame reach the socket before the connection goes.
    let stream = futures_util::stream::iter(frames).then(|frame| async {
        if frame.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        frame
    });
    Response::from_parts(parts, Body::from_stream(stream))
}

const EXPOSED: &str = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,\
    Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Access-Token,X-Xet-Token-Expiration,X-Xet-Refresh-Route,X-Xet-Cas-Url,X-Xet-Hash";

/// The headers every answer of the Hub carries.
fn decorate(hub: &Hub, headers: &HeaderMap, path: &str, response: &mut Response) {
    let given = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let own = format!("Root=1-{:08x}-{}", now_ms() / 1000, unique_hex(24));
    let request_id = match (given("x-request-id"), given("x-amzn-trace-id")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(trace)) => format!("{own};{trace}"),
        (None, None) => own,
    };
    set(response, "x-request-id", &request_id);
    set(response, "x-powered-by", "huggingface-moon");
    set(response, "access-control-expose-headers", EXPOSED);
    set(response, "cross-origin-opener-policy", "same-origin");
    set(response, "referrer-policy", "strict-origin-when-cross-origin");
    set(response, "access-control-allow-origin", given("origin").unwrap_or(&hub.endpoint));
    set(response, "access-control-max-age", "86400");
    if !response.headers().contains_key("vary") {
        set(response, "vary", "Origin");
    }
    let usage = hub.usage(headers, path);
    set(response, "ratelimit", &format!("\"{}\";r={};t={}", usage.bucket, usage.left, usage.seconds));
    set(
        response,
        "ratelimit-policy",
        &format!("\"fixed window\";\"{}\";q={};w=300", usage.bucket, usage.quota),
    );
}
