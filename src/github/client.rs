//! The client: one request after the other, with the waits that GitHub asks for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hub::Secret;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::error::{Cause, Error, Permission};
use crate::text;

/// Time allowed for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Time of an answer that does not count as waiting.
const USUAL_ANSWER: Duration = Duration::from_secs(1);
/// Time allowed for one answer after the budget is used up.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(2);
/// Time allowed for all waits of a run together, also those for answers that come late or never, because a deploy that
/// is good must not wait for its comment.
const WAIT_BUDGET: Duration = Duration::from_secs(60);
/// Number of times that one request is sent.
const ATTEMPTS: u32 = 4;
/// Wait after the first failure, doubled after each further one.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Version of the REST API.
const API_VERSION: &str = "2022-11-28";
/// Number of characters of a message that an error repeats.
const MAX_MESSAGE: usize = 300;

/// Options of a client.
#[derive(Debug, Clone)]
pub struct GithubOptions {
    /// Address of the REST API: `https://api.github.com`, or that of a GitHub Enterprise Server.
    pub api: Url,
    pub token: Secret,
    /// `owner/name` of the repository that all requests are about.
    pub repository: String,
}

/// A client for one repository. Copies share the time that is left for waits.
#[derive(Debug, Clone)]
pub struct Github {
    http: reqwest::Client,
    options: Arc<GithubOptions>,
    wait_left: Arc<Mutex<Duration>>,
}

/// One operation: its words for errors, and the permission that it needs.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) permission: Permission,
    pub(super) method: Method,
    /// Path with its query. One that starts with a slash is below the repository: `/issues/7/comments?per_page=100`.
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl Operation {
    pub(super) fn get(name: impl Into<String>, permission: Permission, path: String) -> Self {
        Self { name: name.into(), permission, method: Method::GET, path, body: None }
    }

    pub(super) fn write(self, method: Method, body: &impl Serialize) -> Self {
        Self { method, body: serde_json::to_value(body).ok(), ..self }
    }

    fn error(&self, cause: Cause) -> Error {
        Error { operation: self.name.clone(), cause }
    }
}

/// Next step after a failed attempt.
enum Next {
    /// Sends the request again after a wait.
    Retry(Duration),
    GiveUp,
}

impl Github {
    /// Creates a client.
    ///
    /// # Errors
    ///
    /// The token has a character that no token has, or TLS cannot be set up.
    pub fn new(options: GithubOptions) -> Result<Self, Error> {
        let set_up = |detail: String| Error {
            operation: "set up the client for GitHub".to_owned(),
            cause: Cause::Unexpected { detail },
        };
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", options.token.expose()))
            .map_err(|_| set_up("the token has a character that no token has".to_owned()))?;
        authorization.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(reqwest::header::AUTHORIZATION, authorization);
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert("x-github-api-version", HeaderValue::from_static(API_VERSION));
        let http = hub::http::client(crate::USER_AGENT)
            .default_headers(headers)
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| set_up(error.to_string()))?;
        Ok(Self { http, options: Arc::new(options), wait_left: Arc::new(Mutex::new(WAIT_BUDGET)) })
    }

    /// Returns the repository that all requests are about, as `owner/name`.
    pub fn repository(&self) -> &str {
        &self.options.repository
    }

    /// Carries an operation out and reads its answer.
    pub(super) async fn call<T: DeserializeOwned>(&self, operation: &Operation) -> Result<T, Error> {
        self.call_with_link(operation).await.map(|(value, _)| value)
    }

    /// The same, with the answer's word on a next page.
    pub(super) async fn call_with_link<T: DeserializeOwned>(
        &self,
        operation: &Operation,
    ) -> Result<(T, bool), Error> {
        let response = self.send(operation).await?;
        let has_next = response
            .headers()
            .get_all(reqwest::header::LINK)
            .iter()
            .any(|link| link.to_str().is_ok_and(|link| link.contains("rel=\"next\"")));
        let bytes = response.bytes().await;
        let bytes =
            bytes.map_err(|error| operation.error(Cause::Unreachable { detail: without_url(error) }))?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| operation.error(Cause::Unexpected { detail: error.to_string() }))?;
        Ok((value, has_next))
    }

    pub(super) async fn send(&self, operation: &Operation) -> Result<Response, Error> {
        let api = self.options.api.as_str().trim_end_matches('/');
        let url = match operation.path.strip_prefix('/') {
            Some(path) => format!("{api}/repos/{}/{path}", self.options.repository),
            None => format!("{api}/{}", operation.path),
        };
        let mut attempt = 1;
        loop {
            let limit = ANSWER_TIMEOUT.min(self.wait_left().max(SHORTEST_TIMEOUT));
            let mut request = self.http.request(operation.method.clone(), &url).timeout(limit);
            if let Some(body) = &operation.body {
                request = request.json(body);
            }
            let started = Instant::now();
            let answer = request.send().await;
            trace(operation, url.strip_prefix(api).unwrap_or(&url), attempt, started, &answer);
            let (error, next) = match answer {
                Ok(response) => {
                    self.spend(started.elapsed().saturating_sub(USUAL_ANSWER));
                    if response.status().is_success() {
                        return Ok(response);
                    }
                    refused(operation, response, attempt).await
                }
                Err(error) => {
                    self.spend(started.elapsed());
                    (not_answered(operation, error, limit), delay(operation, attempt))
                }
            };
            match next {
                Next::Retry(wait) if attempt < ATTEMPTS && self.take_wait(wait) => {
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                }
                Next::Retry(_) | Next::GiveUp => return Err(error),
            }
        }
    }

    fn wait_left(&self) -> Duration {
        *self.wait_left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a wait that is over out of the time that is left.
    fn spend(&self, waited: Duration) {
        let mut left = self.wait_left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_sub(waited);
    }

    /// Takes a wait out of the time that is left. Returns false and takes nothing if less is left.
    fn take_wait(&self, wait: Duration) -> bool {
        let mut left = self.wait_left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.checked_sub(wait) {
            Some(rest) => {
                *left = rest;
                true
            }
            None => false,
        }
    }
}

