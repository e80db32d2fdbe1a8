//! The proxy's own routes below `/_proxy/`. Requests to them do not reach the app.

use std::sync::atomic::Ordering;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, StatusCode, response};
use serde_json::json;

use crate::http::pages::insert_own_headers;
use crate::http::refusal::{self, Refusal};
use crate::ops::state::ProxyState;
use crate::policy::credentials::bearer;

/// The paths that belong to the proxy.
const PREFIX: &str = "/_proxy/";
/// The methods of these paths, for the header `Allow`.
pub(crate) static METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");
static JSON: HeaderValue = HeaderValue::from_static("application/json");
static TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Returns true for a path of the proxy's own.
pub(crate) fn is_own(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Answers a request to such a path.
pub(crate) fn answer(
    state: &ProxyState,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    id: &HeaderValue,
) -> Result<(response::Parts, String), Refusal> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(refusal::METHOD_REFUSED);
    }
    match path.strip_prefix(PREFIX).unwrap_or_default() {
        "healthz" => Ok(respond(StatusCode::OK, &JSON, id, health(state))),
        "readyz" => Ok(ready(state, id)),
        "metrics" if may_read_metrics(state, headers) => {
            let counts = state.connector.counts();
            let text = state.metrics.render(state.limits.running(), counts);
            Ok(respond(StatusCode::OK, &TEXT, id, text))
        }
        _ => Err(refusal::NO_SUCH_PAGE),
    }
}

/// Answers 200 while the proxy takes requests, and 503 while it drains.
pub(crate) fn ready(state: &ProxyState, id: &HeaderValue) -> (response::Parts, String) {
    let ready = !state.draining.load(Ordering::Relaxed);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond(status, &JSON, id, format!("{{\"ready\":{ready}}}\n"))
}

/// Describes the proxy, without the target and without secrets.
fn health(state: &ProxyState) -> String {
    let (report, at) = state.health.read();
    let mut selfcheck = report.json();
    selfcheck["seconds_ago"] = json!(at.map(|at: Instant| at.elapsed().as_secs()));
    let health = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "draining": state.draining.load(Ordering::Relaxed),
        "in_flight": state.limits.running(),
        "selfcheck": selfcheck,
    });
    format!("{health}\n")
}

/// Returns true for a caller with the token of the metrics. Any other gets 404, so that it does not learn of the route.
fn may_read_metrics(state: &ProxyState, headers: &HeaderMap) -> bool {
    let presented = headers.get(http::header::AUTHORIZATION).and_then(bearer);
    match (&state.config.metrics_token, presented) {
        (Some(token), Some(presented)) => token.matches(presented),
        _ => false,
    }
}

fn respond(
    status: StatusCode,
    kind: &HeaderValue,
    id: &HeaderValue,
    body: String,
) -> (response::Parts, String) {
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = status;
    insert_own_headers(&mut parts.headers, kind, id);
    (parts, body)
}
