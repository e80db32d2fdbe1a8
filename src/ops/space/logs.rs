//! The logs of a Space, followed while they grow.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use hub::{Hub, LogKind, Repo, sse};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::text::without_colors;

/// The waits between connections: a log that closes at once is not asked for without a break.
const FIRST_BREAK: Duration = Duration::from_secs(1);
const LONGEST_BREAK: Duration = Duration::from_secs(10);
/// Lines that wait to be printed.
const QUEUE: usize = 1000;
/// The longest line that is kept, in bytes: pip lists all versions of a package in one.
const MAX_LINE: usize = 16 * 1024;

/// A log that is followed until this is dropped.
#[derive(Debug)]
pub struct Follower {
    lines: mpsc::Receiver<String>,
    task: tokio::task::JoinHandle<()>,
}

impl Follower {
    /// Follows a log from its beginning. It comes as events that are replayed at each connection: those
    /// seen before are skipped, until one differs, which begins another log.
    pub fn start(hub: &Hub, space: &Repo, kind: LogKind) -> Self {
        let (sender, lines) = mpsc::channel(QUEUE);
        let task = tokio::spawn(follow(hub.clone(), space.clone(), kind, sender));
        Self { lines, task }
    }

    /// The next line; never, when the log cannot be read.
    pub async fn next(&mut self) -> String {
        match self.lines.recv().await {
            Some(line) => line,
            None => std::future::pending().await,
        }
    }

