//! Sync of a local folder to a folder of a private bucket.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::plan::{Remote, Way};
use super::{counting, provide_roots};
use crate::action::Progress;
use crate::failure::bucket::bucket_failure;
use crate::failure::{Code, Failure, Result};
use crate::folder::executables::is_executable;
use crate::folder::{FileContent, Source, SourceFile};
use crate::ops::Session;
use crate::text::{count, human_bytes};
use hub::{BucketId, BucketOperation, BucketPath, Content, ParseError, XetHash};

/// Files that are hashed as one task, because small files cost less than starting a task for each.
const HASH_BATCH: usize = 64;
/// Tasks that hash at the same time.
const HASH_TASKS: usize = 4;

/// Options of a sync.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// Bucket, which is created if it is missing. A public one is refused.
    pub bucket: BucketId,
    /// Folder of the bucket.
    pub folder: BucketPath,
    /// Another folder of the bucket, whose content is copied where it is the same.
    pub copy_from: Option<BucketPath>,
    /// Name of a file in `folder` that lists the executable files, one path per line, because buckets have no file
    /// modes. `None` for no such file.
    pub executables: Option<String>,
    /// Deletes files of `folder` that the local folder does not have.
    pub prune: bool,
    /// File for the TLS roots of hf-xet, if the image has none.
    pub tls_roots: Option<PathBuf>,
}

/// Result of a sync.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synced {
    /// Number of files in the folder of the bucket.
    pub files: usize,
    /// Size of these files in bytes.
    pub size: u64,
    /// Number of files whose content was uploaded.
    pub uploaded: usize,
    /// Number of files whose content the bucket had under another name.
    pub copied: usize,
    /// Number of files that were there already.
    pub unchanged: usize,
    /// Number of files that were deleted.
    pub deleted: usize,
    /// Bytes that were sent to the storage.
    pub bytes_sent: u64,
}

/// File of the local folder with its path in the bucket.
struct Local {
    path: BucketPath,
    file: SourceFile,
}

/// Syncs a folder, which was walked with the ignore rules of a deploy, to a bucket. Only content that the storage lacks is
/// sent, and an interrupted sync is completed by the next one.
///
/// # Errors
///
/// The bucket is public: nothing was sent then. Or a request or a file failed: the bucket has the old files or the new
/// ones, and each file is whole.
pub async fn sync(session: &Session<'_>, source: &Source, options: &SyncOptions) -> Result<Synced> {
    let Session { hub, log, .. } = *session;
    let SyncOptions { bucket, folder, .. } = options;
    let failure = |error| bucket_failure(error, bucket);
    hub.open_private_bucket(bucket).await.map_err(failure)?;
    let listed = tokio::try_join!(hub.list_bucket(bucket, Some(folder)), async {
        match &options.copy_from {
            Some(other) => hub.list_bucket(bucket, Some(other)).await,
            None => Ok(Vec::new()),
        }
    });
    let (files, elsewhere) = listed.map_err(failure)?;
    let remote = Remote::new(&files, &elsewhere);
    let mut synced = Synced::default();
    let locals = locals(source, options)?;
    synced.files = locals.len();
    synced.size = locals.iter().map(|local| local.file.size).sum();

    let hashes = hash_candidates(&remote, &locals).await?;
    let mut operations = Vec::new();
    let mut uploads: Vec<&Local> = Vec::new();
    for (local, hash) in locals.iter().zip(hashes) {
        match remote.way(local.path.as_str(), hash) {
            Way::Unchanged => synced.unchanged += 1,
            Way::Copy(xet_hash) => {
                synced.copied += 1;
                let (path, source) = (local.path.clone(), bucket.clone());
                operations.push(BucketOperation::Copy { path, xet_hash, source, mtime: mtime(&local.file) });
            }
            Way::Upload => uploads.push(local),
        }
    }
    synced.uploaded = uploads.len();
    synced.bytes_sent = upload(session, options, &uploads, &mut operations).await?;
    if options.prune {
        let kept: HashSet<&str> = locals.iter().map(|local| local.path.as_str()).collect();
        let gone = remote.without(&kept);
        synced.deleted = gone.len();
        operations.extend(gone.into_iter().map(|path| BucketOperation::Delete { path }));
    }
    if !operations.is_empty() {
        hub.change_bucket(bucket, &operations).await.map_err(failure)?;
    }
    log.info(&format!(
        "synced {} ({}) to `{folder}` in the bucket `{bucket}`: {} uploaded, {} copied, {} unchanged, {} deleted, {} sent",
        count(synced.files, "file"),
        human_bytes(synced.size),
        synced.uploaded,
        synced.copied,
        synced.unchanged,
        synced.deleted,
        human_bytes(synced.bytes_sent),
    ));
    Ok(synced)
}

