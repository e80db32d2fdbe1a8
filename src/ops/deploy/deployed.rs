//! The result of a deploy, for the operation that follows it.

use crate::app_check::CheckResult;
use crate::failure::{Code, Failure};
use crate::ops::space::HardwareStatus;
use hub::{CommitId, Repo, RepoInfo};

use super::plan::Plan;

/// Result of a deploy.
#[derive(Debug, Clone, Default)]
pub struct Deployed {
    /// The repo under its present name.
    pub repo: Option<Repo>,
    /// Commit that the branch has: `None` after a dry run.
    pub commit: Option<CommitId>,
    /// Address of the app, as the Hub names it.
    pub space_url: Option<String>,
    /// State of the request for hardware, if there was one.
    pub hardware: Option<HardwareStatus>,
    /// Result of the check of the app, if it was checked.
    pub check: Option<CheckResult>,
    /// Changes that a dry run would make.
    pub dry_plan: DryPlan,
}

/// Plan of a dry run.
#[derive(Debug, Clone, Default)]
pub struct DryPlan {
    pub plan: Plan,
    /// Bytes that would travel as large files: the Hub does not have them.
    pub large_bytes: u64,
}

impl Deployed {
    /// Returns the result of a dry run against a repo.
    pub(super) fn dry_run(info: &RepoInfo, dry_plan: DryPlan) -> Self {
        Self { space_url: info.host.clone(), dry_plan, ..Self::default() }
    }
}

/// Marks a failure as one before any write, if a file changed while it was read.
pub(super) fn before_any_write(failure: Failure) -> Failure {
    if failure.code == Code::SourceChanged { failure.before_any_write() } else { failure }
}
