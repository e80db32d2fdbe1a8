//! Bodies of requests: counted, timed, and streamed to the target.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::http::activity::{Activity, IdleTimer};
use crate::http::refusal::{self, Refusal};
use crate::http::request_headers;

/// Fault of a caller in a body. It ends the connection to the target too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientBodyError {
    /// The framing is broken, or the caller left.
    Malformed,
    /// The body is longer than allowed.
    TooLarge,
    /// The caller sent nothing for too long.
    TimedOut,
}

impl ClientBodyError {
    /// Returns the answer to the caller.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Malformed => refusal::BAD_BODY,
            Self::TooLarge => refusal::BODY_TOO_LARGE,
            Self::TimedOut => refusal::BODY_TIMEOUT,
        }
    }
}

impl fmt::Display for ClientBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the caller's body is malformed or incomplete",
            Self::TooLarge => "the caller's body is too large",
            Self::TimedOut => "the caller's body did not arrive in time",
        })
    }
}

impl Error for ClientBodyError {}

/// Body of a request to the target.
#[derive(Debug)]
pub enum RequestBody {
    /// No body.
    Empty,
    /// A body that was read before, so that it can be sent again.
    Buffered(Bytes),
    /// A body that is passed on as it arrives.
    Streaming(Box<ClientBody>),
}

/// Body of a caller, counted and timed.
#[derive(Debug)]
pub struct ClientBody {
    incoming: Incoming,
    left: u64,
    idle: IdleTimer,
    activity: Option<Arc<Activity>>,
}

impl ClientBody {
    /// Allows `limit` bytes, and `idle` between two pieces. Zero is no limit.
    pub fn new(incoming: Incoming, limit: u64, idle: Duration) -> Self {
        let left = if limit == 0 { u64::MAX } else { limit };
        Self { incoming, left, idle: IdleTimer::new(idle), activity: None }
    }

    /// Records each piece, and the end, in `activity`.
    #[must_use]
    pub fn recorded_in(mut self, activity: Arc<Activity>) -> Self {
        self.activity = Some(activity);
        self
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            return if self.idle.has_expired(cx) {
                Poll::Ready(Some(Err(ClientBodyError::TimedOut)))
            } else {
                Poll::Pending
            };
        };
        self.idle.stop();
        if let Some(activity) = &self.activity {
            activity.record();
        }
        let Some(frame) = frame else { return Poll::Ready(None) };
        let frame = frame.map_err(|_| ClientBodyError::Malformed)?;
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                let trailers = frame.into_trailers().ok().map(request_headers::clean_trailers);
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
            }
        };
        let Some(left) = self.left.checked_sub(data.len() as u64) else {
            return Poll::Ready(Some(Err(ClientBodyError::TooLarge)));
        };
        self.left = left;
        Poll::Ready(Some(Ok(Frame::data(data))))
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        if let Some(activity) = &self.activity {
            activity.finish();
        }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = ClientBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        self.get_mut().poll(cx)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = ClientBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
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
