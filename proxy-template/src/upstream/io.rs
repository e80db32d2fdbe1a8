//! Input and output of a connection to the target.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// Limit of one read, and of a write queue that still takes more. Large enough that a read is worth its call, small
/// enough that many callers who do not read cannot fill the memory. While one side does not read, a request holds about
/// four such buffers: two in the queue, one that follows, and one being read. A piece keeps all of the buffer that it
/// lies in, but after two short reads the next buffer is half as large.
pub(crate) const BUFFER_BYTES: usize = 256 * 1024;

/// State of a connection to the target, shared with its user.
#[derive(Debug, Default)]
pub struct Wire {
    /// Bytes read so far.
    pub read: AtomicU64,
    /// True if errors of writing are returned.
    pub strict: AtomicBool,
}

/// A connection to the target.
#[derive(Debug)]
pub struct UpstreamIo {
    stream: Stream,
    wire: Arc<Wire>,
    /// True if the target takes no more bytes. Its answer may say why.
    write_closed: bool,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl UpstreamIo {
    /// Wraps a connection in the clear.
    pub fn plain(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), wire: Arc::default(), write_closed: false }
    }

    /// Wraps a TLS connection.
    pub fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), wire: Arc::default(), write_closed: false }
    }

    /// Returns the shared state.
    pub fn wire(&self) -> Arc<Wire> {
        self.wire.clone()
    }

    /// Counts bytes that cannot be written as written. A target that closes during an upload has often answered before,
    /// with 413 for example, and the answer must still be read.
    fn ignore_closed_write(
        &mut self,
        result: Poll<io::Result<usize>>,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Err(error))
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
                    && !self.wire.strict.load(Ordering::Relaxed) =>
            {
                self.write_closed = true;
                Poll::Ready(Ok(len))
            }
            other => other,
        }
    }
}

impl AsyncRead for UpstreamIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let result = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let read = buf.filled().len() - before;
        if read > 0 {
            this.wire.read.fetch_add(read as u64, Ordering::Relaxed);
        }
        result
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.write_closed {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        this.ignore_closed_write(result, buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let len = bufs.iter().map(|buf| buf.len()).sum();
        if this.write_closed {
            return Poll::Ready(Ok(len));
        }
        let result = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        this.ignore_closed_write(result, len)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.write_closed {
            return Poll::Ready(Ok(()));
        }
        let result = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        this.ignore_closed_write(result.map_ok(|()| 0), 0).map_ok(drop)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
