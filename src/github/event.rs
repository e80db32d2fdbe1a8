//! The event of a pull request that triggered the run (GitHub docs, "Webhook events and payloads").

use std::num::NonZeroU64;
use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

/// Largest event that is read, in bytes. GitHub caps events at 25 MB.
const MAX_EVENT: u64 = 25_000_000;

/// Pull request of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestEvent {
    pub number: u64,
    /// True once the pull request is closed, merged or not.
    pub is_closed: bool,
    /// Head commit, in hexadecimal.
    pub head: String,
    /// True if the repository on GitHub is private.
    pub is_private: bool,
}

/// Reason why an event is not used.
#[derive(Debug, Error)]
pub enum EventError {
    #[error("cannot read the event of the run: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("cannot read the event of the run: it has more than {MAX_EVENT} bytes")]
    TooLarge,
    #[error("cannot read the event of the run: {0}")]
    Malformed(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Event {
    pull_request: Row,
    repository: Repository,
}

#[derive(Deserialize)]
struct Row {
    number: NonZeroU64,
    state: String,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    sha: String,
}

#[derive(Deserialize)]
struct Repository {
    #[serde(default)]
    private: bool,
}

impl PullRequestEvent {
    /// Reads the event from the file that `GITHUB_EVENT_PATH` names.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or holds no event of a pull request.
    pub fn read(path: &Path) -> Result<Self, EventError> {
        if std::fs::metadata(path)?.len() > MAX_EVENT {
            return Err(EventError::TooLarge);
        }
        Self::parse(&std::fs::read(path)?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, EventError> {
        let Event { pull_request: row, repository } = serde_json::from_slice(bytes)?;
        Ok(Self {
            number: row.number.get(),
            is_closed: row.state == "closed",
            head: row.head.sha,
            is_private: repository.private,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(state: &str) -> Value {
        json!({
            "action": "synchronize",
            "pull_request": {"number": 12, "state": state, "head": {"sha": "a".repeat(40), "repo": null}},
            "repository": {"private": true},
        })
    }

    fn parse(event: &Value) -> Result<PullRequestEvent, EventError> {
        PullRequestEvent::parse(event.to_string().as_bytes())
    }

    #[test]
    fn an_event_has_number_state_head_and_visibility() {
        for (state, is_closed) in [("open", false), ("closed", true)] {
            let expected = PullRequestEvent { number: 12, is_closed, head: "a".repeat(40), is_private: true };
            assert_eq!(parse(&event(state)).unwrap(), expected);
        }
    }

    #[test]
    fn other_events_and_missing_files_are_errors() {
        assert!(matches!(parse(&json!({"ref": "refs/heads/main"})), Err(EventError::Malformed(_))));
        let mut without_number = event("open");
        without_number["pull_request"]["number"] = json!(0);
        assert!(matches!(parse(&without_number), Err(EventError::Malformed(_))));
        assert!(matches!(PullRequestEvent::read(Path::new("/nowhere")), Err(EventError::Unreadable(_))));
    }
}
