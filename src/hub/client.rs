//! A client of a Hub: a transport with credentials.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::header::HeaderValue;
use tokio::sync::OnceCell;
use url::Url;

use crate::auth::{Credentials, OnSecret, TokenSource};
use crate::call::{Answer, Call};
use crate::error::Error;
use crate::http::USER_AGENT;
use crate::retry::RetryPolicy;
use crate::secret::Secret;
use crate::transport::{OnNotice, Transport};
use crate::types::{BucketId, Repo, TokenSubject};
use crate::whoami::WhoAmI;

/// Settings of a [`Hub`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hub::{Credentials, Hub, HubOptions, Secret};
///
/// let mut options = HubOptions::new("https://huggingface.co".parse()?);
/// options.credentials = Credentials::Token(Secret::new("hf_…"));
/// options.on_notice = std::sync::Arc::new(|line| eprintln!("{line}"));
/// # options.credentials = Credentials::Anonymous;
/// let hub = Hub::new(options)?;
/// # let _ = hub;
/// # Ok(())
/// # }
/// ```
pub struct HubOptions {
    /// Address of the Hub.
    pub endpoint: Url,
    /// Credentials of all requests to it.
    pub credentials: Credentials,
    /// User agent of all requests. Default: the name and the version of this crate.
    pub user_agent: String,
    /// Retry policy.
    pub retry: RetryPolicy,
    /// Folder for temporary files of uploads. It is made when it is needed.
    pub scratch: PathBuf,
    /// Callback for lines that a log should have.
    pub on_notice: OnNotice,
    /// Callback for tokens that a log should mask.
    pub on_secret: OnSecret,
}

impl HubOptions {
    /// Makes the settings of an anonymous client that logs nothing.
    pub fn new(endpoint: Url) -> Self {
        Self {
            endpoint,
            credentials: Credentials::Anonymous,
            user_agent: USER_AGENT.to_owned(),
            retry: RetryPolicy::default(),
            scratch: std::env::temp_dir(),
            on_notice: Arc::new(|_| ()),
            on_secret: Arc::new(|_| ()),
        }
    }
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("endpoint", &self.endpoint.as_str())
            .field("credentials", &self.credentials)
            .field("user_agent", &self.user_agent)
            .field("retry", &self.retry)
            .field("scratch", &self.scratch)
            .finish_non_exhaustive()
    }
}

/// A client of a Hugging Face Hub: cheap to clone, with one pool of connections.
#[derive(Clone)]
pub struct Hub {
    transport: Arc<Transport>,
    tokens: Arc<TokenSource>,
    scratch: Arc<Path>,
    /// User of the token, once it was read.
    user: Arc<OnceCell<WhoAmI>>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}

impl Hub {
    /// Makes a client.
    ///
    /// # Errors
    ///
    /// The token or the user agent has a character that no header can carry, or the HTTP client cannot be set up.
    pub fn new(options: HubOptions) -> Result<Self, Error> {
        let HubOptions { endpoint, user_agent, retry, on_notice, .. } = options;
        Ok(Self {
            transport: Arc::new(Transport::new(endpoint, &user_agent, retry, on_notice)?),
            tokens: Arc::new(TokenSource::new(options.credentials, options.on_secret)?),
            scratch: options.scratch.into(),
            user: Arc::default(),
        })
    }

    /// Returns the Hub's address without a trailing slash.
    pub fn endpoint(&self) -> &str {
        self.transport.endpoint()
    }

    /// Returns true if requests carry a token.
    pub fn has_token(&self) -> bool {
        !matches!(*self.tokens, TokenSource::Nothing)
    }

    /// Returns true if tokens come from trusted publishing. Such a token can write to one repo, and do nothing else.
    pub fn uses_trusted_publishing(&self) -> bool {
        matches!(*self.tokens, TokenSource::TrustedPublishing(_))
    }

    /// Returns a client for one repo, because trusted publishing issues a token per repo.
    #[must_use]
    pub fn for_repo(&self, repo: &Repo) -> Self {
        self.for_subject(TokenSubject::Repo(repo.clone()))
    }

    /// Returns a client for one bucket, for the same reason.
    #[must_use]
    pub fn for_bucket(&self, bucket: &BucketId) -> Self {
        self.for_subject(TokenSubject::Bucket(bucket.clone()))
    }

