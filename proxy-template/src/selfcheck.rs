//! What cannot be known before it is tried: which header opens the target, and what survives on the way to the app.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HOST, SET_COOKIE, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use serde_json::{Value, json};

use crate::body::RequestBody;
use crate::config::AuthMode;
use crate::proxy::Proxy;
use crate::request::X_HF_AUTHORIZATION;
use crate::target::host_of;
use crate::upstream::Pool;

/// What Gradio tells of itself, with the address that it believes to have.
const PROBED: &str = "/config";
/// A large app's `/config` has a few hundred kilobytes.
const MAX_CONFIG: usize = 8 << 20;
/// A probe that takes longer has met an app that sleeps.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the wait between two checks may grow while the app sleeps or refuses.
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);
/// So many refusals in a row, while `Authorization` is taken each time, mean that `X-HF-Authorization` does not work.
/// A single one may come from a part of the edge that does not know the Space yet, and to believe it would show the
/// token to the app.
const REFUSALS: u32 = 4;
/// Sent as the public host when none is configured. The name is reserved (RFC 6761, section 6.4).
const NO_HOST: &str = "selfcheck.invalid";

/// How the target answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// It has not been asked yet.
    Pending,
    /// It answered.
    Ok,
    /// It sleeps, starts or is broken.
    NotRunning,
    /// It does not accept the token.
    AuthRefused,
    /// It could not be reached.
    Unreachable,
}

/// What was found about one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It could not be found out with this app.
    Unknown,
    /// It is so.
    Yes,
    /// It is not so.
    No,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// How the target answered.
    pub upstream: Upstream,
    /// The header to use: `X-HF-Authorization` rather than `Authorization`.
    pub hf_header: bool,
    /// Whether `X-Forwarded-Host` reaches the app.
    pub forwarded_host: Finding,
    /// Whether the edge answers with `spaces-jwt` cookies.
    pub space_cookies: Finding,
}

impl Report {
    /// Before any check.
    pub fn pending(hf_header: bool) -> Self {
        Self {
            upstream: Upstream::Pending,
            hf_header,
            forwarded_host: Finding::Unknown,
            space_cookies: Finding::Unknown,
        }
    }

    /// As part of `/_proxy/healthz`.
    pub fn json(&self) -> Value {
        json!({
            "upstream": match self.upstream {
                Upstream::Pending => "pending",
                Upstream::Ok => "ok",
                Upstream::NotRunning => "not_running",
                Upstream::AuthRefused => "auth_refused",
                Upstream::Unreachable => "unreachable",
            },
            "auth_mode": if self.hf_header { "x-hf-authorization" } else { "authorization" },
            "forwarded_host": match self.forwarded_host {
                Finding::Unknown => "unknown",
                Finding::Yes => "survives",
                Finding::No => "lost",
            },
            "space_cookies": match self.space_cookies {
                Finding::Unknown => "unknown",
                Finding::Yes => "seen",
                Finding::No => "none",
            },
            "rewrite": self.rewrites(),
        })
    }

    /// Whether addresses in bodies are to be replaced.
    pub fn rewrites(&self) -> bool {
        self.forwarded_host == Finding::No
    }
}

/// The last report, in forms that cost nothing to look at.
#[derive(Debug)]
pub struct Board {
    report: Mutex<(Report, Option<Instant>)>,
    hf_header: AtomicBool,
    rewrite: AtomicBool,
}

impl Board {
    /// Before any check.
    pub fn new(mode: AuthMode) -> Self {
        let hf_header = mode != AuthMode::Authorization;
        Self {
            report: Mutex::new((Report::pending(hf_header), None)),
            hf_header: AtomicBool::new(hf_header),
            rewrite: AtomicBool::new(false),
        }
    }

    /// The header that works.
    pub fn hf_header(&self) -> bool {
        self.hf_header.load(Ordering::Relaxed)
    }

    /// Whether bodies are rewritten.
    pub fn rewrites(&self) -> bool {
        self.rewrite.load(Ordering::Relaxed)
    }

    /// The last report and when it was made.
    pub fn read(&self) -> (Report, Option<Instant>) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a report up. One that found nothing out leaves the modes as they are, and is told to be about the header
    /// that is in use.
    pub fn put(&self, mut report: Report) {
        if report.upstream == Upstream::Ok {
            self.hf_header.store(report.hf_header, Ordering::Relaxed);
            self.rewrite.store(report.rewrites(), Ordering::Relaxed);
        } else {
            report.hf_header = self.hf_header();
        }
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = (report, Some(Instant::now()));
    }
}

/// Checks until the target has answered, and again whenever its edge refuses the token. As long as the token goes in
/// the header that the app sees, it looks from time to time whether the other one works again.
pub async fn keep(proxy: Arc<Proxy>) {
    let pauses = proxy.config.timeouts.selfcheck;
    let mut wait = pauses.again;
    loop {
        let report = check(&proxy).await;
        put(&proxy, report);
        if report.upstream != Upstream::Ok {
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AGAIN_AT_MOST);
            continue;
        }
        wait = pauses.again;
        let visible = proxy.config.auth_mode == AuthMode::Auto && !report.hf_header;
        tokio::select! {
            () = proxy.doubt.notified() => {}
            () = tokio::time::sleep(pauses.look_back), if visible => continue,
        }
        // Many requests may be refused at once.
        tokio::time::sleep(pauses.again).await;
    }
}

