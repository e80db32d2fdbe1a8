//! A log that is followed while it grows, over server-sent events.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use hub::{LogBytes, sse};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::text::without_colors;

/// Pauses between connections, because a log may close as soon as it is opened.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// Number of lines that may wait for the reader.
const QUEUE: usize = 1000;
/// Longest line, in bytes, because pip lists all versions of a package in one line.
const MAX_LINE: usize = 16 * 1024;

/// A log that is followed until this is dropped.
#[derive(Debug)]
pub struct LogFollower {
    lines: mpsc::Receiver<String>,
    task: tokio::task::JoinHandle<()>,
}

impl LogFollower {
    /// Follows the log that `open` opens, from its beginning.
    ///
    /// The Hub replays the whole log at each connection. The follower skips known events until one differs, which
    /// starts another log.
    pub fn start<F, O>(open: F) -> Self
    where
        F: Fn() -> O + Send + 'static,
        O: Future<Output = Result<LogBytes, hub::Error>> + Send + 'static,
    {
        let (sender, lines) = mpsc::channel(QUEUE);
        let task = tokio::spawn(follow(open, sender));
        Self { lines, task }
    }

    /// Returns the next line. Waits for ever if the log cannot be read.
    pub async fn next(&mut self) -> String {
        match self.lines.recv().await {
            Some(line) => line,
            None => std::future::pending().await,
        }
    }

    /// Returns a line that has arrived already.
    pub fn try_next(&mut self) -> Option<String> {
        self.lines.try_recv().ok()
    }
}

impl Drop for LogFollower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow<F, O>(open: F, sender: mpsc::Sender<String>)
where
    F: Fn() -> O,
    O: Future<Output = Result<LogBytes, hub::Error>>,
{
    let mut filter = ReplayFilter::default();
    let mut pause = FIRST_PAUSE;
    loop {
        match open().await {
            // The Hub would refuse every later request too, so the log ends here.
            Err(error)
                if error.status().is_some_and(|status| (400..500).contains(&status) && status != 429) =>
            {
                let _ = sender.send(format!("({error})")).await;
                return;
            }
            Err(_) => {}
            Ok(mut bytes) => {
                filter.rewind();
                let mut decoder = sse::Decoder::default();
                while let Some(chunk) = bytes.next().await {
                    for event in decoder.push(&chunk) {
                        let Some(line) = filter.new_line(&event.data) else { continue };
                        pause = FIRST_PAUSE;
                        if sender.send(line).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// Events of a log that were passed on already.
#[derive(Default)]
struct ReplayFilter {
    events: Vec<u64>,
    /// The position in the replay.
    position: usize,
}

#[derive(Deserialize)]
struct Entry {
    data: String,
    #[serde(default)]
    timestamp: String,
}

impl ReplayFilter {
    /// Starts a replay, because a connection starts from the beginning of the log.
    fn rewind(&mut self) {
        self.position = 0;
    }

    /// Returns the text of a new event. Keep-alives are empty and count as no events.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str, second: u32) -> String {
        serde_json::json!({ "data": format!("{text}\n"), "timestamp": format!("T{second}") }).to_string()
    }

    #[test]
    fn replay_is_skipped_and_another_log_is_not() {
        let mut filter = ReplayFilter::default();
        assert_eq!(filter.new_line(&event("a", 1)), Some("a".to_owned()));
        assert_eq!(filter.new_line(""), None);
        assert_eq!(
            filter.new_line(&event("a", 2)),
            Some("a".to_owned()),
            "the same text with a later timestamp"
        );
        filter.rewind();
        assert_eq!(filter.new_line(&event("a", 1)), None);
        assert_eq!(filter.new_line(&event("a", 2)), None);
        assert_eq!(filter.new_line(&event("b", 3)), Some("b".to_owned()));
        filter.rewind();
        assert_eq!(filter.new_line(&event("x", 9)), Some("x".to_owned()));
        assert_eq!(filter.new_line(&event("a", 2)), Some("a".to_owned()), "another log has other events");
        assert_eq!(filter.new_line("no json"), Some("no json".to_owned()));
    }

    #[test]
    fn colors_are_removed() {
        let event = serde_json::json!({ "data": "\u{1b}[31mERROR: no\u{1b}[0m\n" }).to_string();
        assert_eq!(ReplayFilter::default().new_line(&event), Some("ERROR: no".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn any_event_is_one_line_of_bounded_length(events in proptest::collection::vec(".{0,40}", 0..8)) {
            let mut filter = ReplayFilter::default();
            let wide = serde_json::json!({ "data": "ü".repeat(MAX_LINE) }).to_string();
            for data in events.iter().chain([&wide]) {
                let line = filter.new_line(data).unwrap_or_default();
                proptest::prop_assert!(line.len() <= MAX_LINE && !line.ends_with('\n'));
            }
            filter.rewind();
            let replayed = events.iter().chain([&wide]).filter_map(|data| filter.new_line(data)).count();
            proptest::prop_assert_eq!(replayed, 0);
        }
    }
}
