//! One request to the Hub: credentials, time limits, retries, bounded answers.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{StatusCode, redirect};
use url::Url;

use super::Repo;
use super::call::{Answer, Body, Call, Repeat, Trouble};
use super::error::{Cause, HubError, Refusal};
use super::keyless::Keyless;
use super::repos::WhoAmI;
use super::retry::{self, RetryPolicy, WaitBudget};
use crate::auth::{Credentials, Secret};
use crate::failure::{Code, Failure};
use crate::target::shorten;

/// How long a request may go without a byte moving either way. The Hub's own gateway gives up after
/// about a minute.
const QUIET_TIMEOUT: Duration = Duration::from_secs(75);
/// The largest answer that is read into memory: a tree page of 1,000 long paths is below 2 MB.
const MAX_ANSWER: usize = 32 << 20;
/// A redirect is followed on the Hub's own origin only, for repos that were renamed.
const MAX_REDIRECTS: usize = 5;

/// How much of a warning of the Hub is shown, in characters.
const MAX_WARNING: usize = 300;

/// Told one line for each wait, and for each warning of the Hub.
pub type Notify = Arc<dyn Fn(&str) + Send + Sync>;

/// Keeps a token out of everything that is written from now on.
pub type Hide = Arc<dyn Fn(&Secret) + Send + Sync>;

/// Everything that a [`Hub`] is made from.
#[expect(missing_debug_implementations, reason = "a function has none")]
pub struct HubOptions {
    /// The Hub's address without a trailing slash, such as `https://huggingface.co`.
    pub endpoint: Url,
    pub credentials: Credentials,
    pub retry: RetryPolicy,
    pub notify: Notify,
    /// Told each token that is made on the way, before it is used.
    pub hide: Hide,
}

/// A Hugging Face Hub: cheap to clone, one pool of connections.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    endpoint: Url,
    sign_in: SignIn,
    retry: RetryPolicy,
    waits: Arc<WaitBudget>,
    notify: Notify,
    hide: Hide,
    /// The token's user, once somebody asked.
    user: Arc<tokio::sync::OnceCell<WhoAmI>>,
    /// Topics of the Hub's warnings that were told already.
    warned: Arc<Mutex<HashSet<String>>>,
}

/// What requests carry.
enum SignIn {
    Nothing,
    Token(Secret, HeaderValue),
    Keyless(Box<Keyless>),
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("endpoint", &self.inner.endpoint.as_str()).finish_non_exhaustive()
    }
}

