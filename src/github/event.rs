//! The event of a pull request that triggered the run (GitHub docs, "Webhook events and payloads").

use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

/// Largest event that is read, in bytes. GitHub caps events at 25 MB.
const MAX_EVENT: u64 = 25_000_000;

/// Pull request of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestEvent {
    pub number: u64,
    pub action: PullRequestAction,
    /// True once the pull request is closed, merged or not.
    pub is_closed: bool,
    /// Head commit, in hexadecimal.
    pub head: String,
    /// True if the head is in another repository, which GitHub gives no secrets. The repository of a fork may be gone.
    pub is_from_fork: bool,
    /// True if the repository on GitHub is private.
    pub is_private: bool,
}

/// Cause of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequestAction {
    /// It was closed, merged or not.
    Closed,
    /// Any other cause: opened, pushed to, reopened, labeled.
    Other,
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
    action: String,
    pull_request: Row,
    repository: Repository,
}

#[derive(Deserialize)]
struct Row {
    number: u64,
    state: String,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    sha: String,
    /// `None` after a fork was deleted.
    repo: Option<SideRepo>,
}

#[derive(Deserialize)]
struct SideRepo {
    full_name: String,
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
        let Event { action, pull_request: row, repository } = serde_json::from_slice(bytes)?;
        let name = |side: &Side| side.repo.as_ref().map(|repo| repo.full_name.clone());
        Ok(Self {
            number: row.number,
            action: if action == "closed" { PullRequestAction::Closed } else { PullRequestAction::Other },
            is_closed: row.state == "closed",
            is_from_fork: name(&row.head).is_none() || name(&row.head) != name(&row.base),
            head: row.head.sha,
            is_private: repository.private,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(head: Value) -> Value {
        json!({
            "action": "synchronize",
            "pull_request": {
                "number": 12, "state": "open", "head": head,
                "base": {"sha": "b".repeat(40), "repo": {"full_name": "octo/hello"}},
            },
            "repository": {"private": true},
        })
    }

    fn parse(event: &Value) -> Result<PullRequestEvent, EventError> {
        PullRequestEvent::parse(event.to_string().as_bytes())
    }

    #[test]
    fn an_event_has_number_head_and_visibility() {
        let own = event(json!({"sha": "a".repeat(40), "repo": {"full_name": "octo/hello"}}));
        assert_eq!(
            parse(&own).unwrap(),
            PullRequestEvent {
                number: 12,
                action: PullRequestAction::Other,
                is_closed: false,
                head: "a".repeat(40),
                is_from_fork: false,
                is_private: true,
            }
        );
    }

    #[test]
    fn a_deleted_fork_is_a_fork() {
        for repo in [json!({"full_name": "mona/hello"}), Value::Null] {
            assert!(parse(&event(json!({"sha": "a", "repo": repo}))).unwrap().is_from_fork);
        }
    }

    #[test]
    fn a_closed_pull_request_is_seen_in_its_action_and_its_state() {
        let mut closed = event(json!({"sha": "a", "repo": null}));
        closed["action"] = json!("closed");
        closed["pull_request"]["state"] = json!("closed");
        let closed = parse(&closed).unwrap();
        assert_eq!((closed.action, closed.is_closed), (PullRequestAction::Closed, true));
    }

    #[test]
    fn other_events_and_missing_files_are_errors() {
        assert!(matches!(parse(&json!({"ref": "refs/heads/main"})), Err(EventError::Malformed(_))));
        assert!(matches!(PullRequestEvent::read(Path::new("/nowhere")), Err(EventError::Unreadable(_))));
    }
}
