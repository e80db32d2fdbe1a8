//! Streams of a Job's log.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::job::{Job, Stage};
use super::policy::JobLogPolicy;
use super::registry::Jobs;
use crate::http::answer::set;
use crate::tasks::Tasks;
use crate::util::iso;

/// Number of events that are sent at once.
const EVENTS_AT_ONCE: usize = 500;

/// The client has closed the stream, or the server stops.
struct Gone;

/// The sending side of one stream.
struct Stream {
    job: Arc<Job>,
    policy: JobLogPolicy,
    tasks: Tasks,
    out: mpsc::Sender<std::io::Result<Bytes>>,
}

impl Stream {
    async fn send(&self, text: impl Into<Bytes>) -> Result<(), Gone> {
        self.out.send(Ok(text.into())).await.map_err(|_| Gone)
    }

    /// Sends the log after its first `seen` lines, and new lines until the Job has ended.
    async fn follow(&self, mut seen: usize) -> Result<(), Gone> {
        let mut changes = self.job.changes();
        let mut left = self.policy.close_after_events.unwrap_or(usize::MAX);
        let opened = Instant::now();
        loop {
            let at_once = EVENTS_AT_ONCE.min(left);
            let (stage, events, text) = self.job.read(|state| {
                let rows = state.log.iter().skip(seen).take(at_once);
                let events: Vec<String> = rows.map(|(ms, line)| event(*ms, line)).collect();
                (state.stage, events.len(), events.concat())
            });
            if events > 0 {
                self.send(text).await?;
                (seen, left) = (seen + events, left - events);
            }
            if left == 0 || (self.policy.closes_while_scheduling && stage == Stage::Scheduling) {
                return Ok(());
            }
            if self.policy.reset_after.is_some_and(|limit| opened.elapsed() >= limit) {
                return self.reset().await;
            }
            if events > 0 {
                continue;
            }
            if stage.is_final() && !self.policy.stays_open {
                return Ok(());
            }
            let rest = self.policy.reset_after.map(|limit| limit.saturating_sub(opened.elapsed()));
            let pause = self.policy.keep_alive.min(rest.unwrap_or(Duration::MAX));
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep(pause) => self.send(": keep-alive\n\n").await?,
                () = self.out.closed() => return Err(Gone),
                () = self.tasks.stopped() => return Err(Gone),
            }
        }
    }

    async fn reset(&self) -> Result<(), Gone> {
        // The pause lets the earlier data reach the socket before the connection closes.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = self.out.send(Err(std::io::ErrorKind::ConnectionReset.into())).await;
        Ok(())
    }
}

fn event(ms: u64, line: &str) -> String {
    format!("data: {}\n\n", json!({"data": line, "timestamp": iso(ms)}))
}

/// `GET …/logs[?tail=N]`: server-sent events `{"data", "timestamp"}` from the start of the log, or its last lines.
pub(crate) fn stream(jobs: &Jobs, job: Arc<Job>, tail: Option<usize>) -> Response {
    let (out, lines) = mpsc::channel(4);
    let seen = tail.map_or(0, |tail| job.read(|state| state.log.len().saturating_sub(tail)));
    let stream = Stream { job, policy: jobs.policy.get().jobs.log, tasks: jobs.tasks.clone(), out };
    tokio::spawn(async move {
        // The stream ends here in both cases.
        let _ = stream.follow(seen).await;
    });
    event_stream(lines)
}

/// Returns the response of a stream of events.
pub(super) fn event_stream(mut events: mpsc::Receiver<std::io::Result<Bytes>>) -> Response {
    let body = futures_util::stream::poll_fn(move |cx| events.poll_recv(cx));
    let mut response = Response::new(Body::from_stream(body));
    set(&mut response, "content-type", "text/event-stream; charset=utf-8");
    set(&mut response, "cache-control", "no-cache");
    response
}