    fn for_subject(&self, subject: TokenSubject) -> Self {
        match self.tokens.for_subject(subject) {
            None => self.clone(),
            Some(tokens) => Self { tokens: Arc::new(tokens), ..self.clone() },
        }
    }

    /// Returns a client without credentials.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { tokens: Arc::new(TokenSource::Nothing), ..self.clone() }
    }

    /// Returns a client with another token.
    ///
    /// # Errors
    ///
    /// The token has a character that no header can carry.
    pub fn with_token(&self, token: Secret) -> Result<Self, Error> {
        let tokens = TokenSource::new(Credentials::Token(token), Arc::new(|_| ()))?;
        Ok(Self { tokens: Arc::new(tokens), user: Arc::default(), ..self.clone() })
    }

    /// Returns the token that requests carry now.
    ///
    /// # Errors
    ///
    /// Trusted publishing issues no token.
    pub async fn token(&self) -> Result<Option<Secret>, Error> {
        Ok(self.tokens.current(&self.transport).await?.map(|(token, _)| token))
    }

    /// Returns the `Authorization` header for requests that the transfer engine makes to this Hub.
    pub(crate) async fn authorization(&self) -> Result<Option<HeaderValue>, Error> {
        Ok(self.tokens.current(&self.transport).await?.map(|(_, header)| header))
    }

    /// Returns the `Authorization` header of a request: for the Hub's own origin only.
    async fn authorization_for(&self, call: &Call) -> Result<Option<HeaderValue>, Error> {
        if call.with_token && self.is_own(&call.url) { self.authorization().await } else { Ok(None) }
    }

    pub(crate) fn user_cell(&self) -> &OnceCell<WhoAmI> {
        &self.user
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Logs one line.
    pub(crate) fn note(&self, line: &str) {
        self.transport.note(line);
    }

    /// Returns the address of a path (percent-encoded, with a leading slash) on this Hub.
    pub(crate) fn url(&self, path: &str) -> Result<Url, Error> {
        self.transport.url(path)
    }

    /// Completes an address that may be relative to the Hub.
    pub(crate) fn complete(&self, address: &str) -> String {
        self.transport.complete(address)
    }

    /// Returns true if `url` is on this Hub, so that the token may be sent there.
    pub(crate) fn is_own(&self, url: &Url) -> bool {
        self.transport.is_own(url)
    }

    /// Sends a request until it succeeds, fails for good, or the retries are used up.
    pub(crate) async fn call(&self, call: &Call) -> Result<Answer, Error> {
        let mut failures = 0;
        loop {
            match self.attempt(call, failures + 1).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.transport.wait_for_retry(call, error, &mut failures).await?,
            }
        }
    }

    /// Waits after a failed attempt of a stream until it may be opened again. Returns the error if it should not be.
    pub(crate) async fn wait_for_retry(
        &self,
        call: &Call,
        error: Error,
        failures: &mut u32,
    ) -> Result<(), Error> {
        self.transport.wait_for_retry(call, error, failures).await
    }

    /// Sends a request once.
    pub(crate) async fn call_once(&self, call: &Call) -> Result<Answer, Error> {
        self.attempt(call, 1).await
    }

    async fn attempt(&self, call: &Call, attempt: u32) -> Result<Answer, Error> {
        let authorization = self.authorization_for(call).await?;
        self.transport.attempt(call, authorization, attempt).await
    }

    /// Returns the maximum number of attempts of one operation.
    pub(crate) fn attempts(&self) -> u32 {
        self.transport.retry_policy().attempts
    }

    /// Waits after failure number `failures` of an operation.
    pub(crate) async fn pause(&self, failures: u32) {
        tokio::time::sleep(self.transport.retry_policy().delay(failures, fastrand::f64())).await;
    }

    /// Sends a request until it is answered, and returns the answer unread: the caller reads and bounds it.
    pub(crate) async fn open_stream_with_retries(&self, call: &Call) -> Result<reqwest::Response, Error> {
        let mut failures = 0;
        loop {
            match self.open_stream(call).await {
                Ok(response) => return Ok(response),
                Err(error) => self.transport.wait_for_retry(call, error, &mut failures).await?,
            }
        }
    }

    /// Sends a request once, and returns its answer unread: the caller reads and bounds it.
    pub(crate) async fn open_stream(&self, call: &Call) -> Result<reqwest::Response, Error> {
        let authorization = self.authorization_for(call).await?;
        self.transport.open_stream(call, authorization).await
    }
}
