//! Answers of an app, read with a limit, and requests without an answer.

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::error::{CheckError, CheckFailure, HttpAnswer, is_edge_status};
use super::quote::{excerpt, quoted};

/// Attempts of a request whose failure may be temporary.
pub(super) const ATTEMPTS: u32 = 5;
/// Header of each answer that the edge passes on from the app. The edge's own answers do not have it.
pub(super) const PASSED_ON: &str = "x-proxied-host";
/// Longest error code that is read from a body, in characters.
const MAX_CODE: usize = 64;

/// An answer that was read to its end, or to its limit.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Reason for a request without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestError {
    /// There was no connection, so that nothing was sent.
    NoConnection(String),
    /// The connection broke.
    Unreachable(String),
    TimedOut,
    TooLarge(usize),
    Refused(StatusCode),
}

/// Treatment of an answer that is longer than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overlong {
    Fail,
    Cut,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection(detail) => write!(f, "no connection: {detail}"),
            Self::Unreachable(detail) => write!(f, "the connection failed: {detail}"),
            Self::TimedOut => write!(f, "no answer in time"),
            Self::TooLarge(limit) => write!(f, "the answer is larger than {} MB", limit >> 20),
            Self::Refused(status) => write!(f, "the app answered {}", status.as_u16()),
        }
    }
}

impl From<reqwest::Error> for RequestError {
    /// Returns the innermost cause, without the address of the request, because that may contain a session.
    fn from(error: reqwest::Error) -> Self {
        let is_connect = error.is_connect();
        if error.is_timeout() && !is_connect {
            return Self::TimedOut;
        }
        let error = error.without_url();
        let mut source: &dyn std::error::Error = &error;
        while let Some(next) = source.source() {
            source = next;
        }
        let detail = quoted(&source.to_string());
        if is_connect { Self::NoConnection(detail) } else { Self::Unreachable(detail) }
    }
}

impl RequestError {
    /// Returns true if another attempt may succeed.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::NoConnection(_) | Self::Unreachable(_) | Self::TimedOut => true,
            Self::TooLarge(_) => false,
            Self::Refused(status) => is_edge_status(status.as_u16()),
        }
    }

    /// Returns the HTTP answer behind the error, if there is one.
    pub(super) fn answer(&self) -> Option<HttpAnswer> {
        match self {
            Self::Refused(status) => Some(HttpAnswer { status: status.as_u16(), code: None }),
            Self::NoConnection(_) | Self::Unreachable(_) | Self::TimedOut | Self::TooLarge(_) => None,
        }
    }
}

impl Answer {
    /// Describes an error answer on one line: the status, and the `detail` of FastAPI or short plain text.
    pub(super) fn describe(&self) -> String {
        let status = self.status.as_u16();
        let text = match serde_json::from_slice::<Value>(&self.body) {
            Ok(value) => match value.get("detail").or_else(|| value.get("error")) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => String::new(),
            },
            Err(_) => {
                let text = String::from_utf8_lossy(&self.body);
                if text.trim_start().starts_with('<') { String::new() } else { text.into_owned() }
            }
        };
        if text.trim().is_empty() { format!("{status}") } else { format!("{status}: {}", quoted(&text)) }
    }

    /// Returns the status and the error code.
    pub(super) fn summary(&self) -> HttpAnswer {
        let body = serde_json::from_slice::<Value>(&self.body).ok();
        let code = body.as_ref().and_then(|body| body.get("code")?.as_str());
        HttpAnswer { status: self.status.as_u16(), code: code.map(|code| excerpt(code, MAX_CODE)) }
    }
}

/// Returns the pauses between attempts, each twice as long as the one before.
pub(super) fn pauses(attempts: u32) -> impl Iterator<Item = Duration> {
    (1..attempts).map(|attempt| Duration::from_secs(1 << attempt))
}

/// Returns true if another attempt of a request may succeed.
pub(super) fn is_transient(result: &Result<Answer, RequestError>) -> bool {
    match result {
        Ok(answer) => is_edge_status(answer.status.as_u16()),
        Err(error) => error.is_transient(),
    }
}

/// Reads an answer of at most `limit` bytes.
pub(super) async fn read(
    mut response: Response,
    limit: usize,
    overlong: Overlong,
) -> Result<Answer, RequestError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await? {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            match overlong {
                Overlong::Cut => break,
                Overlong::Fail => return Err(RequestError::TooLarge(limit)),
            }
        }
    }
    Ok(Answer { status: response.status(), headers: response.headers().clone(), body: body.freeze() })
}

/// Returns the error for a 429, from the edge or from the app.
pub(super) fn rate_limited(answer: &Answer) -> CheckError {
    let wait = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(quoted);
    let wait = wait.map(|wait| format!(", and asks to wait: {wait}")).unwrap_or_default();
    let detail = format!("too many requests: the app's host answered 429{wait}");
    CheckError::new(CheckFailure::RateLimited, detail)
}

/// Returns the error for an app with a login of its own.
pub(super) fn login_required(path: &str) -> CheckError {
    let detail = format!("the app asks for a login: `{}` answered 401", quoted(path));
    CheckError::new(CheckFailure::LoginRequired, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &'static str) -> Answer {
        Answer { status: StatusCode::FORBIDDEN, headers: HeaderMap::new(), body: body.into() }
    }

    #[test]
    fn error_code_comes_from_a_json_body() {
        let code = |body| answer(body).summary().code;
        assert_eq!(code(r#"{"error": "closed", "code": "path_refused"}"#).as_deref(), Some("path_refused"));
        assert_eq!(code(r#"{"code": 7}"#), None);
        assert_eq!(code("<p>path_refused</p>"), None);
    }

    #[test]
    fn description_has_the_status_and_one_line() {
        assert_eq!(answer(r#"{"detail": "no\n entry"}"#).describe(), "403: no entry");
        assert_eq!(answer("<h1>no</h1>").describe(), "403");
        assert_eq!(answer("no").describe(), "403: no");
    }
}
