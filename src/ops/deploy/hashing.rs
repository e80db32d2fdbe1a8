//! Hashes of local files, as far as the Hub's object ids can be compared with them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::failure::{Code, Failure, Result};
use crate::folder::{Oid, Sha256, Source, SourceFile};
use hub::{ContentId, PreuploadFile, RemoteFile, UploadMode};

use super::moves::Departing;

/// Files that are hashed as one task, because small files cost less than starting a task for each.
const HASH_BATCH: usize = 64;

/// Kind of hash that the Hub's object id can be compared with.
#[derive(Debug, Clone, Copy)]
pub(super) enum HashKind {
    None,
    GitBlob,
    Sha256,
}

impl HashKind {
    /// Chooses the hash that fits the Hub's id of the content.
    ///
    /// A large file of another size has another content, so it is not read. It is read if the repo has a file of its
    /// size under another name, because it may have moved. The same holds for a small file.
    pub(super) fn of(answer: &PreuploadFile, held: &HeldFiles, departing: &Departing, size: u64) -> Self {
        let large = answer.upload_mode == UploadMode::Lfs && !matches!(answer.oid, Some(ContentId::Git(_)));
        let has_other_size = held.size(&answer.path).is_some_and(|remote| remote != size);
        match answer.oid {
            _ if answer.should_ignore => Self::None,
            _ if large && held.sizes.contains(&size) => Self::Sha256,
            _ if has_other_size => Self::None,
            Some(ContentId::Git(_)) => Self::GitBlob,
            Some(ContentId::Sha256(_)) => Self::Sha256,
            None if !large && departing.has_size(size) => Self::GitBlob,
            _ => Self::None,
        }
    }
}

/// Large files that the repo is known to hold.
pub(super) struct HeldFiles {
    by_path: HashMap<String, u64>,
    sizes: HashSet<u64>,
    contents: HashSet<Sha256>,
}

impl HeldFiles {
    pub(super) fn of<'a>(remote: impl Iterator<Item = &'a RemoteFile>) -> Self {
        let mut held = Self { by_path: HashMap::new(), sizes: HashSet::new(), contents: HashSet::new() };
        for file in remote {
            let Some(sha256) = &file.sha256 else { continue };
            held.by_path.insert(file.path.clone(), file.size);
            held.sizes.insert(file.size);
            held.contents.insert(*sha256);
        }
        held
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.by_path.get(path).copied()
    }

    /// Returns true if the repo has this content, under whatever name.
    pub(super) fn has(&self, hash: &Hash) -> bool {
        matches!(hash, Hash::Sha256(sha256, _) if self.contents.contains(sha256))
    }
}

/// Hash of a local file.
pub(super) enum Hash {
    None,
    GitBlob(Oid),
    /// And the checksum of the content that was read for it.
    Sha256(Sha256, Option<u64>),
}

impl Hash {
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::GitBlob(oid) => Some(oid.to_string()),
            Self::Sha256(sha256, _) => Some(sha256.to_string()),
        }
    }
}

/// A source file with its hashes, as uploads hold it.
#[derive(Debug, Clone)]
pub(super) struct PendingUpload {
    pub(super) source: Arc<SourceFile>,
    pub(super) oid: Option<Oid>,
    pub(super) sha256: Option<Sha256>,
    /// Checksum of the content that was read for the SHA-256.
    pub(super) checksum: Option<u64>,
    /// The repo has this content under another name, so it is not sent again.
    pub(super) is_stored: bool,
}

impl PendingUpload {
    pub(super) fn new(file: &SourceFile, hash: Hash, is_stored: bool) -> Self {
        let source = Arc::new(file.clone());
        let unhashed = Self { source, oid: None, sha256: None, checksum: None, is_stored };
        match hash {
            Hash::None => unhashed,
            Hash::GitBlob(oid) => Self { oid: Some(oid), ..unhashed },
            Hash::Sha256(sha256, checksum) => Self { sha256: Some(sha256), checksum, ..unhashed },
        }
    }
}

/// Hashes files on all cores, and returns the hashes in order.
pub(super) async fn hash_all(source: &Arc<Source>, kinds: Vec<HashKind>) -> Result<Vec<Hash>> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let kinds = Arc::new(kinds);
    let starts: Vec<usize> = (0..source.files.len()).step_by(HASH_BATCH).collect();
    let batches: Vec<Vec<Hash>> = stream::iter(starts)
        .map(|start| {
            let (source, kinds) = (Arc::clone(source), Arc::clone(&kinds));
            async move {
                let end = (start + HASH_BATCH).min(source.files.len());
                let hash =
                    move || (start..end).map(|index| hash_one(&source.files[index], kinds[index])).collect();
                tokio::task::spawn_blocking(hash).await.unwrap_or_else(|error| {
                    Err(Failure::new(Code::Internal, "hashing ended early").caused_by(error))
                })
            }
        })
        .buffered(cores)
        .try_collect()
        .await?;
    Ok(batches.into_iter().flatten().collect())
}

fn hash_one(file: &SourceFile, kind: HashKind) -> Result<Hash> {
    let hash = match kind {
        HashKind::None => Ok(Hash::None),
        HashKind::GitBlob => file.git_blob_oid().map(Hash::GitBlob),
        HashKind::Sha256 => {
            file.sha256_and_checksum().map(|(sha256, checksum)| Hash::Sha256(sha256, checksum))
        }
    };
    Ok(hash.map_err(|error| file.error(error))?)
}
