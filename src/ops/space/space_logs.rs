//! The logs of a Space: read once, or printed while they grow.

use std::time::Duration;

use hub::{Hub, LogKind, Repo};
use tokio::time::Instant;

use super::log_tail::LogTail;
use crate::action::{Group, Log};
use crate::ops::log_follower::{self, LogFollower};

/// Time in which lines are gathered before they are printed, because they come in bursts.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);
/// Time without a line after which the end of a log is read, because a log never ends by itself. The official client
/// waits as long.
const QUIET: Duration = Duration::from_secs(5);
/// Number of times that the end of a log is opened, and the pause after the first failure.
const END_ATTEMPTS: u32 = 3;
const END_PAUSE: Duration = Duration::from_secs(1);

/// Follows a log of a Space.
fn follow(hub: &Hub, space: &Repo, kind: LogKind) -> LogFollower {
    let (hub, space) = (hub.clone(), space.clone());
    LogFollower::start(move || {
        let (hub, space) = (hub.clone(), space.clone());
        async move { hub.open_log(&space, kind).await }
    })
}

/// Reads the end of a log as it is now: the lines that arrive within `time`. All of them go into the run bundle.
pub async fn read_tail(hub: &Hub, log: &Log, space: &Repo, kind: LogKind, time: Duration) -> LogTail {
    let mut tail = LogTail::new(kind);
    let mut follower = follow(hub, space, kind);
    let mut lines = Vec::new();
    let listen = async {
        loop {
            lines.push(follower.next().await);
        }
    };
    // The log never ends by itself.
    let _ = tokio::time::timeout(time, listen).await;
    keep(log, space, kind, &lines, &tail);
    lines.iter().for_each(|line| tail.push(line));
    tail
}

/// Keeps lines in the run bundle. The first lines of each reading of a log, which begins at the start of the log, have
/// a heading.
fn keep(log: &Log, space: &Repo, kind: LogKind, lines: &[String], before: &LogTail) {
    if lines.is_empty() {
        return;
    }
    let kind = kind.as_str();
    if before.is_empty() {
        log.keep_lines(kind, &format!("===== {kind} log of the {space} ====="));
    }
    log.keep_lines(kind, &lines.join("\n"));
}

/// Reads the last `lines` lines of a log as it is now. A failure of the Hub that may pass is tried again.
pub async fn read_end(hub: &Hub, space: &Repo, kind: LogKind, lines: u32) -> Result<Vec<String>, hub::Error> {
    let mut attempt = 1;
    let bytes = loop {
        match hub.open_log_end(space, kind, lines).await {
            Ok(bytes) => break bytes,
            Err(error) if error.may_pass() && attempt < END_ATTEMPTS => {
                tokio::time::sleep(END_PAUSE * attempt).await;
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    };
    let mut read = log_follower::read_until_quiet(bytes, QUIET).await;
    // A Hub may ignore the number of lines.
    let beyond = read.len().saturating_sub(usize::try_from(lines).unwrap_or(usize::MAX));
    read.drain(..beyond);
    Ok(read)
}

/// Prints a log while it grows, for `time`.
pub async fn print_growing(hub: &Hub, log: &Log, space: &Repo, kind: LogKind, time: Duration) -> LogTail {
    let mut printer = LogPrinter::new(hub, log, space);
    printer.follow(kind);
    printer.listen(time).await;
    printer.close_group();
    printer.into_tails().pop().unwrap_or_else(|| LogTail::new(kind))
}

/// Prints one log of a Space at a time, and keeps the ends of all.
#[derive(Debug)]
pub(super) struct LogPrinter<'a> {
    hub: &'a Hub,
    log: &'a Log,
    space: &'a Repo,
    follower: Option<(LogKind, LogFollower)>,
    group: Option<Group>,
    tails: Vec<LogTail>,
}

impl<'a> LogPrinter<'a> {
    pub(super) fn new(hub: &'a Hub, log: &'a Log, space: &'a Repo) -> Self {
        Self { hub, log, space, follower: None, group: None, tails: Vec::new() }
    }

    /// Follows a log, in place of the one so far.
    pub(super) fn follow(&mut self, kind: LogKind) {
        if self.follower.as_ref().is_some_and(|(followed, _)| *followed == kind) {
            return;
        }
        self.print(None);
        self.close_group();
        self.follower = Some((kind, follow(self.hub, self.space, kind)));
        self.tails.retain(|tail| tail.kind != kind);
        self.tails.push(LogTail::new(kind));
    }

    /// Prints lines as they come, for a while.
    pub(super) async fn listen(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let Some((_, follower)) = &mut self.follower else { return tokio::time::sleep_until(end).await };
            let Ok(first) = tokio::time::timeout_at(end, follower.next()).await else { return };
            tokio::time::sleep_until(end.min(Instant::now() + FLUSH_INTERVAL)).await;
            self.print(Some(first));
        }
    }

    /// Ends the group of lines, before another message.
    pub(super) fn close_group(&mut self) {
        self.group = None;
    }

    /// Returns the ends of the logs that were followed.
    pub(super) fn tails(&self) -> &[LogTail] {
        &self.tails
    }

    /// Stops, and returns the ends of the logs that were followed.
    pub(super) fn into_tails(self) -> Vec<LogTail> {
        self.tails
    }

    /// Prints a line, if there is one, and the lines that arrived after it.
    fn print(&mut self, first: Option<String>) {
        let Some((kind, follower)) = &mut self.follower else { return };
        let lines: Vec<String> =
            first.into_iter().chain(std::iter::from_fn(|| follower.try_next())).collect();
        if lines.is_empty() {
            return;
        }
        if self.group.is_none() {
            self.group = Some(self.log.group(&format!("{} log of the Space", kind.as_str())));
        }
        self.log.untrusted(&lines.join("\n"));
        if let Some(tail) = self.tails.last_mut() {
            keep(self.log, self.space, *kind, &lines, tail);
            for line in &lines {
                tail.push(&self.log.redact(line));
            }
        }
    }
}
