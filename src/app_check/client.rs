//! The HTTP client for one app, through the Hub's edge: the token, bounded answers, no redirects.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, redirect};
use serde_json::Value;
use url::{Host, Url};

use super::answer::{Answer, Overlong, RequestError, read};
use super::error::{CheckError, CheckFailure};
use super::options::{App, AppKind};
use super::quote::quoted;

/// Header that the edge of `hf.space` reads and removes. Plain `Authorization` would reach the app, and belongs
/// to it.
const HUB_TOKEN: HeaderName = HeaderName::from_static("x-hf-authorization");

/// Time allowed for a whole answer that is not a stream.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);

/// Characters that are encoded in a path. The others are allowed by RFC 3986 (`pchar` and the slash).
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'\\');

/// A client for one app.
#[derive(Debug, Clone)]
pub(super) struct AppClient {
    http: reqwest::Client,
    /// Ends with a slash.
    base: Url,
    token: Option<HeaderValue>,
    may_be_private: bool,
    /// Number of requests that were sent, by method and path.
    sent: Arc<Mutex<HashMap<String, u32>>>,
}

impl AppClient {
    pub(super) fn new(app: &App) -> Result<Self, CheckError> {
        let http = hub::http::client(crate::USER_AGENT)
            // A redirect would carry the token along, so the check follows redirects itself.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| {
                CheckError::new(CheckFailure::ClientSetup, format!("cannot set up the HTTP client: {error}"))
            })?;
        let base = folder(&app.url);
        let token = match &app.token {
            Some(token) if is_safe(&base) => {
                let invalid = "the token holds characters that no header can carry";
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                    .map_err(|_| CheckError::new(CheckFailure::ClientSetup, invalid))?;
                value.set_sensitive(true);
                Some(value)
            }
            _ => None,
        };
        // A caller that knows the kind from the Hub has a token for a private Space.
        let may_be_private = token.is_none() && (app.token.is_some() || app.kind == AppKind::Unknown);
        Ok(Self { http, base, token, may_be_private, sent: Arc::default() })
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Returns true if this may be a private Space for which there is no token.
    pub(super) fn may_be_private(&self) -> bool {
        self.may_be_private
    }

    /// Returns the address of a path of the app, with its query. The path is percent-encoded already.
    pub(super) fn url(&self, path: &str) -> Result<Url, CheckError> {
        let url = self.base.join(&format!("./{}", path.trim_start_matches('/'))).ok();
        url.filter(|url| self.is_own(url)).ok_or_else(|| {
            let detail = format!("not a path of the app: `{}`", quoted(path));
            CheckError::new(CheckFailure::InvalidPath, detail)
        })
    }

    /// Returns true if `url` is on the app's own origin, so that the token may go there.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Returns the address on the app's own origin for an address on its host, or nothing for another host.
    ///
    /// An app behind the edge does not know its public scheme and port: it names `http://`, or the port that it
    /// listens on. Only the step from `http://` to `https://` leads to another origin.
    pub(super) fn own(&self, url: &Url) -> Option<Url> {
        if self.is_own(url) {
            return Some(url.clone());
        }
        if url.host() != self.base.host() || !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let is_upgrade = self.base.scheme() == "http"
            && url.scheme() == "https"
            && [&self.base, url].iter().all(|url| url.port().is_none());
        if is_upgrade {
            return Some(url.clone());
        }
        let mut own = self.base.clone();
        own.set_path(url.path());
        own.set_query(url.query());
        Some(own)
    }

    /// Returns a client for the app at `url`, which [`AppClient::own`] returned: below a path, or moved to `https://`.
    pub(super) fn rebased(&self, url: &Url) -> Self {
        let token = self.token.clone().filter(|_| self.is_own(url));
        Self { base: folder(url), token, ..self.clone() }
    }

    /// Returns a client for the scheme that the front page moved to.
    pub(super) fn moved(self, landed: &Url) -> Self {
        if self.is_own(landed) {
            return self;
        }
        let mut base = landed.clone();
        base.set_path(self.base.path());
        self.rebased(&base)
    }

    /// Returns the address of the app's root.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Makes a request without a time limit. Adds the token on the app's own origin only.
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let token = self.token.clone().filter(|_| self.is_own(&url));
        let request = self.http.request(method, url);
        match token {
            Some(token) => request.header(HUB_TOKEN, token),
            None => request,
        }
    }

    /// Sends a request, and emits an event of `tracing`. The query is left out of it, because it may contain a session.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, RequestError> {
        let request = request.build()?;
        let method = request.method().clone();
        let host = request.url().host_str().filter(|_| !self.is_own(request.url()));
        let host = host.map(|host| format!("//{host}")).unwrap_or_default();
        let path = format!("{host}{}", request.url().path());
        let attempt = self.count(format!("{method} {path}"));
        let started = Instant::now();
        let answer = self.http.execute(request).await.map_err(RequestError::from);
        let header = |response: &Response| {
            response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned)
        };
        tracing::debug!(
            target: "app_check",
            method = %method,
            path,
            status = answer.as_ref().ok().map(|response| response.status().as_u16()),
            error = answer.as_ref().err().map(ToString::to_string),
            ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            attempt,
            request_id = answer.as_ref().ok().and_then(header),
            "request"
        );
        answer
    }

    /// Counts a request, and returns the number of those like it.
    fn count(&self, request: String) -> u32 {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let number = sent.entry(request).or_default();
        *number += 1;
        *number
    }

    /// Fetches at most `limit` bytes. More are an error.
    pub(super) async fn get(&self, url: Url, limit: usize) -> Result<Answer, RequestError> {
        let request = self.request(Method::GET, url).timeout(ANSWER_TIMEOUT);
        read(self.send(request).await?, limit, Overlong::Fail).await
    }

    /// Fetches the first `limit` bytes.
    pub(super) async fn peek(&self, url: Url, limit: usize) -> Result<Answer, RequestError> {
        let request = self.request(Method::GET, url).timeout(ANSWER_TIMEOUT);
        read(self.send(request).await?, limit, Overlong::Cut).await
    }

    pub(super) async fn post(&self, url: Url, body: &Value, limit: usize) -> Result<Answer, RequestError> {
        let request = self.request(Method::POST, url).timeout(ANSWER_TIMEOUT).json(body);
        read(self.send(request).await?, limit, Overlong::Fail).await
    }
}

