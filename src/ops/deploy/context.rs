//! Handles and options that every stage of a deploy gets.

use crate::action::{Journal, Log, Recorder};
use hub::{Hub, Repo, RepoType, Transfer, Visibility};

use super::options::DeployOptions;
use super::report::{AccessChange, DeployReport, RepoAccess};

/// Handles and options of one deploy.
pub(super) struct Context<'a> {
    pub(super) options: &'a DeployOptions,
    /// Signed in for `repo`.
    pub(super) hub: Hub,
    /// The repo under its present name.
    pub(super) repo: Repo,
    pub(super) log: &'a Log,
    pub(super) journal: &'a Journal,
    pub(super) recorder: &'a Recorder<DeployReport>,
}

impl Context<'_> {
    /// Returns the revision that questions about uploads and storage are for.
    pub(super) fn transfer(&self) -> Transfer {
        Transfer {
            repo: self.repo.clone(),
            revision: self.options.revision.clone(),
            create_pr: self.options.create_pr,
        }
    }

    /// Returns a path of the source relative to the checkout, because GitHub shows annotations there.
    pub(super) fn annotated(&self, path: &str) -> String {
        let folder = match &self.options.workspace {
            Some(workspace) => self.options.source_dir.strip_prefix(workspace).ok(),
            None => None,
        };
        folder.map_or_else(|| path.to_owned(), |folder| folder.join(path).to_string_lossy().into_owned())
    }

    /// Returns the source folder as the workflow names it.
    pub(super) fn source_dir(&self) -> String {
        let dir = &self.options.source_dir;
        let inside = self.options.workspace.as_ref().and_then(|workspace| dir.strip_prefix(workspace).ok());
        match inside.unwrap_or(dir).to_string_lossy() {
            text if text.is_empty() => ".".to_owned(),
            text => text.into_owned(),
        }
    }

    /// Returns true if the app that visitors meet runs what this deploy commits.
    pub(super) fn runs_result(&self) -> bool {
        self.options.repo_type == RepoType::Space && self.options.affects_live_branch()
    }

    /// Records the audience of the repo.
    pub(super) fn record_access(&self, visibility: Option<Visibility>, change: AccessChange) {
        self.recorder.record(|report| report.access = Some(RepoAccess { visibility, change }));
    }
}
