//! The server: one request after the other is recorded, compared with the document, and answered.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{Request, State as Shared};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Router, body};
use bytes::Bytes;
use serde_json::Value;
use url::form_urlencoded;

use crate::answer::Answer;
use crate::contract::Contract;
use crate::state::{Actor, Comment, Deployment, PullRequest, PullState, Repository, State};
use crate::{id_token, routes};

/// Largest body that is read, in bytes. GitHub takes less.
const MAX_BODY: usize = 10_000_000;

/// A request as it came in. The token is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedRequest {
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: Bytes,
    pub status: u16,
    /// Differences from GitHub's OpenAPI document.
    pub breaches: Vec<String>,
}

/// A planted fault: the next requests that it fits get its answer.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Method of the requests; empty fits all.
    pub method: &'static str,
    /// Part of the path of the requests.
    pub path: String,
    /// Number of requests that get it.
    pub times: u32,
    /// Status of the answer; 0 leaves the answer as it is.
    pub status: u16,
    pub message: String,
    pub headers: Vec<(&'static str, String)>,
    /// Carries the request out before the answer, so that the answer is what is lost.
    pub after: bool,
    /// Time before the answer.
    pub delay: Duration,
}

impl Fault {
    /// Answers the next `times` requests to a path with an error.
    pub fn new(method: &'static str, path: &str, times: u32, status: u16) -> Self {
        Self {
            method,
            path: path.to_owned(),
            times,
            status,
            message: "planted".to_owned(),
            headers: Vec::new(),
            after: false,
            delay: Duration::ZERO,
        }
    }

    /// Answers the next `times` requests as always, but late.
    pub fn late(times: u32, delay: Duration) -> Self {
        Self { after: true, delay, ..Self::new("", "", times, 0) }
    }

    /// Answers as GitHub does when its secondary rate limit is reached.
    pub fn secondary_rate_limit(path: &str, times: u32, retry_after: u64) -> Self {
        Self {
            message:
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
                    .to_owned(),
            headers: vec![("retry-after", retry_after.to_string())],
            ..Self::new("", path, times, 403)
        }
    }
}

pub(crate) struct Inner {
    pub(crate) address: SocketAddr,
    pub(crate) state: Mutex<State>,
    contract: Option<Arc<Contract>>,
    requests: Mutex<Vec<RecordedRequest>>,
    faults: Mutex<Vec<Fault>>,
    held: Mutex<Vec<String>>,
    pub(crate) id_tokens: Mutex<id_token::Issued>,
}

/// A GitHub on loopback. It ends when this is dropped.
pub struct LocalGithub {
    pub(crate) inner: Arc<Inner>,
    server: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for LocalGithub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalGithub").field("address", &self.inner.address).finish_non_exhaustive()
    }
}