/// Returns the files of the folder, and the list of executables.
fn locals(source: &Source, options: &SyncOptions) -> Result<Vec<Local>> {
    let invalid =
        |error: ParseError| Failure::new(Code::InvalidPath, format!("a path in the bucket {error}"));
    let mut locals = Vec::with_capacity(source.files.len() + 1);
    let mut executables = String::new();
    for file in &source.files {
        let name = file.path.as_str();
        if is_executable(file) {
            executables.push_str(name);
            executables.push('\n');
        }
        locals.push(Local { path: options.folder.join(name).map_err(invalid)?, file: file.clone() });
    }
    if let Some(name) = &options.executables {
        let path = options.folder.join(name).map_err(invalid)?;
        let size = executables.len() as u64;
        let content = FileContent::Memory(Bytes::from(executables));
        let file = SourceFile { path: name.parse().map_err(invalid)?, content, size, cache: None };
        // A file of the folder with this name would be replaced without a word.
        locals.retain(|local| local.path != path);
        locals.push(Local { path, file });
    }
    Ok(locals)
}

/// Computes the Xet hashes of the files that the bucket may have already. The others have none.
async fn hash_candidates(remote: &Remote<'_>, locals: &[Local]) -> Result<Vec<Option<XetHash>>> {
    let candidates: Vec<(usize, SourceFile)> = locals
        .iter()
        .enumerate()
        .filter(|(_, local)| remote.may_have(local.file.size))
        .map(|(index, local)| (index, local.file.clone()))
        .collect();
    let batches: Vec<Vec<(usize, SourceFile)>> =
        candidates.chunks(HASH_BATCH).map(<[(usize, SourceFile)]>::to_vec).collect();
    let hashed: Vec<Vec<(usize, XetHash)>> =
        stream::iter(batches).map(hash_batch).buffer_unordered(HASH_TASKS).try_collect().await?;
    let mut hashes = vec![None; locals.len()];
    for (index, hash) in hashed.into_iter().flatten() {
        hashes[index] = Some(hash);
    }
    Ok(hashes)
}

async fn hash_batch(files: Vec<(usize, SourceFile)>) -> Result<Vec<(usize, XetHash)>> {
    let hashed = tokio::task::spawn_blocking(move || {
        files.into_iter().map(|(index, file)| Ok((index, xet_hash(&file)?))).collect()
    });
    hashed.await.unwrap_or_else(|error| Err(Failure::new(Code::Internal, error.to_string())))
}

fn xet_hash(file: &SourceFile) -> Result<XetHash> {
    let hashed = file.open().and_then(hub::xet_hash);
    let (hash, _) = hashed.map_err(|error| file.error(error))?;
    Ok(hash)
}

/// Uploads content, adds the operations that put it at its paths, and returns the number of bytes that were sent.
async fn upload(
    session: &Session<'_>,
    options: &SyncOptions,
    uploads: &[&Local],
    operations: &mut Vec<BucketOperation>,
) -> Result<u64> {
    if uploads.is_empty() {
        return Ok(0);
    }
    let Session { hub, log, .. } = *session;
    provide_roots(options.tls_roots.as_deref(), log);
    let size: u64 = uploads.iter().map(|local| local.file.size).sum();
    let label = format!("uploading {} ({})", count(uploads.len(), "file"), human_bytes(size));
    let progress = Progress::start(log, &label, size);
    let contents: Vec<Arc<dyn Content>> =
        uploads.iter().map(|local| Arc::new(local.file.clone()) as Arc<dyn Content>).collect();
    let uploaded = hub.upload_to_bucket(&options.bucket, &contents, counting(&progress)).await;
    let (stored, sent) = uploaded.map_err(|error| bucket_failure(error, &options.bucket))?;
    progress.finish();
    operations.extend(uploads.iter().zip(stored).map(|(local, stored)| BucketOperation::Add {
        path: local.path.clone(),
        xet_hash: stored.xet_hash,
        mtime: mtime(&local.file),
    }));
    Ok(sent)
}

/// Returns the time of the last change of a file; now, for content in memory.
fn mtime(file: &SourceFile) -> SystemTime {
    let changed = match &file.content {
        FileContent::Disk(path) => fs::metadata(path).and_then(|found| found.modified()).ok(),
        FileContent::Memory(_) => None,
    };
    changed.unwrap_or_else(SystemTime::now)
}
