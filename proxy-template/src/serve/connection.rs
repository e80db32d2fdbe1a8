//! A caller's connection, as the requests on it see it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::serve::client_io::ConnectionPhase;
use crate::serve::workers::WorkerLoad;
use crate::upstream::pool::Pool;

/// The connection that a request came on.
#[derive(Debug)]
pub(crate) struct ClientConnection {
    /// Address of the other end.
    pub peer: IpAddr,
    /// Phase of the connection.
    pub phase: Arc<ConnectionPhase>,
    /// True if the connection was made while the process drains.
    pub late: bool,
    /// True when running tunnels have to end.
    pub cut: watch::Receiver<bool>,
    /// Connections to the target that belong to the same thread.
    pub pool: Arc<Pool>,
    /// Counts the connection while a part of it lives.
    pub _guard: ConnectionGuard,
}

/// Counts a connection while it lives, among all and for its worker.
#[derive(Debug)]
pub(crate) struct ConnectionGuard {
    pub(super) _count: ConnectionCount,
    pub(super) _load: WorkerLoad,
}

/// One connection in a counter.
#[derive(Debug)]
pub(crate) struct ConnectionCount(Arc<AtomicUsize>);

impl ConnectionCount {
    /// Adds a connection. Also returns the number of those before it.
    pub(crate) fn add(counter: &Arc<AtomicUsize>) -> (Self, usize) {
        let before = counter.fetch_add(1, Ordering::Relaxed);
        (Self(counter.clone()), before)
    }
}

impl Drop for ConnectionCount {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
