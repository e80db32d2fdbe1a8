//! The report of a clean-up.

use hub::Repo;

use crate::failure::{Code, Failure};

/// Facts of a clean-up for outputs and summary.
#[derive(Debug, Default)]
pub struct CleanupReport {
    /// One for each repo, in the order in which they were made.
    pub decisions: Vec<Decision>,
    pub is_dry_run: bool,
    pub failure: Option<Failure>,
}

/// The decision about a repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub repo: Repo,
    pub outcome: Outcome,
    /// The reason, or the error.
    pub reason: String,
}

/// Outcome of a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Deleted; in a dry run, it would be.
    Deleted,
    Kept,
    /// Deleted by someone else meanwhile.
    Gone,
    /// It is gone or its run was killed, and GitHub was brought up to date; in a dry run, it would be.
    Settled,
    /// It could not be judged or deleted.
    Failed,
}

/// Result of a clean-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Deleted,
    Unchanged,
    DryRun,
    Failed,
    Cancelled,
}

impl Status {
    /// Returns the word of the output `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Unchanged => "unchanged",
            Self::DryRun => "dry-run",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl CleanupReport {
    /// Returns the number of repos with an outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.decisions.iter().filter(|decision| decision.outcome == outcome).count()
    }

    /// Returns the result.
    pub fn status(&self) -> Status {
        match &self.failure {
            Some(failure) if failure.code == Code::Cancelled => Status::Cancelled,
            Some(_) => Status::Failed,
            None if self.is_dry_run => Status::DryRun,
            None if self.count(Outcome::Deleted) > 0 => Status::Deleted,
            None => Status::Unchanged,
        }
    }
}