/// Emits an event of `tracing` for one attempt, without the query of its path.
fn trace(
    operation: &Operation,
    path: &str,
    attempt: u32,
    started: Instant,
    answer: &reqwest::Result<Response>,
) {
    let id =
        |response: &Response| response.headers().get("x-github-request-id")?.to_str().ok().map(str::to_owned);
    // The text of the error itself contains the address.
    let cause = |error: &reqwest::Error| {
        let source = std::error::Error::source(error);
        source.map_or_else(|| "no answer".to_owned(), ToString::to_string)
    };
    tracing::debug!(
        target: "github",
        method = %operation.method,
        path = path.split('?').next(),
        status = answer.as_ref().ok().map(|response| response.status().as_u16()),
        error = answer.as_ref().err().map(cause),
        ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        attempt,
        request_id = answer.as_ref().ok().and_then(id),
        "request"
    );
}

/// Returns the wait after a failure without an answer, or with one of a broken server. An operation that creates
/// something is not repeated, because it may have been carried out.
fn delay(operation: &Operation, attempt: u32) -> Next {
    if operation.method == Method::POST {
        return Next::GiveUp;
    }
    Next::Retry(FIRST_DELAY * 2_u32.pow(attempt - 1))
}

fn not_answered(operation: &Operation, error: reqwest::Error, limit: Duration) -> Error {
    operation.error(if error.is_timeout() {
        Cause::TimedOut { after: limit }
    } else {
        Cause::Unreachable { detail: without_url(error) }
    })
}

fn without_url(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// Reads an error answer.
async fn refused(operation: &Operation, response: Response, attempt: u32) -> (Error, Next) {
    let status = response.status().as_u16();
    let header = |name: &str| response.headers().get(name)?.to_str().ok().map(str::to_owned);
    let (wait, request_id) = (asked_wait(&header), header("x-github-request-id"));
    let is_exhausted = header("x-ratelimit-remaining").as_deref() == Some("0");
    let body = response.bytes().await.unwrap_or_default();
    let message = serde_json::from_slice::<Value>(&body).ok().and_then(|body| message_of(&body));
    let message = message.map(|message| text::plain(&hub::shorten(&message, MAX_MESSAGE)));
    let message = message.unwrap_or_else(|| "without a message".to_owned());
    // Documented marks of both rate limits (GitHub docs, "Rate limits for the REST API").
    let is_rate_limit = matches!(status, 403 | 429)
        && (wait.is_some() || is_exhausted || status == 429 || message.contains("secondary rate limit"));
    if is_rate_limit {
        let next = Next::Retry(wait.unwrap_or(Duration::from_secs(60)));
        return (operation.error(Cause::RateLimited { wait }), next);
    }
    let is_forbidden = status == 403 && message.starts_with("Resource not accessible by");
    let cause = if is_forbidden {
        Cause::Forbidden { permission: operation.permission, message }
    } else {
        Cause::Status { status, message, request_id }
    };
    let next = if status >= 500 { delay(operation, attempt) } else { Next::GiveUp };
    (operation.error(cause), next)
}

/// Returns the wait that an answer asks for.
fn asked_wait(header: &impl Fn(&str) -> Option<String>) -> Option<Duration> {
    if let Some(seconds) = header("retry-after").and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    if header("x-ratelimit-remaining")? != "0" {
        return None;
    }
    let reset: u64 = header("x-ratelimit-reset")?.trim().parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(Duration::from_secs(reset).saturating_sub(now) + Duration::from_secs(1))
}

/// Returns the message of an error answer, with its details.
fn message_of(body: &Value) -> Option<String> {
    let message = body["message"].as_str()?;
    let details = body["errors"].as_array().into_iter().flatten();
    let details: Vec<&str> = details.filter_map(|detail| detail["message"].as_str()).collect();
    let whole =
        if details.is_empty() { message.to_owned() } else { format!("{message}: {}", details.join("; ")) };
    Some(whole)
}
