//! The way of an admitted request to the target, with the wait for an app that sleeps.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::header::RETRY_AFTER;
use http::{Response, StatusCode, response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::http::fields::X_PROXIED_HOST;
use crate::http::pages::RefusalForm;
use crate::http::refusal::{self, Refusal};
use crate::http::request::ValidRequest;
use crate::ops::access_log::Record;
use crate::ops::metrics::add;
use crate::serve::context::RequestContext;
use crate::serve::respond::respond;
use crate::serve::response_body::ResponseBody;
use crate::serve::upstream_request::{OutgoingBody, send};

/// Limit of the part of the edge's page that is read. The page about a broken app is short.
const EDGE_PAGE_BYTES: usize = 4 * 1024;
/// Time allowed for that page.
const EDGE_PAGE_TIMEOUT: Duration = Duration::from_secs(2);
/// Words of the edge's page for an app that will not start by itself.
const IN_ERROR: &[u8] = b"space is in error";

/// Sends the request, waits for an app that sleeps, and passes the answer on.
pub(crate) async fn forward(
    context: &RequestContext<'_>,
    request: &ValidRequest<'_>,
    body: Incoming,
    upgrade: Option<OnUpgrade>,
    record: &mut Option<Box<Record>>,
) -> Result<Response<ResponseBody>, Refusal> {
    let timeouts = &context.state.config.timeouts;
    let mut body = OutgoingBody::read(context, body).await?;
    let give_up = Instant::now() + timeouts.hold;
    let mut held = false;
    loop {
        let response = send(context, request, &mut body, record.as_deref_mut()).await?;
        match edge_verdict(context, &response.head) {
            None => return respond(context, request, response, upgrade, record).await,
            Some(EdgeVerdict::Final(refusal)) => return Err(refusal),
            Some(EdgeVerdict::NotRunning) => {}
        }
        let page = response.body.read_some(EDGE_PAGE_BYTES);
        let page = Box::pin(tokio::time::timeout(EDGE_PAGE_TIMEOUT, page)).await;
        if page.is_ok_and(|page| memchr::memmem::find(&page, IN_ERROR).is_some()) {
            return Err(refusal::UPSTREAM_IN_ERROR);
        }
        let is_in_time = Instant::now() + timeouts.hold_interval < give_up;
        if !is_in_time || !may_hold(context, &body, response.head.status) {
            return Err(refusal::UPSTREAM_STARTING);
        }
        if !std::mem::replace(&mut held, true) {
            add(&context.state.metrics.held, 1);
        }
        Box::pin(tokio::time::sleep(timeouts.hold_interval)).await;
    }
}

/// Returns true if the request can be held and sent again. A browser gets a page at once instead. A request that could
/// take effect twice is sent again only if the edge says that no app was there: a 502 or 504 may come from a running app.
fn may_hold(context: &RequestContext<'_>, body: &OutgoingBody, status: StatusCode) -> bool {
    let is_safe = context.parts.method.is_idempotent() || status == StatusCode::SERVICE_UNAVAILABLE;
    let is_draining = context.state.draining.load(Ordering::Relaxed);
    let wants_page = RefusalForm::wanted(&context.parts.method, &context.parts.headers) == RefusalForm::Page;
    body.is_whole() && is_safe && !is_draining && !wants_page
}

/// Meaning of an answer that the edge gives in the app's place.
enum EdgeVerdict {
    /// A wait will not change it.
    Final(Refusal),
    /// The app sleeps, starts or is broken.
    NotRunning,
}

/// Returns the meaning of an answer of the edge. `None` means that the answer is the app's, which the edge marks.
fn edge_verdict(context: &RequestContext<'_>, head: &response::Parts) -> Option<EdgeVerdict> {
    let state = context.state;
    if head.headers.contains_key(&X_PROXIED_HOST) {
        state.record_edge();
        return None;
    }
    if head.status.is_success() || !state.is_behind_edge() {
        return None;
    }
    match head.status.as_u16() {
        // Never passed on as such, because a visitor would think that the page is missing, or log in.
        401 | 404 => {
            state.logger.event("error", "the target does not accept TARGET_TOKEN");
            state.check_requested.notify_one();
            Some(EdgeVerdict::Final(refusal::UPSTREAM_AUTH))
        }
        429 => {
            let wait = head.headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
            let retry_after = wait.or(refusal::UPSTREAM_BUSY.retry_after);
            Some(EdgeVerdict::Final(Refusal { retry_after, ..refusal::UPSTREAM_BUSY }))
        }
        502..=504 => {
            // Checked again, because another app may come back.
            state.check_requested.notify_one();
            Some(EdgeVerdict::NotRunning)
        }
        _ => None,
    }
}
