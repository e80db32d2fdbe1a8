//! Content on its way to the Hub: what it has, and what it still needs.

mod lfs;
mod preupload;
mod xet;

use std::sync::Arc;

pub use preupload::{Preupload, PreuploadFile, UploadMode};

use super::Repo;
use super::client::Hub;
use super::commits::OnBytes;
use crate::failure::Failure;
use crate::folder::{Sha256, SourceFile};
use crate::target::{RepoPath, Revision};

/// A large file to put into the Hub's storage.
#[derive(Debug, Clone)]
pub struct LargeFile {
    pub path: RepoPath,
    pub source: Arc<SourceFile>,
    /// Known already where the Hub holds a file of this path.
    pub sha256: Option<Sha256>,
    /// The [`Checksum`](crate::folder::Checksum) of what was read for that.
    pub checksum: Option<u64>,
}

/// A large file that is in the Hub's storage, ready to be committed. In the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    pub sha256: String,
    pub size: u64,
}

/// Which repo and revision the storage is opened for.
#[derive(Debug, Clone)]
pub struct Transfer {
    pub repo: Repo,
    pub revision: Revision,
    pub create_pr: bool,
}

impl Hub {
    /// Puts large files into the Hub's storage: by Xet, or by Git LFS where the Hub offers no Xet.
    /// Each file's content is read in a stream, and never held as a whole.
    ///
    /// Returns one entry for each file, and the bytes that travelled (what the storage had already is
    /// not sent again).
    pub async fn upload_large(
        &self,
        transfer: &Transfer,
        files: &[LargeFile],
        on_bytes: OnBytes,
    ) -> Result<(Vec<Uploaded>, u64), Failure> {
        match self.xet_access(transfer).await? {
            Some(access) => xet::upload(self, access, files, on_bytes).await,
            None => {
                self.note("this Hub offers no Xet storage: uploading by Git LFS");
                lfs::upload(self, transfer, files, on_bytes).await
            }
        }
    }
}
