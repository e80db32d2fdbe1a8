//! Connections to the target that are kept for the next request.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::sync::lock;
use crate::upstream::connect::{ConnectError, Connector};
use crate::upstream::connection::Lease;

/// Limit of the idle connections of a pool. More are closed when their request ends.
const MAX_IDLE: usize = 256;
/// Longest pause between two searches for connections that have expired.
const REAP_INTERVAL: Duration = Duration::from_secs(5);

/// Idle connections to the target. Each worker has its own pool, so that a connection stays in the thread that reads it.
#[derive(Debug)]
pub struct Pool {
    connector: Arc<Connector>,
    /// The connection that was used last is used first, so that the others can expire.
    idle: Mutex<Vec<(Lease, Instant)>>,
}

impl Pool {
    /// Makes an empty pool.
    pub fn new(connector: Arc<Connector>) -> Self {
        Self { connector, idle: Mutex::default() }
    }

    /// Returns a connection that is ready for a request: an idle one, unless `fresh` is set.
    pub async fn lease(&self, fresh: bool) -> Result<Lease, ConnectError> {
        if !fresh {
            while let Some(mut lease) = self.take_idle() {
                if lease.is_usable() {
                    lease.reused = true;
                    return Ok(lease);
                }
            }
        }
        // Boxed, because it is rarely run and large, and would be moved with every request.
        Box::pin(self.connector.connect()).await
    }

    fn take_idle(&self) -> Option<Lease> {
        let (lease, since) = self.idle().pop()?;
        if since.elapsed() < self.connector.timeouts().pool_idle {
            return Some(lease);
        }
        // All below are older.
        self.idle().clear();
        None
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, lease: Lease) {
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE && !self.connector.timeouts().pool_idle.is_zero() {
            idle.push((lease, Instant::now()));
        }
    }

    /// Closes connections that have expired, for ever.
    pub async fn reap(&self) {
        let limit = self.connector.timeouts().pool_idle;
        loop {
            tokio::time::sleep(REAP_INTERVAL.min(limit.max(Duration::from_millis(50)))).await;
            self.idle().retain(|(_, since)| since.elapsed() < limit);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Lease, Instant)>> {
        lock(&self.idle)
    }
}