impl Drop for LocalGithub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LocalGithub {
    /// Starts a GitHub without repositories on a free port. Requests are compared with the OpenAPI document that the
    /// variable `GITHUB_OPENAPI` names.
    ///
    /// # Errors
    ///
    /// The document cannot be read, or there is no free port.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_on(0, Contract::from_env()?).await
    }

    /// Starts on a port, with a document or without.
    ///
    /// # Errors
    ///
    /// The port is taken.
    pub async fn start_on(port: u16, contract: Option<Arc<Contract>>) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.with_context(|| format!("cannot listen on port {port}"))?;
        let inner = Arc::new(Inner {
            address: listener.local_addr()?,
            state: Mutex::default(),
            contract,
            requests: Mutex::default(),
            faults: Mutex::default(),
            held: Mutex::default(),
            id_tokens: Mutex::default(),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { inner, server })
    }

    /// Returns the address of the REST API: `GITHUB_API_URL`.
    pub fn api_url(&self) -> String {
        self.inner.api_url()
    }

    /// Returns the address of the pages: `GITHUB_SERVER_URL`.
    pub fn server_url(&self) -> String {
        self.inner.server_url()
    }

    /// Returns true if requests are compared with GitHub's OpenAPI document.
    pub fn checks_contract(&self) -> bool {
        self.inner.contract.is_some()
    }

    /// Lets a token in.
    pub fn add_token(&self, token: &str, actor: Actor) {
        lock(&self.inner.state).actors.insert(token.to_owned(), actor);
    }

    /// Adds a repository, `owner/name`.
    pub fn add_repository(&self, name: &str, is_private: bool) {
        let repository = Repository { is_private, ..Repository::default() };
        lock(&self.inner.state).repositories.insert(name.to_owned(), repository);
    }

    /// Adds a pull request from a branch of the repository itself.
    ///
    /// # Panics
    ///
    /// There is no such repository.
    pub fn open_pull(&self, repository: &str, number: u64, title: &str, head: &str) {
        let pull = PullRequest {
            number,
            title: title.to_owned(),
            state: PullState::Open,
            head: head.to_owned(),
            head_repo: Some(repository.to_owned()),
            updated_at: jiff::Timestamp::now(),
        };
        self.with(repository, |found| found.pulls.insert(number, pull));
    }

    /// Changes a pull request.
    ///
    /// # Panics
    ///
    /// There is no such pull request.
    #[expect(clippy::expect_used, reason = "a test that names another one is wrong")]
    pub fn change_pull(&self, repository: &str, number: u64, change: impl FnOnce(&mut PullRequest)) {
        self.with(repository, |found| {
            change(found.pulls.get_mut(&number).expect("the pull request is there"));
        });
    }

    /// Deletes a pull request with its comments, as with the account of its author.
    pub fn delete_pull(&self, repository: &str, number: u64) {
        self.with(repository, |found| {
            found.pulls.remove(&number);
            found.comments.retain(|comment| comment.number != number);
        });
    }

    /// Adds a comment and returns its id.
    pub fn add_comment(&self, repository: &str, number: u64, author: Actor, body: &str) -> u64 {
        let now = jiff::Timestamp::now();
        let id = lock(&self.inner.state).next_id();
        let body = body.to_owned();
        let comment = Comment { id, number, body, author, created_at: now, updated_at: now, edits: 0 };
        self.with(repository, |found| found.comments.push(comment));
        id
    }

    /// Changes the comments of a repository, such as their time.
    pub fn change_comments(&self, repository: &str, change: impl FnMut(&mut Comment)) {
        self.with(repository, |found| found.comments.iter_mut().for_each(change));
    }

    /// Changes the deployments of a repository, such as their time.
    pub fn change_deployments(&self, repository: &str, change: impl FnMut(&mut Deployment)) {
        self.with(repository, |found| found.deployments.iter_mut().for_each(change));
    }

    /// Deletes a comment, as a person does by hand.
    pub fn delete_comment(&self, repository: &str, id: u64) {
        self.with(repository, |found| found.comments.retain(|comment| comment.id != id));
    }

    /// Returns the comments on a pull request, the oldest first.
    pub fn comments(&self, repository: &str, number: u64) -> Vec<Comment> {
        self.with(repository, |found| {
            found.comments.iter().filter(|comment| comment.number == number).cloned().collect()
        })
    }

    /// Returns the deployments of a repository, the oldest first.
    pub fn deployments(&self, repository: &str) -> Vec<Deployment> {
        self.with(repository, |found| found.deployments.clone())
    }

    /// Plants a fault.
    pub fn plant(&self, fault: Fault) {
        lock(&self.inner.faults).push(fault);
    }

    /// Returns the requests whose answer a fault has delayed, as `METHOD path`. One that it carries out is done by then.
    pub fn held(&self) -> Vec<String> {
        lock(&self.inner.held).clone()
    }

    /// Returns the requests so far.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.inner.requests).clone()
    }

    /// Returns the differences between requests and the OpenAPI document, and between answers and it.
    pub fn breaches(&self) -> Vec<String> {
        let requests = self.requests();
        let named = |request: &RecordedRequest| {
            let name = format!("{} {}", request.method, request.path);
            request.breaches.iter().map(move |breach| format!("{name}: {breach}")).collect::<Vec<_>>()
        };
        requests.iter().flat_map(named).collect()
    }

    #[expect(clippy::expect_used, reason = "a test that names another one is wrong")]
    fn with<T>(&self, repository: &str, act: impl FnOnce(&mut Repository) -> T) -> T {
        let mut state = lock(&self.inner.state);
        act(state.repositories.get_mut(repository).expect("the repository is there"))
    }
}

impl Inner {
    pub(crate) fn api_url(&self) -> String {
        format!("http://{}/api/v3", self.address)
    }

    pub(crate) fn server_url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn fault(&self, method: &str, path: &str) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let fits = |fault: &Fault| {
            fault.times > 0
                && (fault.method.is_empty() || fault.method == method)
                && path.contains(&fault.path)
        };
        let fault = faults.iter_mut().find(|fault| fits(fault))?;
        fault.times -= 1;
        Some(fault.clone())
    }
}

async fn handle(Shared(inner): Shared<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = body::to_bytes(body, MAX_BODY).await else {
        return Answer::error(413, "Payload too large").into_response();
    };
    let query: Vec<(String, String)> =
        form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    if parts.uri.path() == id_token::PATH {
        return id_token::answer(&inner, &query, &parts.headers).into_response();
    }
    // The REST API is below `/api/v3`, and the GraphQL API beside it.
    let path = parts.uri.path();
    let path = path.strip_prefix("/api/v3").or_else(|| path.strip_prefix("/api")).unwrap_or(path).to_owned();
    let method = parts.method.as_str().to_owned();
    let fault = inner.fault(&method, &path);
    let is_lost = fault.as_ref().is_some_and(|fault| !fault.after);
    let mut answer = if is_lost {
        Answer::error(500, "planted")
    } else {
        routes::answer(&inner, &method, &path, &query, &Given { headers: &parts.headers, body: &body })
    };
    if let Some(delay) = fault.as_ref().map(|fault| fault.delay).filter(|delay| !delay.is_zero()) {
        lock(&inner.held).push(format!("{method} {path}"));
        tokio::time::sleep(delay).await;
    }
    let mut breaches = Vec::new();
    if let Some(contract) = &inner.contract {
        breaches.extend(contract.check_request(&method, &path, &query, &body));
        if fault.is_none() {
            breaches.extend(contract.check_answer(&method, &path, answer.status, &answer.bytes()));
        }
    }
    if let Some(fault) = fault.filter(|fault| fault.status != 0) {
        answer = Answer::error(fault.status, &fault.message);
        answer.headers = fault.headers;
    }
    let status = answer.status;
    lock(&inner.requests).push(RecordedRequest { method, path, query, body, status, breaches });
    answer.into_response()
}

/// Headers and body of a request.
pub(crate) struct Given<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

impl Given<'_> {
    /// Returns the token of the request.
    pub(crate) fn token(&self) -> Option<&str> {
        let value = self.headers.get("authorization")?.to_str().ok()?;
        value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("token "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or(Value::Null)
    }
}
