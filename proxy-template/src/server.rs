//! The listener, the connections, and their end.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::forward::{Conn, handle};
use crate::io::{ClientIo, ClientTimers};
use crate::proxy::Proxy;
use crate::request::{MAX_HEADER_BYTES, MAX_TARGET_BYTES};
use crate::workers::{Load, Workers};

/// What the parser takes before our own limits answer in words.
const HEAD_BYTES: usize = 2 * MAX_HEADER_BYTES + MAX_TARGET_BYTES;
/// What one read takes in at most, and with how much in it a queue of what is to be written takes no more. Large enough
/// that a read is worth its call, small enough that many who do not read cannot fill the memory: while one side does not
/// read, a request holds about four such buffers, two in the queue, one that is to follow, and one being read. A piece
/// keeps all of the buffer that it lies in, but after two short reads the next buffer is half as large.
pub const BUFFER_BYTES: usize = 256 * 1024;
/// After a failed accept, commonly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often the end of the last connection is looked for while draining.
const DRAIN_TICK: Duration = Duration::from_millis(20);
/// After tunnels were cut, for their last bytes.
const CUT_GRACE: Duration = Duration::from_millis(200);

/// Serves until `shutdown` and then drains: what was connected before may finish within the drain time, and what
/// connects now is told to come later. Returns when nothing of before is left, or when time is up.
pub async fn serve(
    listener: TcpListener,
    proxy: Arc<Proxy>,
    workers: Workers,
    shutdown: impl Future<Output = ()>,
) {
    let (drain, draining) = watch::channel(false);
    let (cut, cutting) = watch::channel(false);
    let acceptor = Acceptor {
        proxy: proxy.clone(),
        workers,
        timely: Arc::default(),
        late: Arc::default(),
        draining,
        cutting,
    };
    tokio::select! {
        () = acceptor.accept(&listener) => {}
        () = shutdown => {}
    }
    proxy.draining.store(true, Ordering::Relaxed);
    proxy.logger.event("info", "draining");
    // Without connections nobody listens.
    let _ = drain.send(true);
    let deadline = Instant::now() + proxy.config.timeouts.drain;
    let finished = async {
        while acceptor.timely.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_TICK).await;
        }
    };
    tokio::select! {
        () = acceptor.accept(&listener) => {}
        () = finished => {}
    }
    let _ = cut.send(true);
    if acceptor.timely.load(Ordering::Relaxed) > 0 {
        tokio::time::sleep(CUT_GRACE).await;
    }
    acceptor.workers.end();
    proxy.logger.event("info", "drained");
}

/// What is needed to take connections.
struct Acceptor {
    proxy: Arc<Proxy>,
    workers: Workers,
    /// Connections of before the drain, with their tunnels.
    timely: Arc<AtomicUsize>,
    /// Connections of during the drain.
    late: Arc<AtomicUsize>,
    draining: watch::Receiver<bool>,
    cutting: watch::Receiver<bool>,
}

/// Counts a connection as long as it lives, among all and for its worker.
#[derive(Debug)]
pub struct ConnGuard {
    _counted: Counted,
    _load: Load,
}

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Acceptor {
    /// Takes connections, for ever.
    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.take(stream, peer),
                Err(error) => {
                    self.proxy.logger.event("warn", &format!("cannot accept: {error}"));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        let late = *self.draining.borrow();
        let counter = if late { &self.late } else { &self.timely };
        let count = counter.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(counter.clone());
        if count >= self.proxy.config.caps.connections {
            // Closed without a word: whoever opens so many does not listen.
            return;
        }
        let _ = stream.set_nodelay(true);
        let timeouts = &self.proxy.config.timeouts;
        let timers = ClientTimers {
            header_read: timeouts.header_read,
            keep_alive: timeouts.keep_alive,
            write: timeouts.body_idle,
        };
        // One that came late is never told to finish early: its one answer says so itself.
        let draining = (!late).then(|| self.draining.clone());
        let (proxy, cut) = (self.proxy.clone(), self.cutting.clone());
        let given = self.workers.give(stream, move |stream, pool, load| {
            let (io, phase) = ClientIo::new(stream, timers);
            let guard = ConnGuard { _counted: counted, _load: load };
            let conn = Conn { peer: peer.ip(), phase, late, cut, pool, guard };
            serve_connection(io, proxy, Arc::new(conn), draining)
        });
        if let Err(error) = given {
            self.proxy.logger.event("warn", &format!("cannot take a connection: {error}"));
        }
    }
}

async fn serve_connection(
    io: ClientIo,
    proxy: Arc<Proxy>,
    conn: Arc<Conn>,
    draining: Option<watch::Receiver<bool>>,
) {
    let service = service_fn(move |request| handle(proxy.clone(), conn.clone(), request));
    // `pipeline_flush` stays off: with bytes of a next request in the buffer, the last answer before a close, which is
    // often a refusal, would not be flushed.
    let connection = http1::Builder::new()
        .half_close(false)
        .keep_alive(true)
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let drained = async {
        let told = match draining {
            Some(mut draining) => draining.wait_for(|draining| *draining).await.is_ok(),
            None => false,
        };
        if !told {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        // How a connection ends is nobody's fault that is to be told; requests have their own records.
        _ = connection.as_mut() => return,
        () = drained => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
