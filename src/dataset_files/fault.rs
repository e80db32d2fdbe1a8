//! Faults of files, with their lines.

use crate::text::human_bytes;

/// A fault of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path of the file in the folder.
    pub path: String,
    /// Line, counted from 1. `None` for all of the file, and in a file without lines.
    pub line: Option<u64>,
    /// The rest of the sentence behind the place: "is empty".
    pub sentence: String,
    /// The limit of the size can be raised.
    pub is_over_limit: bool,
}

/// Faults of one file. No more are noted once the limit is reached.
#[derive(Debug)]
pub struct Faults<'a> {
    path: &'a str,
    list: &'a mut Vec<Fault>,
    limit: usize,
}

impl<'a> Faults<'a> {
    /// Adds faults of the file at `path` to a list with a limit.
    pub fn new(path: &'a str, list: &'a mut Vec<Fault>, limit: usize) -> Self {
        Self { path, list, limit }
    }

    /// Notes a fault of a line.
    pub fn add(&mut self, line: u64, sentence: impl Into<String>) {
        self.push(Some(line), sentence.into());
    }

    /// Notes a fault of the file.
    pub fn add_whole(&mut self, sentence: impl Into<String>) {
        self.push(None, sentence.into());
    }

    /// Notes a fault of a line, if it has one.
    pub fn push(&mut self, line: Option<u64>, sentence: String) {
        self.push_fault(line, sentence, false);
    }

    /// Notes a row, or a group of rows, over the limit of its size.
    pub fn add_too_large(&mut self, line: Option<u64>, what: &str, max: u64) {
        self.push_fault(line, format!("has {what}, and the limit is {}", human_bytes(max)), true);
    }

    fn push_fault(&mut self, line: Option<u64>, sentence: String, is_over_limit: bool) {
        if !self.is_full() {
            self.list.push(Fault { path: self.path.to_owned(), line, sentence, is_over_limit });
        }
    }

    /// Returns true if no more faults are noted, so that reading on is of no use.
    pub fn is_full(&self) -> bool {
        self.list.len() >= self.limit
    }
}
