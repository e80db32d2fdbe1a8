//! What cannot be known before it is tried: which header opens the target, and what survives on the way to the app.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HOST, SET_COOKIE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use serde_json::{Value, json};

use crate::body::RequestBody;
use crate::config::AuthMode;
use crate::gradio::{App, AppConfig};
use crate::proxy::Proxy;
use crate::request::X_HF_AUTHORIZATION;
use crate::target::host_of;
use crate::upstream::{Partial, Pool};

/// The path at which Gradio describes itself, with the address that it believes to have.
const PROBED: &str = "/config";
/// A large app's `/config` has a few hundred kilobytes.
const MAX_CONFIG: usize = 16 << 20;
/// A probe that takes longer has met an app that sleeps.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long the wait between two checks may grow while the app sleeps or refuses.
const AGAIN_AT_MOST: Duration = Duration::from_secs(60);
/// So many refusals in a row, while `Authorization` is taken each time, mean that `X-HF-Authorization` does not work.
/// A single one may come from a part of the edge that does not know the Space yet, and to believe it would show the
/// token to the app.
const REFUSALS: u32 = 4;
/// Further checks of an app that answers `/config` with an error. They are few, because each keeps the app awake.
const UNCLEAR_CHECKS: u32 = 5;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How the target answered.
    pub upstream: Upstream,
    /// The header to use: `X-HF-Authorization` rather than `Authorization`.
    pub hf_header: bool,
    /// Whether `X-Forwarded-Host` reaches the app.
    pub forwarded_host: Finding,
    /// Whether the edge answers with `spaces-jwt` cookies.
    pub space_cookies: Finding,
    /// The framework that the app is made with.
    pub app: App,
    /// The paths of the pages that a Gradio app has beside the first.
    pub pages: Vec<String>,
}

