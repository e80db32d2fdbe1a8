//! A log that is followed while it grows, over server-sent events.

use std::time::Duration;

use hub::{LogBytes, sse};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::replay::ReplayFilter;
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
                        let Some(line) = filter.new_text(&event.data).map(|text| line_of(&text)) else {
                            continue;
                        };
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

/// Reads the lines of a log until it ends, or no line arrives for `quiet`.
pub(crate) async fn read_until_quiet(mut bytes: LogBytes, quiet: Duration) -> Vec<String> {
    let mut decoder = sse::Decoder::default();
    let mut filter = ReplayFilter::default();
    let mut lines = Vec::new();
    let mut end = Instant::now() + quiet;
    while let Ok(Some(chunk)) = tokio::time::timeout_at(end, bytes.next()).await {
        let before = lines.len();
        let events = decoder.push(&chunk);
        lines.extend(events.iter().filter_map(|event| Some(line_of(&filter.new_text(&event.data)?))));
        // A keep-alive is no line.
        if lines.len() > before {
            end = Instant::now() + quiet;
        }
    }
    lines
}

/// Returns the text of an event as one line without colors.
fn line_of(text: &str) -> String {
    let mut line = without_colors(text);
    line.truncate(line.floor_char_boundary(MAX_LINE));
    line.trim_end_matches(['\r', '\n']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_removed() {
        assert_eq!(line_of("\u{1b}[31mERROR: no\u{1b}[0m\n"), "ERROR: no");
    }

    proptest::proptest! {
        #[test]
        fn any_event_is_one_line_of_bounded_length(events in proptest::collection::vec(".{0,40}", 0..8)) {
            let mut filter = ReplayFilter::default();
            let wide = serde_json::json!({ "data": "ü".repeat(MAX_LINE) }).to_string();
            for data in events.iter().chain([&wide]) {
                let line = filter.new_text(data).map(|text| line_of(&text)).unwrap_or_default();
                proptest::prop_assert!(line.len() <= MAX_LINE && !line.ends_with('\n'));
            }
            filter.rewind();
            let replayed = events.iter().chain([&wide]).filter_map(|data| filter.new_text(data)).count();
            proptest::prop_assert_eq!(replayed, 0);
        }
    }
}
