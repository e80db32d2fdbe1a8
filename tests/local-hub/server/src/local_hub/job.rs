//! Handles on Jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::jobs::job::{Job, Stage};

/// One Job of a local Hub.
#[derive(Clone)]
pub struct JobHandle(Arc<Job>);

impl std::fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("JobHandle").field(&self.0.id).finish()
    }
}

impl JobHandle {
    pub(super) fn new(job: Arc<Job>) -> Self {
        Self(job)
    }

    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Returns the stage, as the Hub reports it.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        self.0.stage().as_str()
    }

    /// Returns the body of its creation, without secrets.
    #[must_use]
    pub fn info(&self) -> serde_json::Value {
        self.0.to_json()
    }

    /// Returns the values of the secrets, which no endpoint shows.
    #[must_use]
    pub fn secrets(&self) -> BTreeMap<String, String> {
        self.0.spec.secrets.clone()
    }

    /// Returns the lines of the log.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.0.read(|state| state.log.iter().map(|(_, line)| line.clone()).collect())
    }

    /// Returns true while a process of the Job runs.
    #[must_use]
    pub fn has_process(&self) -> bool {
        self.0.read(|state| state.process.is_some())
    }

    /// Cancels the Job, like a user on its page, or for a reason of the Hub such as `NO_CREDITS`.
    pub fn cancel(&self, reason: Option<&str>) {
        self.0.cancel(reason);
    }

    /// Deletes the Job, which the Hub goes on to report.
    pub fn delete(&self) {
        self.0.enter(Stage::Deleted, None);
    }
}
