//! Bodies in both directions: streams with a measure, an idle timer and an end that is told truly.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::access_log::Record;
use crate::headers;
use crate::io::Phase;
use crate::jobs::Watch;
use crate::refusal::{self, Refusal};
use crate::response::{Guarded, clean_trailers};
use crate::rewrite::Rewriter;
use crate::upstream::Answer;

/// What a caller can do wrong in a body. The upstream's connection ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFault {
    /// The framing is broken, or the caller left.
    Malformed,
    /// It is longer than allowed.
    TooLarge,
    /// Nothing came for too long.
    Silent,
}

impl ClientFault {
    /// Returns the answer to the caller.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Malformed => refusal::BAD_BODY,
            Self::TooLarge => refusal::BODY_TOO_LARGE,
            Self::Silent => refusal::BODY_TIMEOUT,
        }
    }
}

impl fmt::Display for ClientFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the caller's body is malformed or incomplete",
            Self::TooLarge => "the caller's body is too large",
            Self::Silent => "the caller's body did not arrive in time",
        })
    }
}

impl Error for ClientFault {}

/// When something last moved, and whether more can come, for those who watch from elsewhere.
#[derive(Debug)]
pub struct Moved {
    born: Instant,
    /// Milliseconds after `born`.
    last: AtomicU64,
    over: AtomicBool,
}

impl Moved {
    /// As of now.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { born: Instant::now(), last: AtomicU64::new(0), over: AtomicBool::new(false) })
    }

    /// Whether nothing will move any more, since the body that moved is gone.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Something moved.
    pub fn now(&self) {
        let millis = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// When nothing will have moved for `limit`, if nothing moves.
    pub fn deadline(&self, limit: Duration) -> Instant {
        self.born + Duration::from_millis(self.last.load(Ordering::Relaxed)) + limit
    }

    /// Ends when nothing has moved for `limit`; never, if that is zero.
    pub async fn stood_still(&self, limit: Duration) {
        if limit.is_zero() {
            return std::future::pending().await;
        }
        loop {
            let until = self.deadline(limit);
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// A timer that runs while nothing moves. It costs nothing until something has to be waited for.
#[derive(Debug)]
pub struct IdleTimer {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl IdleTimer {
    /// Runs out after `limit`; never, if that is zero.
    pub fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, running: false }
    }

    /// Something moved.
    pub fn moved(&mut self) {
        self.running = false;
    }

    /// Nothing moved: whether that has lasted too long.
    pub fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if self.limit.is_zero() {
            return false;
        }
        let until = Instant::now() + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !self.running {
            self.running = true;
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx).is_ready()
    }
}

/// The body of a request on its way to the upstream.
#[derive(Debug)]
pub enum RequestBody {
    /// There is none.
    Empty,
    /// One that was read before, so that it can be sent again.
    Buffered(Bytes),
    /// One that passes through.
    Streaming(Box<ClientBody>),
}

/// A caller's body, counted and timed.
#[derive(Debug)]
pub struct ClientBody {
    incoming: Incoming,
    left: u64,
    idle: IdleTimer,
    moved: Option<Arc<Moved>>,
}

impl ClientBody {
    /// At most `limit` bytes, zero being no limit, with at most `idle` between two pieces.
    pub fn new(incoming: Incoming, limit: u64, idle: Duration) -> Self {
        let left = if limit == 0 { u64::MAX } else { limit };
        Self { incoming, left, idle: IdleTimer::new(idle), moved: None }
    }

    /// Tells `moved` of every piece.
    pub fn watched(mut self, moved: Arc<Moved>) -> Self {
        self.moved = Some(moved);
        self
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientFault>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            return if self.idle.is_over(cx) {
                Poll::Ready(Some(Err(ClientFault::Silent)))
            } else {
                Poll::Pending
            };
        };
        self.idle.moved();
        if let Some(moved) = &self.moved {
            moved.now();
        }
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = frame.map_err(|_| ClientFault::Malformed)?;
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                let trailers = frame.into_trailers().ok().map(headers::clean_trailers);
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
            }
        };
        let Some(left) = self.left.checked_sub(data.len() as u64) else {
            return Poll::Ready(Some(Err(ClientFault::TooLarge)));
        };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        if let Some(moved) = &self.moved {
            moved.over.store(true, Ordering::Relaxed);
        }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = ClientFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientFault>>> {
        self.get_mut().poll(cx)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = ClientFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientFault>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Buffered(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Buffered(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Streaming(body) => body.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Buffered(bytes) => bytes.is_empty(),
            Self::Streaming(body) => body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Buffered(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Streaming(body) => body.incoming.size_hint(),
        }
    }
}

/// Why an answer broke off. The caller's connection is cut, since a clean end would be a lie.
#[derive(Debug)]
pub enum Broken {
    /// The upstream's connection failed.
    Upstream(hyper::Error),
    /// Nothing came for too long.
    Silent,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(error) => write!(f, "the answer broke off: {error}"),
            Self::Silent => f.write_str("the answer stopped coming"),
        }
    }
}

impl Error for Broken {}

/// The body of an answer on its way to the caller, with all that ends when it ends.
#[derive(Debug)]
pub struct ResponseBody {
    kind: Kind,
    /// The line in the log. Written, and the caller's limits given back, when this goes.
    record: Option<Box<Record>>,
    phase: Arc<Phase>,
}

