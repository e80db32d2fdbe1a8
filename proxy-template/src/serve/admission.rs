//! Checks that can reject a valid request, and the permits that it takes.

use std::time::Instant;

use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderValue, Method, request};

use crate::http::fields::X_PROXY_KEY;
use crate::http::refusal::{self, Refusal};
use crate::http::request::ValidRequest;
use crate::ops::access_log::Record;
use crate::policy::credentials::bearer;
use crate::policy::gradio::{self, App};
use crate::policy::limits::{LimitReached, RequestKind};
use crate::policy::paths::{self, Verdict};
use crate::serve::context::RequestContext;

/// Applies methods, rates, key, origin, paths and limits, in this order. Puts the permits into `record`.
pub(crate) fn admit(
    context: &RequestContext<'_>,
    request: &ValidRequest<'_>,
    mut record: Option<&mut Record>,
) -> Result<(), Refusal> {
    let (state, parts) = (context.state, context.parts);
    let (config, app) = (&state.config, state.health.app());
    if !config.methods.contains(&parts.method) {
        return Err(refusal::METHOD_REFUSED);
    }
    let kind = request_kind(parts, app);
    let now = record.as_ref().map_or_else(Instant::now, |record| record.start);
    let rated = state.limits.request(request.client_ip, kind, now);
    rated.map_err(|wait| refusal::RATE_LIMITED.retry_in(wait))?;
    check_key(context)?;
    if config.cors.refuses(context.caller, &parts.method, request.tunnel) {
        return Err(refusal::ORIGIN_REFUSED);
    }
    match config.paths.judge(&parts.method, context.path(), app, |page| state.health.has_page(page)) {
        Verdict::Open => {}
        Verdict::TooEarly => return Err(refusal::UPSTREAM_STARTING),
        Verdict::Closed => return Err(refusal::PATH_REFUSED),
    }
    // Only with a request that reaches the app, because refused requests do not keep it awake.
    if state.health.is_due(now, config.timeouts.selfcheck.renew) {
        state.check_requested.notify_one();
    }
    if let Some(record) = &mut record {
        take_permits(context, request, kind, record)?;
    }
    match body_length(parts) {
        Some(length) if config.caps.body > 0 && length > config.caps.body => Err(refusal::BODY_TOO_LARGE),
        _ => Ok(()),
    }
}

fn check_key(context: &RequestContext<'_>) -> Result<(), Refusal> {
    let Some(key) = &context.state.config.api_key else { return Ok(()) };
    let headers = &context.parts.headers;
    let own_header = headers.get(&X_PROXY_KEY).map(HeaderValue::as_bytes);
    let authorization = headers.get(AUTHORIZATION).and_then(bearer);
    if [own_header, authorization].into_iter().flatten().any(|presented| key.matches(presented)) {
        Ok(())
    } else {
        Err(refusal::KEY_REQUIRED)
    }
}

fn take_permits(
    context: &RequestContext<'_>,
    request: &ValidRequest<'_>,
    kind: RequestKind,
    record: &mut Record,
) -> Result<(), Refusal> {
    let limits = &context.state.limits;
    let permit = limits.enter(request.client_ip).map_err(|reached| match reached {
        LimitReached::All => refusal::OVERLOADED,
        LimitReached::Share => refusal::TOO_MANY_STREAMS,
    })?;
    record.in_flight = Some(permit);
    if request.tunnel {
        record.stream = Some(limits.stream(request.client_ip).ok_or(refusal::TOO_MANY_STREAMS)?);
    }
    if kind == RequestKind::Compute && limits.jobs.are_counted() {
        let job = limits.jobs.begin(request.client_ip, record.start);
        record.job = Some(job.ok_or(refusal::TOO_MANY_COMPUTATIONS)?);
    }
    Ok(())
}

/// Returns the kind by which a request is counted.
fn request_kind(parts: &request::Parts, app: App) -> RequestKind {
    let path = parts.uri.path();
    match parts.method {
        Method::POST if gradio::computes(path, app) => RequestKind::Compute,
        Method::GET | Method::HEAD if paths::is_file(path) => RequestKind::File,
        _ => RequestKind::Other,
    }
}

/// Returns the length of the body, if the head names it.
pub(crate) fn body_length(parts: &request::Parts) -> Option<u64> {
    parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
