//! WebSockets. Once both sides have switched, bytes go both ways until both sides have ended.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::http::activity::Activity;
use crate::serve::client_io::ClientIo;
use crate::upstream::io::UpstreamIo;

/// Buffer of each direction. Small, because frames are mostly small, and a thousand idle tunnels should take little
/// memory.
const BUFFER_BYTES: usize = 8 * 1024;

/// Joins the caller's connection, once it has switched, with the target's. Returns the number of bytes that went to the
/// caller. `early` came from the target together with its head and is sent first. Each side may end its own direction and
/// still receive. Everything ends with `cut`, or after `idle` without a byte; zero is no limit.
pub(crate) async fn join(
    caller: OnUpgrade,
    mut upstream: UpstreamIo,
    early: Bytes,
    idle: Duration,
    cut: impl Future<Output = ()>,
) -> io::Result<u64> {
    let upgraded = caller.await.map_err(io::Error::other)?;
    let parts = upgraded
        .downcast::<TokioIo<ClientIo>>()
        .map_err(|_| io::Error::other("the connection is of another kind"))?;
    let activity = Activity::new();
    let mut caller = RecordedIo { io: parts.io.into_inner(), activity: activity.clone() };
    let rest = parts.read_buf;
    let early_bytes = early.len() as u64;
    let both = async move {
        let (to_caller, to_upstream) = tokio::join!(caller.write_all(&early), upstream.write_all(&rest));
        to_caller?;
        to_upstream?;
        // Dropped, because even a few bytes keep the whole buffers of the parsers.
        drop((early, rest));
        upstream.flush().await?;
        tokio::io::copy_bidirectional_with_sizes(&mut caller, &mut upstream, BUFFER_BYTES, BUFFER_BYTES).await
    };
    let (_, down) = tokio::select! {
        counts = both => counts?,
        () = activity.silence(idle) => return Err(io::ErrorKind::TimedOut.into()),
        () = cut => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    Ok(down + early_bytes)
}

/// The caller's side, which records the bytes of both directions.
struct RecordedIo {
    io: ClientIo,
    activity: Arc<Activity>,
}

impl AsyncRead for RecordedIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = this.io.poll_raw_read(cx, buf);
        if result.is_ready() {
            this.activity.record();
        }
        result
    }
}

impl AsyncWrite for RecordedIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = this.io.poll_raw_write(cx, buf);
        if result.is_ready() {
            this.activity.record();
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io.poll_half_close(cx)
    }
}
