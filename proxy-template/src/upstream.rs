//! The connections to the target: made, kept, and given one request at a time.
//!
//! A connection is driven by the task of the caller whom it serves, not by one of its own. So a request costs no
//! wake-up of another task, and a caller who leaves takes the connection along. What comes out of a connection is
//! therefore asked for without a waker: it can only have come while this very task drove it. The one exception is an
//! answer that begins before the request has ended: the caller's task asks for the answer only as long as the caller
//! reads it, and a caller who sends all before it reads would wait for ever. Such a connection has a task of its own.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, response};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, unconstrained};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::body::{ClientFault, Moved, RequestBody};
use crate::config::{Config, Timeouts};
use crate::io::{UpstreamIo, Wire};
use crate::metrics::{Metrics, add};
use crate::response::MAX_HEADER_BYTES;
use crate::server::BUFFER_BYTES;
use crate::target::Target;

/// Idle connections that a pool keeps at most; more are closed when their request ends.
const MAX_IDLE: usize = 256;
/// How often connections that idle too long are looked for.
const REAP_INTERVAL: Duration = Duration::from_secs(5);

/// Makes connections to the one target.
#[derive(Debug)]
pub struct Connector {
    target: Target,
    timeouts: Timeouts,
    tls: Option<Tls>,
    metrics: Arc<Metrics>,
}

/// Connections to the target. Each worker has its own, so that a connection stays with the thread that reads it.
#[derive(Debug)]
pub struct Pool {
    connector: Arc<Connector>,
    /// The last one used is the first to be used again, so that the others can age.
    idle: Mutex<Vec<(Lease, Instant)>>,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// The name has no address, nobody listens, or the certificate is wrong.
    Failed(String),
    /// It took too long.
    TimedOut,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::TimedOut => f.write_str("timed out"),
        }
    }
}

impl Error for ConnectError {}

impl Pool {
    /// An empty one.
    pub fn new(connector: Arc<Connector>) -> Self {
        Self { connector, idle: Mutex::default() }
    }

    /// A connection that is ready for a request: a kept one, unless `fresh` is asked for.
    pub async fn lease(&self, fresh: bool) -> Result<Lease, ConnectError> {
        if !fresh {
            while let Some(mut lease) = self.take_idle() {
                if lease.is_usable() {
                    lease.reused = true;
                    return Ok(lease);
                }
            }
        }
        // Seldom run and large: it would be moved about with every request.
        Box::pin(self.connector.connect()).await
    }

    fn take_idle(&self) -> Option<Lease> {
        let (lease, since) = self.lock().pop()?;
        if since.elapsed() < self.connector.timeouts.pool_idle {
            return Some(lease);
        }
        // All that lie below are older.
        self.lock().clear();
        None
    }

    fn keep(&self, lease: Lease) {
        let mut idle = self.lock();
        if idle.len() < MAX_IDLE && !self.connector.timeouts.pool_idle.is_zero() {
            idle.push((lease, Instant::now()));
        }
    }

    /// Closes connections that idle too long, for ever.
    pub async fn reap(&self) {
        let limit = self.connector.timeouts.pool_idle;
        loop {
            tokio::time::sleep(REAP_INTERVAL.min(limit.max(Duration::from_millis(50)))).await;
            self.lock().retain(|(_, since)| since.elapsed() < limit);
        }
    }

    /// A panic elsewhere leaves the list whole, so that it can be used on.
    fn lock(&self) -> MutexGuard<'_, Vec<(Lease, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connector {
    /// For the target of `config`. The error is a fault of the roots or of the host's name.
    pub fn new(config: &Config, metrics: Arc<Metrics>) -> Result<Self, String> {
        Ok(Self {
            target: config.target.clone(),
            timeouts: config.timeouts.clone(),
            tls: config.target.tls.then(|| tls(config)).transpose()?,
            metrics,
        })
    }

    async fn connect(&self) -> Result<Lease, ConnectError> {
        let lease = self.open().await;
        let count = if lease.is_ok() { &self.metrics.connects } else { &self.metrics.failed_connects };
        add(count, 1);
        lease
    }

