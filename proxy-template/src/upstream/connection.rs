//! One HTTP connection to the target.
//!
//! A connection is driven by the task of the caller whom it serves, not by one of its own. So a request costs no wake-up
//! of another task, and a caller who leaves ends the connection too. Reads from a connection therefore need no waker:
//! bytes can only have arrived while this very task drove it. The one exception is an answer that begins before the
//! request has ended. The caller's task asks for the answer only while the caller reads it, so a caller who sends
//! everything before it reads would wait for ever. Such a connection gets a task of its own.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;

use crate::http::body::RequestBody;
use crate::http::response::MAX_HEADER_BYTES;
use crate::upstream::io::{BUFFER_BYTES, UpstreamIo, Wire};

/// One connection, used by one request at a time.
pub struct Lease {
    /// In a box, because it is moved several times with each request.
    pub(super) inner: Box<Inner>,
    /// True if it has served a request before.
    pub(super) reused: bool,
}

pub(super) struct Inner {
    pub(super) sender: SendRequest<RequestBody>,
    pub(super) connection: Connection<TokioIo<UpstreamIo>, RequestBody>,
    wire: Arc<Wire>,
    /// True if the connection has ended.
    pub(super) done: bool,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("reused", &self.reused).finish_non_exhaustive()
    }
}

impl Lease {
    /// Begins HTTP on a new connection.
    pub(super) async fn start(io: UpstreamIo) -> hyper::Result<Self> {
        let wire = io.wire();
        let (sender, connection) = http1::Builder::new()
            .max_header_size(MAX_HEADER_BYTES)
            .max_buf_size(BUFFER_BYTES)
            .handshake(TokioIo::new(io))
            .await?;
        Ok(Self { inner: Box::new(Inner { sender, connection, wire, done: false }), reused: false })
    }

    /// Lets the connection read and write as much as it can.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.inner.done {
            self.inner.done = self.inner.connection.poll_without_shutdown(cx).is_ready();
        }
    }

    /// The same without a waker, because the task does not wait for the connection.
    pub(super) fn drive_unobserved(&mut self) {
        self.drive(&mut Context::from_waker(Waker::noop()));
    }

    /// Returns true if the next request can be sent, as far as the connection knows.
    pub(super) fn is_usable(&mut self) -> bool {
        self.drive_unobserved();
        !self.inner.done && self.inner.sender.is_ready()
    }

    /// Returns the number of bytes that the target has sent.
    pub(super) fn bytes_read(&self) -> u64 {
        self.inner.wire.read.load(Ordering::Relaxed)
    }

    /// Returns the bare connection after a 101, and the bytes that the target has sent on it already.
    pub(super) async fn into_io(self) -> Option<(UpstreamIo, Bytes)> {
        let mut inner = *self.inner;
        inner.wire.strict.store(true, Ordering::Relaxed);
        if !inner.done {
            poll_fn(|cx| inner.connection.poll_without_shutdown(cx)).await.ok()?;
        }
        let parts = inner.connection.into_parts();
        Some((parts.io.into_inner(), parts.read_buf))
    }
}

/// Task that drives a connection until this value is dropped.
#[derive(Debug)]
pub(super) struct ConnectionTask(AbortHandle);

impl ConnectionTask {
    pub(super) fn spawn(mut lease: Lease) -> Self {
        let driven = async move {
            poll_fn(|cx| {
                lease.drive(cx);
                if lease.inner.done { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        };
        Self(tokio::spawn(driven).abort_handle())
    }
}

impl Drop for ConnectionTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}
