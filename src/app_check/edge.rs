//! Requests to the app, through the Hub's edge: the token, bounded answers, no redirects.

use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect};
use serde_json::Value;
use url::{Host, Url};

use super::options::{App, AppKind, Stop, quoted};

/// Read by the edge of `hf.space`, and taken off before the app sees the request. Plain `Authorization`
/// would reach the app, and belongs to it.
const HUB_TOKEN: HeaderName = HeaderName::from_static("x-hf-authorization");

/// How long an answer without a stream may take as a whole.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(90);
/// How often a request is made whose faults may pass.
pub(super) const ATTEMPTS: u32 = 5;
/// Stands in each answer that the edge passes on from the app, and in none of its own.
pub(super) const PASSED_ON: &str = "x-proxied-host";

/// What a path keeps as it is, besides letters and digits (RFC 3986, `pchar` and the slash).
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`').add(b'\\');

/// Speaks to one app.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    http: reqwest::Client,
    /// Ends with a slash.
    base: Url,
    token: Option<HeaderValue>,
    may_be_closed: bool,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    Unreachable(String),
    TimedOut,
    TooLarge(usize),
    Refused(StatusCode),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(detail) => write!(f, "the connection failed: {detail}"),
            Self::TimedOut => write!(f, "no answer in time"),
            Self::TooLarge(limit) => write!(f, "the answer is larger than {} MB", limit >> 20),
            Self::Refused(status) => write!(f, "the app answered {}", status.as_u16()),
        }
    }
}

impl Trouble {
    /// Whether it may be gone the next time.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut => true,
            Self::TooLarge(_) => false,
            Self::Refused(status) => is_of_the_edge(*status),
        }
    }
}

/// An answer that was read to its end, or to its limit.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Edge {
    pub(super) fn new(app: &App) -> Result<Self, Stop> {
        let http = crate::http::client()
            // A redirect would carry the token along: the few that are followed are followed by hand.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|error| Stop::blocked(format!("cannot set up the HTTP client: {error}")))?;
        let base = folder(&app.url);
        let token = match &app.token {
            Some(token) if is_safe(&base) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                    .map_err(|_| Stop::blocked("the token holds characters that no header can carry"))?;
                value.set_sensitive(true);
                Some(value)
            }
            _ => None,
        };
        // Whoever asked the Hub what the app is has a token for a private one.
        let may_be_closed = token.is_none() && (app.token.is_some() || app.kind == AppKind::Unknown);
        Ok(Self { http, base, token, may_be_closed })
    }

    pub(super) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether this may be a private Space, and nothing opens it.
    pub(super) fn may_be_closed(&self) -> bool {
        self.may_be_closed
    }

    /// The address of a path of the app, with its query; the path is percent-encoded already.
    pub(super) fn url(&self, path: &str) -> Result<Url, Stop> {
        let url = self.base.join(&format!("./{}", path.trim_start_matches('/'))).ok();
        url.filter(|url| self.is_own(url))
            .ok_or_else(|| Stop::failed(format!("not a path of the app: `{}`", quoted(path))))
    }

    /// Whether `url` is on the app's own origin, so that the token may go there.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Returns the address on the app's own origin that an address on its own host means, or nothing for another host.
    ///
    /// An app behind the edge does not know its public scheme and port: it names `http://`, or the port that it
    /// listens on. Only the usual step from `http://` to `https://` leads to another origin.
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

    /// Returns an edge for the app at `url`, which [`Edge::own`] returned: below a path, or moved to `https://`.
    pub(super) fn rebased(&self, url: &Url) -> Self {
        let token = self.token.clone().filter(|_| self.is_own(url));
        Self { http: self.http.clone(), base: folder(url), token, may_be_closed: self.may_be_closed }
    }

    /// Follows the app to the scheme that its front page moved to.
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

    /// A request without a time limit. The token goes along on the app's own origin only.
    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let token = self.token.clone().filter(|_| self.is_own(&url));
        let request = self.http.request(method, url);
        match token {
            Some(token) => request.header(HUB_TOKEN, token),
            None => request,
        }
    }

    /// Fetches at most `limit` bytes; more are an error.
    pub(super) async fn get(&self, url: Url, limit: usize) -> Result<Answer, Trouble> {
        let request = self.request(Method::GET, url).timeout(ANSWER_TIMEOUT);
        read(request.send().await.map_err(trouble)?, limit, false).await
    }

    /// Fetches the first `limit` bytes.
    pub(super) async fn peek(&self, url: Url, limit: usize) -> Result<Answer, Trouble> {
        let request = self.request(Method::GET, url).timeout(ANSWER_TIMEOUT);
        read(request.send().await.map_err(trouble)?, limit, true).await
    }

    pub(super) async fn post(&self, url: Url, body: &Value, limit: usize) -> Result<Answer, Trouble> {
        let request = self.request(Method::POST, url).timeout(ANSWER_TIMEOUT).json(body);
        read(request.send().await.map_err(trouble)?, limit, false).await
    }
}

