//! What the shared state can tell: pages, trees, content.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;

use crate::config::RepoType;
use crate::hub::{Hub, TreeFile};
use crate::objects::Kind;
use crate::repo::Repo;
use crate::space::SpaceState;
use crate::util::sha256_hex;

impl Hub {
    /// Page of a repository.
    pub(crate) fn repo_url(&self, repo_type: RepoType, id: &str) -> String {
        format!("{}/{}{id}", self.endpoint, repo_type.page_prefix())
    }

    pub(crate) fn space_update<T>(
        &self,
        id: &str,
        change: impl FnOnce(&mut SpaceState) -> T,
    ) -> anyhow::Result<T> {
        let repo = self.store.get(RepoType::Space, id).context("no such Space")?;
        repo.update(|s| s.space.as_mut().map(change))?.context("no such Space")
    }

    pub(crate) fn tree(
        &self,
        repo_type: RepoType,
        id: &str,
        rev: &str,
    ) -> anyhow::Result<BTreeMap<String, TreeFile>> {
        let repo = self.store.get(repo_type, id).context("no such repository")?;
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

    /// Content of a file, checked against its pointer when it is large.
    pub(crate) async fn read_file(
        &self,
        repo_type: RepoType,
        id: &str,
        rev: &str,
        path: &str,
    ) -> anyhow::Result<Vec<u8>> {
        let repo = self.store.get(repo_type, id).context("no such repository")?;
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

    /// Size of a large file that was uploaded to this repository.
    pub(crate) fn large_size(&self, repo: &Repo, sha256: &str) -> Option<u64> {
        if repo.large.has(sha256) { self.stored_size(sha256) } else { None }
    }

    /// Size of a large file that was uploaded to any repository.
    pub(crate) fn stored_size(&self, sha256: &str) -> Option<u64> {
        self.lfs.size(sha256).or_else(|| self.xet.as_ref().and_then(|x| x.find(sha256)).map(|f| f.size))
    }

    /// Content of a large file, from the LFS store or from the CAS.
    pub(crate) async fn large_content(&self, sha256: &str) -> anyhow::Result<bytes::Bytes> {
        if self.lfs.size(sha256).is_some() {
            return Ok(tokio::fs::read(self.lfs.path(sha256)).await?.into());
        }
        let xet = self.xet.as_ref().context("content was never uploaded")?;
        let file = xet.find(sha256).context("content was never uploaded")?;
        xet.content(&file).await
    }

    /// Waits, or returns `true` early when the server stops.
    pub(crate) async fn sleep(&self, time: Duration) -> bool {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            () = tokio::time::sleep(time) => false,
            _ = stopped.wait_for(|s| *s) => true,
        }
    }
}
