//! Large files before and after their upload.

use std::sync::Arc;

use crate::content::Content;
use crate::types::{Repo, RepoPath, Revision, Sha256};

/// A large file to put into the storage.
#[derive(Debug, Clone)]
pub struct LargeFile {
    /// Path in the repo.
    pub path: RepoPath,
    /// Content of the file.
    pub content: Arc<dyn Content>,
    /// SHA-256 of the content, if it is known already.
    pub sha256: Option<Sha256>,
    /// [`Checksum`](crate::Checksum) of the reading that `sha256` comes from.
    pub checksum: Option<u64>,
}

/// A large file in the storage, ready to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// SHA-256 of the content.
    pub sha256: Sha256,
    /// Size in bytes.
    pub size: u64,
}

/// Destination of an upload.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Repo to commit to.
    pub repo: Repo,
    /// Branch or ref to commit to.
    pub revision: Revision,
    /// True if the commit will open a pull request.
    pub create_pr: bool,
}
