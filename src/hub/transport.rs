//! Sending of requests: time limits, retries, and answers of bounded size.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{StatusCode, redirect};
use url::Url;

use crate::call::{Answer, Body, Call, EndedEarly, Repeat};
use crate::error::{Cause, Error};
use crate::lock::lock;
use crate::refusal::{Refusal, RefusalKind};
use crate::retry::{RetryPolicy, WaitBudget};
use crate::types::shorten;

/// Maximum size of the error answer to a request for a stream.
const MAX_REFUSAL: usize = 64 << 10;
/// Maximum size of an answer in memory: a tree page of 1,000 long paths is below 2 MB.
const MAX_ANSWER: usize = 32 << 20;
/// Maximum number of redirects. They are followed on the Hub's own origin only, for repos that were renamed.
const MAX_REDIRECTS: usize = 5;
/// Maximum length of a warning of the Hub, in characters.
const MAX_WARNING: usize = 300;

/// Callback for lines that a log should have: one per wait before a retry, and one per warning of the Hub.
pub type OnNotice = Arc<dyn Fn(&str) + Send + Sync>;

/// One pool of connections to a Hub, without credentials.
pub(crate) struct Transport {
    http: reqwest::Client,
    endpoint: Url,
    retry: RetryPolicy,
    waits: WaitBudget,
    on_notice: OnNotice,
    /// Topics of the Hub's warnings that were logged already.
    warned: Mutex<HashSet<String>>,
}

impl Transport {
    pub(crate) fn new(
        endpoint: Url,
        user_agent: &str,
        retry: RetryPolicy,
        on_notice: OnNotice,
    ) -> Result<Self, Error> {
        let http = crate::http::client(user_agent)
            .pool_idle_timeout(Duration::from_secs(50))
            .redirect(redirect::Policy::custom(stay_on_origin))
            .build()
            .map_err(|error| {
                Error::new("set up the HTTP client", Cause::Setup { detail: error.to_string() })
            })?;
        let waits = WaitBudget::new(retry.budget);
        Ok(Self { http, endpoint, retry, waits, on_notice, warned: Mutex::default() })
    }

    /// Returns the Hub's address without a trailing slash.
    pub(crate) fn endpoint(&self) -> &str {
        self.endpoint.as_str().trim_end_matches('/')
    }

    pub(crate) fn retry_policy(&self) -> &RetryPolicy {
        &self.retry
    }

    /// Logs one line.
    pub(crate) fn note(&self, line: &str) {
        (self.on_notice)(line);
    }

    /// Returns the address of a path (percent-encoded, with a leading slash) on this Hub.
    pub(crate) fn url(&self, path: &str) -> Result<Url, Error> {
        let text = format!("{}{path}", self.endpoint());
        text.parse()
            .map_err(|error: url::ParseError| Error::unexpected(format!("reach `{text}`"), error.to_string()))
    }

    /// Completes an address that may be relative to the Hub.
    pub(crate) fn complete(&self, address: &str) -> String {
        let joined = self.endpoint.join(address);
        joined.map_or_else(|_| address.to_owned(), |url| url.to_string())
    }