impl Hub {
    pub fn new(options: HubOptions) -> Result<Self, Failure> {
        let http = crate::http::client()
            .pool_idle_timeout(Duration::from_secs(50))
            .redirect(redirect::Policy::custom(stay_on_origin))
            .build()
            .map_err(|error| {
                Failure::new(Code::Internal, "cannot set up the HTTP client").caused_by(error)
            })?;
        let sign_in = match options.credentials {
            Credentials::None => SignIn::Nothing,
            Credentials::Token(token) => {
                let header = bearer(&token)?;
                SignIn::Token(token, header)
            }
            Credentials::Keyless(id_tokens) => SignIn::Keyless(Box::new(Keyless::new(id_tokens, None))),
        };
        let waits = Arc::new(WaitBudget::new(options.retry.budget));
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                endpoint: options.endpoint,
                sign_in,
                retry: options.retry,
                waits,
                notify: options.notify,
                hide: options.hide,
                user: Arc::default(),
                warned: Arc::default(),
            }),
        })
    }

    /// The Hub's address without a trailing slash.
    pub fn endpoint(&self) -> &str {
        self.inner.endpoint.as_str().trim_end_matches('/')
    }

    pub fn has_token(&self) -> bool {
        !matches!(self.inner.sign_in, SignIn::Nothing)
    }

    /// Whether the job signs in as itself, with what it may do in one repo and no more.
    pub fn is_keyless(&self) -> bool {
        matches!(self.inner.sign_in, SignIn::Keyless(_))
    }

    /// This Hub, signed in for one repo. With a stored token that is the same; a keyless one is for one repo.
    #[must_use]
    pub fn for_repo(&self, repo: &Repo) -> Self {
        let SignIn::Keyless(keyless) = &self.inner.sign_in else { return self.clone() };
        let keyless = Keyless::new(keyless.id_tokens.clone(), Some(repo.clone()));
        self.with(SignIn::Keyless(Box::new(keyless)))
    }

    /// This Hub as everybody sees it.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        self.with(SignIn::Nothing)
    }

    fn with(&self, sign_in: SignIn) -> Self {
        Self {
            inner: Arc::new(Inner {
                http: self.inner.http.clone(),
                endpoint: self.inner.endpoint.clone(),
                sign_in,
                retry: self.inner.retry.clone(),
                waits: Arc::clone(&self.inner.waits),
                notify: Arc::clone(&self.inner.notify),
                hide: Arc::clone(&self.inner.hide),
                user: Arc::clone(&self.inner.user),
                warned: Arc::clone(&self.inner.warned),
            }),
        }
    }

    /// The token that requests carry now.
    pub async fn token(&self) -> Result<Option<Secret>, HubError> {
        match &self.inner.sign_in {
            SignIn::Nothing => Ok(None),
            SignIn::Token(token, _) => Ok(Some(token.clone())),
            SignIn::Keyless(keyless) => Ok(Some(self.keyless_session(keyless).await?.0)),
        }
    }

    pub(super) fn user_cell(&self) -> &tokio::sync::OnceCell<WhoAmI> {
        &self.inner.user
    }

    /// Keeps a token out of everything that is written from now on.
    pub(super) fn hide(&self, token: &Secret) {
        (self.inner.hide)(token);
    }

    pub(super) fn retry_policy(&self) -> &RetryPolicy {
        &self.inner.retry
    }

    /// Tells the log one line.
    pub(super) fn note(&self, line: &str) {
        (self.inner.notify)(line);
    }

    /// The `Authorization` value, for the transfer engine's own token requests to this Hub.
    pub(crate) async fn authorization(&self) -> Result<Option<HeaderValue>, HubError> {
        match &self.inner.sign_in {
            SignIn::Nothing => Ok(None),
            SignIn::Token(_, header) => Ok(Some(header.clone())),
            // Boxed: the exchange is a request of this client too.
            SignIn::Keyless(keyless) => Ok(Some(Box::pin(self.keyless_session(keyless)).await?.1)),
        }
    }

    /// What goes along with a request: the token to the Hub's own origin, and nowhere else.
    async fn authorization_for(&self, call: &Call) -> Result<Option<HeaderValue>, HubError> {
        match call.with_token && self.is_own(&call.url) {
            true => self.authorization().await,
            false => Ok(None),
        }
    }

    /// The address of a path (already percent-encoded, with a leading slash) on this Hub.
    pub(crate) fn url(&self, path: &str) -> Result<Url, HubError> {
        let text = format!("{}{path}", self.endpoint());
        text.parse().map_err(|error: url::ParseError| {
            HubError::new(format!("reach `{text}`"), Cause::Unexpected { detail: error.to_string() })
        })
    }

    /// Completes an address that may be relative to the Hub.
    pub(super) fn complete(&self, address: &str) -> String {
        let joined = self.inner.endpoint.join(address);
        joined.map_or_else(|_| address.to_owned(), |url| url.to_string())
    }

    /// Whether `url` is on this Hub, so that the token may go there.
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.inner.endpoint.origin()
    }

    /// Sends a request until it succeeds, fails for good, or patience ends.
    pub(crate) async fn call(&self, call: &Call) -> Result<Answer, HubError> {
        let mut failures = 0;
        loop {
            let error = match self.attempt(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            failures += 1;
            let Some(wait) = self.wait_before_retry(call, &error, failures)? else {
                return Err(after_attempts(error, failures));
            };
            let reason = match &*error.cause {
                Cause::Status(refusal) => format!("the Hub answered {refusal}"),
                Cause::TimedOut { after } => format!("no answer within {} s", after.as_secs()),
                Cause::Unreachable { detail, .. } => format!("no connection: {detail}"),
                _ => "unexpected answer".to_owned(),
            };
            (self.inner.notify)(&format!(
                "waiting {:.0} s to {} (attempt {} of {}): {reason}",
                wait.as_secs_f64().max(1.0),
                call.what,
                failures + 1,
                self.inner.retry.attempts,
            ));
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends a request once, and waits for nothing.
    pub(super) async fn call_once(&self, call: &Call) -> Result<Answer, HubError> {
        self.attempt(call).await
    }

    /// Opens an answer that streams: the caller reads it, and bounds it. Sent once.
    pub(super) async fn open_stream(&self, call: &Call) -> Result<reqwest::Response, HubError> {
        let authorization = self.authorization_for(call).await?;
        let request = self.request(call, authorization, &Arc::default(), &Trouble::default());
        let cause = match tokio::time::timeout(QUIET_TIMEOUT, request.send()).await {
            Err(_) => Cause::TimedOut { after: QUIET_TIMEOUT },
            Ok(Err(error)) => unreachable_cause(&error),
            Ok(Ok(response)) if response.status().is_success() => return Ok(response),
            Ok(Ok(response)) => Cause::Status(Refusal::read(response.status(), response.headers(), b"")),
        };
        Err(HubError::new(call.what.clone(), cause))
    }

    /// How long to wait before another attempt: `None` when there is to be none.
    fn wait_before_retry(
        &self,
        call: &Call,
        error: &HubError,
        failures: u32,
    ) -> Result<Option<Duration>, HubError> {
        let policy = &self.inner.retry;
        let (worth_it, asked) = match &*error.cause {
            Cause::Status(refusal) => {
                let unapplied = refusal.status == StatusCode::TOO_MANY_REQUESTS;
                let worth_it =
                    retry::is_transient(refusal.status) && (call.repeat == Repeat::Freely || unapplied);
                (worth_it, refusal.wait)
            }
            Cause::Unreachable { before_sending, .. } => {
                (call.repeat == Repeat::Freely || *before_sending, None)
            }
            Cause::TimedOut { .. } => (call.repeat == Repeat::Freely, None),
            _ => (false, None),
        };
        if !worth_it || failures >= policy.attempts {
            return Ok(None);
        }
        let too_long = |wait| match error.refusal() {
            None => Ok(None),
            Some(refusal) => {
                Err(HubError::new(call.what.clone(), Cause::WaitTooLong { wait, refusal: refusal.clone() }))
            }
        };
        // The quota of commits has no header of its own: its body asks for about an hour.
        if asked.is_none() && error.refusal().is_some_and(|refusal| refusal.message.contains("per hour")) {
            return too_long(None);
        }
        let wait = asked.unwrap_or_else(|| policy.delay(failures, fastrand::f64()));
        if self.inner.waits.take(wait) { Ok(Some(wait)) } else { too_long(Some(wait)) }
    }

    async fn attempt(&self, call: &Call) -> Result<Answer, HubError> {
        let moved = Arc::new(AtomicU64::new(0));
        let trouble = Trouble::default();
        let authorization = self.authorization_for(call).await?;
        let request = self.request(call, authorization, &moved, &trouble);
        let answer = unless_quiet(&moved, QUIET_TIMEOUT, self.exchange(request, &moved)).await;
        // A body that ended early knows better than the connection why.
        if let Some(failure) = lock(&trouble).take() {
            return Err(HubError::new(call.what.clone(), Cause::Local(failure)));
        }
        let cause = match answer {
            None => Cause::TimedOut { after: QUIET_TIMEOUT },
            Some(Err(cause)) => cause,
            Some(Ok((status, headers, body))) if status.is_success() => {
                self.pass_on_warning(&headers);
                tracing::debug!(what = call.what, status = status.as_u16(), bytes = body.len(), "answered");
                return Ok(Answer { headers, body });
            }
            Some(Ok((status, headers, body))) => {
                let mut refusal = Refusal::read(status, &headers, &body);
                refusal.wait = retry::wait_asked_for(status, &headers, SystemTime::now());
                Cause::Status(refusal)
            }
        };
        Err(HubError::new(call.what.clone(), cause))
    }

    /// Tells what the Hub warns of, once for each topic (`X-HF-Warning: topic; message`).
    fn pass_on_warning(&self, headers: &HeaderMap) {
        let Some(warning) = headers.get("x-hf-warning").and_then(|value| value.to_str().ok()) else { return };
        let (topic, message) = warning.split_once(';').unwrap_or(("", warning));
        if lock(&self.inner.warned).insert(topic.trim().to_owned()) {
            self.note(&format!("the Hub warns: {}", shorten(message.trim(), MAX_WARNING)));
        }
    }

    fn request(
        &self,
        call: &Call,
        authorization: Option<HeaderValue>,
        moved: &Arc<AtomicU64>,
        trouble: &Trouble,
    ) -> reqwest::RequestBuilder {
        let mut request = self.inner.http.request(call.method.clone(), call.url.clone());
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
                let body = (stream.make)(Arc::clone(moved), Arc::clone(trouble));
                request.header(CONTENT_LENGTH, stream.length).body(body)
            }
        }
    }

    async fn exchange(
        &self,
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
}

/// Runs `future` until no byte moved for `limit`; `None` when that happened.
async fn unless_quiet<T>(moved: &AtomicU64, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(future);
    // A look now and then: silence is not noticed much later than it has lasted for the limit.
    let look = limit / 15;
    let (mut seen, mut quiet) = (0, Duration::ZERO);
    while quiet < limit {
        if let Ok(value) = tokio::time::timeout(look, &mut future).await {
            return Some(value);
        }
        let now = moved.load(Ordering::Relaxed);
        quiet = if now == seen { quiet + look } else { Duration::ZERO };
        seen = now;
    }
    None
}

fn after_attempts(mut error: HubError, failures: u32) -> HubError {
    if let Cause::Unreachable { attempts, .. } = &mut *error.cause {
        *attempts = failures;
    }
    error
}

/// The innermost causes say what happened; the outer ones say only that something did.
fn unreachable_cause(error: &reqwest::Error) -> Cause {
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
    match start == Some(attempt.url().origin()) {
        true => attempt.follow(),
        false => attempt.stop(),
    }
}

pub(super) fn bearer(token: &Secret) -> Result<HeaderValue, Failure> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(|_| {
        Failure::new(Code::TokenInvalid, "`hf_token` has a character that no token has")
            .hint("check the secret behind `hf_token` for stray characters")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A poisoned lock still holds a value worth reading: no invariant spans two writes here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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
        let falls_silent = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            moved.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<()>().await
        };
        assert!(unless_quiet(&moved, limit, falls_silent).await.is_none());
        assert!((95..=105).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    }

    #[test]
    fn a_token_with_a_newline_is_refused_without_showing_it() {
        let failure = bearer(&Secret::new("hf_a\nb")).unwrap_err();
        assert_eq!(failure.code, Code::TokenInvalid);
        assert!(!format!("{failure:?}").contains("hf_a"));
    }
}
