//! A request, with everything that its handling needs.

use std::sync::Arc;

use http::header::ORIGIN;
use http::{HeaderValue, Method, Response, request, response};

use crate::http::fields::X_REQUEST_ID;
use crate::http::pages::{self, RefusalForm};
use crate::http::refusal::Refusal;
use crate::ops::access_log::Record;
use crate::ops::own_routes;
use crate::ops::state::ProxyState;
use crate::policy::cors::Caller;
use crate::policy::gradio::{self, EventStream};
use crate::serve::connection::ClientConnection;
use crate::serve::response_body::ResponseBody;

/// A request, its connection, and the state of the proxy.
pub(crate) struct RequestContext<'a> {
    pub state: &'a Arc<ProxyState>,
    pub connection: &'a Arc<ClientConnection>,
    pub parts: &'a request::Parts,
    /// Id of the request.
    pub id: &'a HeaderValue,
    /// The kind of page that sends the request.
    pub caller: Caller,
    /// True if the app sees its own host only, because it may compare where the request comes from with where it went.
    pub one_host: bool,
}

impl RequestContext<'_> {
    pub(crate) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// Returns true if the app's address is replaced in the answer: where `X-Forwarded-Host` is lost or left out, and
    /// where the app may write the address of an earlier request.
    pub(crate) fn needs_rewriting(&self) -> bool {
        self.state.health.needs_rewriting() || self.one_host || gradio::keeps_an_address(self.path())
    }

    /// Returns true if the answer is read for events. The app must not compress it then.
    pub(crate) fn is_watched(&self) -> bool {
        self.state.limits.jobs.are_counted()
            && match self.parts.method {
                Method::POST => gradio::names_event(self.path()),
                Method::GET => EventStream::at(self.path()).is_some(),
                _ => false,
            }
    }

    /// Adds the headers that each answer to a page has: those of CORS, and the id.
    pub(crate) fn add_page_headers(&self, head: &mut response::Parts) {
        let origin = self.parts.headers.get(ORIGIN);
        self.state.config.cors.decorate(self.caller, origin, &mut head.headers);
        head.headers.insert(X_REQUEST_ID.clone(), self.id.clone());
    }

    /// Makes an answer of the proxy's own.
    pub(crate) fn respond(&self, (mut head, body): (response::Parts, String)) -> Response<ResponseBody> {
        self.add_page_headers(&mut head);
        Response::from_parts(head, ResponseBody::full(body, self.connection.phase.clone()))
    }

    /// Makes the answer for a refused request.
    pub(crate) fn refuse(
        &mut self,
        refusal: &Refusal,
        record: Option<&mut Record>,
    ) -> Response<ResponseBody> {
        self.state.metrics.count_refusal(refusal);
        if self.caller == Caller::NoPage {
            // Judged now, because a page that may read answers must also read one from before the host was known.
            self.caller = self.state.config.cors.caller_without_host(&self.parts.headers);
        }
        if let Some(record) = record {
            record.code = refusal.code;
        }
        let form = RefusalForm::wanted(&self.parts.method, &self.parts.headers);
        let is_own = own_routes::is_own(self.path());
        let methods = if is_own { &own_routes::METHODS } else { &self.state.config.methods_header };
        self.respond(pages::refusal(refusal, self.id, methods, form))
    }
}
