//! Commits before they are made.

use std::sync::Arc;

use crate::content::Content;
use crate::marker::Marker;
use crate::types::{CommitId, Oid, Repo, RepoPath, Revision, Sha256};

/// Callback for the number of bytes of content that were sent since the last call.
pub type OnBytes = Arc<dyn Fn(u64) + Send + Sync>;

/// One operation of a commit.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Writes a small file, whose content is sent with the commit itself.
    File {
        /// Path in the repo.
        path: RepoPath,
        /// Content of the file.
        content: Arc<dyn Content>,
        /// Git blob id that the content must have; `None` for any.
        oid: Option<Oid>,
    },
    /// Writes a large file, whose content is in the storage already.
    LargeFile {
        /// Path in the repo.
        path: RepoPath,
        /// SHA-256 of the content.
        sha256: Sha256,
        /// Size in bytes.
        size: u64,
    },
    /// Deletes a file.
    Delete {
        /// Path in the repo.
        path: RepoPath,
    },
    /// Moves a small file that the repo has under another name. Its content is not sent.
    Move {
        /// Present path in the repo.
        from: RepoPath,
        /// New path in the repo.
        path: RepoPath,
        /// Content of the file, for a commit that sends it after all.
        content: Arc<dyn Content>,
        /// Git blob id of the content.
        oid: Oid,
    },
}

impl Operation {
    /// Returns the path that the operation changes.
    pub fn path(&self) -> &RepoPath {
        match self {
            Self::File { path, .. }
            | Self::LargeFile { path, .. }
            | Self::Delete { path }
            | Self::Move { path, .. } => path,
        }
    }

    /// Returns the number of bytes of content that are sent with the commit itself.
    pub fn inline_bytes(&self) -> u64 {
        match self {
            Self::File { content, .. } => content.size(),
            Self::LargeFile { .. } | Self::Delete { .. } | Self::Move { .. } => 0,
        }
    }
}

/// A commit to make.
#[derive(Debug, Clone)]
pub struct CommitRequest {
    /// Repo to commit to.
    pub repo: Repo,
    /// Branch or ref to commit to.
    pub revision: Revision,
    /// First line of the message.
    pub summary: String,
    /// Rest of the message. It must contain `marker`.
    pub description: String,
    /// Marker of this commit, by which it is found after a lost answer.
    pub marker: Marker,
    /// Expected head of the branch. The Hub refuses the commit with 412 if the branch has moved.
    pub parent: Option<CommitId>,
    /// True to open a pull request with this commit, instead of changing the branch.
    pub create_pr: bool,
    /// Changes of the commit.
    pub operations: Arc<Vec<Operation>>,
}
