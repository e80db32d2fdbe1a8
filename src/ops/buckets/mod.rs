//! Folders in private buckets: a local folder is synced to a folder of a bucket, and fetched back.

mod fetch;
mod plan;
mod sync;

pub use fetch::{FetchOptions, Fetched, fetch};
pub use sync::{SyncOptions, Synced, sync};

use std::path::Path;
use std::sync::Arc;

use crate::action::{Log, Progress};
use crate::failure::Result;
use crate::failure::bucket::bucket_failure;
use crate::image;
use crate::ops::Session;
use hub::{BucketId, BucketPath, Content, InMemory, OnBytes};

/// Writes a short text to a private bucket. `tls_roots` is the file for the TLS roots of hf-xet, if the image has none.
pub async fn write_text(
    session: &Session<'_>,
    bucket: &BucketId,
    path: &BucketPath,
    text: &'static str,
    tls_roots: Option<&Path>,
) -> Result<()> {
    provide_roots(tls_roots, session.log);
    let content: Arc<dyn Content> = Arc::new(InMemory { path: path.to_string(), bytes: text.into() });
    let written = session.hub.write_to_bucket(bucket, &[(path.clone(), content)], Arc::new(|_| ())).await;
    written.map(drop).map_err(|error| bucket_failure(error, bucket))
}

/// Writes the built-in TLS roots for hf-xet, which reports it if they are not enough.
pub(in crate::ops) fn provide_roots(tls_roots: Option<&Path>, log: &Log) {
    let Some(path) = tls_roots else { return };
    if let Err(error) = image::provide_roots(path) {
        let path = path.display();
        log.warning(&format!("cannot write the roots of trust to `SSL_CERT_FILE`, `{path}`: {error}"));
    }
}

/// Returns the callback that counts bytes for a display.
pub(in crate::ops) fn counting(progress: &Progress) -> OnBytes {
    let counter = progress.counter();
    Arc::new(move |bytes| counter.add(bytes))
}
