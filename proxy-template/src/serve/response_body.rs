//! Bodies of answers: streamed to the caller, with everything that ends when they end.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::http::activity::IdleTimer;
use crate::http::response::clean_trailers;
use crate::http::rewrite::Rewriter;
use crate::http::secret_scan::SecretScanner;
use crate::http::watch::Watch;
use crate::ops::access_log::Record;
use crate::serve::client_io::ConnectionPhase;
use crate::upstream::client::UpstreamBody;

/// Cause of a cut answer. The caller's connection is closed with it, because a normal end would hide that the body is
/// incomplete.
#[derive(Debug)]
pub(crate) enum CutError {
    /// The connection to the target failed.
    Upstream(hyper::Error),
    /// The target sent nothing for too long.
    TimedOut,
}

impl fmt::Display for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(error) => write!(f, "the answer broke off: {error}"),
            Self::TimedOut => f.write_str("the answer stopped coming"),
        }
    }
}

impl Error for CutError {}

/// Body of an answer to the caller.
#[derive(Debug)]
pub(crate) struct ResponseBody {
    kind: BodyKind,
    /// Record of the request. Its drop writes the log line and frees the caller's limits.
    record: Option<Box<Record>>,
    phase: Arc<ConnectionPhase>,
}

#[derive(Debug)]
enum BodyKind {
    /// No body, and `Content-Length` may say so.
    Empty,
    /// No body, with the length of the answer to a GET.
    EmptyWithLength,
    Full(Bytes),
    Stream(Box<Streaming>),
}

#[derive(Debug)]
struct Streaming {
    upstream: UpstreamBody,
    idle: IdleTimer,
    rewriter: Option<Rewriter>,
    watch: Option<Box<Watch>>,
    secrets: Arc<SecretScanner>,
    visitor_quota: bool,
    /// Trailers that wait until the rewriter has returned its rest.
    trailers: Option<HeaderMap>,
    /// The error that ends the answer, once everything before it was flushed.
    error: Option<CutError>,
    ended: bool,
}

/// Treatment of a streamed body.
#[derive(Debug)]
pub(crate) struct StreamOptions {
    /// Longest pause between two pieces; zero is no limit.
    pub idle: Duration,
    /// Replaces addresses.
    pub rewriter: Option<Rewriter>,
    /// Looks for the end of computations.
    pub watch: Option<Box<Watch>>,
    /// Secrets that trailers must not hold.
    pub secrets: Arc<SecretScanner>,
    /// True if quota headers may come back.
    pub visitor_quota: bool,
}

impl ResponseBody {
    /// Makes an empty body.
    pub(crate) fn empty(phase: Arc<ConnectionPhase>) -> Self {
        Self { kind: BodyKind::Empty, record: None, phase }
    }

    /// Makes an empty body that keeps the `Content-Length` of the head.
    pub(crate) fn empty_with_length(phase: Arc<ConnectionPhase>) -> Self {
        Self { kind: BodyKind::EmptyWithLength, record: None, phase }
    }

    /// Makes a body of the proxy's own.
    pub(crate) fn full(bytes: impl Into<Bytes>, phase: Arc<ConnectionPhase>) -> Self {
        Self { kind: BodyKind::Full(bytes.into()), record: None, phase }
    }

    /// Makes a body that is streamed from the target.
    pub(crate) fn stream(
        upstream: UpstreamBody,
        options: StreamOptions,
        phase: Arc<ConnectionPhase>,
    ) -> Self {
        let streaming = Streaming {
            upstream,
            idle: IdleTimer::new(options.idle),
            rewriter: options.rewriter,
            watch: options.watch,
            secrets: options.secrets,
            visitor_quota: options.visitor_quota,
            trailers: None,
            error: None,
            ended: false,
        };
        Self { kind: BodyKind::Stream(Box::new(streaming)), record: None, phase }
    }

    /// Adds the record of the request.
    #[must_use]
    pub(crate) fn recorded_in(mut self, record: Option<Box<Record>>) -> Self {
        self.record = record;
        self
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let (Some(record), BodyKind::Stream(stream)) = (&mut self.record, &self.kind)
            && !stream.ended
        {
            record.cut = true;
        }
        self.phase.set_idle();
    }
}

impl Streaming {
    /// Returns the error with the next poll, because an error now would drop the bytes that wait in the write buffer.
    fn fail_later(
        &mut self,
        error: CutError,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutError>>> {
        self.error = Some(error);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Returns the rest that the rewriter has held back, unless that is empty.
    fn rest(&mut self) -> Option<Frame<Bytes>> {
        let rest = self.rewriter.as_mut()?.finish();
        (!rest.is_empty()).then(|| Frame::data(rest))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutError>>> {
        loop {
            if let Some(trailers) = self.trailers.take() {
                return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
            }
            if let Some(error) = self.error.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let Poll::Ready(frame) = self.upstream.poll_frame(cx) else {
                return if self.idle.has_expired(cx) {
                    self.fail_later(CutError::TimedOut, cx)
                } else {
                    Poll::Pending
                };
            };
            self.idle.stop();
            let frame = match frame {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return self.fail_later(CutError::Upstream(error), cx),
                None => {
                    self.ended = true;
                    return Poll::Ready(self.rest().map(Ok));
                }
            };
            if let (Some(watch), Some(data)) = (&mut self.watch, frame.data_ref()) {
                watch.read(data);
            }
            match (frame.into_data(), &mut self.rewriter) {
                (Ok(data), None) => {
                    self.ended = self.upstream.is_end();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                (Ok(data), Some(rewriter)) => {
                    let data = rewriter.push(&data);
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                (Err(frame), _) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        self.ended = true;
                        self.trailers = Some(clean_trailers(trailers, &self.secrets, self.visitor_quota));
                        if let Some(rest) = self.rest() {
                            return Poll::Ready(Some(Ok(rest)));
                        }
                    }
                }
            }
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = CutError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutError>>> {
        let this = self.get_mut();
        let frame = match &mut this.kind {
            BodyKind::Empty | BodyKind::EmptyWithLength => Poll::Ready(None),
            BodyKind::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            BodyKind::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            BodyKind::Stream(stream) => stream.poll(cx),
        };
        if let (Poll::Ready(Some(Ok(frame))), Some(record)) = (&frame, &mut this.record)
            && let Some(data) = frame.data_ref()
        {
            record.bytes += data.len() as u64;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            BodyKind::Empty => true,
            // False, so that the length in the head stays.
            BodyKind::EmptyWithLength => false,
            BodyKind::Full(bytes) => bytes.is_empty(),
            BodyKind::Stream(stream) => {
                stream.rewriter.is_none()
                    && stream.trailers.is_none()
                    && (stream.ended || stream.upstream.is_end())
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            BodyKind::Empty => SizeHint::with_exact(0),
            BodyKind::EmptyWithLength => SizeHint::default(),
            BodyKind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            BodyKind::Stream(stream) if stream.rewriter.is_some() => SizeHint::default(),
            BodyKind::Stream(stream) => stream.upstream.size_hint(),
        }
    }
}
