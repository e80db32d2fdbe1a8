//! Logs of a Space: what was written, and streams that misbehave on demand.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;

use crate::answer::{raw, set};
use crate::hub::Hub;
use crate::repo::Repo;
use crate::util::{iso, lock, now_ms};

/// One of the two logs of a Space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Log {
    /// What the build said; starts anew with every build.
    Build,
    /// What the app said; starts anew with the app.
    Run,
}

impl Log {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "build" => Some(Self::Build),
            "run" => Some(Self::Run),
            _ => None,
        }
    }
}

/// Lines of a log with the time (in milliseconds) from which each one is there.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LogRows {
    /// Counts the restarts, so that an open stream notices.
    epoch: u64,
    rows: Vec<(u64, String)>,
    /// The lines come from a script; what really runs adds none.
    #[serde(default)]
    scripted: bool,
}

impl LogRows {
    pub(crate) fn restart(&mut self) {
        self.epoch += 1;
        self.rows.clear();
    }

    /// A new build begins: scripted lines are over.
    pub(crate) fn free(&mut self) {
        self.scripted = false;
    }

    /// Replaces the log by lines that appear at their times.
    pub(crate) fn script(&mut self, lines: impl IntoIterator<Item = (u64, String)>) {
        self.restart();
        self.rows.extend(lines);
        self.scripted = true;
    }

    pub(crate) fn is_scripted(&self) -> bool {
        self.scripted
    }

    pub(crate) fn push(&mut self, line: String) {
        self.rows.push((now_ms(), line));
    }

    fn due(&self) -> impl Iterator<Item = &(u64, String)> {
        let now = now_ms();
        self.rows.iter().take_while(move |(ms, _)| *ms <= now)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Adds a line, unless the log was restarted since.
    pub(crate) fn push_to(&mut self, epoch: u64, line: String) {
        if self.epoch == epoch && !self.scripted {
            self.push(line);
        }
    }

    /// The end of the log without its first `skip` lines, at most so many bytes, without cutting a character.
    pub(crate) fn tail_after(&self, skip: usize, bytes: usize) -> String {
        let text: String = self.rows.iter().skip(skip).map(|(_, line)| format!("{line}\n")).collect();
        let mut from = text.len().saturating_sub(bytes);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.get(from..).unwrap_or_default().to_owned()
    }
}

/// What a scripted stream does, one step after the other. After the last one it stays open with keep-alives, as the
/// Hub's streams do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStep {
    /// An event with this line.
    Line(String),
    /// An event with this line, framed with CRLF.
    CrlfLine(String),
    /// An event with this line, sent in two pieces: so many bytes, a pause, the rest.
    SplitLine {
        /// Text of the line.
        line: String,
        /// Bytes of the event in the first piece.
        at: usize,
        /// Time between the pieces.
        pause: Duration,
    },
    /// An event with one line of so many bytes.
    HugeLine(usize),
    /// Nothing for a while.
    Wait(Duration),
    /// An empty `data:`.
    KeepAlive,
    /// These bytes as they are.
    Raw(Vec<u8>),
    /// Every line the log really has by now.
    Stored,
    /// From here on the real log, as without a script.
    Follow,
    /// The stream ends well.
    Close,
    /// The connection breaks in the middle.
    Reset,
    /// Nothing at all from here on, not even keep-alives.
    Stall,
    /// Not a stream but this answer; only as the first step.
    Answer {
        /// HTTP status.
        status: u16,
        /// Body, JSON when it starts with `{`.
        body: String,
    },
}