    async fn open(&self) -> Result<Lease, ConnectError> {
        let stream =
            timeout(self.timeouts.connect, self.dial()).await.map_err(|_| ConnectError::TimedOut)??;
        let failed = |error: &dyn Error| ConnectError::Failed(error.to_string());
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let io = match &self.tls {
            None => UpstreamIo::plain(stream),
            Some(tls) => {
                let handshake = tls.connector.connect(tls.name.clone(), stream);
                let stream =
                    timeout(self.timeouts.tls, handshake).await.map_err(|_| ConnectError::TimedOut)?;
                UpstreamIo::tls(stream.map_err(|error| failed(&error))?)
            }
        };
        let wire = io.wire();
        let (sender, connection) = http1::Builder::new()
            .max_header_size(MAX_HEADER_BYTES)
            .max_buf_size(BUFFER_BYTES)
            .handshake(TokioIo::new(io))
            .await
            .map_err(|error| failed(&error))?;
        let inner = Inner { sender, connection, wire, done: false };
        Ok(Lease { inner: Box::new(inner), reused: false })
    }

    /// Asks for the addresses anew, since a Space moves, and tries one after the other.
    async fn dial(&self) -> Result<TcpStream, ConnectError> {
        let failed = |error: std::io::Error| ConnectError::Failed(error.to_string());
        let addresses = tokio::net::lookup_host((self.target.host.as_str(), self.target.port)).await;
        let addresses: Vec<SocketAddr> = addresses.map_err(failed)?.collect();
        let share = self.timeouts.connect / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut last = ConnectError::Failed("the host has no address".to_owned());
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = failed(error),
                Err(_) => last = ConnectError::TimedOut,
            }
        }
        Err(last)
    }
}

