//! The handling of one request, from its head to its answer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use crate::http::fields::X_REQUEST_ID;
use crate::http::pages;
use crate::http::refusal::{self, Refusal};
use crate::http::request::{ValidRequest, host, max_forwards, validate};
use crate::ops::access_log::Record;
use crate::ops::own_routes;
use crate::ops::state::ProxyState;
use crate::policy::cors::{Caller, CorsPolicy};
use crate::policy::gradio::{self, App};
use crate::policy::target::host_of;
use crate::serve::admission::admit;
use crate::serve::connection::ClientConnection;
use crate::serve::context::RequestContext;
use crate::serve::forward::forward;
use crate::serve::response_body::ResponseBody;

/// Answers a request. It cannot fail, because each fault has an answer too.
pub(crate) async fn handle(
    state: Arc<ProxyState>,
    connection: Arc<ClientConnection>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    connection.phase.set_busy();
    let (mut parts, body) = request.into_parts();
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let id = state.next_id();
    let mut record = Some(Box::new(Record {
        logger: state.logger.clone(),
        metrics: state.metrics.clone(),
        start: Instant::now(),
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        client: connection.peer,
        id: id.clone(),
        status: 0,
        code: "",
        tries: 0,
        bytes: 0,
        cut: false,
        in_flight: None,
        stream: None,
        job: None,
    }));
    let mut context = RequestContext {
        state: &state,
        connection: &connection,
        parts: &parts,
        id: &id,
        caller: Caller::NoPage,
        one_host: false,
    };
    let response = match answer(&mut context, body, upgrade, &mut record).await {
        Ok(response) => response,
        Err(refusal) => context.refuse(&refusal, record.as_deref_mut()),
    };
    if let Some(record) = &mut record {
        record.status = response.status().as_u16();
    }
    Ok(response.map(|body| body.recorded_in(record)))
}

async fn answer(
    context: &mut RequestContext<'_>,
    body: Incoming,
    upgrade: Option<OnUpgrade>,
    record: &mut Option<Box<Record>>,
) -> Result<Response<ResponseBody>, Refusal> {
    let (state, parts) = (context.state, context.parts);
    if own_routes::is_own(parts.uri.path()) {
        let own = own_routes::answer(state, &parts.method, parts.uri.path(), &parts.headers, context.id)?;
        return Ok(context.respond(own));
    }
    if context.connection.late {
        return Err(refusal::DRAINING);
    }
    let request = match validate(parts, &state.config, context.connection.peer) {
        Err(refusal::WRONG_HOST) if is_platform_probe(context) => {
            return Ok(context.respond(own_routes::ready(state, context.id)));
        }
        request => request?,
    };
    let cors = &state.config.cors;
    context.caller = cors.caller(&parts.headers, request.scheme, &request.public.host);
    context.one_host = needs_one_host(context, &request);
    if let Some(record) = record {
        record.client = request.client_ip;
    }
    if CorsPolicy::is_preflight(&parts.method, &parts.headers) {
        let mut head = cors.preflight(context.caller, &parts.headers);
        head.headers.insert(X_REQUEST_ID.clone(), context.id.clone());
        return Ok(Response::from_parts(head, ResponseBody::empty(context.connection.phase.clone())));
    }
    admit(context, &request, record.as_deref_mut())?;
    if parts.method == Method::OPTIONS && max_forwards(&parts.headers) == Some(0) {
        return Ok(context.respond(pages::options(context.id, &state.config.methods_header)));
    }
    forward(context, &request, body, upgrade, record).await
}

/// Returns true for the platform's own question whether the port is open. It names an address as the host, which names of
/// Spaces are not.
fn is_platform_probe(context: &RequestContext<'_>) -> bool {
    let host = host(context.parts).unwrap_or_default();
    let by_address = host_of(host).parse::<IpAddr>().is_ok();
    by_address && matches!(context.parts.method, Method::GET | Method::HEAD) && context.path() == "/"
}

/// Returns true if the app must see its own host only. Gradio does not need that: it compares nothing, and makes the
/// addresses of its files from `X-Forwarded-Host`.
fn needs_one_host(context: &RequestContext<'_>, request: &ValidRequest<'_>) -> bool {
    request.may_be_compared(context.parts, context.caller)
        && context.state.health.app() != App::Gradio
        && !gradio::is_route(context.path())
}
