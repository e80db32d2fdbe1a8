//! One request, from its head to the end of its answer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, ORIGIN, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode, request, response};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use tokio::sync::watch;

use crate::access_log::Record;
use crate::body::{ClientBody, ClientFault, Moved, Passing, RequestBody, ResponseBody};
use crate::cors::{Caller, CorsPolicy};
use crate::credentials::bearer;
use crate::gradio::{self, App, Stream};
use crate::io::Phase;
use crate::jobs::Watch;
use crate::limits::{Full, Kind};
use crate::metrics::add;
use crate::pages::Form;
use crate::paths::{self, Verdict};
use crate::proxy::Proxy;
use crate::refusal::{self, Refusal};
use crate::request::{self as rules, Sound, X_PROXY_KEY, X_REQUEST_ID};
use crate::response::{self as answers, BodyPlan, media_type};
use crate::rewrite::Rewriter;
use crate::upstream::{Answer, ConnectError, Pool, SendError};
use crate::within::within;
use crate::{own, pages, tunnel};

/// Bodies up to here are read before they are sent, so that they can be sent again to an app that slept.
const BUFFERED: u64 = 64 * 1024;
/// The platform's page about a broken app is short.
const EDGE_PAGE: usize = 4 * 1024;
/// And comes at once.
const EDGE_PAGE_TIMEOUT: Duration = Duration::from_secs(2);
/// What it says of an app that will not start by itself.
const IN_ERROR: &[u8] = b"space is in error";

/// The connection that a request came on.
#[derive(Debug)]
pub struct Conn {
    /// Who is at its other end.
    pub peer: IpAddr,
    /// What it is doing.
    pub phase: Arc<Phase>,
    /// Whether it was made while the process drains.
    pub late: bool,
    /// True when running tunnels are to end.
    pub cut: watch::Receiver<bool>,
    /// The connections to the target that belong to the same thread.
    pub pool: Arc<Pool>,
    /// Counts the connection as long as anything of it lives.
    pub guard: crate::server::ConnGuard,
}

/// A request and those it concerns.
struct Visit<'a> {
    proxy: &'a Arc<Proxy>,
    conn: &'a Arc<Conn>,
    parts: &'a request::Parts,
    id: &'a HeaderValue,
    caller: Caller,
    /// True when the app sees its own host only: it may compare where the request comes from with where it went.
    one_host: bool,
}

/// The body of a request that is about to be sent.
enum Outgoing {
    Empty,
    Buffered(Bytes),
    Streaming(Option<Incoming>),
}