impl Report {
    /// Before any check.
    pub fn pending(hf_header: bool) -> Self {
        Self {
            upstream: Upstream::Pending,
            hf_header,
            forwarded_host: Finding::Unknown,
            space_cookies: Finding::Unknown,
            app: App::Pending,
            pages: vec![],
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
            "gradio": match self.app {
                App::Pending | App::Unknown => "unknown",
                App::Gradio => "yes",
                App::Other => "no",
            },
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
    app: AtomicU8,
    born: Instant,
    /// Seconds after `born` at which the target was asked last, or is about to be.
    asked: AtomicU64,
}

impl Board {
    /// Before any check.
    pub fn new(mode: AuthMode) -> Self {
        let hf_header = mode != AuthMode::Authorization;
        Self {
            report: Mutex::new((Report::pending(hf_header), None)),
            hf_header: AtomicBool::new(hf_header),
            rewrite: AtomicBool::new(false),
            app: AtomicU8::new(App::Pending as u8),
            born: Instant::now(),
            asked: AtomicU64::new(0),
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

    /// Returns the framework that the app is made with.
    pub fn app(&self) -> App {
        let known = self.app.load(Ordering::Relaxed);
        let all = [App::Pending, App::Unknown, App::Gradio, App::Other];
        all.into_iter().find(|app| *app as u8 == known).unwrap_or(App::Pending)
    }

    /// Returns true when the app has a page of this path, beside the first.
    pub fn has_page(&self, path: &str) -> bool {
        self.lock().0.pages.iter().any(|page| page == path)
    }

    /// Returns true when the last check is older than `limit`, and then false until the next check.
    pub fn is_old(&self, now: Instant, limit: Duration) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        let now = now.saturating_duration_since(self.born).as_secs();
        now.saturating_sub(asked) >= limit.as_secs().max(1)
            && self.asked.compare_exchange(asked, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The last report and when it was made.
    pub fn read(&self) -> (Report, Option<Instant>) {
        self.lock().clone()
    }

    /// Puts a report up. A check without an answer keeps the modes, and is reported for the header in use. An answer
    /// that says nothing about the app keeps what was known about it, because the app may be in trouble for a moment.
    pub fn put(&self, mut report: Report) {
        let mut last = self.lock();
        let answered = report.upstream == Upstream::Ok;
        if answered {
            self.hf_header.store(report.hf_header, Ordering::Relaxed);
        } else {
            report.hf_header = self.hf_header();
        }
        if answered && report.app != App::Pending {
            self.rewrite.store(report.rewrites(), Ordering::Relaxed);
            self.app.store(report.app as u8, Ordering::Relaxed);
        } else {
            (report.app, report.pages) = (self.app(), std::mem::take(&mut last.0.pages));
        }
        self.asked.store(self.born.elapsed().as_secs(), Ordering::Relaxed);
        *last = (report, Some(Instant::now()));
    }

    /// A panic elsewhere leaves the report whole, so that it can be used on.
    fn lock(&self) -> MutexGuard<'_, (Report, Option<Instant>)> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks until the target has answered, and again whenever its edge refuses the token. As long as the token goes in
/// the header that the app sees, it looks from time to time whether the other one works again.
pub async fn keep(proxy: Arc<Proxy>) {
    let pauses = proxy.config.timeouts.selfcheck;
    let (mut wait, mut unclear) = (pauses.again, 0);
    loop {
        let report = check(&proxy).await;
        let (upstream, hf_header) = (report.upstream, report.hf_header);
        let is_unclear = upstream == Upstream::Ok && report.app == App::Pending;
        unclear = if is_unclear { unclear + 1 } else { 0 };
        put(&proxy, report);
        if upstream != Upstream::Ok || (1..=UNCLEAR_CHECKS).contains(&unclear) {
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AGAIN_AT_MOST);
            continue;
        }
        (wait, unclear) = (pauses.again, 0);
        let visible = proxy.config.auth_mode == AuthMode::Auto && !hf_header;
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
        Some((parts, answer.read_whole(MAX_CONFIG).await))
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
    let is_coded = parts.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    let config = match body {
        Ok(body) if !is_coded => Ok(AppConfig::read(&body)),
        Ok(_) | Err(Partial::TooLong(_)) => Err(App::Unknown),
        Err(Partial::BrokenOff(_)) => Err(App::Pending),
    };
    report.app =
        judge_app(parts.status, config.as_ref().map_err(|app| *app), from_app || !proxy.behind_edge());
    let config = config.unwrap_or_default();
    report.forwarded_host =
        forwarded_host(config.root.as_deref(), sent_host(proxy), &proxy.config.target.host);
    report.pages = config.pages.unwrap_or_default();
    report
}

/// Judges the app by an answer to `/config`. It is `Other` only where the answer proves that, because this opens
/// routes that are closed before Gradio. `config` is an error when the body was not read.
fn judge_app(status: StatusCode, config: Result<&AppConfig, App>, from_app: bool) -> App {
    match (status.as_u16(), config) {
        (_, Ok(config)) if config.pages.is_some() => App::Gradio,
        (200..=299, Ok(_)) => App::Other,
        (200..=299, Err(unread)) => unread,
        // Gradio with a login does not show it either, and some logins redirect.
        (300..=399 | 401 | 403 | 407, _) => App::Unknown,
        (408 | 425 | 429, _) => App::Pending,
        (400..=499, _) if from_app => App::Other,
        _ => App::Pending,
    }
}

/// Compares `root`, in which Gradio names the host that it was asked for by.
fn forwarded_host(root: Option<&str>, sent: &str, target: &str) -> Finding {
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
        let find = |body: &str| {
            let root = AppConfig::read(body.as_bytes()).root;
            forwarded_host(root.as_deref(), "me.example:7860", "ada-demo.hf.space")
        };
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
        report.app = App::Other;
        board.put(report.clone());
        assert!(board.hf_header() && board.read().0.hf_header && board.app() == App::Pending);
        report.upstream = Upstream::Ok;
        report.forwarded_host = Finding::No;
        (report.app, report.pages) = (App::Gradio, vec!["second".to_owned()]);
        board.put(report);
        assert!(
            !board.hf_header() && board.rewrites() && board.app() == App::Gradio && board.has_page("second")
        );
        board.put(Report::pending(true));
        assert!(board.app() == App::Gradio && board.has_page("second") && !board.has_page(""));
    }

    #[test]
    fn an_app_is_other_only_where_that_is_proven() {
        let gradio = AppConfig { root: None, pages: Some(vec![]) };
        let read = AppConfig::default();
        for (status, config, from_app, want) in [
            (200, Ok(&gradio), true, App::Gradio),
            (200, Ok(&read), true, App::Other),
            (404, Ok(&read), true, App::Other),
            (405, Err(App::Pending), true, App::Other),
            // The edge says nothing about the app.
            (404, Ok(&read), false, App::Pending),
            (200, Err(App::Unknown), true, App::Unknown),
            (200, Err(App::Pending), true, App::Pending),
            (302, Ok(&read), true, App::Unknown),
            (401, Ok(&read), true, App::Unknown),
            (403, Ok(&read), true, App::Unknown),
            (429, Ok(&read), true, App::Pending),
            (500, Ok(&read), true, App::Pending),
            (503, Ok(&read), true, App::Pending),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(judge_app(status, config, from_app), want, "{status} {config:?}");
        }
    }

    #[test]
    fn an_unclear_answer_keeps_the_app() {
        let board = Board::new(AuthMode::Auto);
        let mut report = Report::pending(true);
        report.upstream = Upstream::Ok;
        board.put(report.clone());
        assert_eq!(board.app(), App::Pending);
        let gradio = Report {
            app: App::Gradio,
            pages: vec!["second".to_owned()],
            forwarded_host: Finding::No,
            ..report.clone()
        };
        board.put(gradio);
        board.put(report);
        assert!(board.app() == App::Gradio && board.has_page("second") && board.rewrites());
    }

    #[test]
    fn an_old_check_is_renewed_once() {
        let board = Board::new(AuthMode::Auto);
        let (limit, later) = (Duration::from_secs(600), Instant::now() + Duration::from_secs(601));
        assert!(!board.is_old(Instant::now(), limit));
        assert!(board.is_old(later, limit) && !board.is_old(later, limit));
        assert!(board.is_old(later + limit, limit));
    }
}
