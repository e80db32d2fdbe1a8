//! The request to the target: its body, its head, and a second attempt where that is safe.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use crate::http::activity::{Activity, timeout_when_idle};
use crate::http::body::{ClientBody, ClientBodyError, RequestBody};
use crate::http::outgoing_request::{RequestSettings, outgoing_head};
use crate::http::refusal::{self, Refusal};
use crate::http::request::ValidRequest;
use crate::ops::access_log::Record;
use crate::ops::metrics::add;
use crate::serve::admission::body_length;
use crate::serve::context::RequestContext;
use crate::upstream::client::{self, SendError, UpstreamResponse};
use crate::upstream::connect::ConnectError;

/// Longest body that is read before it is sent, so that it can be sent again to an app that slept.
const MAX_BUFFERED_BYTES: u64 = 64 * 1024;

/// Body of a request that is about to be sent.
pub(crate) enum OutgoingBody {
    Empty,
    Buffered(Bytes),
    /// `None` once it was sent.
    Streaming(Option<Incoming>),
}

impl OutgoingBody {
    /// Reads a small body at once, so that it can be sent again, within a time limit. Leaves a large one to stream.
    pub(crate) async fn read(context: &RequestContext<'_>, body: Incoming) -> Result<Self, Refusal> {
        if body.is_end_stream() {
            return Ok(Self::Empty);
        }
        if body_length(context.parts).is_none_or(|length| length > MAX_BUFFERED_BYTES) {
            return Ok(Self::Streaming(Some(body)));
        }
        let timeouts = &context.state.config.timeouts;
        let mut body = ClientBody::new(body, MAX_BUFFERED_BYTES, timeouts.body_idle);
        let read = async {
            let mut read = BytesMut::new();
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame.map_err(ClientBodyError::refusal)?.into_data() {
                    read.extend_from_slice(&data);
                }
            }
            Ok(Self::Buffered(read.freeze()))
        };
        timeout_when_idle(timeouts.small_body, None, read).await.unwrap_or(Err(refusal::BODY_TIMEOUT))
    }

    /// Returns true if the body can be sent again.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self, Self::Streaming(_))
    }
}

/// Sends the request once. Sends it again only if the first attempt ended on an idle connection before a byte came back,
/// and either nothing of it was sent, or it may be sent twice (RFC 9110, section 9.2.2) and has no body.
pub(crate) async fn send(
    context: &RequestContext<'_>,
    request: &ValidRequest<'_>,
    body: &mut OutgoingBody,
    mut record: Option<&mut Record>,
) -> Result<UpstreamResponse, Refusal> {
    let (state, pool) = (context.state, &context.connection.pool);
    let (mut fresh, mut unsent) = (false, None);
    let upload = (!body.is_whole()).then(Activity::new);
    loop {
        let outgoing = match unsent.take() {
            Some(outgoing) => outgoing,
            None => outgoing_request(context, request, body, upload.as_ref())?,
        };
        let lease = pool.lease(fresh).await.map_err(|error| connect_refusal(context, &error))?;
        if let Some(record) = &mut record {
            record.tries += 1;
        }
        let sent = timeout_when_idle(
            state.config.timeouts.response,
            upload.as_deref(),
            client::send(lease, outgoing, upload.as_deref(), pool),
        );
        let error = match sent.await.ok_or(refusal::UPSTREAM_TIMEOUT)? {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        if let Some(fault) = error.client_fault() {
            return Err(fault.refusal());
        }
        let may_repeat = context.parts.method.is_idempotent() && matches!(body, OutgoingBody::Empty);
        if fresh || !error.reused || !(error.unsent.is_some() || (error.silent && may_repeat)) {
            return Err(send_refusal(context, &error));
        }
        add(&state.metrics.retries, 1);
        (fresh, unsent) = (true, error.unsent);
    }
}

fn outgoing_request(
    context: &RequestContext<'_>,
    request: &ValidRequest<'_>,
    body: &mut OutgoingBody,
    upload: Option<&Arc<Activity>>,
) -> Result<Request<RequestBody>, Refusal> {
    let config = &context.state.config;
    let body = match body {
        OutgoingBody::Empty => RequestBody::Empty,
        OutgoingBody::Buffered(bytes) => RequestBody::Buffered(bytes.clone()),
        OutgoingBody::Streaming(body) => {
            // Taken once, because a second attempt has the unsent request itself.
            let body = body.take().ok_or(refusal::UPSTREAM_CLOSED)?;
            let body = ClientBody::new(body, config.caps.body, config.timeouts.body_idle);
            let body = match upload {
                Some(upload) => body.recorded_in(upload.clone()),
                None => body,
            };
            RequestBody::Streaming(Box::new(body))
        }
    };
    let settings = RequestSettings {
        target: &config.target,
        credential: context.state.credential(),
        pass_authorization: config.pass_authorization,
        api_key: config.api_key.as_ref(),
        visitor_quota: config.visitor_quota,
        caller: context.caller,
        one_host: context.one_host,
        via: &context.state.via,
        request_id: context.id,
        identity: context.needs_rewriting() || context.is_watched(),
        chunked: body.size_hint().exact().is_none(),
    };
    let head = outgoing_head(context.parts, request, &settings)?;
    Ok(Request::from_parts(head, body))
}

fn connect_refusal(context: &RequestContext<'_>, error: &ConnectError) -> Refusal {
    context.state.logger.event("warn", &format!("no connection to the target: {error}"));
    match error {
        ConnectError::Failed(_) => refusal::UPSTREAM_UNREACHABLE,
        ConnectError::TimedOut => refusal::CONNECT_TIMEOUT,
    }
}

fn send_refusal(context: &RequestContext<'_>, error: &SendError) -> Refusal {
    context.state.logger.event("warn", &format!("no answer from the target: {}", error.cause));
    if error.cause.is_parse() || error.cause.is_parse_too_large() {
        return refusal::UPSTREAM_INVALID;
    }
    refusal::UPSTREAM_CLOSED
}
