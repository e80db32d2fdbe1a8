//! Downloads of files of buckets and repos into a folder.
//!
//! Content goes to the disk as it comes, into an unfinished file that a later download of the same content continues.
//! It gets its name only when its hash is the announced one.

mod file;
mod stream;
mod target;
mod types;
mod unfinished;
mod verifier;

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream as futures};

use self::types::Outcome;
use crate::client::Hub;
use crate::error::{Error, PathFault};
use crate::operation::OnBytes;
use crate::types::BucketId;

pub use self::target::TargetFolder;
pub use self::types::{Download, DownloadFrom, DownloadId, Downloaded, RefusedPath};
pub use self::verifier::xet_hash;

/// Files that are downloaded at the same time.
const PARALLEL: usize = 8;

impl Hub {
    /// Downloads files into a folder: by Xet where the Hub names a Xet hash, else by plain HTTP. Files that are there
    /// already with the same content are left as they are. An interrupted download is continued by the next one.
    ///
    /// A path that would leave the folder is refused, and the other files are downloaded.
    ///
    /// # Errors
    ///
    /// Beside errors of requests: [`Cause::Disk`](crate::Cause::Disk) if a file cannot be written,
    /// [`Cause::Corrupt`](crate::Cause::Corrupt) if content has another hash than announced.
    ///
    /// ```no_run
    /// # async fn example(hub: hub::Hub) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::path::Path;
    /// use std::sync::Arc;
    ///
    /// use hub::{BucketId, BucketPath, Download, DownloadFrom, TargetFolder};
    ///
    /// let bucket: BucketId = "ada/runs".parse()?;
    /// let folder: BucketPath = "runs/42".parse()?;
    /// let files: Vec<Download> = hub
    ///     .list_bucket(&bucket, Some(&folder))
    ///     .await?
    ///     .iter()
    ///     .filter_map(|file| Some(Download::of_bucket_file(file, folder.below(&file.path)?)))
    ///     .collect();
    /// let target = TargetFolder::create(Path::new("."), "output/42")?;
    /// let done = hub.download(&DownloadFrom::Bucket(bucket), &files, &target, Arc::new(|_| ())).await?;
    /// println!("{} files", done.written + done.present);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn download(
        &self,
        from: &DownloadFrom,
        files: &[Download],
        target: &TargetFolder,
        on_bytes: OnBytes,
    ) -> Result<Downloaded, Error> {
        let mut done = Downloaded::default();
        let names: HashSet<&str> = files.iter().map(|file| file.to.as_str()).collect();
        let (mut seen, mut safe) = (HashSet::new(), Vec::new());
        for file in files {
            let checked = target.check(&file.to).and_then(|()| {
                if !seen.insert(file.to.as_str()) {
                    return Err(PathFault::Taken);
                }
                match ancestors(&file.to).find(|folder| names.contains(folder)) {
                    Some(folder) => Err(PathFault::FileAndFolder(folder.to_owned())),
                    None => Ok(()),
                }
            });
            match checked {
                Ok(()) => safe.push(file),
                Err(fault) => done.refused.push(RefusedPath { path: file.to.clone(), fault }),
            }
        }
        let reader = stream::Reader::new(self, from, &on_bytes);
        let outcomes: Vec<Outcome> = futures::iter(safe)
            .map(|file| file::download(&reader, file, target))
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        for outcome in outcomes {
            match outcome {
                Outcome::Written { bytes } => {
                    done.written += 1;
                    done.bytes += bytes;
                }
                Outcome::Present => done.present += 1,
                Outcome::Refused(refused) => done.refused.push(refused),
            }
        }
        target.remove_unfinished_folder();
        Ok(done)
    }

    /// Reads a small file of a bucket into memory. Returns `None` if it does not exist.
    pub async fn read_bucket_file(
        &self,
        bucket: &BucketId,
        path: &str,
    ) -> Result<Option<bytes::Bytes>, Error> {
        let from = DownloadFrom::Bucket(bucket.clone());
        let on_bytes: OnBytes = Arc::new(|_| ());
        match stream::Reader::new(self, &from, &on_bytes).read_whole(path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Returns the folders above a path, innermost first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(end, _)| &path[..end])
}