    /// A line that is there already.
    pub fn try_next(&mut self) -> Option<String> {
        self.lines.try_recv().ok()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The end of a log as it is now: what arrives within `patience`.
pub async fn tail(hub: &Hub, space: &Repo, kind: LogKind, patience: Duration) -> LogTail {
    let mut tail = LogTail::new(kind);
    let mut follower = Follower::start(hub, space, kind);
    let listen = async {
        loop {
            tail.push(&follower.next().await);
        }
    };
    // It never ends by itself.
    let _ = tokio::time::timeout(patience, listen).await;
    tail
}

async fn follow(hub: Hub, space: Repo, kind: LogKind, sender: mpsc::Sender<String>) {
    let mut seen = Seen::default();
    let mut pause = FIRST_BREAK;
    loop {
        match hub.open_log(&space, kind).await {
            // What is refused now is refused later: the wait goes on without a log.
            Err(error)
                if error.status().is_some_and(|status| (400..500).contains(&status) && status != 429) =>
            {
                let _ = sender.send(format!("({error})")).await;
                return;
            }
            Err(_) => {}
            Ok(mut bytes) => {
                seen.rewind();
                let mut decoder = sse::Decoder::default();
                while let Some(chunk) = bytes.next().await {
                    for event in decoder.push(&chunk) {
                        let Some(line) = seen.new_line(&event.data) else { continue };
                        pause = FIRST_BREAK;
                        if sender.send(line).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_BREAK);
    }
}

/// What of a log was passed on already.
#[derive(Default)]
struct Seen {
    events: Vec<u64>,
    /// The place in the replay.
    position: usize,
}

#[derive(Deserialize)]
struct Entry {
    data: String,
    #[serde(default)]
    timestamp: String,
}

impl Seen {
    /// A new connection starts from the log's beginning.
    fn rewind(&mut self) {
        self.position = 0;
    }

    /// The text of an event that was not seen before. Keep-alives are empty, and no events.
    fn new_line(&mut self, data: &str) -> Option<String> {
        if data.trim().is_empty() {
            return None;
        }
        let entry = serde_json::from_str(data)
            .unwrap_or_else(|_| Entry { data: data.to_owned(), timestamp: String::new() });
        let mut hasher = DefaultHasher::new();
        (&entry.data, &entry.timestamp).hash(&mut hasher);
        let mark = hasher.finish();
        if self.events.get(self.position) == Some(&mark) {
            self.position += 1;
            return None;
        }
        self.events.truncate(self.position);
        self.events.push(mark);
        self.position += 1;
        let mut line = without_colors(&entry.data);
        line.truncate(line.floor_char_boundary(MAX_LINE));
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// The end of a log, and its first error if that is no longer part of the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTail {
    pub kind: LogKind,
    /// The last [`Self::KEPT`] lines.
    lines: VecDeque<String>,
    /// The lines that left `lines`, from the first one on that speaks of an error.
    first_error: Vec<String>,
}

impl LogTail {
    /// Lines that are shown.
    const SHOWN: usize = 60;
    /// Lines that are kept to find the cause of a failure.
    const KEPT: usize = 500;
    /// Lines that are kept from the first error on.
    const FIRST_ERROR: usize = 40;
    /// Beginnings of the line that the Hub writes first into a log.
    const HEADINGS: [&str; 2] = ["===== Build Queued at ", "===== Application Startup at "];

    pub fn new(kind: LogKind) -> Self {
        Self { kind, lines: VecDeque::new(), first_error: Vec::new() }
    }

    pub fn push(&mut self, line: &str) {
        if Self::HEADINGS.iter().any(|heading| line.starts_with(heading)) {
            // Another build, or another start of the app: errors of the one before are not its errors.
            self.lines.clear();
            self.first_error.clear();
        }
        if self.lines.len() == Self::KEPT
            && let Some(left) = self.lines.pop_front()
        {
            let is_wanted = speaks_of_error(&left) || !self.first_error.is_empty();
            if is_wanted && self.first_error.len() < Self::FIRST_ERROR {
                self.first_error.push(left);
            }
        }
        self.lines.push_back(line.to_owned());
    }

    /// The last lines, to be shown.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().skip(self.lines.len().saturating_sub(Self::SHOWN)).map(String::as_str)
    }

    /// The lines that may hold the cause of a failure, in their order.
    pub fn evidence(&self) -> impl Iterator<Item = &str> {
        self.first_error.iter().chain(&self.lines).map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

fn speaks_of_error(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.contains("error") || line.contains("exception")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str, second: u32) -> String {
        serde_json::json!({ "data": format!("{text}\n"), "timestamp": format!("T{second}") }).to_string()
    }

    #[test]
    fn a_replay_is_skipped_and_another_log_is_not() {
        let mut seen = Seen::default();
        assert_eq!(seen.new_line(&event("a", 1)), Some("a".to_owned()));
        assert_eq!(seen.new_line(""), None);
        assert_eq!(seen.new_line(&event("a", 2)), Some("a".to_owned()), "the same text, later");
        seen.rewind();
        assert_eq!(seen.new_line(&event("a", 1)), None);
        assert_eq!(seen.new_line(&event("a", 2)), None);
        assert_eq!(seen.new_line(&event("b", 3)), Some("b".to_owned()));
        seen.rewind();
        assert_eq!(seen.new_line(&event("x", 9)), Some("x".to_owned()));
        assert_eq!(seen.new_line(&event("a", 2)), Some("a".to_owned()), "another log has other events");
        assert_eq!(seen.new_line("no json"), Some("no json".to_owned()));
    }

    #[test]
    fn tail_shows_the_end_and_keeps_the_first_error() {
        let mut tail = LogTail::new(LogKind::Build);
        tail.push("hello");
        tail.push("ERROR: first");
        for index in 0..1000 {
            tail.push(&format!("line {index}"));
        }
        assert_eq!(tail.lines().count(), 60);
        assert_eq!(tail.lines().last(), Some("line 999"));
        let evidence: Vec<&str> = tail.evidence().collect();
        assert_eq!(evidence.len(), 540);
        assert_eq!((evidence[0], evidence[1], evidence[40]), ("ERROR: first", "line 0", "line 500"));
    }

    #[test]
    fn another_start_leaves_the_errors_of_the_one_before() {
        let mut tail = LogTail::new(LogKind::Run);
        tail.push("ValueError: old");
        tail.push("===== Application Startup at 2026-11-27 10:00:00 =====");
        tail.push("hello");
        assert_eq!(tail.evidence().count(), 2);
    }

    #[test]
    fn colors_are_no_part_of_a_line() {
        let event = serde_json::json!({ "data": "\u{1b}[31mERROR: no\u{1b}[0m\n" }).to_string();
        assert_eq!(Seen::default().new_line(&event), Some("ERROR: no".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_log_says_is_one_line_of_bounded_length(events in proptest::collection::vec(".{0,40}", 0..8)) {
            let mut seen = Seen::default();
            let wide = serde_json::json!({ "data": "ü".repeat(MAX_LINE) }).to_string();
            for data in events.iter().chain([&wide]) {
                let line = seen.new_line(data).unwrap_or_default();
                proptest::prop_assert!(line.len() <= MAX_LINE && !line.ends_with('\n'));
            }
            seen.rewind();
            let replayed = events.iter().chain([&wide]).filter_map(|data| seen.new_line(data)).count();
            proptest::prop_assert_eq!(replayed, 0);
        }
    }
}