    /// Returns true if `url` is on this Hub, so that the token may be sent there.
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    /// Sends a request without credentials until it succeeds, fails for good, or the retries are used up.
    pub(crate) async fn call(&self, call: &Call) -> Result<Answer, Error> {
        let mut failures = 0;
        loop {
            match self.attempt(call, None, failures + 1).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.wait_for_retry(call, error, &mut failures).await?,
            }
        }
    }

    /// Waits after a failed attempt until the request may be sent again. Returns the error if it should not be.
    pub(crate) async fn wait_for_retry(
        &self,
        call: &Call,
        error: Error,
        failures: &mut u32,
    ) -> Result<(), Error> {
        *failures += 1;
        let Some(wait) = self.wait_before_retry(call, &error, *failures)? else {
            return Err(after_attempts(error, *failures));
        };
        let reason = match &*error.cause {
            Cause::Unreachable { detail, .. } => format!("no connection: {detail}"),
            cause => cause.to_string(),
        };
        self.note(&format!(
            "waiting {:.0} s to {} (attempt {} of {}): {reason}",
            wait.as_secs_f64().max(1.0),
            call.operation,
            *failures + 1,
            self.retry.attempts,
        ));
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Returns the wait before another attempt; `None` if there should be none.
    fn wait_before_retry(
        &self,
        call: &Call,
        error: &Error,
        failures: u32,
    ) -> Result<Option<Duration>, Error> {
        let (is_worth_it, asked) = match &*error.cause {
            Cause::Status(refusal) => {
                let is_busy = refusal.status == StatusCode::SERVICE_UNAVAILABLE;
                let is_unapplied = refusal.status == StatusCode::TOO_MANY_REQUESTS
                    || is_busy && call.repeat == Repeat::WhileBusy;
                let may_repeat = call.repeat == Repeat::Freely || is_unapplied;
                (refusal.is_transient() && may_repeat, refusal.wait)
            }
            Cause::Unreachable { before_sending, .. } => {
                (call.repeat == Repeat::Freely || *before_sending, None)
            }
            Cause::TimedOut { .. } => (call.repeat == Repeat::Freely, None),
            _ => (false, None),
        };
        if !is_worth_it || failures >= self.retry.attempts {
            return Ok(None);
        }
        let too_long = |wait| match error.refusal() {
            None => Ok(None),
            Some(refusal) => {
                Err(Error::new(call.operation.clone(), Cause::WaitTooLong { wait, refusal: refusal.clone() }))
            }
        };
        // The quota of commits has no header of its own. Its message asks to wait for about an hour.
        if asked.is_none() && error.kind() == Some(RefusalKind::CommitQuota) {
            return too_long(None);
        }
        let wait = asked.unwrap_or_else(|| self.retry.delay(failures, fastrand::f64()));
        if self.waits.take(wait) { Ok(Some(wait)) } else { too_long(Some(wait)) }
    }

    /// Sends a request once, as attempt number `attempt`.
    pub(crate) async fn attempt(
        &self,
        call: &Call,
        authorization: Option<HeaderValue>,
        attempt: u32,
    ) -> Result<Answer, Error> {
        let started = Instant::now();
        let moved = Arc::new(AtomicU64::new(0));
        let ended_early = EndedEarly::default();
        let request = self.request(call, authorization, &moved, &ended_early);
        let answer = unless_quiet(&moved, call.quiet_timeout, exchange(request, &moved)).await;
        // A body that ended early is the cause of the broken connection.
        if let Some(error) = lock(&ended_early).take() {
            return Err(Error::new(call.operation.clone(), Cause::Content(error)));
        }
        let answer = answer.unwrap_or(Err(Cause::TimedOut { after: call.quiet_timeout }));
        let trace = Trace { call, path: self.traced_path(&call.url), attempt, started };
        let cause = match answer {
            Ok((status, headers, body)) => {
                trace.answered(status, &headers);
                if call.takes(status) {
                    self.pass_on_warning(&headers);
                    return Ok(Answer { status, headers, body });
                }
                Cause::Status(Refusal::read(status, &headers, &body, SystemTime::now()))
            }
            Err(cause) => {
                trace.failed(&cause);
                cause
            }
        };
        Err(Error::new(call.operation.clone(), cause))
    }

    /// Returns the path of an address, with the host of another origin. Its query is left out, because addresses of the
    /// storage carry a permission there.
    fn traced_path(&self, url: &Url) -> String {
        let host = url.host_str().filter(|_| !self.is_own(url)).map(|host| format!("//{host}"));
        format!("{}{}", host.unwrap_or_default(), url.path())
    }

    /// Sends a request once, and returns its answer unread: the caller reads and bounds it.
    pub(crate) async fn open_stream(
        &self,
        call: &Call,
        authorization: Option<HeaderValue>,
    ) -> Result<reqwest::Response, Error> {
        let request = self.request(call, authorization, &Arc::default(), &EndedEarly::default());
        let trace = Trace { call, path: self.traced_path(&call.url), attempt: 1, started: Instant::now() };
        let cause = match tokio::time::timeout(call.quiet_timeout, request.send()).await {
            Err(_) => Cause::TimedOut { after: call.quiet_timeout },
            Ok(Err(error)) => unreachable_cause(&error),
            Ok(Ok(mut response)) => {
                trace.answered(response.status(), response.headers());
                if call.takes(response.status()) {
                    return Ok(response);
                }
                let reading = read_start(&mut response, MAX_REFUSAL);
                let body = tokio::time::timeout(call.quiet_timeout, reading).await.unwrap_or_default();
                let refusal = Refusal::read(response.status(), response.headers(), &body, SystemTime::now());
                return Err(Error::new(call.operation.clone(), Cause::Status(refusal)));
            }
        };
        trace.failed(&cause);
        Err(Error::new(call.operation.clone(), cause))
    }

    /// Logs a warning of the Hub, once for each topic (`X-HF-Warning: topic; message`).
    fn pass_on_warning(&self, headers: &HeaderMap) {
        let Some(warning) = headers.get("x-hf-warning").and_then(|value| value.to_str().ok()) else { return };
        let (topic, message) = warning.split_once(';').unwrap_or(("", warning));
        if lock(&self.warned).insert(topic.trim().to_owned()) {
            self.note(&format!("the Hub warns: {}", shorten(message.trim(), MAX_WARNING)));
        }
    }

    fn request(
        &self,
        call: &Call,
        authorization: Option<HeaderValue>,
        moved: &Arc<AtomicU64>,
        ended_early: &EndedEarly,
    ) -> reqwest::RequestBuilder {
        let mut request = self.http.request(call.method.clone(), call.url.clone());
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request = request.headers(call.headers.clone());
        match &call.body {
            Body::Empty => request,
            Body::Bytes { content_type, bytes } => {
                request.header(CONTENT_TYPE, *content_type).body(bytes.clone())
            }
            Body::Stream(stream) => {
                if let Some(content_type) = stream.content_type {
                    request = request.header(CONTENT_TYPE, content_type);
                }
                let body = (stream.make)(Arc::clone(moved), Arc::clone(ended_early));
                request.header(CONTENT_LENGTH, stream.length).body(body)
            }
        }
    }
}