/// HTTP/1.1 is all that is offered: the balancers before Spaces cap the streams of an HTTP/2 connection, and
/// WebSockets need HTTP/1.1 in any case.
fn tls(config: &Config) -> Result<Tls, String> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in &config.extra_roots {
        roots.add(root.clone()).map_err(|error| format!("`TARGET_CA_FILE`: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(config.target.host.clone())
        .map_err(|_| format!("`TARGET_URL`: no certificate can name this host: `{}`", config.target.host))?;
    Ok(Tls { connector: TlsConnector::from(Arc::new(client)), name })
}

/// One connection, in the hands of one request.
pub struct Lease {
    /// In a box, since it goes from hand to hand several times with each request.
    inner: Box<Inner>,
    /// It has served a request before.
    pub reused: bool,
}

struct Inner {
    sender: SendRequest<RequestBody>,
    connection: Connection<TokioIo<UpstreamIo>, RequestBody>,
    wire: Arc<Wire>,
    /// The connection has ended.
    done: bool,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("reused", &self.reused).finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub struct SendError {
    /// The cause.
    pub cause: hyper::Error,
    /// The request, when not a byte of it was sent.
    pub unsent: Option<Request<RequestBody>>,
    /// Not a byte came back.
    pub silent: bool,
    /// The connection had served a request before.
    pub reused: bool,
}

impl SendError {
    /// What the caller did wrong, when that is the cause.
    pub fn client_fault(&self) -> Option<ClientFault> {
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

impl Lease {
    /// Sends a request and waits for the head of its answer. `upload` tells of a body that passes through.
    pub async fn send(
        mut self,
        request: Request<RequestBody>,
        upload: Option<&Moved>,
        pool: &Arc<Pool>,
    ) -> Result<(response::Parts, Answer), SendError> {
        let before = self.inner.wire.read.load(Ordering::Relaxed);
        let result = {
            let Inner { sender, connection, done, .. } = &mut *self.inner;
            // Unconstrained, because a task that has used up its turn would leave the answer where it is, and nothing
            // else is sure to wake it.
            let mut answer = pin!(unconstrained(sender.try_send_request(request)));
            poll_fn(|cx| {
                if !*done {
                    // How it ended is told to the one who waits for the answer.
                    *done = connection.poll_without_shutdown(cx).is_ready();
                }
                answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
            })
            .await
        };
        match result {
            Ok(response) => {
                let (parts, incoming) = response.into_parts();
                if incoming.is_end_stream() {
                    return Ok((parts, Answer::new(incoming, Source::Here(self), pool)));
                }
                if upload.is_some_and(|upload| !upload.is_over()) {
                    return Ok((
                        parts,
                        Answer::new(incoming, Source::Apart { _until: Apart::start(self) }, pool),
                    ));
                }
                // It waits to be asked for the body, which is what comes next: that must not wake this task again.
                self.drive(&mut Context::from_waker(Waker::noop()));
                Ok((parts, Answer::new(incoming, Source::Here(self), pool)))
            }
            Err(mut error) => Err(SendError {
                unsent: error.take_message(),
                cause: error.into_error(),
                silent: self.inner.wire.read.load(Ordering::Relaxed) == before,
                reused: self.reused,
            }),
        }
    }

    /// Lets the connection read and write what it can.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.inner.done {
            self.inner.done = self.inner.connection.poll_without_shutdown(cx).is_ready();
        }
    }

    /// Whether the next request can be sent, as far as one can know. Nobody waits for what comes meanwhile.
    fn is_usable(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.inner.done && self.inner.sender.is_ready()
    }
}

/// A connection that is driven by a task of its own, until this goes.
#[derive(Debug)]
struct Apart(AbortHandle);

impl Apart {
    fn start(mut lease: Lease) -> Self {
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

impl Drop for Apart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where the body of an answer comes from.
#[derive(Debug)]
enum Source {
    /// A connection that is driven when the body is asked for.
    Here(Lease),
    /// One that is driven anyway. It serves no further request.
    Apart { _until: Apart },
    /// Nothing comes any more.
    Ended,
}

/// The beginning of a body that was not read to its end.
#[derive(Debug)]
pub enum Partial {
    /// The body is longer than the limit.
    TooLong(Vec<u8>),
    /// The connection ended before the body did.
    BrokenOff(Vec<u8>),
}

/// The body of an answer, with the connection that it comes from.
#[derive(Debug)]
pub struct Answer {
    incoming: Incoming,
    source: Source,
    pool: Arc<Pool>,
}

impl Answer {
    fn new(incoming: Incoming, source: Source, pool: &Arc<Pool>) -> Self {
        Self { incoming, source, pool: pool.clone() }
    }

    /// The next piece. After the last one the connection is free for the next request.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let mut incoming = Pin::new(&mut self.incoming);
        let frame = match &mut self.source {
            Source::Here(lease) => {
                let mut unheard = Context::from_waker(Waker::noop());
                let mut frame = incoming.as_mut().poll_frame(&mut unheard);
                if frame.is_pending() {
                    // To be asked is what makes the connection read on; then there may be something.
                    lease.drive(cx);
                    frame = incoming.poll_frame(&mut unheard);
                }
                frame
            }
            Source::Apart { .. } | Source::Ended => incoming.poll_frame(cx),
        };
        match &frame {
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => self.release(),
            Poll::Ready(None) => self.release(),
            Poll::Ready(Some(Err(_))) => self.source = Source::Ended,
            _ => {}
        }
        frame
    }

    /// Whether nothing comes any more.
    pub fn is_end(&self) -> bool {
        self.incoming.is_end_stream()
    }

    /// The length, if the head told it.
    pub fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }

    /// Gives the connection back when there is no body to wait for.
    pub fn release_if_empty(&mut self) {
        if self.is_end() {
            self.release();
        }
    }

    /// Reads at most `limit` bytes. What is longer is cut, and its connection closed.
    pub async fn read_some(self, limit: usize) -> Vec<u8> {
        match self.read_whole(limit).await {
            Ok(read) => read,
            Err(Partial::TooLong(mut read)) => {
                read.truncate(limit);
                read
            }
            Err(Partial::BrokenOff(read)) => read,
        }
    }

    /// Reads the whole body, if it has at most `limit` bytes. Keeps at most one piece beyond them.
    pub async fn read_whole(mut self, limit: usize) -> Result<Vec<u8>, Partial> {
        let mut read = vec![];
        loop {
            match poll_fn(|cx| self.poll_frame(cx)).await {
                None => return Ok(read),
                Some(Err(_)) => return Err(Partial::BrokenOff(read)),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        read.extend_from_slice(&data);
                    }
                }
            }
            if read.len() > limit {
                return Err(Partial::TooLong(read));
            }
        }
    }

    /// The bare connection after a 101, and what the upstream sent on it already.
    pub async fn into_io(self) -> Option<(UpstreamIo, Bytes)> {
        let Source::Here(lease) = self.source else { return None };
        let mut lease = *lease.inner;
        lease.wire.strict.store(true, Ordering::Relaxed);
        if !lease.done {
            poll_fn(|cx| lease.connection.poll_without_shutdown(cx)).await.ok()?;
        }
        let parts = lease.connection.into_parts();
        Some((parts.io.into_inner(), parts.read_buf))
    }

    fn release(&mut self) {
        // One whose request is still being sent is not usable, and closes.
        if let Source::Here(mut lease) = std::mem::replace(&mut self.source, Source::Ended)
            && lease.is_usable()
        {
            self.pool.keep(lease);
        }
    }
}
