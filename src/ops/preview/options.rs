//! The options of a preview.

use super::body::HeadCommit;
use super::comment_mark::RunAttempt;
use super::marker::Marker;
use crate::github::GithubOptions;
use hub::{Repo, RepoName};

/// The preview of a pull request. The deploy itself has options of its own, with the name and the mark of the preview.
#[derive(Debug, Clone)]
pub struct PreviewOptions {
    pub marker: Marker,
    /// The pull request was closed when the run was started.
    pub is_closed: bool,
    /// Head of the pull request.
    pub head: HeadCommit,
    /// Name of the proxy Space, which is deleted with the preview. `None` if the workflow leaves it no name of its own.
    pub proxy: Option<RepoName>,
    /// Writes a comment on the pull request.
    pub has_comment: bool,
    pub run: RunAttempt,
    /// Page of the workflow run.
    pub run_url: Option<String>,
    /// `None` without a token for GitHub.
    pub github: Option<GithubOptions>,
}

impl PreviewOptions {
    /// Returns the proxy Space of a preview.
    pub(super) fn proxy_of(&self, preview: &Repo) -> Option<Repo> {
        let id = self.proxy.as_ref()?.with_namespace(&preview.id.namespace);
        Some(Repo { id, ..preview.clone() })
    }
}
