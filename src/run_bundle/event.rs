//! Events of a run: the lines of `events.jsonl`.

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Part of a run, as events and the state name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    #[default]
    Preflight,
    Analyze,
    Generate,
    Create,
    Upload,
    Commit,
    Build,
    Start,
    Check,
    Gate,
    Rollback,
    Job,
    Collect,
    Cleanup,
}

/// Severity of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventLevel {
    Info,
    Warning,
    Error,
}

/// One line of `events.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    #[serde(serialize_with = "rfc_3339")]
    pub ts: Timestamp,
    /// Position in the journal, from 0 without gaps.
    pub seq: u64,
    pub phase: Phase,
    pub level: EventLevel,
    /// Name of the event in snake_case, such as `commit_created`.
    pub event: &'static str,
    /// One sentence for people.
    pub message: String,
    /// Facts for programs: an object, or null.
    pub data: Value,
}

/// Writes a time with milliseconds, because some readers take no more than six digits.
pub(super) fn rfc_3339<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}
