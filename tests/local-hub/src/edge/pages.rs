//! Answers of the edge itself. None of them carries `x-proxied-host`: that is how a caller tells them from the app's.

use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use crate::answer::{raw, set};
use crate::edge::Visit;

/// What a Space in error answers with; 49 bytes.
pub(crate) const IN_ERROR: &str = "Your space is in error, check its status on hf.co";

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

/// A private Space without a good token, and a Space that is not there.
pub(crate) fn not_found() -> Response {
    html(404, "404 – Hugging Face", "Sorry, we can't find the page you are looking for.")
}

/// While nothing serves yet. The words are a guess, status and type are what callers saw.
pub(crate) fn starting() -> Response {
    html(503, "Hugging Face – Preparing Space", "Your Space is starting.")
}

/// While the owner has it paused. A guess as a whole.
pub(crate) fn paused() -> Response {
    html(503, "Hugging Face – Space paused", "This Space has been paused by its owner.")
}

pub(crate) fn in_error() -> Response {
    raw(503, "text/plain; charset=utf-8", IN_ERROR.as_bytes().to_vec())
}

/// The edge answers preflights itself and allows whatever was asked for.
pub(crate) fn preflight(asked: &HeaderMap) -> Response {
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

/// What every answer at the edge carries, its own and the app's: the caller's origin is allowed whatever the app said.
pub(crate) fn decorate(response: &mut Response, visit: &Visit, origin: Option<&HeaderValue>) {
    set(response, "x-request-id", &visit.request_id);
    response.headers_mut().append("vary", HeaderValue::from_static(VARY));
    set(response, "access-control-expose-headers", "*");
    // Its own pages say so even to a caller without an origin.
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
