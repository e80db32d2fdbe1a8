//! Errors of files with sessions.

use std::{fmt, io};

/// Fault of a value that is no part of a session.
pub(super) const NO_OBJECT: &str = "is no JSON object";

/// A file that is no file with sessions.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("{place} {fault}")]
    Fault { place: Place, fault: &'static str },
    #[error("cannot read line {line}")]
    Read { line: u64, source: io::Error },
    #[error("cannot write a session")]
    Write(#[source] io::Error),
}

/// Place in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Line(u64),
    /// Of a list.
    Element(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Element(number) => write!(f, "element {number}"),
        }
    }
}

impl TraceError {
    pub(super) fn new(line: u64, fault: &'static str) -> Self {
        Self::Fault { place: Place::Line(line), fault }
    }

    pub(super) fn reading(line: u64, error: &io::Error) -> Self {
        Self::Read { line, source: io::Error::new(error.kind(), error.to_string()) }
    }

    pub(super) fn json(line: u64, error: &serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(kind) => Self::Read { line, source: io::Error::from(kind) },
            None => Self::new(line, NO_OBJECT),
        }
    }
}