impl Answer {
    /// What the app says in an error answer: the `detail` of FastAPI or short plain text, on one line.
    pub(super) fn complaint(&self) -> String {
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
}

/// The pauses between so many attempts, each twice as long as the one before.
pub(super) fn pauses(attempts: u32) -> impl Iterator<Item = Duration> {
    (1..attempts).map(|attempt| Duration::from_secs(1 << attempt))
}

/// Whether what came of a request may be better the next time.
pub(super) fn may_pass(result: &Result<Answer, Trouble>) -> bool {
    match result {
        Ok(answer) => is_of_the_edge(answer.status),
        Err(trouble) => trouble.may_pass(),
    }
}

/// Whether a status is one that the edge answers with when it does not get through to the app.
fn is_of_the_edge(status: StatusCode) -> bool {
    matches!(status.as_u16(), 502..=504)
}

/// Reads an answer up to `limit` bytes; beyond that it is an error, or cut.
pub(super) async fn read(mut response: Response, limit: usize, cut: bool) -> Result<Answer, Trouble> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(trouble)? {
        let room = limit - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            if cut {
                break;
            }
            return Err(Trouble::TooLarge(limit));
        }
    }
    Ok(Answer { status: response.status(), headers: response.headers().clone(), body: body.freeze() })
}

/// The reason why a request failed, without its address, which may hold a session.
pub(super) fn trouble(error: reqwest::Error) -> Trouble {
    if error.is_timeout() {
        return Trouble::TimedOut;
    }
    let error = error.without_url();
    let mut source: &dyn std::error::Error = &error;
    while let Some(next) = source.source() {
        source = next;
    }
    Trouble::Unreachable(quoted(&source.to_string()))
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

/// A path that the app named, fit for an address.
pub(super) fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// A token travels over TLS, or stays on this machine.
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
    use crate::app_check::AppKind;
    use crate::auth::Secret;

    fn edge(url: &str) -> Edge {
        let token = Some(Secret::new("hf_x"));
        Edge::new(&App { url: url.parse().unwrap(), token, kind: AppKind::Unknown }).unwrap()
    }

    #[test]
    fn the_token_stays_with_the_app() {
        assert!(edge("https://a.example").has_token());
        assert!(edge("http://127.0.0.1:7860").has_token());
        assert!(!edge("http://a.example").has_token());
        let app = edge("https://a.example");
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
    fn another_scheme_or_port_of_the_host_is_the_app() {
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
            let found = edge(app).own(&url.parse().unwrap());
            assert_eq!(found.as_ref().map(Url::as_str), own, "{app} {url}");
        }
    }

    #[test]
    fn an_app_below_a_path_keeps_the_token() {
        let below = edge("https://a.example").rebased(&"https://a.example/ui?x=1".parse().unwrap());
        assert_eq!(below.url("/config").unwrap().as_str(), "https://a.example/ui/config");
        assert!(below.has_token());
        let moved = edge("http://a.example/x").moved(&"https://a.example/y".parse().unwrap());
        assert_eq!(moved.url("/config").unwrap().as_str(), "https://a.example/x/config");
        assert!(!moved.has_token(), "it was withheld, with a warning");
    }

    #[test]
    fn paths_stay_on_the_app() {
        let app = edge("https://a.example/base?x#y");
        let url = |path: &str| app.url(path).map(String::from).map_err(|stop| stop.detail);
        assert_eq!(url("/").unwrap(), "https://a.example/base/");
        assert_eq!(url("/config?a=b").unwrap(), "https://a.example/base/config?a=b");
        assert_eq!(url("//evil.example/x").unwrap(), "https://a.example/base/evil.example/x");
        assert_eq!(url("https://evil.example/x").unwrap(), "https://a.example/base/https://evil.example/x");
        assert_eq!(encode_path("/tmp/a b?c#d%.png"), "/tmp/a%20b%3Fc%23d%25.png");
    }
}