/// One attempt of a request, for the events of `tracing`.
struct Trace<'a> {
    call: &'a Call,
    path: String,
    attempt: u32,
    started: Instant,
}

impl Trace<'_> {
    fn answered(&self, status: StatusCode, headers: &HeaderMap) {
        tracing::debug!(
            target: "hub",
            method = %self.call.method,
            path = self.path,
            status = status.as_u16(),
            ms = self.milliseconds(),
            attempt = self.attempt,
            request_id = headers.get("x-request-id").and_then(|id| id.to_str().ok()),
            "request"
        );
    }

    fn failed(&self, cause: &Cause) {
        tracing::debug!(
            target: "hub",
            method = %self.call.method,
            path = self.path,
            error = %cause,
            ms = self.milliseconds(),
            attempt = self.attempt,
            "request"
        );
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Reads at most `limit` bytes of an answer, as far as the connection lasts.
async fn read_start(response: &mut reqwest::Response, limit: usize) -> BytesMut {
    let mut body = BytesMut::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    body
}

async fn exchange(
    request: reqwest::RequestBuilder,
    moved: &AtomicU64,
) -> Result<(StatusCode, HeaderMap, Bytes), Cause> {
    let mut response = request.send().await.map_err(|error| unreachable_cause(&error))?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable_cause(&error))? {
        moved.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Cause::Unexpected { detail: format!("more than {MAX_ANSWER} bytes") });
        }
        body.extend_from_slice(&chunk);
    }
    Ok((status, headers, body.freeze()))
}

/// Runs `future` until no byte moved for `limit`. Returns `None` if that happened.
async fn unless_quiet<T>(moved: &AtomicU64, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(future);
    // The counter is read 15 times per limit, so that silence is noticed soon after the limit.
    let interval = limit / 15;
    let (mut seen, mut quiet) = (0, Duration::ZERO);
    while quiet < limit {
        if let Ok(value) = tokio::time::timeout(interval, &mut future).await {
            return Some(value);
        }
        let now = moved.load(Ordering::Relaxed);
        quiet = if now == seen { quiet + interval } else { Duration::ZERO };
        seen = now;
    }
    None
}

fn after_attempts(mut error: Error, failures: u32) -> Error {
    if let Cause::Unreachable { attempts, .. } = &mut *error.cause {
        *attempts = failures;
    }
    error
}

/// Describes a network error by its innermost source, because the outer ones say only that there was one.
pub(crate) fn unreachable_cause(error: &reqwest::Error) -> Cause {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let detail = innermost.to_string();
    Cause::Unreachable { detail, attempts: 1, before_sending: error.is_connect() }
}

fn stay_on_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let start = attempt.previous().first().map(Url::origin);
    if attempt.previous().len() > MAX_REDIRECTS {
        return attempt.error("too many redirects");
    }
    if start == Some(attempt.url().origin()) { attempt.follow() } else { attempt.stop() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_ends_when_no_byte_moves() {
        let moved = AtomicU64::new(0);
        let limit = Duration::from_secs(75);
        let slow_but_moving = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(60)).await;
                moved.fetch_add(1, Ordering::Relaxed);
            }
        };
        assert!(unless_quiet(&moved, limit, slow_but_moving).await.is_some());
        let started = tokio::time::Instant::now();
        let goes_silent = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            moved.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<()>().await;
        };
        assert!(unless_quiet(&moved, limit, goes_silent).await.is_none());
        assert!((95..=105).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    }
}
