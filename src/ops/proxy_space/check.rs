//! The check of the private app through its proxy.

use std::time::Duration;

use hf_proxy::refusal::{METHOD_REFUSED, PATH_REFUSED, Refusal, UPSTREAM_AUTH};

use crate::app_check::{
    App, AppKind, Check, CheckFailure, CheckResult, CheckStatus, FailOn, HttpAnswer, Mode,
};
use crate::failure::{self, Result};
use crate::ops::{Session, check, space};

use super::inspect::Proxy;

/// Time allowed for the app to answer through the proxy. Both were running a moment ago.
const PROXY_CHECK_TIMEOUT: Duration = Duration::from_secs(60);
/// Answers of the proxy to a page that its own settings close.
const CLOSED: [Refusal; 2] = [PATH_REFUSED, METHOD_REFUSED];

/// Checks the private app through the proxy as a visitor does, without a token.
pub(super) async fn check_through(proxy: &Proxy<'_>, session: &Session<'_>) -> Result<()> {
    let Session { hub, log, .. } = session;
    let Some(App { url, .. }) = space::find_app(hub, &proxy.repo).await? else {
        return Err(failure::proxy::proxy_unknown());
    };
    log.info(&format!("checking the app through the proxy at {url}"));
    let app = App { url, token: None, kind: AppKind::Static };
    let mut result = check::check_app(&app, &options(proxy), log).await;
    let mut hints = failure::app_check::hints(&result);
    if result.status != CheckStatus::Failed {
        result.detail.push_str(" through the proxy");
    } else if CLOSED.iter().any(|refusal| is_refused(&result, refusal)) {
        log.info("the proxy answers, and its settings close the page that was asked for");
        return Ok(());
    } else if is_refused(&result, &UPSTREAM_AUTH) {
        hints.push(failure::proxy::token_refused());
    }
    check::conclude(&result, hints, &FailOn::default(), log)
}

/// Returns the check of a page that the settings of the proxy leave open.
fn options(proxy: &Proxy<'_>) -> Check {
    let asked = &proxy.behind.space.check;
    let check = Check {
        mode: Mode::Health,
        health_path: asked.health_path.clone(),
        health_status: asked.health_status,
        health_contains: asked.health_contains.clone(),
        timeout: proxy.behind.space.wait.map_or(PROXY_CHECK_TIMEOUT, |wait| wait.min(PROXY_CHECK_TIMEOUT)),
        ..Check::new(&asked.workspace)
    };
    let has_key = proxy.wanted.secrets.iter().any(|secret| secret.key == "PROXY_API_KEY");
    if has_key {
        // The check has no key, so the proxy has to refuse it.
        let health_path = Some("/".to_owned());
        return Check { health_path, health_status: 401, health_contains: None, ..check };
    }
    let paths = proxy.wanted.settings.iter().find(|setting| setting.key == "ALLOW_PATHS");
    let is_api_only = paths.is_some_and(|setting| setting.value.contains("gradio-api"));
    if is_api_only && check.health_path.is_none() {
        return Check { health_path: Some("/config".to_owned()), ..check };
    }
    check
}

/// Returns true if the check ended with this answer of the proxy.
fn is_refused(result: &CheckResult, refusal: &Refusal) -> bool {
    let answer = result.failure.as_ref().and_then(CheckFailure::answer);
    answer.is_some_and(|HttpAnswer { status, code }| {
        *status == refusal.status && code.as_deref() == Some(refusal.code)
    })
}
