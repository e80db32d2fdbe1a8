//! Large files uploaded by LFS: one file per SHA-256, and uploads in parts.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use axum::body::Body;
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use crate::http::answer::HubError;
use crate::util::{hex, lock, unique_hex};

/// One part of a multipart upload.
#[derive(Clone)]
pub(crate) struct Part {
    pub(crate) etag: String,
    path: PathBuf,
}

/// A multipart upload under way.
#[derive(Clone)]
pub(crate) struct Multipart {
    /// Internal id of the target repository.
    pub(crate) repo_id: String,
    pub(crate) oid: String,
    pub(crate) size: u64,
    pub(crate) chunk: u64,
    pub(crate) parts: BTreeMap<u64, Part>,
}

/// The store and the uploads under way.
pub(crate) struct LfsStore {
    root: PathBuf,
    uploads: Mutex<HashMap<String, Multipart>>,
}

impl LfsStore {
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root.join("tmp"))?;
        Ok(Self { root: root.to_owned(), uploads: Mutex::default() })
    }

    pub(crate) fn path(&self, sha256: &str) -> PathBuf {
        self.root.join(sha256)
    }

    /// Returns the number of bytes stored for a SHA-256.
    pub(crate) fn size(&self, sha256: &str) -> Option<u64> {
        let plain = sha256.len() == 64 && sha256.chars().all(|c| c.is_ascii_hexdigit());
        plain.then(|| std::fs::metadata(self.path(sha256)).ok()).flatten().map(|m| m.len())
    }

    /// Writes a body to a new file and returns it with its SHA-256 and length.
    async fn receive(&self, body: Body) -> Result<(PathBuf, String, u64), HubError> {
        let path = self.root.join("tmp").join(unique_hex(32));
        let mut file = tokio::fs::File::create(&path).await?;
        let (mut hasher, mut len) = (Sha256::new(), 0);
        let mut stream = body.into_data_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|e| HubError::bad_request(format!("The body broke off: {e}")))?;
            hasher.update(&chunk);
            len += chunk.len() as u64;
            file.write_all(&chunk).await?;
        }
        file.flush().await?;
        Ok((path, hex(&hasher.finalize()), len))
    }

    /// Stores a whole file, whose size and SHA-256 must match the announced ones.
    pub(crate) async fn put(&self, oid: &str, size: u64, body: Body) -> Result<(), HubError> {
        let (path, sha256, len) = self.receive(body).await?;
        if sha256 != oid || len != size {
            tokio::fs::remove_file(&path).await?;
            return Err(HubError::bad_request(format!(
                "Content does not match: {len} bytes with SHA-256 {sha256}"
            )));
        }
        tokio::fs::rename(path, self.path(oid)).await?;
        Ok(())
    }

    pub(crate) fn start_multipart(&self, upload: Multipart) -> String {
        let id = unique_hex(32);
        lock(&self.uploads).insert(id.clone(), upload);
        id
    }

    /// Stores one part and returns its ETag.
    pub(crate) async fn put_part(&self, id: &str, number: u64, body: Body) -> Result<String, HubError> {
        let unknown = || HubError::new(404, "NoSuchUpload");
        let upload = lock(&self.uploads).get(id).cloned().ok_or_else(unknown)?;
        let count = upload.size.div_ceil(upload.chunk);
        let (path, sha256, len) = self.receive(body).await?;
        let expected = if number == count { upload.size - (count - 1) * upload.chunk } else { upload.chunk };
        if number == 0 || number > count || len != expected {
            return Err(HubError::bad_request(format!("Part {number}: {len} bytes, expected {expected}")));
        }
        let etag = format!("\"{}\"", &sha256[..32]);
        let part = Part { etag: etag.clone(), path };
        lock(&self.uploads).get_mut(id).ok_or_else(unknown)?.parts.insert(number, part);
        Ok(etag)
    }

    /// Joins the parts, which the request must list with their ETags. Returns the id of the repository.
    pub(crate) async fn complete(
        &self,
        id: &str,
        oid: &str,
        named: &BTreeMap<u64, String>,
    ) -> Result<String, HubError> {
        let upload =
            lock(&self.uploads).get(id).cloned().ok_or_else(|| HubError::new(404, "NoSuchUpload"))?;
        let count = upload.size.div_ceil(upload.chunk);
        let whole = (1..=count).all(|n| {
            upload.parts.get(&n).is_some_and(|p| {
                named.get(&n).is_some_and(|e| e.trim_matches('"') == p.etag.trim_matches('"'))
            })
        });
        if upload.oid != oid || !whole || named.len() as u64 != count {
            return Err(HubError::bad_request("InvalidPart: the parts do not match what was uploaded"));
        }
        let paths: Vec<PathBuf> = upload.parts.values().map(|p| p.path.clone()).collect();
        let files = paths.clone();
        let chunks = async_chunks(files);
        self.put(oid, upload.size, Body::from_stream(chunks)).await?;
        for path in paths {
            let _ = tokio::fs::remove_file(path).await;
        }
        lock(&self.uploads).remove(id);
        Ok(upload.repo_id)
    }
}

/// Streams the content of several files, one file per item.
fn async_chunks(paths: Vec<PathBuf>) -> impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> {
    futures_util::stream::iter(paths)
        .then(|path| async move { tokio::fs::read(path).await.map(bytes::Bytes::from) })
}
