//! Probes of the target, which find out the header that opens it and the headers that reach the app.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HOST, SET_COOKIE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};

use crate::config::AuthMode;
use crate::http::body::RequestBody;
use crate::http::fields::{X_FORWARDED_HOST, X_FORWARDED_PROTO, X_HF_AUTHORIZATION, X_PROXIED_HOST};
use crate::ops::health::{Finding, HealthReport, UpstreamStatus};
use crate::ops::state::ProxyState;
use crate::policy::gradio::{App, AppConfig};
use crate::policy::target::host_of;
use crate::upstream::client::{IncompleteBody, send};
use crate::upstream::pool::Pool;

/// The path at which Gradio describes itself, with the address that it believes to have.
const PROBE_PATH: &str = "/config";
/// Limit of a description. The `/config` of a large app has a few hundred kilobytes.
const MAX_CONFIG_BYTES: usize = 16 << 20;
/// Time limit of a probe. An app that needs longer sleeps.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait between two checks while the app sleeps or refuses.
const MAX_RETRY_WAIT: Duration = Duration::from_secs(60);
/// Number of refusals in a row, with `Authorization` taken each time, that prove that `X-HF-Authorization` does not work.
/// A single one may come from a part of the edge that does not know the Space yet, and a wrong conclusion would show the
/// token to the app.
const REFUSALS: u32 = 4;
/// Number of further checks of an app that answers `/config` with an error. Few, because each keeps the app awake.
const UNCLEAR_CHECKS: u32 = 5;
/// Public host of a probe when none is configured. The name is reserved (RFC 6761, section 6.4).
const NO_HOST: &str = "selfcheck.invalid";

/// Checks until the target has answered, and again whenever its edge refuses the token. While the token goes in the header
/// that the app sees, it tries from time to time whether the other one works again.
pub async fn run(state: Arc<ProxyState>) {
    let pauses = state.config.timeouts.selfcheck;
    let (mut wait, mut unclear) = (pauses.retry, 0);
    loop {
        let report = check(&state).await;
        let (upstream, hf_header) = (report.upstream, report.hf_header);
        let is_unclear = upstream == UpstreamStatus::Ok && report.app == App::Pending;
        unclear = if is_unclear { unclear + 1 } else { 0 };
        record(&state, report);
        if upstream != UpstreamStatus::Ok || (1..=UNCLEAR_CHECKS).contains(&unclear) {
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(MAX_RETRY_WAIT);
            continue;
        }
        (wait, unclear) = (pauses.retry, 0);
        let is_visible = state.config.auth_mode == AuthMode::Auto && !hf_header;
        tokio::select! {
            () = state.check_requested.notified() => {}
            () = tokio::time::sleep(pauses.restore), if is_visible => continue,
        }
        // Waits, because many requests may be refused at once.
        tokio::time::sleep(pauses.retry).await;
    }
}

/// Records and logs a report. Warns when the app begins to see the token.
fn record(state: &ProxyState, report: HealthReport) {
    let was_hidden = state.health.hf_header();
    state.health.record(report);
    if was_hidden && !state.health.hf_header() {
        state.logger.event(
            "warn",
            "AUTH_MODE=auto: the target refuses X-HF-Authorization again and again, and takes Authorization; the token \
             goes there now, where the app can see it. AUTH_MODE=x-hf-authorization forbids that",
        );
    }
    state.logger.event("info", &format!("selfcheck: {}", state.health.read().0.json()));
}

/// Probes the target with each header that may be used.
pub async fn check(state: &Arc<ProxyState>) -> HealthReport {
    let report = match state.config.auth_mode {
        AuthMode::Auto => check_hidden_first(state).await,
        AuthMode::XHfAuthorization => probe(state, true).await,
        AuthMode::Authorization => probe(state, false).await,
    };
    if report.upstream == UpstreamStatus::AuthRefused && !state.is_behind_edge() {
        // Without an edge, a 401 or 404 is the app's own answer for this path.
        return HealthReport { upstream: UpstreamStatus::Ok, ..report };
    }
    report
}

