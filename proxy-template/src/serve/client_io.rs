//! Input and output of a caller's connection, with the timers that HTTP needs and TCP does not have.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// Time for which the rest of a caller's bytes is read and dropped after the last answer, because an early close could
/// destroy the answer on its way (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(2);
/// Limit of the bytes that are dropped.
const LINGER_BYTES: usize = 8 << 20;

/// Phase of a caller's connection, set by the handler of requests.
#[derive(Debug)]
pub(crate) struct ConnectionPhase {
    now: AtomicU8,
    /// Milliseconds between `start` and the beginning of the phase.
    since: AtomicU64,
    start: Instant,
}

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;

impl ConnectionPhase {
    /// Marks the beginning of an answer.
    pub(crate) fn set_busy(&self) {
        self.now.store(BUSY, Ordering::Relaxed);
    }

    /// Marks the end of an answer, after which the next request may come.
    pub(crate) fn set_idle(&self) {
        self.enter(IDLE);
    }

    fn enter(&self, phase: u8) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(since, Ordering::Relaxed);
        self.now.store(phase, Ordering::Relaxed);
    }

    fn since(&self) -> Instant {
        self.start + Duration::from_millis(self.since.load(Ordering::Relaxed))
    }
}

/// The timers of a caller's connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientTimers {
    /// From the first byte of a head to its end.
    pub header_read: Duration,
    /// Between two requests.
    pub keep_alive: Duration,
    /// Without progress of a write, because the caller does not read; zero is no limit.
    pub write: Duration,
}

/// A caller's connection. The parser has one timer for the wait between requests and for a slow head; this type has two.
/// One sleep serves all timers: it is armed for the earliest that could expire, and checks again when it fires.
#[derive(Debug)]
pub(crate) struct ClientIo {
    stream: TcpStream,
    phase: Arc<ConnectionPhase>,
    timers: ClientTimers,
    sleep: Pin<Box<Sleep>>,
    /// Start of the wait of a write for the caller to read.
    stuck_since: Option<Instant>,
    /// End of the time for which the rest is read, once the side of the answer is closed.
    linger_until: Option<Instant>,
    lingered: usize,
}

impl ClientIo {
    /// Wraps a new connection, and returns the handle of its phase.
    pub(crate) fn new(stream: TcpStream, timers: ClientTimers) -> (Self, Arc<ConnectionPhase>) {
        let start = Instant::now();
        // A connection without a byte counts as a slow head.
        let phase = Arc::new(ConnectionPhase { now: AtomicU8::new(HEAD), since: AtomicU64::new(0), start });
        let sleep = Box::pin(tokio::time::sleep_until(start + timers.header_read));
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

    /// Returns the time at which the connection ends if nothing changes.
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

    /// Fails if the deadline has passed, and arms the sleep otherwise.
    fn check_timers(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.sleep.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let deadline = self.deadline();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            // Not longer, because the shortest timer could begin and expire while this sleep runs.
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
            ready @ Poll::Ready(_) => {
                if buf.filled().len() > before && this.phase.now.load(Ordering::Relaxed) == IDLE {
                    this.phase.enter(HEAD);
                }
                // Checked here too, because a head that trickles in never returns Pending.
                if this.phase.now.load(Ordering::Relaxed) == HEAD {
                    this.check_timers(cx)?;
                }
                ready
            }
        }
    }
}

/// Access of tunnels, which have timers of their own and two directions that end separately.
impl ClientIo {
    /// Reads, without the timers of HTTP.
    pub(crate) fn poll_raw_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    /// Writes, without the timers of HTTP.
    pub(crate) fn poll_raw_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    /// Ends the direction to the caller only.
    pub(crate) fn poll_half_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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

    /// Ends the direction to the caller, then reads the rest of what the caller sends.
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
                // The end, an error, or too many bytes: the connection is over in each case.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return this.sleep.as_mut().poll(cx).map(Ok),
            }
        }
    }
}
