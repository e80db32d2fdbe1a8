//! The connection to GitHub of a run. Trouble with it is logged, and never ends a deploy.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::action::journal::{EndCause, Undo, Undone};
use crate::action::{Journal, Log};
use crate::failure::preview::{self as advice, Unaffected};
use crate::github::{Cause, Error, Github, GithubOptions, Permission};

/// Time allowed on GitHub for a run that is cancelled. The runner kills it ten seconds after the first signal.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(3);

/// GitHub, as a run uses it. Copies share what was noticed.
#[derive(Debug, Clone)]
pub struct Connection {
    pub github: Github,
    log: Log,
    unaffected: Unaffected,
    lacking: Arc<Mutex<BTreeSet<Permission>>>,
    /// Kinds of warnings so far.
    warned: Arc<Mutex<BTreeSet<String>>>,
}

impl Connection {
    /// Returns the connection of a deploy, or logs why there is none.
    pub fn of_deploy(options: Option<&GithubOptions>, log: &Log) -> Option<Self> {
        let Some(options) = options else {
            log.notice(&advice::no_github_token());
            return None;
        };
        match Github::new(options.clone()) {
            Ok(github) => Some(Self::new(github, log, Unaffected::Deploy)),
            Err(error) => {
                log.warning(&advice::github_trouble(&error, Unaffected::Deploy));
                None
            }
        }
    }

    /// Wraps a client. `unaffected` goes on whatever happens on GitHub.
    pub fn new(github: Github, log: &Log, unaffected: Unaffected) -> Self {
        let (lacking, warned) = (Arc::default(), Arc::default());
        Self { github, log: log.clone(), unaffected, lacking, warned }
    }

    /// Returns the value of an operation, or logs why there is none: one notice for each missing permission, and one
    /// warning for each other error.
    pub fn note<T>(&self, result: Result<T, Error>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        match error.missing_permission() {
            Some(permission) => {
                let mut lacking = self.lacking.lock().unwrap_or_else(PoisonError::into_inner);
                if lacking.insert(permission) {
                    let notice = advice::missing_permission(&error, permission.as_str(), self.unaffected);
                    self.log.notice(&notice);
                }
            }
            None => {
                let warning = advice::github_trouble(&error, self.unaffected);
                // One warning is enough for all requests that are not made any more.
                let is_given_up = matches!(error.cause, Cause::GivenUp);
                let kind = if is_given_up { String::new() } else { warning.clone() };
                let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
                if warned.insert(kind) {
                    self.log.warning(&warning);
                }
            }
        }
        None
    }

    /// Returns true if GitHub has refused an operation for lack of this permission.
    pub fn lacks(&self, permission: Permission) -> bool {
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner).contains(&permission)
    }
}

/// Registers work on GitHub for a run that is cancelled. A run that fails does it in its usual course.
pub(super) fn on_cancel<W>(
    journal: &Journal,
    subject: &'static str,
    work: impl FnOnce() -> W + Send + 'static,
) -> Undo
where
    W: Future + Send + 'static,
{
    journal.on_early_end(subject, move |unwinding| async move {
        if unwinding.cause == EndCause::Cancelled {
            // The next run adds the rest.
            let _ = tokio::time::timeout(CANCEL_TIMEOUT, work()).await;
        }
        Undone::TakenBack
    })
}
