//! Responses in the Hub's shapes.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use base64::Engine as _;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

/// A failed request: status, `X-Error-Code`, body.
#[derive(Debug)]
pub(crate) struct HubError {
    pub(crate) status: u16,
    pub(crate) code: Option<&'static str>,
    pub(crate) body: Value,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// Result of a route.
pub(crate) type Answer = Result<Response, HubError>;

impl HubError {
    pub(crate) fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, code: None, body: json!({ "error": message.into() }), headers: vec![] }
    }

    pub(crate) fn coded(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(status, message) }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, message)
    }

    /// 401 with the Hub's challenge.
    pub(crate) fn unauthorized(message: &str) -> Self {
        let mut error = Self::new(401, message);
        error
            .headers
            .push(("www-authenticate", "Bearer realm=\"Authentication required\", charset=\"UTF-8\"".into()));
        error
    }

    pub(crate) fn revision_not_found(rev: &str) -> Self {
        Self::coded(404, "RevisionNotFound", format!("Invalid rev id: {rev}"))
    }

    pub(crate) fn entry_not_found(message: impl Into<String>) -> Self {
        Self::coded(404, "EntryNotFound", message)
    }

    /// Returns the error for a caller outside HTTP.
    pub(crate) fn into_anyhow(self) -> anyhow::Error {
        anyhow::anyhow!("{}", self.body)
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = json_status(self.status, &self.body);
        let message = match self.body.get("error") {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        };
        if let Some(code) = self.code {
            set(&mut response, "x-error-code", code);
        }
        if let Some(message) = message {
            set(&mut response, "x-error-message", &message);
        }
        for (name, value) in self.headers {
            set(&mut response, name, &value);
        }
        response
    }
}

impl From<anyhow::Error> for HubError {
    fn from(error: anyhow::Error) -> Self {
        Self::new(500, format!("Internal Error - {error:#}"))
    }
}

impl From<serde_json::Error> for HubError {
    fn from(error: serde_json::Error) -> Self {
        Self::new(500, format!("Internal Error - {error}"))
    }
}

impl From<std::io::Error> for HubError {
    fn from(error: std::io::Error) -> Self {
        Self::new(500, format!("Internal Error - {error}"))
    }
}

/// Sets a header. Replaces invalid characters by `?`.
pub(crate) fn set(response: &mut Response, name: &str, value: &str) {
    let clean: String =
        value.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(clean)) {
        response.headers_mut().insert(name, value);
    }
}

/// Returns 200 with a JSON body.
pub(crate) fn json_ok(value: &Value) -> Response {
    json_status(200, value)
}

/// Returns 200 with serialized JSON.
pub(crate) fn json_text(text: &str) -> Response {
    tagged(200, "application/json; charset=utf-8", text)
}

/// Returns a JSON body with its weak ETag.
pub(crate) fn json_status(status: u16, value: &Value) -> Response {
    tagged(status, "application/json; charset=utf-8", &value.to_string())
}

/// Returns a text with its weak ETag (`W/"<length in hex>-<27 characters of SHA-1>"`).
fn tagged(status: u16, content_type: &str, text: &str) -> Response {
    let mut response = raw(status, content_type, text.as_bytes().to_vec());
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha1::digest(text.as_bytes()));
    set(&mut response, "etag", &format!("W/\"{:x}-{}\"", text.len(), digest.get(..27).unwrap_or_default()));
    response
}

/// Returns 200 with plain text.
pub(crate) fn text_ok(text: &str) -> Response {
    tagged(200, "text/plain; charset=utf-8", text)
}

/// Returns 200 with `OK`, where the contract declares no schema.
pub(crate) fn ok() -> Response {
    text_ok("OK")
}

/// Returns any body.
pub(crate) fn raw(status: u16, content_type: &str, body: Vec<u8>) -> Response {
    let len = body.len();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut response, "content-type", content_type);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(len));
    response
}

/// Returns the Hub's response to an unknown path.
pub(crate) fn not_found() -> HubError {
    HubError::new(404, "Sorry, we can't find the page you are looking for.")
}

/// Returns an empty 200 for checks like `HEAD`.
pub(crate) fn empty() -> Answer {
    Ok(raw(200, "text/plain; charset=utf-8", vec![]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_match_the_hubs() {
        let answer = json_ok(&json!({}));
        assert_eq!(answer.headers()["etag"], "W/\"2-vyGp6PvFo4RvsFtPoIWeCReyIC8\"");
        assert_eq!(ok().headers()["etag"], "W/\"2-nOO9QiTIwXgNtWtBJezz8kv3SLc\"");
    }

    #[test]
    fn errors_carry_their_code_and_message() {
        let answer = HubError::revision_not_found("x").into_response();
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.headers()["x-error-code"], "RevisionNotFound");
        assert_eq!(answer.headers()["x-error-message"], "Invalid rev id: x");
    }
}
