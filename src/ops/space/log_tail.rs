//! The end of a log of a Space.

use std::collections::VecDeque;

use hub::LogKind;

/// End of a log, and its first error if that is no longer part of the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTail {
    pub kind: LogKind,
    /// The last [`Self::KEPT`] lines.
    lines: VecDeque<String>,
    /// The lines that left `lines`, from the first error on.
    first_error: Vec<String>,
}

impl LogTail {
    /// Number of lines that are shown.
    const SHOWN: usize = 60;
    /// Number of lines that are kept to find the cause of a failure.
    const KEPT: usize = 500;
    /// Number of lines that are kept from the first error on.
    const FIRST_ERROR: usize = 40;
    /// Starts of the first line of a log, which the Hub writes.
    const HEADINGS: [&str; 2] = ["===== Build Queued at ", "===== Application Startup at "];

    pub fn new(kind: LogKind) -> Self {
        Self { kind, lines: VecDeque::new(), first_error: Vec::new() }
    }

    pub fn push(&mut self, line: &str) {
        if Self::HEADINGS.iter().any(|heading| line.starts_with(heading)) {
            // The errors so far are those of an earlier build or start.
            self.lines.clear();
            self.first_error.clear();
        }
        if self.lines.len() == Self::KEPT
            && let Some(left) = self.lines.pop_front()
        {
            let is_wanted = mentions_error(&left) || !self.first_error.is_empty();
            if is_wanted && self.first_error.len() < Self::FIRST_ERROR {
                self.first_error.push(left);
            }
        }
        self.lines.push_back(line.to_owned());
    }

    /// Returns the last lines, for people.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().skip(self.lines.len().saturating_sub(Self::SHOWN)).map(String::as_str)
    }

    /// Returns all lines that are kept from the end.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Returns the lines that may hold the cause of a failure, in their order.
    pub fn evidence(&self) -> impl Iterator<Item = &str> {
        self.first_error.iter().chain(&self.lines).map(String::as_str)
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Returns the last lines of the last log that has some.
pub fn last_lines(tails: &[LogTail]) -> Vec<String> {
    const LINES: usize = 15;
    let Some(tail) = tails.iter().rev().find(|tail| !tail.is_empty()) else { return Vec::new() };
    tail.lines.iter().skip(tail.lines.len().saturating_sub(LINES)).cloned().collect()
}

fn mentions_error(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    line.contains("error") || line.contains("exception")
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn another_start_drops_the_errors_of_the_one_before() {
        let mut tail = LogTail::new(LogKind::Run);
        tail.push("ValueError: old");
        tail.push("===== Application Startup at 2026-11-27 10:00:00 =====");
        tail.push("hello");
        assert_eq!(tail.evidence().count(), 2);
    }
}
