//! Responses of the edge itself. None has `x-proxied-host`, which distinguishes them from those of the app.

use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::http::answer::{raw, set};
use crate::spaces::edge::visit::Visit;

/// Body of a Space in error; 49 bytes.
pub(super) const IN_ERROR: &str = "Your space is in error, check its status on hf.co";

const VARY: &str = "origin, access-control-request-method, access-control-request-headers";

fn html(status: u16, title: &str, text: &str) -> Response {
    // The real page is about 3 kB long.
    let filler = "<!-- -->".repeat(330);
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
         <body><main><h1>{status}</h1><p>{text}</p></main>{filler}</body>\n</html>\n"
    );
    raw(status, "text/html; charset=utf-8", page.into_bytes())
}

/// Returns the page of a private Space without a valid token, and of a missing Space.
pub(super) fn not_found() -> Response {
    html(404, "404 – Hugging Face", "Sorry, we can't find the page you are looking for.")
}

/// Returns the page of a starting Space. Its text is a guess; status and type were observed.
pub(super) fn starting() -> Response {
    html(503, "Hugging Face – Preparing Space", "Your Space is starting.")
}

/// Returns the page of a paused Space, which is a guess.
pub(super) fn paused() -> Response {
    html(503, "Hugging Face – Space paused", "This Space has been paused by its owner.")
}

pub(super) fn in_error() -> Response {
    raw(503, "text/plain; charset=utf-8", IN_ERROR.as_bytes().to_vec())
}

/// Returns the response to a preflight, which allows any request.
pub(super) fn preflight(asked: &HeaderMap) -> Response {
    let mut response = raw(200, "text/plain; charset=utf-8", vec![]);
    let given = |name: &str| asked.get(name).and_then(|v| v.to_str().ok());
    if let Some(method) = given("access-control-request-method") {
        set(&mut response, "access-control-allow-methods", method);
    }
    if let Some(headers) = given("access-control-request-headers") {
        set(&mut response, "access-control-allow-headers", headers);
    }
    response
}

/// Sets the headers of every response at the edge. The caller's origin is allowed, even if the app does not allow it.
pub(super) fn decorate(response: &mut Response, visit: &Visit, origin: Option<&HeaderValue>) {
    set(response, "x-request-id", &visit.request_id);
    response.headers_mut().append("vary", HeaderValue::from_static(VARY));
    set(response, "access-control-expose-headers", "*");
    // The edge's own pages have it even without an origin.
    if origin.is_some() || !response.headers().contains_key("x-proxied-host") {
        set(response, "access-control-allow-credentials", "true");
    }
    if let Some(origin) = origin {
        response.headers_mut().insert("access-control-allow-origin", origin.clone());
    }
    for (name, value) in &visit.custom {
        set(response, name, value);
    }
}
