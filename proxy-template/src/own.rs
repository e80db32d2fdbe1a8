//! `/_proxy/…`: how the proxy itself is. Nothing here is sent to the app.

use std::sync::atomic::Ordering;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, StatusCode, response};
use serde_json::json;

use crate::credentials::bearer;
use crate::pages::own_headers;
use crate::proxy::Proxy;
use crate::refusal::{self, Refusal};

/// The paths that belong to the proxy.
const PREFIX: &str = "/_proxy/";
/// The methods that they know.
pub static METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");
static JSON: HeaderValue = HeaderValue::from_static("application/json");
static TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Whether the path is the proxy's own.
pub fn is_own(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Answers such a path.
pub fn answer(
    proxy: &Proxy,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    id: &HeaderValue,
) -> Result<(response::Parts, String), Refusal> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(refusal::METHOD_REFUSED);
    }
    match path.strip_prefix(PREFIX).unwrap_or_default() {
        "healthz" => Ok(made(200, &JSON, id, health(proxy))),
        "readyz" => Ok(ready(proxy, id)),
        "metrics" if may_read_metrics(proxy, headers) => {
            Ok(made(200, &TEXT, id, proxy.metrics.render(proxy.limits.running())))
        }
        _ => Err(refusal::NO_SUCH_PAGE),
    }
}

/// 200 while requests are taken, 503 while the process drains.
pub fn ready(proxy: &Proxy, id: &HeaderValue) -> (response::Parts, String) {
    let ready = !proxy.draining.load(Ordering::Relaxed);
    made(if ready { 200 } else { 503 }, &JSON, id, format!("{{\"ready\":{ready}}}\n"))
}

/// 200 as long as the process lives. Neither the target nor a secret is named.
fn health(proxy: &Proxy) -> String {
    let (report, at) = proxy.board.read();
    let mut selfcheck = report.json();
    selfcheck["seconds_ago"] = json!(at.map(|at: Instant| at.elapsed().as_secs()));
    let health = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "draining": proxy.draining.load(Ordering::Relaxed),
        "in_flight": proxy.limits.running(),
        "selfcheck": selfcheck,
    });
    format!("{health}\n")
}

/// Whoever may not read them does not learn that they exist.
fn may_read_metrics(proxy: &Proxy, headers: &HeaderMap) -> bool {
    let presented = headers.get(http::header::AUTHORIZATION).and_then(bearer);
    match (&proxy.config.metrics_token, presented) {
        (Some(token), Some(presented)) => token.matches(presented),
        _ => false,
    }
}

fn made(status: u16, kind: &HeaderValue, id: &HeaderValue, body: String) -> (response::Parts, String) {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    own_headers(&mut parts.headers, kind, id);
    (parts, body)
}
