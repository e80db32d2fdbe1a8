//! The repositories of a server and the stores of their large files.

use std::collections::BTreeMap;

use anyhow::Context as _;

use crate::core::lfs::LfsStore;
use crate::core::objects::Kind;
use crate::core::repo::Repo;
use crate::core::repos::Repos;
use crate::core::xet::Xet;
use crate::util::sha256_hex;

/// One file of a revision.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TreeFile {
    /// Git blob id; for a large file that of its pointer.
    pub oid: String,
    /// Bytes of the content (not of the pointer).
    pub size: u64,
    /// SHA-256 of a large file's content.
    pub lfs_sha256: Option<String>,
    /// Git mode, for instance `100644`.
    pub mode: String,
}

/// All repositories and their content.
pub(crate) struct Core {
    pub(crate) repos: Repos,
    pub(crate) lfs: LfsStore,
    /// The Xet storage, unless large files travel by LFS only.
    pub(crate) xet: Option<Xet>,
}

impl Core {
    /// Returns the files of a revision, by path.
    pub(crate) fn tree(repo: &Repo, rev: &str) -> anyhow::Result<BTreeMap<String, TreeFile>> {
        let snapshot = repo.snapshot(repo.resolve(rev).context("no such revision")?)?;
        snapshot
            .files
            .iter()
            .map(|(path, entry)| {
                let info = repo.objects.blob_info(entry.oid).context("missing blob")?;
                let file = TreeFile {
                    oid: entry.oid.to_string(),
                    size: info.pointer.as_ref().map_or(info.len, |p| p.size),
                    lfs_sha256: info.pointer.map(|p| p.sha256),
                    mode: format!("{:o}", entry.mode),
                };
                Ok((path.clone(), file))
            })
            .collect()
    }

    /// Returns the content of a file. That of a large file is compared with its pointer.
    pub(crate) async fn read_file(&self, repo: &Repo, rev: &str, path: &str) -> anyhow::Result<Vec<u8>> {
        let snapshot = repo.snapshot(repo.resolve(rev).context("no such revision")?)?;
        let entry = snapshot.files.get(path).with_context(|| format!("no file {path}"))?;
        match repo.objects.blob_info(entry.oid).and_then(|i| i.pointer) {
            None => repo.objects.get(Kind::Blob, entry.oid),
            Some(pointer) => {
                let content = self.large_content(&pointer.sha256).await?;
                anyhow::ensure!(
                    content.len() as u64 == pointer.size,
                    "{path}: {} bytes stored",
                    content.len()
                );
                anyhow::ensure!(sha256_hex(&content) == pointer.sha256, "{path}: other content stored");
                Ok(content.into())
            }
        }
    }

    /// Returns the size of a large file that was uploaded to this repository.
    pub(crate) fn large_size(&self, repo: &Repo, sha256: &str) -> Option<u64> {
        if repo.large.has(sha256) { self.stored_size(sha256) } else { None }
    }

    /// Returns the size of a large file that was uploaded to any repository.
    pub(crate) fn stored_size(&self, sha256: &str) -> Option<u64> {
        self.lfs.size(sha256).or_else(|| self.xet.as_ref().and_then(|x| x.find(sha256)).map(|f| f.size))
    }

    /// Returns the content of a large file, from the LFS store or from the CAS.
    pub(crate) async fn large_content(&self, sha256: &str) -> anyhow::Result<bytes::Bytes> {
        if self.lfs.size(sha256).is_some() {
            return Ok(tokio::fs::read(self.lfs.path(sha256)).await?.into());
        }
        let xet = self.xet.as_ref().context("content was never uploaded")?;
        let file = xet.find(sha256).context("content was never uploaded")?;
        xet.content(&file).await
    }
}
