//! What the Hub's refusals mean, and what to do about them.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::retry::is_transient;
use crate::auth::{Access, token_form};
use crate::failure::{Code, Failure};
use crate::target::shorten;

/// How much of a message of the Hub is shown, in characters.
const MAX_MESSAGE: usize = 600;

/// Why a request to the Hub failed.
#[derive(Debug)]
pub struct HubError {
    /// The operation and its object, to stand behind "cannot": ``create the Space `ada/app` ``.
    pub what: String,
    pub cause: Box<Cause>,
}

#[derive(Debug)]
pub enum Cause {
    /// The Hub answered with an error.
    Status(Refusal),
    /// No answer came: the connection failed, or broke.
    Unreachable {
        detail: String,
        attempts: u32,
        /// Whether it failed before a byte of the request left.
        before_sending: bool,
    },
    /// No answer came in time.
    TimedOut { after: Duration },
    /// The Hub asks for a wait that is over the budget of a run.
    WaitTooLong { wait: Option<Duration>, refusal: Refusal },
    /// The answer is not what the contract says.
    Unexpected { detail: String },
    /// The Hub may have carried out the request, and a look at its outcome failed.
    Unknown { look: HubError },
    /// The request could not be made from what is on this machine.
    Local(Failure),
}

/// An error answer of the Hub.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: StatusCode,
    /// The `X-Error-Code` header, such as `RepoNotFound`.
    pub code: Option<String>,
    /// What the Hub says, in one text.
    pub message: String,
    /// The `X-Request-Id` header, which the Hub's support asks for.
    pub request_id: Option<String>,
    /// The wait that the Hub asks for.
    pub wait: Option<Duration>,
}

