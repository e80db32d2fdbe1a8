//! The client: one request after the other, with the waits that GitHub asks for.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hub::Secret;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::error::{Cause, Error, Permission};
use super::patience::Patience;
use crate::text;

/// Number of times that one request is sent.
const ATTEMPTS: u32 = 4;
/// Wait after the first failure, doubled after each further one.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Version of the REST API.
const API_VERSION: &str = "2022-11-28";
/// Header with the id of a request, for GitHub's support.
const REQUEST_ID: &str = "x-github-request-id";
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

/// A client for one repository. Copies share its patience.
#[derive(Debug, Clone)]
pub struct Github {
    http: reqwest::Client,
    options: Arc<GithubOptions>,
    patience: Patience,
}

/// One operation: its words for errors, and the permission that it needs.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) permission: Permission,
    pub(super) method: Method,
    /// Path with its query below the repository, such as `/issues/7/comments?per_page=100`, or [`GRAPHQL`].
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// It changes nothing, or the same twice does no harm.
    pub(super) is_repeatable: bool,
}

/// Path of the GraphQL API, which is not below a repository.
const GRAPHQL: &str = "graphql";

impl Operation {
    pub(super) fn get(name: impl Into<String>, permission: Permission, path: String) -> Self {
        Self { name: name.into(), permission, method: Method::GET, path, body: None, is_repeatable: true }
    }

    pub(super) fn write(self, method: Method, body: &impl Serialize) -> Self {
        let is_repeatable = method != Method::POST;
        Self { method, body: serde_json::to_value(body).ok(), is_repeatable, ..self }
    }

    /// Returns a query of the GraphQL API.
    pub(super) fn query(name: &str, permission: Permission, query: &str) -> Self {
        let operation = Self::get(name, permission, GRAPHQL.to_owned());
        Self { is_repeatable: true, ..operation.write(Method::POST, &json!({ "query": query })) }
    }

    pub(super) fn error(&self, cause: Cause) -> Error {
        Error { operation: self.name.clone(), cause }
    }
}

/// An answer with its whole body, because a body can be as late as an answer.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    async fn read(request: reqwest::RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Self { status, headers, body: response.bytes().await? })
    }

    fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)?.to_str().ok().map(str::to_owned)
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
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| set_up(error.to_string()))?;
        Ok(Self { http, options: Arc::new(options), patience: Patience::new() })
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
        let Answer { headers, body, .. } = self.send(operation).await?;
        let has_next = headers
            .get_all(reqwest::header::LINK)
            .iter()
            .any(|link| link.to_str().is_ok_and(|link| link.contains("rel=\"next\"")));
        let value = serde_json::from_slice(&body)
            .map_err(|error| operation.error(Cause::Unexpected { detail: error.to_string() }))?;
        Ok((value, has_next))
    }

    pub(super) async fn send(&self, operation: &Operation) -> Result<Answer, Error> {
        let (api, path) = self.address(operation);
        let url = format!("{api}{path}");
        let mut attempt = 1;
        loop {
            let Some(limit) = self.patience.limit() else { return Err(operation.error(Cause::GivenUp)) };
            let mut request = self.http.request(operation.method.clone(), &url).timeout(limit);
            if let Some(body) = &operation.body {
                request = request.json(body);
            }
            let started = Instant::now();
            let answer = Answer::read(request).await;
            self.patience.spend(started.elapsed(), answer.is_ok());
            trace(operation, &path, attempt, started, &answer);
            let (error, next) = match answer {
                Ok(answer) if answer.status.is_success() => return Ok(answer),
                Ok(answer) => refused(operation, &answer, attempt),
                Err(error) => (not_answered(operation, error, limit), delay(operation, attempt)),
            };
            match next {
                Next::Retry(wait) if attempt < ATTEMPTS && self.patience.take(wait) => {
                    tokio::time::sleep(wait).await;
                    attempt += 1;
                }
                Next::Retry(_) | Next::GiveUp => return Err(error),
            }
        }
    }

    /// Returns the address of the API that an operation belongs to, and its path there.
    fn address(&self, operation: &Operation) -> (&str, String) {
        let api = self.options.api.as_str().trim_end_matches('/');
        if operation.path == GRAPHQL {
            // GitHub Enterprise Server has `/api/graphql` beside `/api/v3`.
            return (api.strip_suffix("/v3").unwrap_or(api), format!("/{GRAPHQL}"));
        }
        (api, format!("/repos/{}{}", self.options.repository, operation.path))
    }
}

/// Emits an event of `tracing` for one attempt, without the query of its path.
fn trace(
    operation: &Operation,
    path: &str,
    attempt: u32,
    started: Instant,
    answer: &reqwest::Result<Answer>,
) {
    // The text of the error itself contains the address.
    let cause = |error: &reqwest::Error| {
        let source = std::error::Error::source(error);
        source.map_or_else(|| "no answer".to_owned(), ToString::to_string)
    };
    tracing::debug!(
        target: "github",
        method = %operation.method,
        path = path.split('?').next(),
        status = answer.as_ref().ok().map(|answer| answer.status.as_u16()),
        error = answer.as_ref().err().map(cause),
        ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        attempt,
        request_id = answer.as_ref().ok().and_then(|answer| answer.header(REQUEST_ID)),
        "request"
    );
}

/// Returns the wait after a failure without an answer, or with one of a broken server. An operation that creates
/// something is not repeated, because it may have been carried out.
fn delay(operation: &Operation, attempt: u32) -> Next {
    if !operation.is_repeatable {
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
fn refused(operation: &Operation, answer: &Answer, attempt: u32) -> (Error, Next) {
    let status = answer.status.as_u16();
    let (wait, request_id) = (asked_wait(answer), answer.header(REQUEST_ID));
    let is_exhausted = answer.header("x-ratelimit-remaining").as_deref() == Some("0");
    let message = serde_json::from_slice::<Value>(&answer.body).ok().and_then(|body| message_of(&body));
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
fn asked_wait(answer: &Answer) -> Option<Duration> {
    if let Some(seconds) = answer.header("retry-after").and_then(|text| text.trim().parse().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    if answer.header("x-ratelimit-remaining")? != "0" {
        return None;
    }
    let reset: u64 = answer.header("x-ratelimit-reset")?.trim().parse().ok()?;
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
