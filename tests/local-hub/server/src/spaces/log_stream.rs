//! Streams of a Space's logs, which misbehave if a script says so.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use crate::http::answer::{raw, set};
use crate::spaces::logs::{Log, LogRows, LogStep};
use crate::spaces::registry::Spaces;
use crate::spaces::space::Space;
use crate::tasks::Tasks;
use crate::util::{iso, lock};

fn event(ms: u64, line: &str) -> String {
    format!("data: {}\n\n", json!({"data": format!("{line}\n"), "timestamp": iso(ms)}))
}

/// The sending side of one stream.
struct Stream {
    tasks: Tasks,
    space: Arc<Space>,
    log: Log,
    out: mpsc::Sender<std::io::Result<Bytes>>,
}

/// The client has closed the stream, or the server stops.
struct Gone;

impl Stream {
    async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), Gone> {
        self.out.send(Ok(bytes.into())).await.map_err(|_| Gone)
    }

    async fn pause(&self, time: Duration) -> Result<(), Gone> {
        tokio::select! {
            stopped = self.tasks.sleep(time) => if stopped { Err(Gone) } else { Ok(()) },
            () = self.out.closed() => Err(Gone),
        }
    }

    /// Returns the lines after `seen`, with the epoch and the length of the log.
    fn fresh(&self, epoch: u64, seen: usize) -> (u64, usize, String) {
        self.space.read(|state| {
            let Some(rows) = state.logs.get(&self.log) else { return (epoch, seen, String::new()) };
            let from = if rows.epoch() == epoch { seen } else { 0 };
            let lines: Vec<String> = rows.due().skip(from).map(|(ms, line)| event(*ms, line)).collect();
            (rows.epoch(), from + lines.len(), lines.concat())
        })
    }

    /// Sends the log from its start, or its last `tail` lines, then new lines, with keep-alives in between.
    async fn follow(&self, tail: Option<usize>) -> Result<(), Gone> {
        let (mut epoch, mut seen) = self.space.read(|state| {
            let rows = state.logs.get(&self.log);
            let len = rows.map_or(0, |r| r.due().count());
            (rows.map_or(0, LogRows::epoch), tail.map_or(0, |n| len.saturating_sub(n)))
        });
        let mut idle = 0u32;
        loop {
            let text;
            (epoch, seen, text) = self.fresh(epoch, seen);
            if !text.is_empty() {
                idle = 0;
                self.send(text).await?;
            }
            self.pause(Duration::from_millis(50)).await?;
            idle += 1;
            if idle.is_multiple_of(100) {
                self.send("data:\n\n").await?;
            }
        }
    }

    async fn play(&self, steps: Vec<LogStep>, mut ms: u64) -> Result<(), Gone> {
        for step in steps {
            match step {
                LogStep::Line(line) => self.send(event(ms, &line)).await?,
                LogStep::CrlfLine(line) => self.send(event(ms, &line).replace('\n', "\r\n")).await?,
                LogStep::SplitLine { line, at, pause } => {
                    let text = Bytes::from(event(ms, &line));
                    let at = at.min(text.len());
                    self.send(text.slice(..at)).await?;
                    self.pause(pause).await?;
                    self.send(text.slice(at..)).await?;
                }
                LogStep::HugeLine(bytes) => self.send(event(ms, &"x".repeat(bytes))).await?,
                LogStep::Wait(time) => self.pause(time).await?,
                LogStep::KeepAlive => self.send("data:\n\n").await?,
                LogStep::Raw(bytes) => self.send(bytes).await?,
                LogStep::Stored => {
                    let (_, _, text) = self.fresh(0, 0);
                    self.send(text).await?;
                }
                LogStep::Follow => return self.follow(None).await,
                LogStep::Close => return Ok(()),
                LogStep::Reset => {
                    // The pause lets the earlier data reach the socket before the connection closes.
                    self.pause(Duration::from_millis(20)).await?;
                    let _ = self.out.send(Err(std::io::ErrorKind::ConnectionReset.into())).await;
                    return Ok(());
                }
                LogStep::Stall => loop {
                    self.pause(Duration::from_secs(3600)).await?;
                },
                LogStep::Answer { body, .. } => self.send(body).await?,
            }
            ms += 1;
        }
        loop {
            self.pause(Duration::from_secs(5)).await?;
            self.send("data:\n\n").await?;
        }
    }
}

/// `GET …/logs/{build|run}[?tail=N]`: server-sent events `{"data", "timestamp"}`, from the start of the log at each
/// connection (huggingface_hub hf_api.py skips the lines it has seen). The stream stays open; empty `data:` lines keep
/// it alive. A script ignores `tail`.
pub(crate) fn stream(spaces: &Spaces, space: &Arc<Space>, log: Log, tail: Option<usize>) -> Response {
    let id = lock(&space.repo.state).full_id();
    let script = spaces.log_scripts.next(&id, log);
    if let Some((steps, _)) = &script
        && let Some(LogStep::Answer { status, body }) = steps.first()
    {
        let kind = if body.starts_with('{') { "application/json; charset=utf-8" } else { "text/plain" };
        return raw(*status, kind, body.clone().into_bytes());
    }
    let (out, mut lines) = mpsc::channel(16);
    let stream = Stream { tasks: spaces.tasks.clone(), space: space.clone(), log, out };
    tokio::spawn(async move {
        // The stream ends here in both cases.
        let _ = match script {
            Some((steps, base_ms)) => stream.play(steps, base_ms).await,
            None => stream.follow(tail).await,
        };
    });
    let body = futures_util::stream::poll_fn(move |cx| lines.poll_recv(cx));
    let mut response = Response::new(Body::from_stream(body));
    set(&mut response, "content-type", "text/event-stream; charset=utf-8");
    set(&mut response, "cache-control", "no-cache");
    response
}