impl Refusal {
    /// Reads an error answer. The text is in `error` (a string or a list), in `errors[].message`, in
    /// OAuth's `error_description`, or in the `X-Error-Message` header.
    pub fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let message = message_of(body)
            .or_else(|| header("x-error-message"))
            .unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
        Self {
            status,
            code: header("x-error-code"),
            message: shorten(message.trim(), MAX_MESSAGE),
            request_id: header("x-request-id"),
            wait: None,
        }
    }

    pub fn is(&self, status: u16, code: &str) -> bool {
        self.status.as_u16() == status && self.code.as_deref() == Some(code)
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

/// An error page of something in between is HTML: only short plain text is worth showing.
fn plain_text(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let short = !text.is_empty() && text.len() < 300 && !text.starts_with('<');
    short.then(|| text.to_owned())
}

impl HubError {
    pub fn new(what: impl Into<String>, cause: Cause) -> Self {
        Self { what: what.into(), cause: Box::new(cause) }
    }

    /// The answer is not what the contract says.
    pub fn unexpected(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(what, Cause::Unexpected { detail: detail.into() })
    }

    /// The error answer, if the Hub gave one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &*self.cause {
            Cause::Status(refusal) | Cause::WaitTooLong { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// The status of the error answer, if the Hub gave one.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status.as_u16())
    }

    /// Whether the same question may well be answered a little later.
    pub fn may_pass(&self) -> bool {
        match &*self.cause {
            Cause::Status(refusal) | Cause::WaitTooLong { refusal, .. } => is_transient(refusal.status),
            Cause::Unreachable { .. } | Cause::TimedOut { .. } => true,
            Cause::Unknown { look } => look.may_pass(),
            Cause::Unexpected { .. } | Cause::Local(_) => false,
        }
    }

    /// Whether the Hub may have carried out the request although it did not say so.
    pub fn is_ambiguous(&self) -> bool {
        match &*self.cause {
            Cause::Status(refusal) => {
                refusal.status.is_server_error() || refusal.status == StatusCode::REQUEST_TIMEOUT
            }
            Cause::Unreachable { .. }
            | Cause::TimedOut { .. }
            | Cause::Unexpected { .. }
            | Cause::Unknown { .. } => true,
            Cause::WaitTooLong { .. } | Cause::Local(_) => false,
        }
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: ", self.what)?;
        match &*self.cause {
            Cause::Status(refusal) => write!(f, "the Hub answered {refusal}"),
            Cause::Unreachable { detail, attempts: 0 | 1, .. } => write!(f, "no connection: {detail}"),
            Cause::Unreachable { detail, attempts, .. } => {
                write!(f, "no connection after {attempts} attempts: {detail}")
            }
            Cause::TimedOut { after } => write!(f, "no answer within {} s", after.as_secs()),
            Cause::WaitTooLong { wait: Some(wait), refusal } => {
                write!(f, "the Hub asks to wait {} s: {refusal}", wait.as_secs())
            }
            Cause::WaitTooLong { wait: None, refusal } => write!(f, "the Hub asks to wait: {refusal}"),
            Cause::Unexpected { detail } => write!(f, "unexpected answer of the Hub: {detail}"),
            Cause::Unknown { look } => write!(f, "the outcome is not known: {look}"),
            Cause::Local(failure) => write!(f, "{failure}"),
        }
    }
}

impl std::error::Error for HubError {}

/// The policy table: which answer is which failure, with what to do next.
impl From<HubError> for Failure {
    fn from(error: HubError) -> Self {
        let message = error.to_string();
        match *error.cause {
            Cause::Local(failure) => failure,
            Cause::Status(refusal) => refused(message, &refusal),
            Cause::Unreachable { .. } => Failure::new(Code::HubUnavailable, message)
                .hint("see https://status.huggingface.co, and run the job again when the Hub is back"),
            Cause::TimedOut { .. } => Failure::new(Code::Timeout, message)
                .hint("run the job again: what is already on the Hub is not sent twice"),
            Cause::WaitTooLong { .. } => Failure::new(Code::RateLimited, message).hint(
                "run the job again later, or deploy less often: the Hub limits requests and commits per hour",
            ),
            Cause::Unknown { look } => {
                let code = if look.may_pass() { Self::from(look).code } else { Code::HubRefused };
                Failure::new(code, message)
                    .hint("run the job again: what is already on the Hub is not sent twice")
            }
            Cause::Unexpected { .. } => Failure::new(Code::HubRefused, message)
                .hint("check that HF_ENDPOINT names a Hugging Face Hub"),
        }
    }
}

fn refused(message: String, refusal: &Refusal) -> Failure {
    match refusal.status.as_u16() {
        401 => Failure::new(Code::TokenInvalid, message)
            .hint("check that the secret behind `hf_token` holds a token that is neither expired nor revoked"),
        402 => {
            let hint = payment_hint(&refusal.message);
            Failure::new(Code::PaymentRequired, message).hint(hint)
        }
        403 => {
            let failure = Failure::new(Code::PermissionDenied, message)
                .hint("in an organization, your role must be `write` or `admin`; `contributor` writes only to repos that you created")
                .hint(format!("the token needs write access to this repo: make one at {}", token_form(Access::Write, None)));
            if refusal.message.contains("create_pr") {
                return failure.hint("to propose the change, set `create_pr: true`");
            }
            failure
        }
        404 if refusal.code.as_deref() == Some("RevisionNotFound") => {
            Failure::new(Code::RevisionNotFound, message).hint("check the input `revision`")
        }
        404 => Failure::new(Code::RepoNotFound, message)
            .hint("check `huggingface_repo` and `repo_type`; a private repo that the token cannot see looks the same"),
        409 | 412 => Failure::new(Code::Conflict, message)
            .hint("somebody else changed the repo meanwhile: run the job again"),
        413 => Failure::new(Code::HubRefused, message)
            .hint("deploy fewer or smaller files in one commit, or exclude what the repo does not need"),
        429 => Failure::new(Code::RateLimited, message)
            .hint("run the job again later, or deploy less often: the Hub limits requests and commits per hour"),
        408 | 504 => Failure::new(Code::Timeout, message)
            .hint("run the job again: what is already on the Hub is not sent twice"),
        500..=599 => Failure::new(Code::HubUnavailable, message)
            .hint("see https://status.huggingface.co, and run the job again when the Hub is back"),
        _ => Failure::new(Code::HubRefused, message),
    }
}

/// What a 402 is about: one status stands for plans, quotas, balances and visibilities alike.
fn payment_hint(message: &str) -> &'static str {
    let message = message.to_ascii_lowercase();
    let speaks_of = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if speaks_of(&["zerogpu", "zero-a10g", "zero gpu"]) {
        "a namespace has so many ZeroGPU Spaces and no more: delete or pause another one, or choose other `hardware`"
    } else if speaks_of(&["credit", "billing", "payment method", "balance"]) {
        "add a payment method or credits at https://huggingface.co/settings/billing, or choose free `hardware`"
    } else if speaks_of(&["protected"]) {
        "`visibility: protected` needs a namespace on a paid plan: use `private`, or `private` with `create_proxy: true`"
    } else if speaks_of(&["storage"]) {
        "the private storage of this namespace is used up: make the repo public, free some space, or take a larger plan"
    } else {
        "Docker Spaces, and Gradio Spaces on `cpu-basic`, need a PRO, Team or Enterprise namespace; static Spaces are free for everyone, and so are a few Gradio Spaces with `hardware: zero-a10g`"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payment_is_asked_for_many_things() {
        for (message, word) in [
            (
                "Static Spaces are free for everyone, but hosting Gradio and Docker Spaces on free cpu-basic requires a PRO subscription",
                "paid",
            ),
            ("You have reached the maximum number of ZeroGPU Spaces", "ZeroGPU Spaces and no more"),
            ("Please add a payment method to use this hardware", "payment method or credits"),
            ("Protected Spaces require a PRO subscription", "`visibility: protected`"),
            ("Private repository storage limit reached", "private storage"),
        ] {
            let hint = payment_hint(message);
            assert!(
                hint.contains(word) || (word == "paid" && hint.contains("static Spaces are free")),
                "{message}: {hint}"
            );
        }
    }

    #[test]
    fn messages_in_all_their_shapes() {
        let read =
            |body: &str| Refusal::read(StatusCode::BAD_REQUEST, &HeaderMap::new(), body.as_bytes()).message;
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

    #[test]
    fn each_status_has_its_code() {
        let code = |status: u16| {
            let refusal = Refusal::read(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), b"");
            Failure::from(HubError::new("do it", Cause::Status(refusal))).code
        };
        assert_eq!(code(401), Code::TokenInvalid);
        assert_eq!(code(402), Code::PaymentRequired);
        assert_eq!(code(403), Code::PermissionDenied);
        assert_eq!(code(404), Code::RepoNotFound);
        assert_eq!(code(412), Code::Conflict);
        assert_eq!(code(429), Code::RateLimited);
        assert_eq!(code(500), Code::HubUnavailable);
        assert_eq!(code(400), Code::HubRefused);
    }

    #[test]
    fn a_refusal_that_takes_a_pull_request_names_the_input_for_it() {
        let hints = |body: &[u8]| {
            let refusal = Refusal::read(StatusCode::FORBIDDEN, &HeaderMap::new(), body);
            Failure::from(HubError::new("commit", Cause::Status(refusal))).hints
        };
        let proposes = |hints: &[String]| hints.iter().any(|hint| hint.contains("`create_pr: true`"));
        assert!(proposes(&hints(br#"{"error":"Forbidden: pass `create_pr=1` as a query parameter"}"#)));
        assert!(!proposes(&hints(br#"{"error":"no"}"#)));
    }

    #[test]
    fn the_request_id_is_told() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "Root=1-a-b".parse().unwrap());
        let refusal = Refusal::read(StatusCode::FORBIDDEN, &headers, br#"{"error":"no"}"#);
        let error = HubError::new("create the Space `a/b`", Cause::Status(refusal));
        assert_eq!(
            error.to_string(),
            "cannot create the Space `a/b`: the Hub answered 403 no (request id Root=1-a-b)"
        );
    }
}