impl LogStep {
    /// The answer of a server without event streams. The words are those the official client looks for; that it is a
    /// 400 is a guess.
    #[must_use]
    pub fn sse_not_enabled() -> Self {
        Self::Answer { status: 400, body: r#"{"error":"SSE is not enabled"}"#.into() }
    }
}

/// Scripts for the connections to one log: the last one serves all that come after it.
#[derive(Debug, Default)]
struct Scripted {
    connections: Vec<Vec<LogStep>>,
    used: usize,
    /// Time stamps start here, so that every replay names the same ones.
    base_ms: u64,
}

/// All log scripts, by lower-cased id of the Space.
#[derive(Debug, Default)]
pub(crate) struct LogScripts(Mutex<BTreeMap<(String, Log), Scripted>>);

impl LogScripts {
    pub(crate) fn set(&self, id: &str, log: Log, connections: Vec<Vec<LogStep>>) {
        let key = (id.to_lowercase(), log);
        if connections.is_empty() {
            lock(&self.0).remove(&key);
        } else {
            lock(&self.0).insert(key, Scripted { connections, used: 0, base_ms: now_ms() });
        }
    }

    fn next(&self, id: &str, log: Log) -> Option<(Vec<LogStep>, u64)> {
        let mut all = lock(&self.0);
        let found = all.get_mut(&(id.to_lowercase(), log))?;
        let at = found.used.min(found.connections.len() - 1);
        found.used += 1;
        Some((found.connections.get(at)?.clone(), found.base_ms))
    }
}

fn event(ms: u64, line: &str) -> String {
    format!("data: {}\n\n", json!({"data": format!("{line}\n"), "timestamp": iso(ms)}))
}

/// The sending side of one stream.
struct Stream {
    hub: Arc<Hub>,
    repo: Arc<Repo>,
    log: Log,
    out: mpsc::Sender<std::io::Result<Bytes>>,
}

/// Nobody reads any more, or the server stops.
struct Gone;

impl Stream {
    async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), Gone> {
        self.out.send(Ok(bytes.into())).await.map_err(|_| Gone)
    }

    async fn pause(&self, time: Duration) -> Result<(), Gone> {
        tokio::select! {
            stopped = self.hub.sleep(time) => if stopped { Err(Gone) } else { Ok(()) },
            () = self.out.closed() => Err(Gone),
        }
    }

    /// The lines after `seen`, and which log they belong to.
    fn fresh(&self, epoch: u64, seen: usize) -> (u64, usize, String) {
        let state = lock(&self.repo.state);
        let Some(rows) = state.space.as_ref().and_then(|s| s.logs.get(&self.log)) else {
            return (epoch, seen, String::new());
        };
        let from = if rows.epoch == epoch { seen } else { 0 };
        let lines: Vec<String> = rows.due().skip(from).map(|(ms, line)| event(*ms, line)).collect();
        (rows.epoch, from + lines.len(), lines.concat())
    }

    /// The real log: from the start, or the last `tail` lines, then what comes, with keep-alives in between.
    async fn follow(&self, tail: Option<usize>) -> Result<(), Gone> {
        let (mut epoch, mut seen) = {
            let state = lock(&self.repo.state);
            let rows = state.space.as_ref().and_then(|s| s.logs.get(&self.log));
            let len = rows.map_or(0, |r| r.due().count());
            (rows.map_or(0, |r| r.epoch), tail.map_or(0, |n| len.saturating_sub(n)))
        };
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
                    // What was sent so far reaches the socket before the connection goes.
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
/// connection (huggingface_hub hf_api.py skips what it has seen). The stream stays open; empty `data:` lines keep it
/// alive. A script leaves `tail` aside.
pub(crate) fn stream(hub: &Arc<Hub>, repo: &Arc<Repo>, log: Log, tail: Option<usize>) -> Response {
    let id = lock(&repo.state).full_id();
    let script = hub.log_scripts.next(&id, log);
    if let Some((steps, _)) = &script
        && let Some(LogStep::Answer { status, body }) = steps.first()
    {
        let kind = if body.starts_with('{') { "application/json; charset=utf-8" } else { "text/plain" };
        return raw(*status, kind, body.clone().into_bytes());
    }
    let (out, mut lines) = mpsc::channel(16);
    let stream = Stream { hub: hub.clone(), repo: repo.clone(), log, out };
    tokio::spawn(async move {
        // Either way the stream ends here.
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
