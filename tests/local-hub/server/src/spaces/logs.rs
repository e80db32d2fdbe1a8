//! Logs of a Space, and scripts for the streams that send them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::util::{lock, now_ms};

/// One of the two logs of a Space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Log {
    /// Log of the build, cleared by each build.
    Build,
    /// Log of the app, cleared by each start.
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

/// Lines of a log, each with the time in milliseconds from which it is visible.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LogRows {
    /// Number of restarts, by which an open stream notices them.
    epoch: u64,
    rows: Vec<(u64, String)>,
    /// True if the lines come from a script. The app adds none then.
    #[serde(default)]
    scripted: bool,
}

impl LogRows {
    pub(crate) fn restart(&mut self) {
        self.epoch += 1;
        self.rows.clear();
    }

    /// Ends the scripted lines, at the start of a build.
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

    pub(super) fn due(&self) -> impl Iterator<Item = &(u64, String)> {
        let now = now_ms();
        self.rows.iter().take_while(move |(ms, _)| *ms <= now)
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Adds a line, unless the log was restarted or scripted since.
    pub(crate) fn push_to(&mut self, epoch: u64, line: String) {
        if self.epoch == epoch && !self.scripted {
            self.push(line);
        }
    }

    /// Returns at most the last `bytes` of the log without its first `skip` lines. Cuts no character.
    pub(crate) fn tail_after(&self, skip: usize, bytes: usize) -> String {
        let text: String = self.rows.iter().skip(skip).map(|(_, line)| format!("{line}\n")).collect();
        let mut from = text.len().saturating_sub(bytes);
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.get(from..).unwrap_or_default().to_owned()
    }
}

/// One step of a scripted stream. After the last step it stays open with keep-alives, like the Hub's streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogStep {
    /// An event with this line.
    Line(String),
    /// An event with this line, framed with CRLF.
    CrlfLine(String),
    /// An event with this line, sent in two pieces with a pause.
    SplitLine {
        /// Text of the line.
        line: String,
        /// Bytes of the event in the first piece.
        at: usize,
        /// Time between the pieces.
        pause: Duration,
    },
    /// An event with one line of this many bytes.
    HugeLine(usize),
    /// A pause.
    Wait(Duration),
    /// An empty `data:`.
    KeepAlive,
    /// These bytes, unchanged.
    Raw(Vec<u8>),
    /// The current lines of the log.
    Stored,
    /// The log from here on, as without a script.
    Follow,
    /// The normal end of the stream.
    Close,
    /// A reset of the connection.
    Reset,
    /// No more data, not even keep-alives.
    Stall,
    /// This response instead of a stream; only as the first step.
    Answer {
        /// HTTP status.
        status: u16,
        /// Body; JSON if it starts with `{`.
        body: String,
    },
}

impl LogStep {
    /// The response of a server without event streams. The official client looks for this text; the status 400 is a
    /// guess.
    #[must_use]
    pub fn sse_not_enabled() -> Self {
        Self::Answer { status: 400, body: r#"{"error":"SSE is not enabled"}"#.into() }
    }
}

/// Scripts for the connections to one log. The last one serves all later connections.
#[derive(Debug, Default)]
struct Scripted {
    connections: Vec<Vec<LogStep>>,
    used: usize,
    /// First time stamp, the same in each replay.
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

    /// Returns the script of the next connection, and its first time stamp.
    pub(super) fn next(&self, id: &str, log: Log) -> Option<(Vec<LogStep>, u64)> {
        let mut all = lock(&self.0);
        let found = all.get_mut(&(id.to_lowercase(), log))?;
        let at = found.used.min(found.connections.len() - 1);
        found.used += 1;
        Some((found.connections.get(at)?.clone(), found.base_ms))
    }
}