/// Probes with `X-HF-Authorization`, and with `Authorization` when that is refused. Returns the result of the latter only
/// after several refusals, because the app sees a token in `Authorization`.
async fn check_hidden_first(state: &Arc<ProxyState>) -> HealthReport {
    let mut pause = state.config.timeouts.selfcheck.refusal;
    let mut refusals = 0;
    loop {
        let hidden = probe(state, true).await;
        if hidden.upstream != UpstreamStatus::AuthRefused {
            return hidden;
        }
        refusals += 1;
        let visible = probe(state, false).await;
        if visible.upstream != UpstreamStatus::Ok {
            return hidden;
        }
        if refusals == REFUSALS {
            return visible;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

async fn probe(state: &Arc<ProxyState>, hf_header: bool) -> HealthReport {
    let mut report = HealthReport::pending(hf_header);
    report.upstream = UpstreamStatus::Unreachable;
    let answer = async {
        // A pool of its own, because probes are too rare to keep a connection.
        let pool = Arc::new(Pool::new(state.connector.clone()));
        let lease = pool.lease(true).await.ok()?;
        let response = send(lease, request(state, hf_header)?, None, &pool).await.ok()?;
        Some((response.head, response.body.read_whole(MAX_CONFIG_BYTES).await))
    };
    let Ok(Some((head, body))) = tokio::time::timeout(PROBE_TIMEOUT, answer).await else { return report };
    let from_app = head.headers.contains_key(&X_PROXIED_HOST);
    if from_app {
        state.record_edge();
    }
    report.upstream = match head.status.as_u16() {
        401 | 404 if !from_app => UpstreamStatus::AuthRefused,
        429 | 502 | 503 | 504 if !from_app => UpstreamStatus::NotRunning,
        _ => UpstreamStatus::Ok,
    };
    let is_space_cookie =
        |value: &HeaderValue| value.as_bytes().trim_ascii_start().starts_with(b"spaces-jwt=");
    let has_cookies = head.headers.get_all(SET_COOKIE).iter().any(is_space_cookie);
    report.space_cookies = if has_cookies { Finding::Yes } else { Finding::No };
    let is_coded = head.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    let config = match body {
        Ok(body) if !is_coded => Ok(AppConfig::read(&body)),
        Ok(_) | Err(IncompleteBody::TooLong(_)) => Err(App::Unknown),
        Err(IncompleteBody::BrokenOff(_)) => Err(App::Pending),
    };
    let is_apps_answer = from_app || !state.is_behind_edge();
    report.app = detect_app(head.status, config.as_ref().map_err(|app| *app), is_apps_answer);
    let config = config.unwrap_or_default();
    report.forwarded_host =
        forwarded_host(config.root.as_deref(), sent_host(state), &state.config.target.host);
    report.pages = config.pages.unwrap_or_default();
    report
}

/// Returns the framework by an answer to `/config`. The result is `Other` only if the answer proves that, because this
/// opens routes that are closed for Gradio. `config` is an error if the body was not read.
fn detect_app(status: StatusCode, config: Result<&AppConfig, App>, from_app: bool) -> App {
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

/// Compares `root`, in which Gradio names the host of the request, with the host that was sent.
fn forwarded_host(root: Option<&str>, sent: &str, target: &str) -> Finding {
    let Some((_, rest)) = root.and_then(|root| root.split_once("://")) else { return Finding::Unknown };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.eq_ignore_ascii_case(sent) {
        Finding::Yes
    } else if host_of(authority).eq_ignore_ascii_case(target) {
        Finding::No
    } else {
        // The app is configured with an address of its own.
        Finding::Unknown
    }
}

fn sent_host(state: &ProxyState) -> &str {
    state.config.public_hosts.first().map_or(NO_HOST, |public| &public.host)
}

fn request(state: &ProxyState, hf_header: bool) -> Option<Request<RequestBody>> {
    let mut request = Request::new(RequestBody::Empty);
    *request.method_mut() = Method::GET;
    *request.uri_mut() = Uri::from_static(PROBE_PATH);
    let headers = request.headers_mut();
    headers.insert(HOST, state.config.target.host_header.clone());
    let name = if hf_header { X_HF_AUTHORIZATION.clone() } else { AUTHORIZATION };
    headers.insert(name, state.credential_in(hf_header).value.clone());
    headers.insert(X_FORWARDED_HOST.clone(), HeaderValue::from_str(sent_host(state)).ok()?);
    headers.insert(X_FORWARDED_PROTO.clone(), HeaderValue::from_static("https"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static("hf-proxy"));
    Some(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_shows_whether_the_forwarded_host_arrives() {
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
    fn an_app_is_other_only_if_the_answer_proves_it() {
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
            assert_eq!(detect_app(status, config, from_app), want, "{status} {config:?}");
        }
    }
}
