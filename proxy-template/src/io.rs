//! The two kinds of connections, with the timers and habits that HTTP needs and TCP does not have.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_rustls::client::TlsStream;

/// After the last answer, what a caller still sends is read and thrown away for so long, so that the close does not
/// destroy the answer on its way (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
/// And at most so much of it.
const LINGER_BYTES: usize = 8 << 20;

/// What a caller's connection is doing, told by the one who answers requests.
#[derive(Debug)]
pub struct Phase {
    now: AtomicU8,
    /// Milliseconds after `born` at which it began.
    since: AtomicU64,
    born: Instant,
}

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;

impl Phase {
    /// The head is read; now an answer is being made.
    pub fn busy(&self) {
        self.now.store(BUSY, Ordering::Relaxed);
    }

    /// The answer has been made, and the next request may come.
    pub fn idle(&self) {
        self.enter(IDLE);
    }

    fn enter(&self, phase: u8) {
        let since = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(since, Ordering::Relaxed);
        self.now.store(phase, Ordering::Relaxed);
    }

    fn since(&self) -> Instant {
        self.born + Duration::from_millis(self.since.load(Ordering::Relaxed))
    }
}

/// The timers of a caller's connection.
#[derive(Debug, Clone, Copy)]
pub struct ClientTimers {
    /// From the first byte of a head to its end.
    pub header_read: Duration,
    /// Between two requests.
    pub keep_alive: Duration,
    /// How long a caller may refuse to read; zero is no limit.
    pub write: Duration,
}

/// A caller's connection. The parser has one timer for the wait between requests and for a slow head; here they are
/// two. One sleep serves all of them: it is armed for the earliest that could run out, and looks again when it fires.
#[derive(Debug)]
pub struct ClientIo {
    stream: TcpStream,
    phase: Arc<Phase>,
    timers: ClientTimers,
    sleep: Pin<Box<Sleep>>,
    /// Since when a write waits for the caller to read.
    stuck_since: Option<Instant>,
    /// The end of the time in which leftovers are read, once the answer side is closed.
    linger_until: Option<Instant>,
    lingered: usize,
}

impl ClientIo {
    /// Wraps a fresh connection, and gives the handle by which it is told what it does.
    pub fn new(stream: TcpStream, timers: ClientTimers) -> (Self, Arc<Phase>) {
        let born = Instant::now();
        // A connection on which nothing comes is a slow head.
        let phase = Arc::new(Phase { now: AtomicU8::new(HEAD), since: AtomicU64::new(0), born });
        let sleep = Box::pin(tokio::time::sleep_until(born + timers.header_read));
        let io = Self {
            stream,
            phase: phase.clone(),
            timers,
            sleep,
            stuck_since: None,
            linger_until: None,
            lingered: 0,
        };
        (io, phase)
    }

    /// When the connection is given up, as things stand.
    fn deadline(&self) -> Option<Instant> {
        if let Some(stuck) = self.stuck_since.filter(|_| !self.timers.write.is_zero()) {
            return Some(stuck + self.timers.write);
        }
        match self.phase.now.load(Ordering::Relaxed) {
            IDLE => Some(self.phase.since() + self.timers.keep_alive),
            HEAD => Some(self.phase.since() + self.timers.header_read),
            _ => None,
        }
    }

    /// Fails when the deadline has passed; arms the sleep otherwise.
    fn check_timers(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let deadline = self.deadline();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // The shortest timer that could begin while this sleep runs must not run out unseen.
            let mut next = self.timers.header_read.min(self.timers.keep_alive);
            if !self.timers.write.is_zero() {
                next = next.min(self.timers.write);
            }
            let next = now + next.max(Duration::from_millis(1));
            self.sleep.as_mut().reset(deadline.map_or(next, |deadline| deadline.min(next)));
        }
        Ok(())
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Pending => {
                this.check_timers(cx)?;
                Poll::Pending
            }
            ready => {
                if buf.filled().len() > before && this.phase.now.load(Ordering::Relaxed) == IDLE {
                    this.phase.enter(HEAD);
                }
                // A head that trickles in is always ready, and still late.
                if this.phase.now.load(Ordering::Relaxed) == HEAD {
                    this.check_timers(cx)?;
                }
                ready
            }
        }
    }
}

/// What a tunnel uses: it has timers of its own, and two directions that end apart.
impl ClientIo {
    /// Reads, without the timers of HTTP.
    pub fn poll_raw_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    /// Writes, without the timers of HTTP.
    pub fn poll_raw_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    /// Ends our direction only.
    pub fn poll_half_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_pending() {
            self.stuck_since.get_or_insert_with(Instant::now);
            self.check_timers(cx)?;
        } else {
            self.stuck_since = None;
        }
        result
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    /// Ends our side, then reads what is left of the caller's.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger_until.is_none() {
            if Pin::new(&mut this.stream).poll_shutdown(cx)?.is_pending() {
                return Poll::Pending;
            }
            let until = Instant::now() + LINGER;
            this.linger_until = Some(until);
            this.sleep.as_mut().reset(until);
        }
        let mut scratch = [std::mem::MaybeUninit::<u8>::uninit(); 8192];
        loop {
            let mut buf = ReadBuf::uninit(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() && this.lingered < LINGER_BYTES => {
                    this.lingered += buf.filled().len();
                }
                // The end, an error, or too much: whatever it is, the connection is over.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return this.sleep.as_mut().poll(cx).map(Ok),
            }
        }
    }
}

/// What is known of the wire to the upstream.
#[derive(Debug, Default)]
pub struct Wire {
    /// Bytes that came back so far.
    pub read: AtomicU64,
    /// From now on errors of writing are told.
    pub strict: AtomicBool,
}

/// A connection to the upstream.
#[derive(Debug)]
pub struct UpstreamIo {
    stream: Stream,
    wire: Arc<Wire>,
    /// The upstream takes no more; it may have said why.
    deaf: bool,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl UpstreamIo {
    /// A connection in the clear.
    pub fn plain(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), wire: Arc::default(), deaf: false }
    }

    /// A connection by TLS.
    pub fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), wire: Arc::default(), deaf: false }
    }

    /// What is known of it, to be looked at from outside.
    pub fn wire(&self) -> Arc<Wire> {
        self.wire.clone()
    }

    /// An upstream that closes while a body is being sent has often answered before (a 413, say). Its answer is to
    /// be read, so what cannot be written counts as written, and the reading side finds out how it ends.
    fn forgive(&mut self, result: Poll<io::Result<usize>>, len: usize) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Err(error))
                if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
                    && !self.wire.strict.load(Ordering::Relaxed) =>
            {
                self.deaf = true;
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
        if this.deaf {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        this.forgive(result, buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let len = bufs.iter().map(|buf| buf.len()).sum();
        if this.deaf {
            return Poll::Ready(Ok(len));
        }
        let result = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        this.forgive(result, len)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.deaf {
            return Poll::Ready(Ok(()));
        }
        let result = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        this.forgive(result.map_ok(|()| 0), 0).map_ok(drop)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
