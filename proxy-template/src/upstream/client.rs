//! One request to the target, and its answer.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::unconstrained;

use crate::http::activity::Activity;
use crate::http::body::{ClientBodyError, RequestBody};
use crate::upstream::connection::{ConnectionTask, Inner, Lease};
use crate::upstream::io::UpstreamIo;
use crate::upstream::pool::Pool;

/// An answer of the target.
#[derive(Debug)]
pub struct UpstreamResponse {
    /// The head.
    pub head: response::Parts,
    /// The body, which may still arrive.
    pub body: UpstreamBody,
}

/// Cause of a missing answer.
#[derive(Debug)]
pub struct SendError {
    /// The cause.
    pub cause: hyper::Error,
    /// The request, if not a byte of it was sent.
    pub unsent: Option<Request<RequestBody>>,
    /// True if not a byte came back.
    pub silent: bool,
    /// True if the connection had served a request before.
    pub reused: bool,
}

impl SendError {
    /// Returns the fault of the caller, if that is the cause.
    pub fn client_fault(&self) -> Option<ClientBodyError> {
        let mut cause: Option<&(dyn Error + 'static)> = self.cause.source();
        while let Some(error) = cause {
            if let Some(fault) = error.downcast_ref() {
                return Some(*fault);
            }
            cause = error.source();
        }
        None
    }
}

/// Sends a request and waits for the head of its answer. `upload` is the activity of a body that is streamed.
pub async fn send(
    mut lease: Lease,
    request: Request<RequestBody>,
    upload: Option<&Activity>,
    pool: &Arc<Pool>,
) -> Result<UpstreamResponse, SendError> {
    let before = lease.bytes_read();
    let result = {
        let Inner { sender, connection, done, .. } = &mut *lease.inner;
        // Unconstrained, because a task that has used up its budget would not take the answer, and nothing else is sure
        // to wake it.
        let mut answer = pin!(unconstrained(sender.try_send_request(request)));
        poll_fn(|cx| {
            if !*done {
                // The result of the connection is not read here, because the answer returns it.
                *done = connection.poll_without_shutdown(cx).is_ready();
            }
            answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        })
        .await
    };
    let response = match result {
        Ok(response) => response,
        Err(mut error) => {
            return Err(SendError {
                unsent: error.take_message(),
                cause: error.into_error(),
                silent: lease.bytes_read() == before,
                reused: lease.reused,
            });
        }
    };
    let (head, incoming) = response.into_parts();
    let source = if incoming.is_end_stream() {
        BodySource::Driven(lease)
    } else if upload.is_some_and(|upload| !upload.is_finished()) {
        BodySource::OwnTask { _task: ConnectionTask::spawn(lease) }
    } else {
        // Without a waker, because the task asks for the body next and must not be woken before.
        lease.drive_unobserved();
        BodySource::Driven(lease)
    };
    Ok(UpstreamResponse { head, body: UpstreamBody { incoming, source, pool: pool.clone() } })
}

/// Origin of the bytes of a body.
#[derive(Debug)]
enum BodySource {
    /// A connection that is driven when the body is asked for.
    Driven(Lease),
    /// A connection with a task of its own. It serves no further request.
    OwnTask { _task: ConnectionTask },
    /// No connection, because the body has ended.
    Ended,
}

/// The beginning of a body that was not read to its end.
#[derive(Debug)]
pub enum IncompleteBody {
    /// The body is longer than the limit.
    TooLong(Vec<u8>),
    /// The connection ended before the body did.
    BrokenOff(Vec<u8>),
}

/// The body of an answer, with its connection.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    source: BodySource,
    pool: Arc<Pool>,
}

impl UpstreamBody {
    /// Returns the next piece. After the last one the connection goes back to the pool.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let mut incoming = Pin::new(&mut self.incoming);
        let frame = match &mut self.source {
            BodySource::Driven(lease) => {
                let mut unobserved = Context::from_waker(Waker::noop());
                let mut frame = incoming.as_mut().poll_frame(&mut unobserved);
                if frame.is_pending() {
                    // The connection reads only after it was asked, so it is driven and asked again.
                    lease.drive(cx);
                    frame = incoming.poll_frame(&mut unobserved);
                }
                frame
            }
            BodySource::OwnTask { .. } | BodySource::Ended => incoming.poll_frame(cx),
        };
        match &frame {
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => self.release(),
            Poll::Ready(None) => self.release(),
            Poll::Ready(Some(Err(_))) => self.source = BodySource::Ended,
            _ => {}
        }
        frame
    }

    /// Returns true if no further piece comes.
    pub fn is_end(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// Returns the length, if the head names it.
    pub fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    /// Gives the connection back if there is no body to wait for.
    pub fn release_if_empty(&mut self) {
        if self.is_end() {
            self.release();
        }
    }

    /// Reads at most `limit` bytes. A longer body is cut, and its connection closed.
    pub async fn read_some(self, limit: usize) -> Vec<u8> {
        match self.read_whole(limit).await {
            Ok(read) => read,
            Err(IncompleteBody::TooLong(mut read)) => {
                read.truncate(limit);
                read
            }
            Err(IncompleteBody::BrokenOff(read)) => read,
        }
    }

    /// Reads the whole body, if it has at most `limit` bytes. Keeps at most one piece beyond them.
    pub async fn read_whole(mut self, limit: usize) -> Result<Vec<u8>, IncompleteBody> {
        let mut read = vec![];
        loop {
            match poll_fn(|cx| self.poll_frame(cx)).await {
                None => return Ok(read),
                Some(Err(_)) => return Err(IncompleteBody::BrokenOff(read)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        read.extend_from_slice(&data);
                    }
                }
            }
            if read.len() > limit {
                return Err(IncompleteBody::TooLong(read));
            }
        }
    }

    /// Returns the bare connection after a 101, and the bytes that the target has sent on it already.
    pub async fn into_io(self) -> Option<(UpstreamIo, Bytes)> {
        let BodySource::Driven(lease) = self.source else { return None };
        lease.into_io().await
    }

    fn release(&mut self) {
        // A connection whose request is still being sent is not usable, and closes.
        if let BodySource::Driven(mut lease) = std::mem::replace(&mut self.source, BodySource::Ended)
            && lease.is_usable()
        {
            self.pool.keep(lease);
        }
    }
}