#[derive(Debug)]
enum Kind {
    /// Nothing, and `Content-Length` may say so.
    Empty,
    /// Nothing, but a length of what a GET would bring.
    Claimed,
    Full(Bytes),
    Stream(Box<Streaming>),
}

#[derive(Debug)]
struct Streaming {
    answer: Answer,
    idle: IdleTimer,
    rewriter: Option<Rewriter>,
    watch: Option<Box<Watch>>,
    guarded: Arc<Guarded>,
    visitor_quota: bool,
    /// Trailers that wait until the rewriter has given its rest.
    trailers: Option<http::HeaderMap>,
    /// What ends the answer, once all before it was flushed.
    broken: Option<Broken>,
    ended: bool,
}

/// How a streamed answer is passed on.
#[derive(Debug)]
pub struct Passing {
    /// Without a byte for so long, it is cut; zero is no limit.
    pub idle: Duration,
    /// What replaces addresses in it.
    pub rewriter: Option<Rewriter>,
    /// The reader that looks for the end of computations.
    pub watch: Option<Box<Watch>>,
    /// What its trailers must not hold.
    pub guarded: Arc<Guarded>,
    /// Whether quota headers may come back.
    pub visitor_quota: bool,
}

impl ResponseBody {
    /// No body. `claimed` keeps a `Content-Length` that describes what is not sent.
    pub fn empty(claimed: bool, phase: Arc<Phase>) -> Self {
        Self { kind: if claimed { Kind::Claimed } else { Kind::Empty }, record: None, phase }
    }

    /// A body of our own.
    pub fn full(bytes: impl Into<Bytes>, phase: Arc<Phase>) -> Self {
        Self { kind: Kind::Full(bytes.into()), record: None, phase }
    }

    /// The upstream's body.
    pub fn stream(answer: Answer, passing: Passing, phase: Arc<Phase>) -> Self {
        let streaming = Streaming {
            answer,
            idle: IdleTimer::new(passing.idle),
            rewriter: passing.rewriter,
            watch: passing.watch,
            guarded: passing.guarded,
            visitor_quota: passing.visitor_quota,
            trailers: None,
            broken: None,
            ended: false,
        };
        Self { kind: Kind::Stream(Box::new(streaming)), record: None, phase }
    }

    /// Lets the log know how it ends.
    pub fn recorded(mut self, record: Option<Box<Record>>) -> Self {
        self.record = record;
        self
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let (Some(record), Kind::Stream(stream)) = (&mut self.record, &self.kind)
            && !stream.ended
        {
            record.cut_short();
        }
        self.phase.idle();
    }
}

impl Streaming {
    /// Comes back for the end: what was written before waits in a buffer that an error would throw away.
    fn break_off(
        &mut self,
        broken: Broken,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.broken = Some(broken);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if let Some(trailers) = self.trailers.take() {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            if let Some(broken) = self.broken.take() {
                return Poll::Ready(Some(Err(broken)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let Poll::Ready(frame) = self.answer.poll_frame(cx) else {
                return if self.idle.is_over(cx) {
                    self.break_off(Broken::Silent, cx)
                } else {
                    Poll::Pending
                };
            };
            self.idle.moved();
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return self.break_off(Broken::Upstream(error), cx),
                None => {
                    self.ended = true;
                    match self.rewriter.as_mut().map(Rewriter::finish) {
                        Some(rest) if !rest.is_empty() => return Poll::Ready(Some(Ok(Frame::data(rest)))),
                        _ => return Poll::Ready(None),
                    }
                }
            };
            if let (Some(watch), Some(data)) = (&mut self.watch, frame.data_ref()) {
                watch.see(data);
            }
            match (frame.into_data(), &mut self.rewriter) {
                (Ok(data), None) => {
                    self.ended = self.answer.is_end();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                (Ok(data), Some(rewriter)) => {
                    let data = rewriter.push(&data);
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                (Err(frame), rewriter) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    self.ended = true;
                    self.trailers = Some(clean_trailers(trailers, &self.guarded, self.visitor_quota));
                    match rewriter.as_mut().map(Rewriter::finish) {
                        Some(rest) if !rest.is_empty() => return Poll::Ready(Some(Ok(Frame::data(rest)))),
                        _ => {}
                    }
                }
            }
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = self.get_mut();
        let frame = match &mut this.kind {
            Kind::Empty | Kind::Claimed => Poll::Ready(None),
            Kind::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Stream(stream) => stream.poll(cx),
        };
        if let (Poll::Ready(Some(Ok(frame))), Some(record)) = (&frame, &mut this.record)
            && let Some(data) = frame.data_ref()
        {
            record.sent(data.len());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            // Not known to be empty, so that the length in the head stays.
            Kind::Claimed => false,
            Kind::Full(bytes) => bytes.is_empty(),
            Kind::Stream(stream) => {
                stream.rewriter.is_none()
                    && stream.trailers.is_none()
                    && (stream.ended || stream.answer.is_end())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Claimed => SizeHint::default(),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(stream) if stream.rewriter.is_some() => SizeHint::default(),
            Kind::Stream(stream) => stream.answer.size_hint(),
        }
    }
}
