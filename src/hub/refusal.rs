//! Error answers of the Hub, and their meaning.

use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use crate::rate_limit::wait_asked_for;
use crate::types::shorten;

/// Maximum length of a message of the Hub, in characters.
const MAX_MESSAGE: usize = 600;

/// An error answer of the Hub.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// Status of the answer.
    pub status: StatusCode,
    /// The `X-Error-Code` header, such as `RepoNotFound`.
    pub code: Option<String>,
    /// Message of the Hub, in one text.
    pub message: String,
    /// The `X-Request-Id` header, which the Hub's support asks for.
    pub request_id: Option<String>,
    /// Wait that the Hub asks for.
    pub wait: Option<Duration>,
}

/// Meaning of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The token is missing, unknown, expired or revoked.
    TokenRefused,
    /// The plan, quota, balance or payment method of the namespace does not cover the request.
    PaymentRequired(Payment),
    /// The token may not do this.
    Forbidden,
    /// The token may not commit to the branch, but may propose the commit as a pull request.
    OnlyPullRequests,
    /// The repo does not exist, or the token cannot see it.
    RepoNotFound,
    /// The repo exists, and the branch or commit does not.
    RevisionNotFound,
    /// The path does not exist at this revision.
    EntryNotFound,
    /// No provider, or not the named one, has the model.
    ModelNotSupported,
    /// The model is gated, and the user has no access to it.
    Gated,
    /// The Hub closed the access to the repo.
    Disabled,
    /// Another operation on the same repo is under way.
    ConflictingOperation,
    /// The repo exists already, or was changed in the meantime.
    Conflict,
    /// The branch is not at the parent of the commit any more.
    ParentMoved,
    /// The request is larger than the Hub accepts.
    TooLarge,
    /// Too many requests.
    RateLimited,
    /// Too many commits in the last hour.
    CommitQuota,
    /// The Hub broke off the exchange of an ID token, which may work a moment later.
    ExchangeAborted,
    /// The Hub does not exchange the ID token.
    ExchangeRefused,
    /// The Hub gave up waiting.
    TimedOut,
    /// The Hub failed.
    ServerError,
    /// Any other refusal.
    Other,
}

/// Subject of a payment that the Hub asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payment {
    /// The namespace has as many ZeroGPU Spaces as its plan allows.
    ZeroGpu,
    /// Credits or a payment method are missing.
    Credits,
    /// Protected Spaces need a paid plan.
    Protected,
    /// The private storage is used up.
    Storage,
    /// Spaces of this SDK need a paid plan on the free hardware.
    SdkOnFreeHardware,
    /// Any other subject.
    Plan,
}

/// A row of the table of refusals. All that it names must hold.
struct Row {
    status: u16,
    /// The `X-Error-Code` header; empty for any.
    code: &'static str,
    /// Words in the Hub's message, in lower case, any of which is enough; empty for any message.
    words: &'static [&'static str],
    kind: RefusalKind,
}