/// Answers a request. It cannot fail: what goes wrong is an answer too.
pub async fn handle(
    proxy: Arc<Proxy>,
    conn: Arc<Conn>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    conn.phase.busy();
    let (mut parts, body) = request.into_parts();
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let id = proxy.next_id();
    let mut record = Some(Box::new(Record {
        logger: proxy.logger.clone(),
        metrics: proxy.metrics.clone(),
        start: Instant::now(),
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        client: conn.peer,
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
    let mut visit =
        Visit { proxy: &proxy, conn: &conn, parts: &parts, id: &id, caller: Caller::NoPage, one_host: false };
    let response = match visit.answer(body, upgrade, &mut record).await {
        Ok(response) => response,
        Err(refusal) => visit.refuse(&refusal, record.as_deref_mut()),
    };
    if let Some(record) = &mut record {
        record.status = response.status().as_u16();
    }
    Ok(response.map(|body| body.recorded(record)))
}

impl Visit<'_> {
    /// Returns true when the app's address is replaced in the answer: where `X-Forwarded-Host` is lost or left out, and where the
    /// app may write down the address of an earlier request.
    fn rewrites(&self) -> bool {
        self.proxy.board.rewrites() || self.one_host || gradio::keeps_an_address(self.parts.uri.path())
    }

    async fn answer(
        &mut self,
        body: Incoming,
        upgrade: Option<OnUpgrade>,
        record: &mut Option<Box<Record>>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let (proxy, parts) = (self.proxy, self.parts);
        if own::is_own(parts.uri.path()) {
            let made = own::answer(proxy, &parts.method, parts.uri.path(), &parts.headers, self.id)?;
            return Ok(self.own(made));
        }
        if self.conn.late {
            return Err(refusal::DRAINING);
        }
        let sound = match rules::check(parts, &proxy.config, self.conn.peer) {
            Err(refusal::WRONG_HOST) if self.is_probe() => return Ok(self.own(own::ready(proxy, self.id))),
            sound => sound?,
        };
        let caller = proxy.config.cors.caller(&parts.headers, sound.scheme, &sound.public.host);
        self.caller = caller;
        self.one_host = self.has_one_host(&sound);
        if let Some(record) = record {
            record.client = sound.client_ip;
        }
        if CorsPolicy::is_preflight(&parts.method, &parts.headers) {
            let mut head = proxy.config.cors.preflight(caller, &parts.headers);
            head.headers.insert(X_REQUEST_ID.clone(), self.id.clone());
            let body = ResponseBody::empty(false, self.conn.phase.clone());
            return Ok(Response::from_parts(head, body));
        }
        self.admit(&sound, record.as_deref_mut())?;
        if parts.method == Method::OPTIONS && rules::max_forwards(&parts.headers) == Some(0) {
            return Ok(self.own(pages::options(self.id, &proxy.config.methods_header)));
        }
        self.pass(&sound, body, upgrade, record).await
    }

    /// Whether this is the platform, asking from inside whether anything listens: names of Spaces are no addresses.
    fn is_probe(&self) -> bool {
        let host = rules::host(self.parts).unwrap_or_default();
        let by_address = crate::target::host_of(host).parse::<IpAddr>().is_ok();
        by_address && matches!(self.parts.method, Method::GET | Method::HEAD) && self.parts.uri.path() == "/"
    }

    /// Gradio compares nothing, and makes the addresses of its files of `X-Forwarded-Host`.
    fn has_one_host(&self, sound: &Sound<'_>) -> bool {
        rules::may_be_compared(self.parts, sound, self.caller)
            && self.proxy.board.app() != App::Gradio
            && !gradio::is_route(self.parts.uri.path())
    }

    /// Returns the kind by which the request is counted.
    fn kind(&self, app: App) -> Kind {
        let path = self.parts.uri.path();
        match self.parts.method {
            Method::POST if gradio::computes(path, app) => Kind::Compute,
            Method::GET | Method::HEAD if paths::is_file(path) => Kind::File,
            _ => Kind::Other,
        }
    }

    /// Everything that can speak against a sound request.
    fn admit(&self, sound: &Sound<'_>, record: Option<&mut Record>) -> Result<(), Refusal> {
        let (proxy, parts, path) = (self.proxy, self.parts, self.parts.uri.path());
        let (config, app) = (&proxy.config, proxy.board.app());
        if !config.methods.contains(&parts.method) {
            return Err(refusal::METHOD_REFUSED);
        }
        let kind = self.kind(app);
        let now = record.as_ref().map_or_else(Instant::now, |record| record.start);
        proxy
            .limits
            .request(sound.client_ip, kind, now)
            .map_err(|wait| refusal::RATE_LIMITED.retry_in(wait))?;
        if let Some(key) = &config.api_key {
            let named = parts.headers.get(&X_PROXY_KEY).map(HeaderValue::as_bytes);
            let borne = parts.headers.get(http::header::AUTHORIZATION).and_then(bearer);
            if ![named, borne].into_iter().flatten().any(|presented| key.matches(presented)) {
                return Err(refusal::KEY_REQUIRED);
            }
        }
        if config.cors.refuses(self.caller, &parts.method, sound.tunnel) {
            return Err(refusal::ORIGIN_REFUSED);
        }
        match config.paths.judge(&parts.method, path, app, |page| proxy.board.has_page(page)) {
            Verdict::Open => {}
            Verdict::TooEarly => return Err(refusal::UPSTREAM_STARTING),
            Verdict::Closed => return Err(refusal::PATH_REFUSED),
        }
        // Only with a request that reaches the app: those that are refused do not keep it awake.
        if proxy.board.is_old(now, config.timeouts.selfcheck.renew) {
            proxy.doubt.notify_one();
        }
        if let Some(record) = record {
            let permit = self.proxy.limits.enter(sound.client_ip).map_err(|full| match full {
                Full::All => refusal::OVERLOADED,
                Full::Share => refusal::TOO_MANY_STREAMS,
            })?;
            record.in_flight = Some(permit);
            if sound.tunnel {
                let permit = self.proxy.limits.stream(sound.client_ip);
                record.stream = Some(permit.ok_or(refusal::TOO_MANY_STREAMS)?);
            }
            let jobs = &proxy.limits.jobs;
            if kind == Kind::Compute && jobs.are_counted() {
                let job = jobs.begin(sound.client_ip, now);
                record.job = Some(job.ok_or(refusal::TOO_MANY_COMPUTATIONS)?);
            }
        }
        match body_length(parts) {
            Some(length) if config.caps.body > 0 && length > config.caps.body => Err(refusal::BODY_TOO_LARGE),
            _ => Ok(()),
        }
    }

    /// Sends the request, waits for an app that sleeps, and passes the answer on.
    async fn pass(
        &self,
        sound: &Sound<'_>,
        body: Incoming,
        upgrade: Option<OnUpgrade>,
        record: &mut Option<Box<Record>>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let timeouts = &self.proxy.config.timeouts;
        let mut outgoing = self.take_body(body).await?;
        let give_up = Instant::now() + timeouts.hold;
        let mut held = false;
        loop {
            let (head, answer) = self.send(sound, &mut outgoing, record.as_deref_mut()).await?;
            match self.edge_says(&head) {
                None => return self.finish(sound, head, answer, upgrade, record).await,
                Some(EdgeSays::No(refusal)) => return Err(refusal),
                Some(EdgeSays::NotNow) => {}
            }
            let page = Box::pin(tokio::time::timeout(EDGE_PAGE_TIMEOUT, answer.read_some(EDGE_PAGE))).await;
            if page.is_ok_and(|page| memchr::memmem::find(&page, IN_ERROR).is_some()) {
                return Err(refusal::UPSTREAM_IN_ERROR);
            }
            let soon = Instant::now() + timeouts.hold_interval < give_up;
            if !soon || !self.may_wait(&outgoing, head.status) {
                return Err(refusal::UPSTREAM_STARTING);
            }
            if !std::mem::replace(&mut held, true) {
                add(&self.proxy.metrics.held, 1);
            }
            Box::pin(tokio::time::sleep(timeouts.hold_interval)).await;
        }
    }

    /// Whether the request can be held and sent again. People get a page at once. What could land twice is sent again
    /// only when the edge says that there was no app to land in: a 502 or 504 may come from one that was at work.
    fn may_wait(&self, outgoing: &Outgoing, status: StatusCode) -> bool {
        let whole = !matches!(outgoing, Outgoing::Streaming(_));
        let safe = self.parts.method.is_idempotent() || status == StatusCode::SERVICE_UNAVAILABLE;
        let draining = self.proxy.draining.load(Ordering::Relaxed);
        let person = Form::wanted(&self.parts.method, &self.parts.headers) == Form::Page;
        whole && safe && !draining && !person
    }

    /// Reads a small body at once, so that it can be sent again; leaves a large one to stream. The former has a time to be
    /// complete in, since nothing of it moves on before.
    async fn take_body(&self, body: Incoming) -> Result<Outgoing, Refusal> {
        if body.is_end_stream() {
            return Ok(Outgoing::Empty);
        }
        if body_length(self.parts).is_none_or(|length| length > BUFFERED) {
            return Ok(Outgoing::Streaming(Some(body)));
        }
        let timeouts = &self.proxy.config.timeouts;
        let mut body = ClientBody::new(body, BUFFERED, timeouts.body_idle);
        let read = async {
            let mut read = BytesMut::new();
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame.map_err(ClientFault::refusal)?.into_data() {
                    read.extend_from_slice(&data);
                }
            }
            Ok(Outgoing::Buffered(read.freeze()))
        };
        within(timeouts.small_body, None, read).await.unwrap_or(Err(refusal::BODY_TIMEOUT))
    }

    /// Sends the request once; a second time only if the first died on a kept connection before a byte came back, and
    /// either nothing of it was sent, or it may be sent twice (RFC 9110, section 9.2.2) and has no body.
    async fn send(
        &self,
        sound: &Sound<'_>,
        outgoing: &mut Outgoing,
        mut record: Option<&mut Record>,
    ) -> Result<(response::Parts, Answer), Refusal> {
        let (proxy, mut fresh, mut unsent) = (self.proxy, false, None);
        let moved = matches!(outgoing, Outgoing::Streaming(_)).then(Moved::new);
        loop {
            let request = match unsent.take() {
                Some(request) => request,
                None => self.request(sound, outgoing, moved.as_ref())?,
            };
            let lease = self.conn.pool.lease(fresh).await.map_err(|error| self.unconnected(&error))?;
            if let Some(record) = &mut record {
                record.tries += 1;
            }
            let sent = within(
                proxy.config.timeouts.response,
                moved.as_deref(),
                lease.send(request, moved.as_deref(), &self.conn.pool),
            );
            let error = match sent.await.ok_or(refusal::UPSTREAM_TIMEOUT)? {
                Ok(answered) => return Ok(answered),
                Err(error) => error,
            };
            if let Some(fault) = error.client_fault() {
                return Err(fault.refusal());
            }
            let twice = self.parts.method.is_idempotent() && matches!(outgoing, Outgoing::Empty);
            if fresh || !error.reused || !(error.unsent.is_some() || (error.silent && twice)) {
                return Err(self.unanswered(&error));
            }
            add(&proxy.metrics.retries, 1);
            (fresh, unsent) = (true, error.unsent);
        }
    }

    fn request(
        &self,
        sound: &Sound<'_>,
        outgoing: &mut Outgoing,
        moved: Option<&Arc<Moved>>,
    ) -> Result<Request<RequestBody>, Refusal> {
        let config = &self.proxy.config;
        let body = match outgoing {
            Outgoing::Empty => RequestBody::Empty,
            Outgoing::Buffered(bytes) => RequestBody::Buffered(bytes.clone()),
            Outgoing::Streaming(body) => {
                // It is taken once: whoever asks again has the request itself.
                let body = body.take().ok_or(refusal::UPSTREAM_CLOSED)?;
                let body = ClientBody::new(body, config.caps.body, config.timeouts.body_idle);
                let body = match moved {
                    Some(moved) => body.watched(moved.clone()),
                    None => body,
                };
                RequestBody::Streaming(Box::new(body))
            }
        };
        let passage = rules::Passage {
            target: &config.target,
            credential: self.proxy.credential(),
            pass_authorization: config.pass_authorization,
            api_key: config.api_key.as_ref(),
            visitor_quota: config.visitor_quota,
            caller: self.caller,
            one_host: self.one_host,
            via: &self.proxy.via,
            request_id: self.id,
            identity: self.rewrites() || self.is_watched(),
            chunked: body.size_hint().exact().is_none(),
        };
        let head = rules::upstream_head(self.parts, sound, &passage)?;
        Ok(Request::from_parts(head, body))
    }

    /// What an answer means that comes from the edge and not from the app: it alone marks the app's.
    fn edge_says(&self, head: &response::Parts) -> Option<EdgeSays> {
        if head.headers.contains_key("x-proxied-host") {
            self.proxy.saw_edge();
            return None;
        }
        if head.status.is_success() || !self.proxy.behind_edge() {
            return None;
        }
        match head.status.as_u16() {
            // Never passed on as such: a visitor would think that the page is missing, or log in.
            401 | 404 => {
                self.proxy.logger.event("error", "the target does not accept TARGET_TOKEN");
                self.proxy.doubt.notify_one();
                Some(EdgeSays::No(refusal::UPSTREAM_AUTH))
            }
            429 => {
                let wait = head.headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
                let refusal = Refusal {
                    retry_after: wait.or(refusal::UPSTREAM_BUSY.retry_after),
                    ..refusal::UPSTREAM_BUSY
                };
                Some(EdgeSays::No(refusal))
            }
            502..=504 => {
                // Another app may come back.
                self.proxy.doubt.notify_one();
                Some(EdgeSays::NotNow)
            }
            _ => None,
        }
    }

    /// Makes the caller's answer from the upstream's.
    async fn finish(
        &self,
        sound: &Sound<'_>,
        head: response::Parts,
        mut answer: Answer,
        upgrade: Option<OnUpgrade>,
        record: &mut Option<Box<Record>>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let (proxy, config) = (self.proxy, &self.proxy.config);
        let passage = answers::Passage {
            method: &self.parts.method,
            target: &config.target,
            public_scheme: sound.scheme,
            public_host: &sound.public.host,
            guarded: &proxy.guarded,
            trailers: sound.trailers,
            visitor_quota: config.visitor_quota,
            rewrite: self.rewrites(),
        };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            let upgrade = upgrade.filter(|_| sound.tunnel).ok_or(refusal::UPSTREAM_INVALID)?;
            let head = answers::switching_head(head, &passage)?;
            // Boxed, like all that is seldom run, to keep small what is moved with every request.
            return Box::pin(self.tunnel(head, answer, upgrade, record.take())).await;
        }
        let (mut head, plan) = answers::client_head(head, &passage)?;
        if plan != BodyPlan::None && is_event_stream(&head) {
            let permit = proxy.limits.stream(sound.client_ip).ok_or(refusal::TOO_MANY_STREAMS)?;
            if let Some(record) = record {
                record.stream = Some(permit);
            }
        }
        self.sign(&mut head);
        let phase = self.conn.phase.clone();
        if answer.is_end() || plan == BodyPlan::None {
            answer.release_if_empty();
            let claimed = plan == BodyPlan::None && head.headers.contains_key(CONTENT_LENGTH);
            return Ok(Response::from_parts(head, ResponseBody::empty(claimed, phase)));
        }
        let rewriter = (plan == BodyPlan::Rewrite)
            .then(|| Rewriter::new(&config.target, sound.scheme, &sound.public.host));
        let passing = Passing {
            idle: config.timeouts.body_idle,
            rewriter,
            watch: self.watch(sound, &head, record.as_deref_mut()),
            guarded: proxy.guarded.clone(),
            visitor_quota: config.visitor_quota,
        };
        Ok(Response::from_parts(head, ResponseBody::stream(answer, passing, phase)))
    }

    /// Returns true when the answer is read for events. The app must not compress it then.
    fn is_watched(&self) -> bool {
        let path = self.parts.uri.path();
        self.proxy.limits.jobs.are_counted()
            && match self.parts.method {
                Method::POST => gradio::names_event(path),
                Method::GET => Stream::at(path).is_some(),
                _ => false,
            }
    }

    /// Returns the reader of the answer for the computations of a Gradio app that begin and end with it.
    fn watch(
        &self,
        sound: &Sound<'_>,
        head: &response::Parts,
        record: Option<&mut Record>,
    ) -> Option<Box<Watch>> {
        let (jobs, path) = (&self.proxy.limits.jobs, self.parts.uri.path());
        if !self.is_watched() {
            return None;
        }
        if self.parts.method == Method::POST {
            let job = record.filter(|_| head.status.is_success())?.job.take()?;
            return Some(Box::new(Watch::call(job)));
        }
        let stream = Some(head).filter(|head| is_event_stream(head)).and_then(|_| Stream::at(path))?;
        let event = match stream {
            Stream::Session => None,
            Stream::Event(id) => Some(id),
        };
        Some(Box::new(Watch::events(jobs.clone(), sound.client_ip, event)))
    }

    /// Switches, and joins the two connections in a task of its own.
    async fn tunnel(
        &self,
        mut head: response::Parts,
        answer: Answer,
        upgrade: OnUpgrade,
        record: Option<Box<Record>>,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let (io, early) = answer.into_io().await.ok_or(refusal::UPSTREAM_INVALID)?;
        head.headers.insert(X_REQUEST_ID.clone(), self.id.clone());
        add(&self.proxy.metrics.tunnels, 1);
        let (conn, idle) = (self.conn.clone(), self.proxy.config.timeouts.websocket_idle);
        tokio::spawn(async move {
            let mut cut = conn.cut.clone();
            let cut = async move {
                // A server that is gone cuts nothing.
                if cut.wait_for(|cut| *cut).await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let mut record = record;
            let result = tunnel::join(upgrade, io, early, idle, cut).await;
            if let Some(record) = &mut record {
                record.status = 101;
                match result {
                    Ok((_, down)) => record.bytes = down,
                    Err(_) => record.cut_short(),
                }
            }
        });
        Ok(Response::from_parts(head, ResponseBody::empty(false, self.conn.phase.clone())))
    }

    /// What every answer to a page has: our word on CORS, and the id.
    fn sign(&self, head: &mut response::Parts) {
        let origin = self.parts.headers.get(ORIGIN);
        self.proxy.config.cors.decorate(self.caller, origin, &mut head.headers);
        head.headers.insert(X_REQUEST_ID.clone(), self.id.clone());
    }

    fn refuse(&mut self, refusal: &Refusal, record: Option<&mut Record>) -> Response<ResponseBody> {
        self.proxy.metrics.refused(refusal);
        if self.caller == Caller::NoPage {
            // Refused before the host was known: a page that may read is to read this too.
            self.caller = self.proxy.config.cors.stranger(&self.parts.headers);
        }
        if let Some(record) = record {
            record.code = refusal.code;
        }
        let form = Form::wanted(&self.parts.method, &self.parts.headers);
        let own = own::is_own(self.parts.uri.path());
        let methods = if own { &own::METHODS } else { &self.proxy.config.methods_header };
        self.own(pages::refusal(refusal, self.id, methods, form))
    }

    fn own(&self, (mut head, body): (response::Parts, String)) -> Response<ResponseBody> {
        self.sign(&mut head);
        Response::from_parts(head, ResponseBody::full(body, self.conn.phase.clone()))
    }

    fn unconnected(&self, error: &ConnectError) -> Refusal {
        self.proxy.logger.event("warn", &format!("no connection to the target: {error}"));
        match error {
            ConnectError::Failed(_) => refusal::UPSTREAM_UNREACHABLE,
            ConnectError::TimedOut => refusal::CONNECT_TIMEOUT,
        }
    }

    fn unanswered(&self, error: &SendError) -> Refusal {
        self.proxy.logger.event("warn", &format!("no answer from the target: {}", error.cause));
        if error.cause.is_parse() || error.cause.is_parse_too_large() {
            return refusal::UPSTREAM_INVALID;
        }
        refusal::UPSTREAM_CLOSED
    }
}

/// What the edge answers in the app's place.
enum EdgeSays {
    /// It will not change by waiting.
    No(Refusal),
    /// The app sleeps, starts or is broken.
    NotNow,
}

fn body_length(parts: &request::Parts) -> Option<u64> {
    parts.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_event_stream(head: &response::Parts) -> bool {
    media_type(&head.headers).is_some_and(|kind| kind.eq_ignore_ascii_case("text/event-stream"))
}
