//! The refusal of what an agent returned.

use std::fmt;

/// Files that are not used, with every rule that they break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub faults: Vec<Fault>,
}

/// A rule that a file breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Path in the folder of the agent. It may be any text.
    pub path: String,
    /// Line, counted from 1.
    pub line: Option<usize>,
    /// The fault, as the rest of a sentence about the file. It may have text of the agent.
    pub text: String,
}

impl Fault {
    pub(super) fn whole(path: &str, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line: None, text: text.into() }
    }

    pub(super) fn at(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::whole(path, text) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.text),
            None => write!(f, "{}: {}", self.path, self.text),
        }
    }
}
