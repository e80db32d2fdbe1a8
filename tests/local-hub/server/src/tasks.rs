//! Background tasks: they run on the server's runtime and end when the server stops.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// A handle on the server's runtime, which also works from the thread of a test.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    runtime: Handle,
    stopped: watch::Receiver<bool>,
}

impl Tasks {
    /// Uses the runtime of the caller. The tasks end when `stopped` turns true or its sender is dropped.
    pub(crate) fn new(stopped: watch::Receiver<bool>) -> Self {
        Self { runtime: Handle::current(), stopped }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.runtime.spawn(task).abort_handle()
    }

    /// Waits until the server stops.
    pub(crate) async fn stopped(&self) {
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    /// Waits, or returns `true` early when the server stops.
    pub(crate) async fn sleep(&self, time: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(time) => false,
            () = self.stopped() => true,
        }
    }
}
