//! Run bundles in private buckets: pushed at the end of a run, and read back.

use std::path::PathBuf;

use serde_json::Value;

use super::{Session, buckets};
use crate::action::{Journal, Log};
use crate::failure::{Code, Failure, Result, bundle as advice};
use crate::folder::{self, SourceOptions};
use crate::run_bundle::{EVENTS, REPORT, RUNS, STATE};
use hub::{BucketFile, BucketId, BucketPath, Cause, Hub};

/// Bucket for the bundle of a run.
#[derive(Debug, Clone)]
pub struct BundleBucket {
    pub bucket: BucketId,
    /// File for the TLS roots of hf-xet, if the image has none.
    pub tls_roots: Option<PathBuf>,
}

/// A bundle in a bucket.
#[derive(Debug, Default)]
pub struct StoredBundle {
    pub state: Value,
    /// Events in their order.
    pub events: Vec<Value>,
    pub report: Option<String>,
    /// Paths in the bundle, with sizes in bytes.
    pub files: Vec<(String, u64)>,
}

/// Opens the bucket before the run begins, and pushes the bundle when the run has ended in any way. Creates a missing
/// bucket as a private one.
///
/// # Errors
///
/// `public_bucket`: others can read the bucket. Any other error is a warning, because a run does not depend on its
/// bundle.
pub async fn push_at_end(wanted: &BundleBucket, hub: &Hub, log: &Log, journal: &Journal) -> Result<()> {
    let BundleBucket { bucket, tls_roots } = wanted.clone();
    if log.bundle().is_none_or(|bundle| bundle.folder().is_none()) {
        log.warning(&advice::nothing_to_push(&bucket));
        return Ok(());
    }
    let hub = hub.for_bucket(&bucket);
    match hub.open_private_bucket(&bucket).await {
        Ok(_) => {}
        Err(error) if matches!(*error.cause, Cause::PublicBucket) => return Err(error.into()),
        Err(error) => {
            log.warning(&advice::not_pushed(&error.into()));
            return Ok(());
        }
    }
    let (log, ended) = (log.clone(), journal.clone());
    journal.at_end(move || async move {
        let session = Session { hub: &hub, log: &log, journal: &ended };
        if let Err(failure) = push(&session, bucket, tls_roots).await {
            log.warning(&advice::not_pushed(&failure));
        }
    });
    Ok(())
}

async fn push(session: &Session<'_>, bucket: BucketId, tls_roots: Option<PathBuf>) -> Result<()> {
    let Some(bundle) = session.log.bundle() else { return Ok(()) };
    let Some(root) = bundle.folder() else { return Err(advice::lost()) };
    let options = SourceOptions { root, default_excludes: false, ..SourceOptions::default() };
    let read = tokio::task::spawn_blocking(move || folder::read(&options)).await;
    let source = read.map_err(|error| Failure::new(Code::Internal, error.to_string()))??;
    let folder = folder_of(bundle.id().as_str())?;
    let page = format!("{}/{}/tree/main/{folder}", session.hub.endpoint(), bucket.page());
    let (copy_from, executables) = (None, None);
    let options = buckets::SyncOptions { bucket, folder, copy_from, executables, prune: false, tls_roots };
    buckets::sync(session, &source, &options).await?;
    session.log.info(&format!("run bundle: {page}"));
    Ok(())
}

/// Reads a bundle back. Content that is no JSON is left out with a warning.
///
/// # Errors
///
/// The bucket has no such run, or cannot be read.
pub async fn read(hub: &Hub, bucket: &BucketId, run_id: &str, log: &Log) -> Result<StoredBundle> {
    let hub = hub.for_bucket(bucket);
    let folder = folder_of(run_id)?;
    let listed: Vec<BucketFile> = hub.list_bucket(bucket, Some(&folder)).await?;
    let sizes = listed.iter().filter_map(|file| Some((folder.below(&file.path)?.to_owned(), file.size)));
    let files: Vec<(String, u64)> = sizes.collect();
    if files.is_empty() {
        let page = format!("{}/{}/tree/main/{RUNS}", hub.endpoint(), bucket.page());
        return Err(advice::run_not_found(run_id, bucket, &page));
    }
    let text = async |name: &str| -> Result<Option<String>> {
        let bytes = hub.read_bucket_file(bucket, &format!("{folder}/{name}")).await?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let parse = |name: &str, text: &str| {
        let parsed = serde_json::from_str(text);
        parsed.inspect_err(|error| log.warning(&format!("cannot read `{name}` of the bundle: {error}"))).ok()
    };
    let state = text(STATE).await?.and_then(|text| parse(STATE, &text)).unwrap_or_default();
    let events = text(EVENTS).await?.unwrap_or_default();
    let events = events.lines().filter_map(|line| parse(EVENTS, line)).collect();
    Ok(StoredBundle { state, events, report: text(REPORT).await?, files })
}

/// Returns the folder of a run in a bucket.
fn folder_of(run_id: &str) -> Result<BucketPath> {
    let folder = format!("{RUNS}/{run_id}").parse();
    folder.map_err(|error| Failure::new(Code::InvalidInput, format!("the id of a run {error}")))
}
