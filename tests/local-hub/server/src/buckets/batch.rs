//! The operations of a batch, applied one by one.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::buckets::bucket::{Bucket, BucketEntry, BucketState};
use crate::util::now_ms;

/// One line of a batch.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(crate) enum Operation {
    #[serde(rename = "addFile")]
    Add {
        path: String,
        xet_hash: String,
        mtime: Option<u64>,
        mtime_nanos: Option<u64>,
        content_type: Option<String>,
    },
    #[serde(rename = "copyFile")]
    Copy {
        path: String,
        xet_hash: String,
        source_repo_type: String,
        source_repo_id: String,
        mtime: Option<u64>,
        mtime_nanos: Option<u64>,
        content_type: Option<String>,
    },
    #[serde(rename = "deleteFile")]
    Delete { path: String },
}

impl Operation {
    pub(crate) fn is_deletion(&self) -> bool {
        matches!(self, Self::Delete { .. })
    }

    fn path(&self) -> &str {
        match self {
            Self::Add { path, .. } | Self::Copy { path, .. } | Self::Delete { path } => path,
        }
    }
}

/// Facts that a batch needs from outside of its bucket.
pub(crate) struct Sources<'a> {
    /// Returns the size of content in the CAS.
    pub(crate) size_of: &'a dyn Fn(&str) -> Option<u64>,
    /// Content that the caller may copy: type and id of its repository or bucket, hash.
    pub(crate) copyable: HashSet<(String, String, String)>,
}

/// Applies a batch. Returns its report, with 422 if no operation succeeded.
pub(crate) fn apply(
    bucket: &Bucket,
    batch: Vec<Operation>,
    sources: &Sources<'_>,
) -> anyhow::Result<(u16, Value)> {
    let processed = batch.len();
    let failed = bucket.update(|state| {
        let mut failed = Vec::new();
        for operation in batch {
            let path = operation.path().to_owned();
            if let Err(error) = apply_one(state, operation, sources) {
                failed.push(json!({"path": path, "error": error}));
            }
        }
        state.updated_ms = now_ms();
        failed
    })?;
    let status = if processed > 0 && failed.len() == processed { 422 } else { 200 };
    let report = json!({
        "success": failed.is_empty(),
        "processed": processed,
        "succeeded": processed - failed.len(),
        "failed": failed,
    });
    Ok((status, report))
}

fn apply_one(state: &mut BucketState, operation: Operation, sources: &Sources<'_>) -> Result<(), String> {
    match operation {
        Operation::Add { path, xet_hash, mtime, mtime_nanos, content_type } => {
            if !state.has_content(&xet_hash) && !is_empty(&xet_hash) {
                return Err(format!("Xet hash {xet_hash} was not uploaded"));
            }
            put(state, path, xet_hash, (mtime, mtime_nanos, content_type), sources)
        }
        Operation::Copy {
            path,
            xet_hash,
            source_repo_type,
            source_repo_id,
            mtime,
            mtime_nanos,
            content_type,
        } => {
            let own = source_repo_type == "bucket" && source_repo_id.eq_ignore_ascii_case(&state.full_id());
            let is_there = if own {
                state.files.values().any(|file| file.hash == xet_hash)
            } else {
                sources.copyable.contains(&(
                    source_repo_type.clone(),
                    source_repo_id.clone(),
                    xet_hash.clone(),
                ))
            };
            if !is_there {
                return Err(format!("Xet hash {xet_hash} is not in {source_repo_type} {source_repo_id}"));
            }
            put(state, path, xet_hash, (mtime, mtime_nanos, content_type), sources)
        }
        Operation::Delete { path } => match state.files.remove(&path) {
            Some(_) => Ok(()),
            None => Err("File not found".to_owned()),
        },
    }
}

fn put(
    state: &mut BucketState,
    path: String,
    hash: String,
    (mtime_ms, mtime_nanos, content_type): (Option<u64>, Option<u64>, Option<String>),
    sources: &Sources<'_>,
) -> Result<(), String> {
    check_path(&path)?;
    let size = if is_empty(&hash) { Some(0) } else { (sources.size_of)(&hash) };
    let size = size.ok_or_else(|| format!("Xet hash {hash} does not exist"))?;
    let entry = BucketEntry { hash, size, mtime_ms, mtime_nanos, uploaded_ms: now_ms(), content_type };
    state.files.insert(path, entry);
    Ok(())
}

/// Returns true for the hash of content without bytes.
fn is_empty(hash: &str) -> bool {
    hash.bytes().all(|digit| digit == b'0')
}

/// Refuses paths that no file can have. Which others the Hub refuses is not documented, so hostile ones are taken.
fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() || path.starts_with('/') || path.ends_with('/') || path.len() > 1024 {
        return Err("Invalid path".to_owned());
    }
    Ok(())
}
