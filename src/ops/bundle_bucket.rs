//! Run bundles in private buckets: pushed at the end of a run, and read back.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Session, buckets};
use crate::action::{Journal, Log};
use crate::failure::bucket::bucket_failure;
use crate::failure::{Code, Failure, Result, bundle as advice};
use crate::folder::{self, Source, SourceFile, SourceOptions};
use crate::run_bundle::{EVENTS, EarlierBundle, REPORT, RUNS, STATE};
use crate::text::random_token;
use crate::workspace::FOLDER;
use hub::{BucketFile, BucketId, BucketOperation, BucketPath, Cause, Hub, ParseError, TargetFolder};

/// Bucket for the bundle of a run.
#[derive(Debug, Clone)]
pub struct BundleBucket {
    pub bucket: BucketId,
    /// File for the TLS roots of hf-xet, if the image has none.
    pub tls_roots: Option<PathBuf>,
}

/// A bundle that is read back.
#[derive(Debug, Default)]
pub struct StoredBundle {
    pub state: Value,
    /// Events in their order.
    pub events: Vec<Value>,
    pub report: Option<String>,
    /// Paths in the bundle, with sizes in bytes.
    pub files: Vec<(String, u64)>,
}

/// Number of folders that are tried for a bundle.
const FOLDERS: u32 = 4;

