//! Download of a folder of a bucket.

use std::path::PathBuf;

use super::{counting, provide_roots};
use crate::action::Progress;
use crate::failure::Result;
use crate::failure::bucket::bucket_failure;
use crate::ops::Session;
use crate::text::{count, human_bytes, name_some};
use hub::{BucketId, BucketPath, Download, DownloadFrom, Downloaded, TargetFolder};

/// Options of a download.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Bucket to read.
    pub bucket: BucketId,
    /// Folder of the bucket.
    pub folder: BucketPath,
    /// Paths below `folder` that stay in the bucket, such as a placeholder.
    pub without: Vec<String>,
    /// Local folder.
    pub target: TargetFolder,
    /// File for the TLS roots of hf-xet, if the image has none.
    pub tls_roots: Option<PathBuf>,
}

/// Result of a download.
pub type Fetched = Downloaded;

/// Downloads a folder of a bucket. A path that would leave the local folder is refused with a warning, and the other files
/// come.
pub async fn fetch(session: &Session<'_>, options: &FetchOptions) -> Result<Fetched> {
    let Session { hub, log, .. } = *session;
    let FetchOptions { bucket, folder, .. } = options;
    let failure = |error| bucket_failure(error, bucket);
    let files = hub.list_bucket(bucket, Some(folder)).await.map_err(failure)?;
    let downloads: Vec<Download> = files
        .iter()
        .filter_map(|file| {
            let name = folder.below(&file.path)?;
            let is_wanted = options.without.iter().all(|other| other != name);
            is_wanted.then(|| Download::of_bucket_file(file, name))
        })
        .collect();
    if downloads.is_empty() {
        return Ok(Fetched::default());
    }
    provide_roots(options.tls_roots.as_deref(), log);
    let size: u64 = downloads.iter().map(|file| file.size).sum();
    let label = format!("downloading {} ({})", count(downloads.len(), "file"), human_bytes(size));
    let progress = Progress::start(log, &label, size);
    let from = DownloadFrom::Bucket(bucket.clone());
    let fetched =
        hub.download(&from, &downloads, &options.target, counting(&progress)).await.map_err(failure)?;
    progress.finish();
    if !fetched.refused.is_empty() {
        let refused: Vec<String> =
            fetched.refused.iter().map(|refused| format!("{:?} {}", refused.path, refused.fault)).collect();
        log.warning(&format!("not downloaded, because of their paths: {}", name_some(&refused)));
    }
    Ok(fetched)
}