/// Returns an address without query, whose path ends with a slash.
fn folder(url: &Url) -> Url {
    let mut base = url.clone();
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    base
}

/// Encodes a path that the app named, for an address.
pub(super) fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// Returns true if a token may go to an address: over TLS, or on this machine.
fn is_safe(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hub::Secret;

    fn client(url: &str) -> AppClient {
        let token = Some(Secret::new("hf_x"));
        AppClient::new(&App { url: url.parse().unwrap(), token, kind: AppKind::Unknown }).unwrap()
    }

    #[test]
    fn token_is_sent_to_the_app_only() {
        assert!(client("https://a.example").has_token());
        assert!(client("http://127.0.0.1:7860").has_token());
        assert!(!client("http://a.example").has_token());
        let app = client("https://a.example");
        for (url, goes) in [
            ("https://a.example/x", true),
            ("https://a.example:444/x", false),
            ("http://a.example/x", false),
            ("https://b.a.example/x", false),
        ] {
            let request = app.request(Method::GET, url.parse().unwrap()).build().unwrap();
            assert_eq!(request.headers().get(HUB_TOKEN).is_some(), goes, "{url}");
        }
    }

    #[test]
    fn other_scheme_or_port_of_the_host_is_the_app() {
        for (app, url, own) in [
            ("https://a.example", "http://a.example/ui/?x=1", Some("https://a.example/ui/?x=1")),
            ("https://a.example", "http://a.example:7860/ui/", Some("https://a.example/ui/")),
            ("http://127.0.0.1:7860", "https://127.0.0.1:7860/ui/", Some("http://127.0.0.1:7860/ui/")),
            ("http://127.0.0.1:7860", "http://127.0.0.1/ui/", Some("http://127.0.0.1:7860/ui/")),
            ("http://a.example", "https://a.example/ui/", Some("https://a.example/ui/")),
            ("https://a.example", "https://b.example/", None),
            ("https://a.example", "https://a.example.evil/", None),
            ("https://a.example", "ftp://a.example/", None),
        ] {
            let found = client(app).own(&url.parse().unwrap());
            assert_eq!(found.as_ref().map(Url::as_str), own, "{app} {url}");
        }
    }

    #[test]
    fn app_below_a_path_keeps_the_token() {
        let below = client("https://a.example").rebased(&"https://a.example/ui?x=1".parse().unwrap());
        assert_eq!(below.url("/config").unwrap().as_str(), "https://a.example/ui/config");
        assert!(below.has_token());
        let moved = client("http://a.example/x").moved(&"https://a.example/y".parse().unwrap());
        assert_eq!(moved.url("/config").unwrap().as_str(), "https://a.example/x/config");
        assert!(!moved.has_token(), "the old address is not safe for the token");
    }

    #[test]
    fn paths_are_joined_to_the_app() {
        let app = client("https://a.example/base?x#y");
        let url = |path: &str| app.url(path).map(String::from).map_err(|error| error.detail);
        assert_eq!(url("/").unwrap(), "https://a.example/base/");
        assert_eq!(url("/config?a=b").unwrap(), "https://a.example/base/config?a=b");
        assert_eq!(url("//evil.example/x").unwrap(), "https://a.example/base/evil.example/x");
        assert_eq!(url("https://evil.example/x").unwrap(), "https://a.example/base/https://evil.example/x");
        assert_eq!(encode_path("/tmp/a b?c#d%.png"), "/tmp/a%20b%3Fc%23d%25.png");
    }
}