const fn row(status: u16, code: &'static str, words: &'static [&'static str], kind: RefusalKind) -> Row {
    Row { status, code, words, kind }
}

/// Meaning of the statuses, codes and texts that the Hub was seen to answer with. The first row that fits counts.
const TABLE: &[Row] = {
    use RefusalKind::{
        CommitQuota, Conflict, ConflictingOperation, Disabled, EntryNotFound, ExchangeAborted,
        ExchangeRefused, Forbidden, Gated, ModelNotSupported, OnlyPullRequests, ParentMoved, PaymentRequired,
        RateLimited, RepoNotFound, RevisionNotFound, TimedOut, TokenRefused, TooLarge,
    };
    &[
        row(400, "", &["aborted"], ExchangeAborted),
        row(400, "", &["invalid_grant", "invalid_request"], ExchangeRefused),
        row(400, "", &["is not supported by", "model_not_supported"], ModelNotSupported),
        row(401, "RepoNotFound", &[], RepoNotFound),
        row(401, "GatedRepo", &[], Gated),
        row(401, "", &[], TokenRefused),
        row(402, "", &["zerogpu", "zero-a10g", "zero gpu"], PaymentRequired(Payment::ZeroGpu)),
        row(402, "", &["cpu-basic"], PaymentRequired(Payment::SdkOnFreeHardware)),
        row(402, "", &["credit", "billing", "payment method", "balance"], PaymentRequired(Payment::Credits)),
        row(402, "", &["protected"], PaymentRequired(Payment::Protected)),
        row(402, "", &["storage"], PaymentRequired(Payment::Storage)),
        row(402, "", &[], PaymentRequired(Payment::Plan)),
        row(403, "", &["payment method"], PaymentRequired(Payment::Credits)),
        row(403, "GatedRepo", &[], Gated),
        row(403, "", &["this resource is disabled"], Disabled),
        row(403, "", &["create_pr"], OnlyPullRequests),
        row(403, "", &["gated", "is restricted"], Gated),
        row(403, "", &[], Forbidden),
        row(404, "", &["is not supported by"], ModelNotSupported),
        row(404, "RevisionNotFound", &[], RevisionNotFound),
        row(404, "EntryNotFound", &[], EntryNotFound),
        row(404, "", &[], RepoNotFound),
        row(408, "", &[], TimedOut),
        row(409, "", &["conflicting operation"], ConflictingOperation),
        row(409, "", &[], Conflict),
        row(412, "", &[], ParentMoved),
        row(413, "", &[], TooLarge),
        row(429, "", &["per hour"], CommitQuota),
        row(429, "", &[], RateLimited),
        row(504, "", &[], TimedOut),
    ]
};

impl Refusal {
    /// Reads an error answer that came at the time `now`. Its message is in `error` (a string or a list), in
    /// `errors[].message`, in OAuth's `error_description`, or in the `X-Error-Message` header.
    pub fn read(status: StatusCode, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let message = message_of(body)
            .or_else(|| header("x-error-message"))
            .unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
        Self {
            status,
            code: header("x-error-code"),
            message: shorten(message.trim(), MAX_MESSAGE),
            request_id: header("x-request-id"),
            wait: wait_asked_for(status, headers, now),
        }
    }

    /// Returns the meaning of this refusal, from its status, code and message.
    pub fn kind(&self) -> RefusalKind {
        let status = self.status.as_u16();
        let message = self.message.to_lowercase();
        let fits = |row: &&Row| {
            row.status == status
                && (row.code.is_empty() || self.code.as_deref() == Some(row.code))
                && (row.words.is_empty() || row.words.iter().any(|word| message.contains(word)))
        };
        match TABLE.iter().find(fits) {
            Some(row) => row.kind,
            None if self.status.is_server_error() => RefusalKind::ServerError,
            None => RefusalKind::Other,
        }
    }

    /// Returns true if the same request may succeed a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self.status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status.as_u16(), self.message)?;
        match &self.request_id {
            Some(id) => write!(f, " (request id {id})"),
            None => Ok(()),
        }
    }
}

fn message_of(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(_) => return plain_text(body),
    };
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Object(map) => map.get("message")?.as_str().map(str::to_owned),
        _ => None,
    };
    let texts = |value: &serde_json::Value| match value {
        serde_json::Value::Array(items) => {
            let all: Vec<String> = items.iter().filter_map(text).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
        other => text(other),
    };
    let description = value.get("error_description").and_then(text);
    match (value.get("error").and_then(texts), description) {
        (Some(error), Some(description)) => Some(format!("{error}: {description}")),
        (error, description) => error
            .or(description)
            .or_else(|| value.get("errors").and_then(texts))
            .or_else(|| value.get("message").and_then(text)),
    }
}

