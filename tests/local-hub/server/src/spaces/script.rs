//! Scripted builds: stages and logs that a test sets.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::objects::Oid;

/// Commit that a stage reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StageSha {
    /// No commit.
    None,
    /// The commit that ran before this build, if any.
    Previous,
    /// The commit being built.
    Head,
}

/// One step of a build. The runtime reports it from `after` the start of the build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageStep {
    /// Time since the build started.
    pub after: Duration,
    /// Stage name, any text. `BUILDING` and `APP_STARTING` become `RUNNING_…` while an older build serves.
    pub stage: String,
    /// Commit shown as `sha`.
    pub sha: StageSha,
    /// Shown as `errorMessage`.
    pub error_message: Option<String>,
}

impl StageStep {
    /// A step without an error message. Only `RUNNING` reports the new commit.
    #[must_use]
    pub fn new(after: Duration, stage: &str) -> Self {
        let sha = if stage == "RUNNING" { StageSha::Head } else { StageSha::Previous };
        Self { after, stage: stage.to_owned(), sha, error_message: None }
    }

    /// A step with an `errorMessage`. A failed build reports no commit.
    #[must_use]
    pub fn error(after: Duration, stage: &str, message: &str) -> Self {
        Self { sha: StageSha::None, error_message: Some(message.to_owned()), ..Self::new(after, stage) }
    }

    /// `RUNNING` with the previous commit, as reported for a moment after a push.
    #[must_use]
    pub fn stale(after: Duration) -> Self {
        Self { sha: StageSha::Previous, ..Self::new(after, "RUNNING") }
    }
}

/// Cause of a build.
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
    /// A change of a secret, a variable, hardware or volumes.
    Setting,
    /// A visit to a sleeping Space.
    Wake,
}

/// Stages and logs of one build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildScript {
    /// Cause of the builds that take this script; any if `None`.
    #[serde(default)]
    pub cause: Option<BuildCause>,
    /// Stages. `BUILDING` comes before the first one; a build without `RUNNING` is never ready.
    pub steps: Vec<StageStep>,
    /// Lines of the build log, each with its time since the start of the build. They replace the lines of the app.
    #[serde(default)]
    pub build_log: Vec<(Duration, String)>,
    /// Lines of the run log.
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
    pub(crate) stand_in: Option<SocketAddr>,
}

/// Stage of a running build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Live {
    pub(crate) stage: &'static str,
    pub(crate) sha: Option<Oid>,
    pub(crate) error: Option<String>,
}

/// A stage that the runtime reports.
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

    /// Returns true if an app, old or new, serves visitors.
    pub(crate) fn serves(&self) -> bool {
        self.stage.starts_with("RUNNING")
    }
}
