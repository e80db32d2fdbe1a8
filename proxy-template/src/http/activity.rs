//! Timers that stop while bytes move.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Time of the last movement of a body or a tunnel, shared with the tasks that watch it.
#[derive(Debug)]
pub struct Activity {
    start: Instant,
    /// Milliseconds after `start`.
    last: AtomicU64,
    finished: AtomicBool,
}

impl Activity {
    /// Starts now.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), last: AtomicU64::new(0), finished: AtomicBool::new(false) })
    }

    /// Records a movement.
    pub fn record(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    /// Records the end, after which nothing moves.
    pub fn finish(&self) {
        self.finished.store(true, Ordering::Relaxed);
    }

    /// Returns true after the end.
    pub fn is_finished(&self) -> bool {
        self.finished.load(Ordering::Relaxed)
    }

    /// Returns the end of a silence of `limit` that began with the last movement.
    fn deadline(&self, limit: Duration) -> Instant {
        self.start + Duration::from_millis(self.last.load(Ordering::Relaxed)) + limit
    }

    /// Waits until nothing has moved for `limit`. Waits for ever if the limit is zero.
    pub async fn silence(&self, limit: Duration) {
        if limit.is_zero() {
            return std::future::pending().await;
        }
        loop {
            let until = self.deadline(limit);
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}

/// Timer of one body. It costs nothing until a read of the body waits.
#[derive(Debug)]
pub(crate) struct IdleTimer {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    running: bool,
}

impl IdleTimer {
    /// Makes a timer that expires after `limit`, or never if that is zero.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, running: false }
    }

    /// Stops the timer after a movement.
    pub(crate) fn stop(&mut self) {
        self.running = false;
    }

    /// Starts the timer unless it runs. Returns true when it has expired.
    pub(crate) fn has_expired(&mut self, cx: &mut Context<'_>) -> bool {
        if self.limit.is_zero() {
            return false;
        }
        let until = Instant::now() + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !self.running {
            self.running = true;
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx).is_ready()
    }
}

/// Returns the result of `future`, or `None` after `limit` without `activity`. A limit of zero never ends.
pub(crate) async fn timeout_when_idle<T>(
    limit: Duration,
    activity: Option<&Activity>,
    future: impl Future<Output = T>,
) -> Option<T> {
    if limit.is_zero() {
        return Some(future.await);
    }
    let mut future = pin!(future);
    let mut timer = pin!(None::<Sleep>);
    poll_fn(|cx| {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        loop {
            // Made late, because most futures are ready at once.
            let Some(mut running) = timer.as_mut().as_pin_mut() else {
                timer.set(Some(tokio::time::sleep(limit)));
                continue;
            };
            ready!(running.as_mut().poll(cx));
            match activity.map(|activity| activity.deadline(limit)) {
                Some(deadline) if deadline > Instant::now() => running.as_mut().reset(deadline),
                _ => return Poll::Ready(None),
            }
        }
    })
    .await
}
