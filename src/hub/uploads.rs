//! Uploads of large files.

use crate::client::Hub;
use crate::error::Error;
use crate::large_file::{LargeFile, Transfer, Uploaded};
use crate::operation::OnBytes;
use crate::xet::{Questions, XetAccess};
use crate::xet_feed::Feed;
use crate::{lfs, xet};

impl Hub {
    /// Puts large files into the storage: by Xet, or by Git LFS if the Hub has no Xet. Content is streamed, and never in
    /// memory as a whole.
    ///
    /// Returns one entry per file, in order, and the number of bytes that were sent. Content that the storage has
    /// already is not sent again.
    ///
    /// ```no_run
    /// # async fn example(hub: hub::Hub, repo: hub::Repo) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    ///
    /// use hub::{CommitRequest, InMemory, LargeFile, Marker, Operation, Revision, Transfer};
    ///
    /// let content = Arc::new(InMemory { path: "model.bin".to_owned(), bytes: vec![0; 1 << 26].into() });
    /// let file = LargeFile { path: "model.bin".parse()?, content, sha256: None, checksum: None };
    /// let transfer = Transfer { repo: repo.clone(), revision: Revision::default(), create_pr: false };
    /// let (uploaded, sent) = hub.upload_large(&transfer, &[file], Arc::new(|_| ())).await?;
    /// println!("sent {sent} bytes");
    /// let operations: Vec<Operation> = uploaded
    ///     .into_iter()
    ///     .map(|file| Ok(Operation::LargeFile { path: "model.bin".parse()?, sha256: file.sha256, size: file.size }))
    ///     .collect::<Result<_, hub::ParseError>>()?;
    ///
    /// // The files are in the storage, and a commit puts them into the repo.
    /// let marker = Marker::new(17);
    /// let request = CommitRequest {
    ///     repo,
    ///     revision: Revision::default(),
    ///     summary: "Add model.bin".to_owned(),
    ///     description: marker.to_string(),
    ///     marker,
    ///     parent: None,
    ///     create_pr: false,
    ///     operations: Arc::new(operations),
    /// };
    /// let receipt = hub.commit(&request, Arc::new(|_| ())).await?;
    /// println!("{}", receipt.url);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn upload_large(
        &self,
        transfer: &Transfer,
        files: &[LargeFile],
        on_bytes: OnBytes,
    ) -> Result<(Vec<Uploaded>, u64), Error> {
        match xet::access(self, transfer).await? {
            Some(access) => upload_by_xet(self, access, files, on_bytes).await,
            None => {
                self.note("this Hub offers no Xet storage: uploading by Git LFS");
                lfs::upload(self, transfer, files, on_bytes).await
            }
        }
    }
}

async fn upload_by_xet(
    hub: &Hub,
    access: XetAccess,
    files: &[LargeFile],
    on_bytes: OnBytes,
) -> Result<(Vec<Uploaded>, u64), Error> {
    let feeds: Vec<Feed<'_>> = files
        .iter()
        .map(|file| Feed {
            path: file.path.as_str(),
            content: &file.content,
            sha256: file.sha256,
            checksum: file.checksum,
            needs_sha256: true,
        })
        .collect();
    let stored = xet::upload(hub, access, &feeds, Questions::Asked, on_bytes).await?;
    let uploaded = stored.files.into_iter();
    let uploaded = uploaded.filter_map(|fed| Some(Uploaded { sha256: fed.sha256?, size: fed.size }));
    Ok((uploaded.collect(), stored.sent))
}
