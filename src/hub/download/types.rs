//! Files to download, and results.

use std::fmt;
use std::io;

use crate::buckets::BucketFile;
use crate::error::{Cause, Error, PathFault};
use crate::files::RemoteFile;
use crate::types::{BucketId, ContentId, Repo, XetHash};

/// Place on the Hub from which files are downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownloadFrom {
    /// A bucket.
    Bucket(BucketId),
    /// A repo at a commit.
    Repo {
        /// The repo.
        repo: Repo,
        /// Id of the commit.
        commit: String,
    },
}

impl fmt::Display for DownloadFrom {
    /// Writes the place as it stands in a sentence: ``bucket `ada/data` ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(bucket) => write!(f, "bucket `{bucket}`"),
            Self::Repo { repo, .. } => repo.fmt(f),
        }
    }
}

/// Id that downloaded content must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownloadId {
    /// Git blob id or SHA-256, for a file of a repo.
    Content(ContentId),
    /// Xet hash, for a file of a bucket.
    Xet(XetHash),
}

/// A file to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Path on the Hub.
    pub path: String,
    /// Path below the target folder. It may come from outside: a hostile one is refused.
    pub to: String,
    /// Size in bytes.
    pub size: u64,
    /// Id that the content must have.
    pub id: DownloadId,
    /// Xet hash of the content, by which it is read; `None` for a plain download.
    pub xet_hash: Option<XetHash>,
}

impl Download {
    /// Makes the download of a file of a bucket to the path `to` below the target folder.
    pub fn of_bucket_file(file: &BucketFile, to: &str) -> Self {
        let (path, to) = (file.path.clone(), to.to_owned());
        Self { path, to, size: file.size, id: DownloadId::Xet(file.xet_hash), xet_hash: Some(file.xet_hash) }
    }

    /// Makes the download of a file of a repo to its own path. Returns `None` if its id is not known.
    pub fn of_repo_file(file: &RemoteFile) -> Option<Self> {
        Some(Self {
            path: file.path.clone(),
            to: file.path.clone(),
            size: file.size,
            id: DownloadId::Content(file.content_id()?),
            xet_hash: file.xet_hash,
        })
    }
}

/// Result of a download.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Downloaded {
    /// Number of files that were written.
    pub written: usize,
    /// Number of files that were there already, with the same content.
    pub present: usize,
    /// Number of bytes that came from the Hub.
    pub bytes: u64,
    /// Files whose paths are not safe or not possible below the target folder. They were not downloaded.
    pub refused: Vec<RefusedPath>,
}

/// A path that is not written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedPath {
    /// Path below the target folder, as the Hub has it.
    pub path: String,
    /// Reason.
    pub fault: PathFault,
}

/// Result of one file.
pub(super) enum Outcome {
    Written { bytes: u64 },
    Present,
    Refused(RefusedPath),
}

/// Makes the error of a file of this machine.
pub(super) fn disk_error(operation: &str, error: io::Error) -> Error {
    Error::new(operation, Cause::Disk(error))
}
