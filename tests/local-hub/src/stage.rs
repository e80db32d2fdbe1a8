//! Stages a test asks for, instead of those that come by themselves.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::objects::Oid;

/// Which commit a stage reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageSha {
    /// None at all.
    None,
    /// The commit that ran before this build, if there was one.
    Previous,
    /// The commit being built.
    Head,
}

/// One step of a build: from `after` its start on, the runtime reports this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageStep {
    /// Time since the build started.
    pub after: Duration,
    /// Stage name, any text; `BUILDING` and `APP_STARTING` become `RUNNING_…` while an older build serves.
    pub stage: String,
    /// Commit shown as `sha`.
    pub sha: StageSha,
    /// Shown as `errorMessage`.
    pub error_message: Option<String>,
}

impl StageStep {
    /// A step without an error message; only `RUNNING` reports the new commit.
    #[must_use]
    pub fn new(after: Duration, stage: &str) -> Self {
        let sha = if stage == "RUNNING" { StageSha::Head } else { StageSha::Previous };
        Self { after, stage: stage.to_owned(), sha, error_message: None }
    }

    /// The same step with an `errorMessage`; a build that failed reports no commit.
    #[must_use]
    pub fn error(after: Duration, stage: &str, message: &str) -> Self {
        Self { sha: StageSha::None, error_message: Some(message.to_owned()), ..Self::new(after, stage) }
    }

    /// `RUNNING` with the commit of before, as it is seen for a moment after a push.
    #[must_use]
    pub fn stale(after: Duration) -> Self {
        Self { sha: StageSha::Previous, ..Self::new(after, "RUNNING") }
    }
}

/// Why a build begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildCause {
    /// The first commit of a new Space.
    Create,
    /// A commit on `main`.
    Commit,
    /// `POST …/restart`.
    Restart,
    /// `POST …/restart?factory=true`.
    FactoryRestart,
    /// A secret, a variable, hardware or volumes were written.
    Setting,
    /// Somebody visited a sleeping Space.
    Wake,
}

/// How one build goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildScript {
    /// Only a build with this cause takes the script; any does when `None`.
    #[serde(default)]
    pub cause: Option<BuildCause>,
    /// Its stages. Before the first one it is `BUILDING`, so a list that ends without `RUNNING` is never ready.
    pub steps: Vec<StageStep>,
    /// Lines of its build log, and the time since its start at which each one appears. With any, what really runs
    /// writes nothing to that log.
    #[serde(default)]
    pub build_log: Vec<(Duration, String)>,
    /// Lines of its run log.
    #[serde(default)]
    pub run_log: Vec<(Duration, String)>,
}

impl BuildScript {
    /// A script for builds with this cause, without logs.
    #[must_use]
    pub fn new(cause: BuildCause, steps: Vec<StageStep>) -> Self {
        Self { cause: Some(cause), steps, ..Self::default() }
    }
}

/// Scripts for a Space that does not exist yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct WaitingScripts {
    pub(crate) stages: Vec<StageStep>,
    pub(crate) builds: Vec<BuildScript>,
}

/// What a real build has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) stage: &'static str,
    pub(crate) sha: Option<Oid>,
    pub(crate) error: Option<String>,
}

/// A stage as it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) stage: String,
    pub(crate) sha: Option<Oid>,
    pub(crate) error: Option<String>,
}

impl Reported {
    pub(crate) fn bare(stage: &str) -> Self {
        Self { stage: stage.to_owned(), sha: None, error: None }
    }

    /// Whether an app, old or new, takes visitors.
    pub(crate) fn serves(&self) -> bool {
        self.stage.starts_with("RUNNING")
    }
}
