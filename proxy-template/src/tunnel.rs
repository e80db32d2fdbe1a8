//! WebSockets: once both sides have switched, bytes go both ways until both are done.

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

use crate::body::Moved;
use crate::io::{ClientIo, UpstreamIo};

/// For each direction. Frames are mostly small, and a thousand idle tunnels should weigh little.
const BUFFER: usize = 8 * 1024;

/// Joins the caller's connection, once it has switched, with the upstream's. `early` came from the upstream together
/// with its head and goes first. Each side may end its own direction and still receive. It all ends after `idle`
/// without a byte, zero being no limit, or with `cut`.
pub async fn join(
    caller: OnUpgrade,
    upstream: UpstreamIo,
    early: Bytes,
    idle: Duration,
    cut: impl Future<Output = ()>,
) -> io::Result<(u64, u64)> {
    let upgraded = caller.await.map_err(io::Error::other)?;
    let parts = upgraded
        .downcast::<TokioIo<ClientIo>>()
        .map_err(|_| io::Error::other("the connection is of another kind"))?;
    let moved = Moved::new();
    let mut caller = Watched { io: parts.io.into_inner(), moved: moved.clone() };
    let mut upstream = upstream;
    let rest = parts.read_buf;
    let sent = (rest.len() as u64, early.len() as u64);
    let both = async move {
        let (to_caller, to_upstream) = tokio::join!(caller.write_all(&early), upstream.write_all(&rest));
        to_caller?;
        to_upstream?;
        // However little they hold, the whole buffers of the parsers are behind them.
        drop((early, rest));
        upstream.flush().await?;
        tokio::io::copy_bidirectional_with_sizes(&mut caller, &mut upstream, BUFFER, BUFFER).await
    };
    let (up, down) = tokio::select! {
        counts = both => counts?,
        () = moved.stood_still(idle) => return Err(io::ErrorKind::TimedOut.into()),
        () = cut => return Err(io::ErrorKind::ConnectionAborted.into()),
    };
    Ok((up + sent.0, down + sent.1))
}

/// The caller's side, which sees every byte of both directions.
struct Watched {
    io: ClientIo,
    moved: Arc<Moved>,
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = this.io.poll_raw_read(cx, buf);
        if result.is_ready() {
            this.moved.now();
        }
        result
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = this.io.poll_raw_write(cx, buf);
        if result.is_ready() {
            this.moved.now();
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
