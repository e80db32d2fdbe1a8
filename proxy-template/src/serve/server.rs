//! The listener, its connections, and their end.

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

use crate::http::request::{MAX_HEADER_BYTES, MAX_TARGET_BYTES};
use crate::ops::state::ProxyState;
use crate::serve::client_io::{ClientIo, ClientTimers};
use crate::serve::connection::{ClientConnection, ConnectionCount, ConnectionGuard};
use crate::serve::handle::handle;
use crate::serve::workers::Workers;
use crate::upstream::io::BUFFER_BYTES;

/// Limit of the parser. Larger than the proxy's own limits, so that those answer with a code.
const MAX_HEAD_BYTES: usize = 2 * MAX_HEADER_BYTES + MAX_TARGET_BYTES;
/// Wait after a failed accept, which commonly means that the process has too many files.
const ACCEPT_RETRY_WAIT: Duration = Duration::from_millis(50);
/// Time between two checks for the end of the last connection while draining.
const DRAIN_INTERVAL: Duration = Duration::from_millis(20);
/// Time allowed for the last bytes of tunnels that were cut.
const CUT_TIMEOUT: Duration = Duration::from_millis(200);

/// Serves until `shutdown` and then drains: earlier connections may finish within the drain time, and later ones get
/// 503. Returns when no earlier connection is left, or when the time is over.
pub async fn serve(
    listener: TcpListener,
    state: Arc<ProxyState>,
    workers: Workers,
    shutdown: impl Future<Output = ()>,
) {
    let (drain, draining) = watch::channel(false);
    let (cut, cutting) = watch::channel(false);
    let acceptor = Acceptor {
        state: state.clone(),
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
    state.draining.store(true, Ordering::Relaxed);
    state.logger.event("info", "draining");
    // Fails without connections, which is fine.
    let _ = drain.send(true);
    let deadline = Instant::now() + state.config.timeouts.drain;
    let finished = async {
        while acceptor.timely.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_INTERVAL).await;
        }
    };
    tokio::select! {
        () = acceptor.accept(&listener) => {}
        () = finished => {}
    }
    let _ = cut.send(true);
    if acceptor.timely.load(Ordering::Relaxed) > 0 {
        tokio::time::sleep(CUT_TIMEOUT).await;
    }
    acceptor.workers.shut_down();
    state.logger.event("info", "drained");
}

/// Everything that is needed to accept connections.
struct Acceptor {
    state: Arc<ProxyState>,
    workers: Workers,
    /// Number of connections from before the drain, with their tunnels.
    timely: Arc<AtomicUsize>,
    /// Number of connections from during the drain.
    late: Arc<AtomicUsize>,
    draining: watch::Receiver<bool>,
    cutting: watch::Receiver<bool>,
}

impl Acceptor {
    /// Accepts connections, for ever.
    async fn accept(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.assign(stream, peer),
                Err(error) => {
                    self.state.logger.event("warn", &format!("cannot accept: {error}"));
                    tokio::time::sleep(ACCEPT_RETRY_WAIT).await;
                }
            }
        }
    }

    /// Gives a connection to a worker.
    fn assign(&self, stream: TcpStream, peer: SocketAddr) {
        let late = *self.draining.borrow();
        let (count, before) = ConnectionCount::add(if late { &self.late } else { &self.timely });
        if before >= self.state.config.caps.connections {
            // Closed without an answer, because a caller with that many connections does not read it.
            return;
        }
        let _ = stream.set_nodelay(true);
        let timeouts = &self.state.config.timeouts;
        let timers = ClientTimers {
            header_read: timeouts.header_read,
            keep_alive: timeouts.keep_alive,
            write: timeouts.body_idle,
        };
        // Not for a late connection, because its one answer closes it anyway.
        let draining = (!late).then(|| self.draining.clone());
        let (state, cut) = (self.state.clone(), self.cutting.clone());
        let assigned = self.workers.assign(stream, move |stream, pool, load| {
            let (io, phase) = ClientIo::new(stream, timers);
            let guard = ConnectionGuard { _count: count, _load: load };
            let connection = ClientConnection { peer: peer.ip(), phase, late, cut, pool, _guard: guard };
            serve_connection(io, state, Arc::new(connection), draining)
        });
        if let Err(error) = assigned {
            self.state.logger.event("warn", &format!("cannot take a connection: {error}"));
        }
    }
}

async fn serve_connection(
    io: ClientIo,
    state: Arc<ProxyState>,
    connection: Arc<ClientConnection>,
    draining: Option<watch::Receiver<bool>>,
) {
    let service = service_fn(move |request| handle(state.clone(), connection.clone(), request));
    // `pipeline_flush` stays off, because it would not flush the last answer before a close, often a refusal, while bytes
    // of a next request are in the buffer.
    let connection = http1::Builder::new()
        .half_close(false)
        .keep_alive(true)
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let drained = async {
        let is_draining = match draining {
            Some(mut draining) => draining.wait_for(|draining| *draining).await.is_ok(),
            None => false,
        };
        if !is_draining {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        // Errors of a connection are not logged, because requests have log lines of their own.
        _ = connection.as_mut() => return,
        () = drained => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