/// Opens the bucket before the run begins, if the run has one, and pushes the bundle when the run has ended in any way.
/// Creates a missing bucket as a private one.
///
/// # Errors
///
/// `public_bucket`: others can read the bucket. Any other error is a warning, because a run does not depend on its
/// bundle.
pub async fn push_at_end(
    wanted: Option<BundleBucket>,
    hub: &Hub,
    log: &Log,
    journal: &Journal,
) -> Result<()> {
    let Some(BundleBucket { bucket, tls_roots }) = wanted else { return Ok(()) };
    if log.bundle().is_none_or(|bundle| bundle.folder().is_none()) {
        log.warning(&advice::nothing_to_push(&bucket));
        return Ok(());
    }
    let hub = hub.for_bucket(&bucket);
    match hub.open_private_bucket(&bucket).await {
        Ok(_) => {}
        Err(error) if matches!(*error.cause, Cause::PublicBucket) => return Err(error.into()),
        Err(error) => {
            log.warning(&advice::not_pushed(&bucket_failure(error, &bucket)));
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
    let source = read_folder(root).await?;
    let folder = claim(session, &bucket, bundle.id().as_str(), tls_roots.as_deref()).await?;
    if folder != folder_of(bundle.id().as_str())? {
        session.log.warning(&advice::other_folder(bundle.id().as_str(), &folder));
    }
    let page = format!("{}/{}/tree/main/{folder}", session.hub.endpoint(), bucket.page());
    let (copy_from, executables) = (None, None);
    // The mark of the claim goes in the same batch.
    let options = buckets::SyncOptions { bucket, folder, copy_from, executables, prune: true, tls_roots };
    buckets::sync(session, &source, &options).await?;
    session.log.info(&format!("run bundle: {page}"));
    Ok(())
}

/// Finds a folder of the bucket that no other run has, because the ids of two runs can be the same.
///
/// Buckets have no exclusive creation. So each run leaves a mark with a name of its own, and then looks for other files.
/// Of two runs in one folder, at least one sees the mark of the other and takes another folder.
async fn claim(
    session: &Session<'_>,
    bucket: &BucketId,
    run_id: &str,
    tls_roots: Option<&Path>,
) -> Result<BucketPath> {
    let failure = |error| bucket_failure(error, bucket);
    let mut name = run_id.to_owned();
    for _ in 0..FOLDERS {
        let folder = folder_of(&name)?;
        let mark = folder.join(&format!(".{}", random_token())).map_err(invalid_id)?;
        buckets::write_text(session, bucket, &mark, "\n", tls_roots).await?;
        let files = session.hub.list_bucket(bucket, Some(&folder)).await.map_err(failure)?;
        if files.iter().all(|file| file.path == mark.as_str()) {
            return Ok(folder);
        }
        let path = mark.as_str().to_owned();
        session.hub.change_bucket(bucket, &[BucketOperation::Delete { path }]).await.map_err(failure)?;
        name = format!("{run_id}-{}", &random_token()[..6]);
    }
    Err(advice::no_folder(run_id))
}

/// Downloads the bundle of an earlier run to the workspace. Returns false if the bucket has no such run.
///
/// # Errors
///
/// The bucket cannot be read, or the workspace cannot be written. Nothing is left there then.
pub async fn fetch_earlier(
    session: &Session<'_>,
    BundleBucket { bucket, tls_roots }: &BundleBucket,
    run_id: &str,
) -> Result<bool> {
    let incoming = session.log.bundle().map(|bundle| bundle.receive_earlier(run_id)).transpose();
    let unwritable = |error| advice::earlier_not_written(run_id, error);
    let Some(incoming) = incoming.map_err(unwritable)?.flatten() else { return Ok(false) };
    let hub = session.hub.for_bucket(bucket);
    let options = buckets::FetchOptions {
        bucket: bucket.clone(),
        folder: folder_of(run_id)?,
        without: Vec::new(),
        target: TargetFolder::open(incoming.path())?,
        tls_roots: tls_roots.clone(),
    };
    let fetched = buckets::fetch(&Session { hub: &hub, ..*session }, &options).await?;
    if fetched.written == 0 {
        return Ok(false);
    }
    incoming.keep().map_err(unwritable)?;
    Ok(true)
}

/// Returns true if the bucket has the bundle of this earlier run, and not that of another run with its id.
pub async fn has_earlier(
    session: &Session<'_>,
    BundleBucket { bucket, .. }: &BundleBucket,
    run_id: &str,
    earlier: &EarlierBundle,
) -> Result<bool> {
    let hub = session.hub.for_bucket(bucket);
    let path = format!("{}/{STATE}", folder_of(run_id)?);
    let state = hub.read_bucket_file(bucket, &path).await.map_err(|error| bucket_failure(error, bucket))?;
    let state: Option<Value> = state.and_then(|state| serde_json::from_slice(&state).ok());
    Ok(state.is_some_and(|state| state["started_at"].as_str() == earlier.started_at()))
}

/// Sends the files of an earlier bundle that changed to the bucket.
///
/// # Errors
///
/// The bundle cannot be read, or the bucket cannot be written.
pub async fn push_earlier(
    session: &Session<'_>,
    BundleBucket { bucket, tls_roots }: &BundleBucket,
    run_id: &str,
    root: PathBuf,
) -> Result<()> {
    let source = read_folder(root).await?;
    let options = buckets::SyncOptions {
        bucket: bucket.clone(),
        folder: folder_of(run_id)?,
        copy_from: None,
        executables: None,
        prune: false,
        tls_roots: tls_roots.clone(),
    };
    let hub = session.hub.for_bucket(bucket);
    buckets::sync(&Session { hub: &hub, ..*session }, &source, &options).await?;
    Ok(())
}

/// Reads the files of a bundle on this machine.
async fn read_folder(root: PathBuf) -> Result<Source> {
    let options = SourceOptions { root, default_excludes: false, ..SourceOptions::default() };
    let read = tokio::task::spawn_blocking(move || folder::read(&options)).await;
    Ok(read.map_err(|error| Failure::new(Code::Internal, error.to_string()))??)
}

/// Reads a bundle back. Content that is no JSON is left out with a warning.
///
/// # Errors
///
/// The bucket has no such run, or cannot be read.
pub async fn read(hub: &Hub, bucket: &BucketId, run_id: &str, log: &Log) -> Result<StoredBundle> {
    let failure = |error| bucket_failure(error, bucket);
    let hub = hub.for_bucket(bucket);
    let folder = folder_of(run_id)?;
    let listed: Vec<BucketFile> = hub.list_bucket(bucket, Some(&folder)).await.map_err(failure)?;
    let sizes = listed.iter().filter_map(|file| Some((folder.below(&file.path)?.to_owned(), file.size)));
    let files: Vec<(String, u64)> = sizes.collect();
    if files.is_empty() {
        let page = format!("{}/{}/tree/main/{RUNS}", hub.endpoint(), bucket.page());
        return Err(advice::run_not_found(run_id, bucket, &page));
    }
    let text = async |name: &str| -> Result<Option<String>> {
        let bytes = hub.read_bucket_file(bucket, &format!("{folder}/{name}")).await.map_err(failure)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let texts = [text(STATE).await?, text(EVENTS).await?, text(REPORT).await?];
    Ok(stored(files, texts, log))
}

/// Reads a bundle in a workspace. Content that is no JSON is left out with a warning.
///
/// # Errors
///
/// The workspace has no such run, or it cannot be read.
pub async fn read_here(workspace: &Path, run_id: &str, log: &Log) -> Result<StoredBundle> {
    let runs = workspace.join(FOLDER).join(RUNS);
    let folder = folder_of(run_id)?;
    let root = workspace.join(FOLDER).join(folder.as_str());
    if !std::fs::symlink_metadata(&root).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(advice::run_not_here(run_id, &runs));
    }
    let source = read_folder(root).await?;
    let text = |name: &str| -> Result<Option<String>> {
        let bytes = source.get(name).map(SourceFile::read_to_vec).transpose();
        let bytes = bytes.map_err(|error| advice::unreadable(run_id, error))?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let files = source.files.iter().map(|file| (file.path.to_string(), file.size)).collect();
    Ok(stored(files, [text(STATE)?, text(EVENTS)?, text(REPORT)?], log))
}

/// Returns the bundle of these files, and of the texts of the state, the events and the report.
fn stored(
    files: Vec<(String, u64)>,
    [state, events, report]: [Option<String>; 3],
    log: &Log,
) -> StoredBundle {
    let parse = |name: &str, text: &str| {
        let parsed = serde_json::from_str(text);
        parsed.inspect_err(|error| log.warning(&format!("cannot read `{name}` of the bundle: {error}"))).ok()
    };
    let state = state.and_then(|text| parse(STATE, &text)).unwrap_or_default();
    let events = events.unwrap_or_default();
    let events = events.lines().filter_map(|line| parse(EVENTS, line)).collect();
    StoredBundle { state, events, report, files }
}

/// Returns the folder of a run in a bucket.
fn folder_of(run_id: &str) -> Result<BucketPath> {
    format!("{RUNS}/{run_id}").parse().map_err(invalid_id)
}

fn invalid_id(error: ParseError) -> Failure {
    Failure::new(Code::InvalidInput, format!("the id of a run {error}"))
}
