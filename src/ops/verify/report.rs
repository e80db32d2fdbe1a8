//! The report of a verification: facts for outputs, summary and other programs.

use std::path::PathBuf;
use std::time::Duration;

use hub::Stage;
use url::Url;

use super::options::{CheckPlace, Target};
use crate::app_check::{CheckResult, CheckStatus};
use crate::failure::Failure;
use crate::ops::space::LogTail;

/// Facts about a verification.
#[derive(Debug, Default)]
pub struct VerifyReport {
    pub target: Option<Target>,
    /// The Hub's address without a trailing slash.
    pub endpoint: String,
    /// Address of the app.
    pub app_url: Option<Url>,
    /// Last stage of the Space that was seen.
    pub space_stage: Option<Stage>,
    /// Number of checks that were wanted.
    pub planned: usize,
    /// The checks that ended, in their order.
    pub checks: Vec<EndedCheck>,
    /// Last lines of the Space's logs, if they were followed.
    pub log_tails: Vec<LogTail>,
    /// The file in the form of JUnit, once it is written.
    pub junit_path: Option<PathBuf>,
    pub failure: Option<Failure>,
}

/// A check that ended.
#[derive(Debug, Clone)]
pub struct EndedCheck {
    pub name: String,
    pub place: Option<CheckPlace>,
    pub result: CheckResult,
    /// Advice for the user.
    pub hints: Vec<String>,
    /// It fails the run.
    pub has_failed: bool,
    /// Time for all of it.
    pub took: Duration,
}

impl VerifyReport {
    /// Returns the status of the whole app: the worst one of the checks. `None` before the end of the first one.
    pub fn status(&self) -> Option<CheckStatus> {
        self.checks.iter().map(|check| check.result.status).max_by_key(|status| status.rank())
    }

    /// Returns the number of checks that passed.
    pub fn passed(&self) -> usize {
        self.checks.iter().filter(|check| !check.has_failed).count()
    }
}
