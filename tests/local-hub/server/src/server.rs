//! The way of a request: recorded, hit by a fault or not, checked against the contract, answered.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use crate::accounts::caller::Caller;
use crate::contract::{CheckedRequest, LineKind};
use crate::core::xet::{self, XET_INFO};
use crate::faults::connection::Conn;
use crate::faults::fault::FaultKind;
use crate::faults::response::{drain, fault_answer, truncate};
use crate::http::answer::{HubError, raw, set};
use crate::http::record::Entry;
use crate::http::request::Req;
use crate::hub::Hub;
use crate::routes;
use crate::util::{now_ms, parse_query, percent_decode, unique_hex};
use crate::viewer::is_viewer;

/// Returns the service of one listener.
pub(crate) fn service(hub: Arc<Hub>) -> IntoMakeServiceWithConnectInfo<Router, Conn> {
    Router::new().fallback(handle).with_state(hub).into_make_service_with_connect_info::<Conn>()
}

/// A request whose body is not read yet.
struct Incoming {
    hub: Arc<Hub>,
    parts: Parts,
    entry: Entry,
}

async fn handle(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(conn): ConnectInfo<Conn>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path().starts_with("/__local/") {
        return routes::local::answer(&hub, &parts.method, parts.uri.path(), body).await;
    }
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let entry = hub.requests.begin(method, path, parts.uri.query().unwrap_or_default(), &parts.headers);
    let target = parts.uri.path_and_query().map_or(path, |target| target.as_str());
    let fault = hub.faults.hit(method, target);
    let body = entry.tap(body);
    let incoming = Incoming { hub, parts, entry: entry.clone() };
    match &fault {
        Some(FaultKind::DropConnection) => {
            conn.reset();
            return Response::new(Body::empty());
        }
        Some(FaultKind::Status { code, headers, body: text }) => {
            incoming.check_refused(body).await;
            let mut response = fault_answer(*code, text);
            incoming.decorate(&mut response);
            for (name, value) in headers {
                set(&mut response, &name.to_ascii_lowercase(), value);
            }
            entry.status(*code);
            return response;
        }
        Some(FaultKind::Delay(time)) => {
            incoming.hub.tasks.sleep(*time).await;
        }
        _ => {}
    }
    let mut response = if xet::is_cas_path(incoming.path()) {
        incoming.cas(body).await
    } else {
        incoming.answer(body).await
    };
    match fault {
        Some(FaultKind::DropAfterApply) => {
            drain(response.into_body()).await;
            conn.reset();
            return Response::new(Body::empty());
        }
        Some(FaultKind::StatusAfterApply { code, body }) => {
            drain(response.into_body()).await;
            response = fault_answer(code, &body);
            incoming.decorate(&mut response);
        }
        Some(FaultKind::TruncateBody { after }) => response = truncate(response, after).await,
        _ => {}
    }
    entry.status(response.status().as_u16());
    response
}

impl Incoming {
    fn path(&self) -> &str {
        self.parts.uri.path()
    }

    fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    fn is_streamed(&self) -> bool {
        routes::is_streamed(&self.parts.method, self.path())
    }

    async fn cas(&self, body: Body) -> Response {
        match self.forward_to_cas(body).await {
            Ok(Some(response)) => response,
            Ok(None) => raw(404, "text/plain", b"Not Found".to_vec()),
            Err(error) => raw(502, "text/plain", format!("{error:#}").into_bytes()),
        }
    }

    /// Forwards a request to the CAS, and adds the files of a shard to the repository or bucket of its token.
    async fn forward_to_cas(&self, body: Body) -> anyhow::Result<Option<Response>> {
        let core = &self.hub.core;
        let Some(xet) = &core.xet else { return Ok(None) };
        let xet::Forwarded { response, uploaded } = xet.forward(self.parts.clone(), body).await?;
        if let Some(xet::Uploaded { owner, sha256, hashes }) = uploaded {
            if let Some(repo) = core.repos.by_id(&owner) {
                for sha256 in sha256 {
                    repo.large.add(&sha256)?;
                }
            } else if let Some(bucket) = self.hub.buckets.by_id(&owner) {
                bucket.update(|state| state.uploaded.extend(hashes))?;
            }
        }
        Ok(Some(response))
    }

    /// Checks a request that a fault answers, because a refused request must keep the contract too.
    async fn check_refused(&self, body: Body) {
        if xet::is_cas_path(self.path()) {
            return drain(body).await;
        }
        let Ok(bytes) = axum::body::to_bytes(body, 1 << 30).await else { return };
        let streamed = self.is_streamed();
        self.check((!streamed).then_some(&bytes));
        let media = self.parts.headers.get("content-type").map_or(&b""[..], |t| t.as_bytes());
        if streamed && media.starts_with(b"application/x-ndjson") {
            let kind = if routes::is_batch(&self.parts.method, self.path()) {
                LineKind::Batch
            } else {
                LineKind::Commit
            };
            let breaches = self.hub.contract.lines(kind, &bytes);
            breaches.into_iter().for_each(|text| self.entry.violation(text));
        }
    }

