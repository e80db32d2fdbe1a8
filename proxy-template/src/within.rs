//! A limit of time that a moving body holds up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;

use crate::body::Moved;

/// The result of `future`, or `None` after `limit`, zero being no limit. While a body still moves, the time does not
/// run.
pub async fn within<T>(limit: Duration, moved: Option<&Moved>, future: impl Future<Output = T>) -> Option<T> {
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
            // Made only when there is something to wait for.
            let Some(mut running) = timer.as_mut().as_pin_mut() else {
                timer.set(Some(tokio::time::sleep(limit)));
                continue;
            };
            ready!(running.as_mut().poll(cx));
            match moved.map(|moved| moved.deadline(limit)) {
                Some(deadline) if deadline > tokio::time::Instant::now() => running.as_mut().reset(deadline),
                _ => return Poll::Ready(None),
            }
        }
    })
    .await
}
