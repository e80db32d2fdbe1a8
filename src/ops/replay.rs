//! Events of a log that the Hub sends again at each connection.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;

/// Events of a log that were passed on already.
///
/// The Hub sends the whole log at each connection. Known events are skipped until one differs, which starts another log.
#[derive(Debug, Default)]
pub(super) struct ReplayFilter {
    events: Vec<u64>,
    /// Position in the replay.
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
    pub(super) fn rewind(&mut self) {
        self.position = 0;
    }

    /// Returns the text of a new event. Keep-alives are empty and count as no events.
    pub(super) fn new_text(&mut self, data: &str) -> Option<String> {
        if data.trim().is_empty() {
            return None;
        }
        let entry = serde_json::from_str(data)
            .unwrap_or_else(|_| Entry { data: data.to_owned(), timestamp: String::new() });
        let mut hasher = DefaultHasher::new();
        (&entry.data, &entry.timestamp).hash(&mut hasher);
        let mark = hasher.finish();
        // A log that lost its beginning on the Hub goes on with an event that was seen later.
        let seen = self.events[self.position..].iter().position(|known| *known == mark);
        if let Some(skipped) = seen.filter(|skipped| *skipped == 0 || self.position == 0) {
            self.position += skipped + 1;
            return None;
        }
        self.events.truncate(self.position);
        self.events.push(mark);
        self.position += 1;
        Some(entry.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str, second: u32) -> String {
        serde_json::json!({ "data": text, "timestamp": format!("T{second}") }).to_string()
    }

    #[test]
    fn replay_is_skipped_and_another_log_is_not() {
        let mut filter = ReplayFilter::default();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(filter.new_text(&event("a", 1)), some("a"));
        assert_eq!(filter.new_text(""), None);
        assert_eq!(filter.new_text(&event("a", 2)), some("a"), "the same text with a later timestamp");
        filter.rewind();
        assert_eq!(filter.new_text(&event("a", 1)), None);
        assert_eq!(filter.new_text(&event("a", 2)), None);
        assert_eq!(filter.new_text(&event("b", 3)), some("b"));
        filter.rewind();
        assert_eq!(filter.new_text(&event("x", 9)), some("x"));
        assert_eq!(filter.new_text(&event("a", 2)), some("a"), "another log has other events");
        assert_eq!(filter.new_text("no json"), some("no json"));
    }

    #[test]
    fn log_that_lost_its_beginning_goes_on() {
        let mut filter = ReplayFilter::default();
        for second in 1..=5 {
            assert!(filter.new_text(&event("line", second)).is_some());
        }
        filter.rewind();
        assert_eq!(filter.new_text(&event("line", 4)), None);
        assert_eq!(filter.new_text(&event("line", 5)), None);
        assert_eq!(filter.new_text(&event("line", 6)), Some("line".to_owned()));
    }
}