    /// Records the breaches of a request; `body` is `None` if it is read as a stream.
    fn check(&self, body: Option<&Bytes>) {
        let (path, headers) = (self.path(), &self.parts.headers);
        if is_viewer(path) {
            // A server of its own, which the contract does not describe.
            return;
        }
        if is_storage(path) {
            // The official client confirms an upload with its token.
            if !path.starts_with("/__lfs/verify/") && headers.contains_key("authorization") {
                self.entry.violation("a Hub token was sent to a storage URL");
            }
            return;
        }
        let (method, query) = (self.parts.method.as_str(), parse_query(self.query()));
        let request = CheckedRequest { method, path, query: &query, headers, body };
        self.hub.contract.request(request).into_iter().for_each(|text| self.entry.violation(text));
    }

    async fn answer(&self, body: Body) -> Response {
        let (bytes, stream) = if self.is_streamed() {
            (Bytes::new(), Some(body))
        } else {
            match axum::body::to_bytes(body, 1 << 30).await {
                Ok(bytes) => (bytes, None),
                Err(error) => return raw(400, "text/plain", error.to_string().into_bytes()),
            }
        };
        self.check(stream.is_none().then_some(&bytes));
        let storage = is_storage(self.path());
        let caller =
            if storage { Ok(Caller::Anonymous) } else { self.hub.accounts.caller(&self.parts.headers) };
        let mut response = match caller {
            Err(error) => error.into_response(),
            Ok(caller) => self.route(caller, bytes, stream).await,
        };
        if !storage {
            response = self.check_own_answer(response).await;
            self.decorate(&mut response);
            not_modified(&self.parts, &mut response);
        }
        response
    }

    async fn route(&self, caller: Caller, body: Bytes, stream: Option<Body>) -> Response {
        if let Some(error) = self.hub.accounts.over_quota(&self.parts.headers, self.path()) {
            return error.into_response();
        }
        let path = self.path();
        let req = Req {
            hub: self.hub.clone(),
            method: self.parts.method.clone(),
            path: path.to_owned(),
            query_text: self.query().to_owned(),
            segs: path.trim_start_matches('/').split('/').map(percent_decode).collect(),
            query: parse_query(self.query()),
            headers: self.parts.headers.clone(),
            caller,
            body,
            stream: Mutex::new(stream),
            entry: self.entry.clone(),
        };
        routes::route(req).await.unwrap_or_else(HubError::into_response)
    }

    /// Compares a JSON response with its schema in the contract.
    async fn check_own_answer(&self, response: Response) -> Response {
        let path = self.path();
        if !self.hub.contract.is_on() || is_viewer(path) {
            return response;
        }
        let media = response.headers().get("content-type").map_or(&b""[..], |t| t.as_bytes());
        // The contract has a schema for the description of a Xet file, but none for a file that contains JSON.
        let download = path.contains("/resolve/") || path.starts_with("/api/resolve-cache/");
        let expected = if download { XET_INFO } else { "application/json" };
        if !media.starts_with(expected.as_bytes()) {
            return response;
        }
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 30).await.unwrap_or_default();
        self.hub.contract.answer(self.parts.method.as_str(), path, parts.status.as_u16(), &bytes);
        Response::from_parts(parts, Body::from(bytes))
    }

    /// Sets the headers of every response of the Hub.
    fn decorate(&self, response: &mut Response) {
        let headers = &self.parts.headers;
        set(response, "x-request-id", &request_id(headers));
        set(response, "x-powered-by", "huggingface-moon");
        set(response, "access-control-expose-headers", EXPOSED);
        set(response, "cross-origin-opener-policy", "same-origin");
        set(response, "referrer-policy", "strict-origin-when-cross-origin");
        set(response, "access-control-allow-origin", given(headers, "origin").unwrap_or(&self.hub.endpoint));
        set(response, "access-control-max-age", "86400");
        if !response.headers().contains_key("vary") {
            set(response, "vary", "Origin");
        }
        let usage = self.hub.accounts.usage(headers, self.path());
        set(response, "ratelimit", &format!("\"{}\";r={};t={}", usage.bucket, usage.left, usage.seconds));
        set(
            response,
            "ratelimit-policy",
            &format!("\"fixed window\";\"{}\";q={};w=300", usage.bucket, usage.quota),
        );
    }
}

/// Returns true for the paths of the storage, where content travels without a token.
fn is_storage(path: &str) -> bool {
    path.starts_with("/__lfs/") || path.starts_with("/__cdn/")
}

/// Turns a response into a 304 if the request has its ETag.
fn not_modified(request: &Parts, response: &mut Response) {
    let fresh =
        request.headers.get("if-none-match").is_some_and(|tag| Some(tag) == response.headers().get("etag"));
    if fresh && response.status() == StatusCode::OK && matches!(request.method, Method::GET | Method::HEAD) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove("content-length");
        *response.body_mut() = Body::empty();
    }
}

const EXPOSED: &str = "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,\
    Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Access-Token,X-Xet-Token-Expiration,X-Xet-Refresh-Route,X-Xet-Cas-Url,X-Xet-Hash";

fn given<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// Returns the caller's request id, or a new one that ends with the caller's trace.
fn request_id(headers: &HeaderMap) -> String {
    let own = format!("Root=1-{:08x}-{}", now_ms() / 1000, unique_hex(24));
    match (given(headers, "x-request-id"), given(headers, "x-amzn-trace-id")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(trace)) => format!("{own};{trace}"),
        (None, None) => own,
    }
}
