//! Uploads of large files.

use crate::client::Hub;
use crate::error::Error;
use crate::large_file::{LargeFile, Transfer, Uploaded};
use crate::operation::OnBytes;
use crate::{lfs, xet};

impl Hub {
    /// Puts large files into the storage: by Xet, or by Git LFS if the Hub has no Xet. Content is streamed, and never in
    /// memory as a whole.
    ///
    /// Returns one entry per file, in order, and the number of bytes that were sent. Content that the storage has
    /// already is not sent again.
    pub async fn upload_large(
        &self,
        transfer: &Transfer,
        files: &[LargeFile],
        on_bytes: OnBytes,
    ) -> Result<(Vec<Uploaded>, u64), Error> {
        match xet::access(self, transfer).await? {
            Some(access) => xet::upload(self, access, files, on_bytes).await,
            None => {
                self.note("this Hub offers no Xet storage: uploading by Git LFS");
                lfs::upload(self, transfer, files, on_bytes).await
            }
        }
    }
}