/// Returns a short plain text. An error page of a proxy is HTML, which is not worth showing.
fn plain_text(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let short = !text.is_empty() && text.len() < 300 && !text.starts_with('<');
    short.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, code: Option<&'static str>, body: &str) -> Refusal {
        let mut headers = HeaderMap::new();
        if let Some(code) = code {
            headers.insert("x-error-code", code.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::read(status, &headers, body.as_bytes(), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn observed_refusals_have_their_kind() {
        use RefusalKind::*;
        for (status, code, message, kind) in [
            (400, None, "invalid_grant: This operation was aborted", ExchangeAborted),
            (400, None, "invalid_grant: no trusted publisher", ExchangeRefused),
            (400, None, "ZeroGPU Spaces must use the Gradio SDK", Other),
            (401, Some("RepoNotFound"), "Repository not found", RepoNotFound),
            (401, None, "Invalid username or password.", TokenRefused),
            (
                402,
                None,
                "Static Spaces are free for everyone, but hosting Gradio and Docker Spaces on free cpu-basic requires a PRO subscription",
                PaymentRequired(Payment::SdkOnFreeHardware),
            ),
            (
                402,
                None,
                "You have reached the maximum number of ZeroGPU Spaces",
                PaymentRequired(Payment::ZeroGpu),
            ),
            (
                402,
                None,
                "Please add a payment method to use this hardware",
                PaymentRequired(Payment::Credits),
            ),
            (402, None, "Protected Spaces require a PRO subscription", PaymentRequired(Payment::Protected)),
            (402, None, "Private repository storage limit reached", PaymentRequired(Payment::Storage)),
            (402, None, "A PRO subscription is required", PaymentRequired(Payment::Plan)),
            (
                403,
                None,
                "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request",
                OnlyPullRequests,
            ),
            (403, None, "You don't have the rights to create a Space", Forbidden),
            (403, None, "Access to this resource is disabled.", Disabled),
            (401, Some("GatedRepo"), "Access to model acme/m is restricted.", Gated),
            (404, Some("RevisionNotFound"), "Invalid rev id: dev", RevisionNotFound),
            (404, Some("EntryNotFound"), "Entry not found", EntryNotFound),
            (404, Some("RepoNotFound"), "Repository not found", RepoNotFound),
            (404, None, "Not Found", RepoNotFound),
            (409, None, "You already created this space repo", Conflict),
            (
                409,
                None,
                "Cannot create repo: another conflicting operation is in progress",
                ConflictingOperation,
            ),
            (412, None, "The branch was updated since you opened this page.", ParentMoved),
            (413, None, "Payload Too Large", TooLarge),
            (
                429,
                None,
                "You have exceeded the rate limit for repository commits (128 per hour). Please retry in about 1 hour.",
                CommitQuota,
            ),
            (429, None, "We had to rate limit your IP", RateLimited),
            (500, None, "Internal Error", ServerError),
            (503, None, "Service Unavailable", ServerError),
            (504, None, "Gateway Timeout", TimedOut),
            (418, None, "I'm a teapot", Other),
        ] {
            let body = serde_json::json!({ "error": message }).to_string();
            assert_eq!(refusal(status, code, &body).kind(), kind, "{status} {message}");
        }
    }

    #[test]
    fn the_message_is_found_in_each_shape_of_answer() {
        let read = |body: &str| refusal(400, None, body).message;
        assert_eq!(read(r#"{"error":"no"}"#), "no");
        assert_eq!(read(r#"{"error":["no","never"]}"#), "no; never");
        assert_eq!(read(r#"{"errors":[{"message":"bad card"}]}"#), "bad card");
        assert_eq!(
            read(r#"{"error":"invalid_grant","error_description":"expired"}"#),
            "invalid_grant: expired"
        );
        assert_eq!(read("<html>502</html>"), "Bad Request");
        assert_eq!(read(""), "Bad Request");
        assert_eq!(read("\"upstream\""), "Bad Request");
        assert_eq!(read(&format!(r#"{{"error":"{}"}}"#, "x".repeat(5000))).chars().count(), MAX_MESSAGE + 1);
    }
}
