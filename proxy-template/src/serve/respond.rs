//! The answer to the caller, made from the target's.

use http::header::CONTENT_LENGTH;
use http::{Method, Response, StatusCode, response};
use hyper::upgrade::OnUpgrade;

use crate::http::fields::{X_REQUEST_ID, media_type};
use crate::http::refusal::{self, Refusal};
use crate::http::request::ValidRequest;
use crate::http::response::{BodyPlan, ResponseSettings, client_head, switching_head};
use crate::http::response_values::Addresses;
use crate::http::rewrite::Rewriter;
use crate::http::watch::Watch;
use crate::ops::access_log::Record;
use crate::ops::metrics::add;
use crate::policy::gradio::EventStream;
use crate::serve::context::RequestContext;
use crate::serve::response_body::{ResponseBody, StreamOptions};
use crate::serve::tunnel;
use crate::upstream::client::UpstreamResponse;

/// Makes the caller's answer from the target's.
pub(crate) async fn respond(
    context: &RequestContext<'_>,
    request: &ValidRequest<'_>,
    response: UpstreamResponse,
    upgrade: Option<OnUpgrade>,
    record: &mut Option<Box<Record>>,
) -> Result<Response<ResponseBody>, Refusal> {
    let (state, config) = (context.state, &context.state.config);
    let addresses = Addresses {
        target: &config.target,
        public_scheme: request.scheme,
        public_host: &request.public.host,
    };
    let settings = ResponseSettings {
        method: &context.parts.method,
        addresses,
        secrets: &state.secrets,
        trailers: request.trailers,
        visitor_quota: config.visitor_quota,
        rewrite: context.needs_rewriting(),
    };
    let UpstreamResponse { head, body: mut upstream } = response;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        let upgrade = upgrade.filter(|_| request.tunnel).ok_or(refusal::UPSTREAM_INVALID)?;
        let head = switching_head(head, &settings)?;
        // Boxed, because it is rarely run and would be moved with every request.
        let response = UpstreamResponse { head, body: upstream };
        return Box::pin(open_tunnel(context, response, upgrade, record.take())).await;
    }
    let (mut head, plan) = client_head(head, &settings)?;
    if plan != BodyPlan::None && is_event_stream(&head) {
        let permit = state.limits.stream(request.client_ip).ok_or(refusal::TOO_MANY_STREAMS)?;
        if let Some(record) = record {
            record.stream = Some(permit);
        }
    }
    context.add_page_headers(&mut head);
    let phase = context.connection.phase.clone();
    if upstream.is_end() || plan == BodyPlan::None {
        upstream.release_if_empty();
        let has_length = plan == BodyPlan::None && head.headers.contains_key(CONTENT_LENGTH);
        let body =
            if has_length { ResponseBody::empty_with_length(phase) } else { ResponseBody::empty(phase) };
        return Ok(Response::from_parts(head, body));
    }
    let options = StreamOptions {
        idle: config.timeouts.body_idle,
        rewriter: (plan == BodyPlan::Rewrite).then(|| Rewriter::new(&addresses)),
        watch: watch(context, request, &head, record.as_deref_mut()),
        secrets: state.secrets.clone(),
        visitor_quota: config.visitor_quota,
    };
    Ok(Response::from_parts(head, ResponseBody::stream(upstream, options, phase)))
}

/// Returns the reader that looks for the begin and the end of a Gradio app's computations in the answer.
fn watch(
    context: &RequestContext<'_>,
    request: &ValidRequest<'_>,
    head: &response::Parts,
    record: Option<&mut Record>,
) -> Option<Box<Watch>> {
    if !context.is_watched() {
        return None;
    }
    if context.parts.method == Method::POST {
        let job = record.filter(|_| head.status.is_success())?.job.take()?;
        return Some(Box::new(Watch::call(job)));
    }
    if !is_event_stream(head) {
        return None;
    }
    let event = match EventStream::at(context.path())? {
        EventStream::Session => None,
        EventStream::Event(id) => Some(id),
    };
    Some(Box::new(Watch::events(context.state.limits.jobs.clone(), request.client_ip, event)))
}

/// Switches, and joins the two connections in a task of its own.
async fn open_tunnel(
    context: &RequestContext<'_>,
    response: UpstreamResponse,
    upgrade: OnUpgrade,
    mut record: Option<Box<Record>>,
) -> Result<Response<ResponseBody>, Refusal> {
    let UpstreamResponse { mut head, body: upstream } = response;
    let (io, early) = upstream.into_io().await.ok_or(refusal::UPSTREAM_INVALID)?;
    head.headers.insert(X_REQUEST_ID.clone(), context.id.clone());
    add(&context.state.metrics.tunnels, 1);
    let (connection, idle) = (context.connection.clone(), context.state.config.timeouts.websocket_idle);
    tokio::spawn(async move {
        let mut cut = connection.cut.clone();
        let cut = async move {
            // A server that has ended cuts no tunnels.
            if cut.wait_for(|cut| *cut).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let result = tunnel::join(upgrade, io, early, idle, cut).await;
        if let Some(record) = &mut record {
            record.status = StatusCode::SWITCHING_PROTOCOLS.as_u16();
            match result {
                Ok(bytes) => record.bytes = bytes,
                Err(_) => record.cut = true,
            }
        }
    });
    Ok(Response::from_parts(head, ResponseBody::empty(context.connection.phase.clone())))
}

fn is_event_stream(head: &response::Parts) -> bool {
    media_type(&head.headers).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}