/// Puts a report up and tells of it, loudly when the app begins to see the token.
fn put(proxy: &Proxy, report: Report) {
    let hidden = proxy.board.hf_header();
    proxy.board.put(report);
    if hidden && !proxy.board.hf_header() {
        proxy.logger.event(
            "warn",
            "AUTH_MODE=auto: the target refuses X-HF-Authorization again and again, and takes Authorization; the token \
             goes there now, where the app can see it. AUTH_MODE=x-hf-authorization forbids that",
        );
    }
    proxy.logger.event("info", &format!("selfcheck: {}", proxy.board.read().0.json()));
}

/// Asks the target with each header that may be used, and judges.
pub async fn check(proxy: &Arc<Proxy>) -> Report {
    let report = match proxy.config.auth_mode {
        AuthMode::Auto => hidden_first(proxy).await,
        AuthMode::XHfAuthorization => probe(proxy, true).await,
        AuthMode::Authorization => probe(proxy, false).await,
    };
    if report.upstream == Upstream::AuthRefused && !proxy.behind_edge() {
        // Nothing stands before the target: a 401 or 404 is what the app says of this path.
        return Report { upstream: Upstream::Ok, ..report };
    }
    report
}

/// What `X-HF-Authorization` brings. Only when that is refused time and again while `Authorization` is taken, what the
/// latter brings: it works, and the app sees it.
async fn hidden_first(proxy: &Arc<Proxy>) -> Report {
    let mut pause = proxy.config.timeouts.selfcheck.doubt;
    let mut refusals = 0;
    loop {
        let hidden = probe(proxy, true).await;
        if hidden.upstream != Upstream::AuthRefused {
            return hidden;
        }
        refusals += 1;
        let visible = probe(proxy, false).await;
        if visible.upstream != Upstream::Ok {
            return hidden;
        }
        if refusals == REFUSALS {
            return visible;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

async fn probe(proxy: &Arc<Proxy>, hf_header: bool) -> Report {
    let mut report = Report::pending(hf_header);
    report.upstream = Upstream::Unreachable;
    let ask = async {
        // Asked once in a long time: its connection is kept by nobody.
        let pool = Arc::new(Pool::new(proxy.connector.clone()));
        let lease = pool.lease(true).await.ok()?;
        let (parts, answer) = lease.send(request(proxy, hf_header)?, None, &pool).await.ok()?;
        Some((parts, answer.read_some(MAX_CONFIG).await))
    };
    let Ok(Some((parts, body))) = tokio::time::timeout(PROBE_TIMEOUT, ask).await else { return report };
    let from_app = parts.headers.contains_key("x-proxied-host");
    if from_app {
        proxy.saw_edge();
    }
    report.upstream = match parts.status.as_u16() {
        401 | 404 if !from_app => Upstream::AuthRefused,
        429 | 502 | 503 | 504 if !from_app => Upstream::NotRunning,
        _ => Upstream::Ok,
    };
    let cookie = |value: &HeaderValue| value.as_bytes().trim_ascii_start().starts_with(b"spaces-jwt=");
    let cookies = parts.headers.get_all(SET_COOKIE).iter().any(cookie);
    report.space_cookies = if cookies { Finding::Yes } else { Finding::No };
    report.forwarded_host = forwarded_host(&body, sent_host(proxy), &proxy.config.target.host);
    report
}

/// Gradio tells in `root` which host it was asked for by.
fn forwarded_host(body: &[u8], sent: &str, target: &str) -> Finding {
    let config: Option<Value> = serde_json::from_slice(body).ok();
    let root = config.as_ref().and_then(|config| config.get("root")).and_then(Value::as_str);
    let Some((_, rest)) = root.and_then(|root| root.split_once("://")) else { return Finding::Unknown };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.eq_ignore_ascii_case(sent) {
        Finding::Yes
    } else if host_of(authority).eq_ignore_ascii_case(target) {
        Finding::No
    } else {
        // The app has set its address by itself.
        Finding::Unknown
    }
}

fn sent_host(proxy: &Proxy) -> &str {
    proxy.config.public_hosts.first().map_or(NO_HOST, |public| &public.host)
}

fn request(proxy: &Proxy, hf_header: bool) -> Option<Request<RequestBody>> {
    let mut request = Request::new(RequestBody::Empty);
    *request.method_mut() = Method::GET;
    *request.uri_mut() = Uri::from_static(PROBED);
    let headers = request.headers_mut();
    headers.insert(HOST, proxy.config.target.host_header.clone());
    let name = if hf_header { X_HF_AUTHORIZATION.clone() } else { AUTHORIZATION };
    headers.insert(name, proxy.credential_in(hf_header).value.clone());
    headers.insert("x-forwarded-host", HeaderValue::from_str(sent_host(proxy)).ok()?);
    headers.insert("x-forwarded-proto", HeaderValue::from_static("https"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static("hf-proxy"));
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_root_says() {
        let find = |body: &str| forwarded_host(body.as_bytes(), "me.example:7860", "ada-demo.hf.space");
        assert_eq!(find(r#"{"root":"https://me.example:7860"}"#), Finding::Yes);
        assert_eq!(find(r#"{"root":"https://ada-demo.hf.space/sub"}"#), Finding::No);
        assert_eq!(find(r#"{"root":"https://own.example"}"#), Finding::Unknown);
        assert_eq!(find(r#"{"root":""}"#), Finding::Unknown);
        assert_eq!(find("<html>"), Finding::Unknown);
    }

    #[test]
    fn a_failed_check_changes_no_mode() {
        let board = Board::new(AuthMode::Auto);
        let mut report = Report::pending(false);
        report.upstream = Upstream::AuthRefused;
        board.put(report);
        assert!(board.hf_header() && board.read().0.hf_header);
        report.upstream = Upstream::Ok;
        report.forwarded_host = Finding::No;
        board.put(report);
        assert!(!board.hf_header() && board.rewrites());
    }
}
