//! Answers of the router.

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use serde_json::{Value, json};

use crate::http::answer::raw;

/// Returns a successful answer.
pub(super) fn answered(value: &Value) -> Response {
    raw(200, "application/json", value.to_string().into_bytes())
}

/// Returns an error answer.
pub(super) fn failed(status: u16, error: &Value) -> Response {
    raw(status, "application/json", json!({ "error": error }).to_string().into_bytes())
}

/// Returns a stream of server-sent events.
pub(super) fn events(events: &[String]) -> Response {
    let text: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    let mut response = raw(200, "text/event-stream", Vec::new());
    *response.body_mut() = Body::from(text);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}
