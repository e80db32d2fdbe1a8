//! All buckets of the server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use bytes::Bytes;

use crate::buckets::bucket::{Bucket, BucketEntry, BucketState};
use crate::core::content::Core;
use crate::core::xet::XetFile;
use crate::util::{lock, now_ms, unique_hex};

/// Buckets by lower-cased `namespace/name`, because the Hub compares names without case.
pub(crate) struct Buckets {
    root: PathBuf,
    core: Arc<Core>,
    buckets: Mutex<BTreeMap<String, Arc<Bucket>>>,
}

impl Buckets {
    /// Opens every bucket found under `root`.
    pub(crate) fn open(root: &Path, core: Arc<Core>) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root)?;
        let mut buckets = BTreeMap::new();
        for entry in std::fs::read_dir(root)? {
            let dir = entry?.path();
            if dir.join("state.json").is_file() {
                let bucket = Bucket::open(dir)?;
                let key = lock(&bucket.state).full_id().to_lowercase();
                buckets.insert(key, Arc::new(bucket));
            }
        }
        Ok(Self { root: root.to_owned(), core, buckets: Mutex::new(buckets) })
    }

    /// Returns the bucket with this name in any case, or else the one that had this name before a rename.
    pub(crate) fn named(&self, id: &str) -> Option<Arc<Bucket>> {
        let id = id.to_lowercase();
        let buckets = lock(&self.buckets);
        let own = buckets.get(&id).cloned();
        own.or_else(|| buckets.values().find(|bucket| lock(&bucket.state).former_ids.contains(&id)).cloned())
    }

    /// Returns the bucket with this internal id (24 digits).
    pub(crate) fn by_id(&self, id: &str) -> Option<Arc<Bucket>> {
        lock(&self.buckets).values().find(|bucket| lock(&bucket.state).id == id).cloned()
    }

    /// Returns the buckets of a namespace, by name.
    pub(crate) fn of_namespace(&self, namespace: &str) -> Vec<Arc<Bucket>> {
        let start = format!("{}/", namespace.to_lowercase());
        let buckets = lock(&self.buckets);
        buckets.iter().filter(|(id, _)| id.starts_with(&start)).map(|(_, bucket)| bucket.clone()).collect()
    }

    /// Creates a bucket; `None` if the name is taken.
    pub(crate) fn create(
        &self,
        id: &str,
        creator: &str,
        private: bool,
    ) -> anyhow::Result<Option<Arc<Bucket>>> {
        let (namespace, name) = id.split_once('/').context("an id is namespace/name")?;
        let mut buckets = lock(&self.buckets);
        let key = id.to_lowercase();
        if buckets.contains_key(&key) {
            return Ok(None);
        }
        let state = BucketState::new(unique_hex(24), namespace, name, creator, private);
        let bucket = Arc::new(Bucket::new(self.root.join(&state.id), state)?);
        buckets.insert(key, bucket.clone());
        Ok(Some(bucket))
    }

    pub(crate) fn delete(&self, bucket: &Bucket) -> anyhow::Result<()> {
        let key = lock(&bucket.state).full_id().to_lowercase();
        if lock(&self.buckets).remove(&key).is_some() {
            std::fs::remove_dir_all(&bucket.dir)?;
        }
        Ok(())
    }

    /// Gives a bucket another name; `false` when that one is taken.
    pub(crate) fn rename(&self, bucket: &Arc<Bucket>, id: &str) -> anyhow::Result<bool> {
        let (namespace, name) = id.split_once('/').context("an id is namespace/name")?;
        let mut buckets = lock(&self.buckets);
        let (old, new) = (lock(&bucket.state).full_id().to_lowercase(), id.to_lowercase());
        if new != old && buckets.contains_key(&new) {
            return Ok(false);
        }
        bucket.update(|state| {
            state.former_ids.insert(old.clone());
            state.namespace = namespace.to_owned();
            state.name = name.to_owned();
        })?;
        buckets.remove(&old);
        buckets.insert(new, bucket.clone());
        Ok(true)
    }

    /// Returns the content of a file.
    pub(crate) async fn read(&self, bucket: &Bucket, path: &str) -> anyhow::Result<Bytes> {
        let file = lock(&bucket.state).files.get(path).cloned();
        let BucketEntry { hash, size, .. } = file.with_context(|| format!("no file {path}"))?;
        let xet = self.core.xet.as_ref().context("this server has no CAS")?;
        xet.content(&XetFile { hash, size }).await
    }

    /// Writes files as a program does that has the bucket mounted: their content goes to the CAS.
    pub(crate) async fn write(&self, bucket: &Bucket, files: Vec<(String, Bytes)>) -> anyhow::Result<()> {
        let xet = self.core.xet.as_ref().context("this server has no CAS")?;
        let contents = files.iter().map(|(_, content)| content.clone()).collect();
        let stored = xet.store(contents).await?;
        let now = now_ms();
        bucket.update(|state| {
            for ((path, _), XetFile { hash, size }) in files.into_iter().zip(stored) {
                let entry = BucketEntry {
                    hash: hash.clone(),
                    size,
                    mtime_ms: Some(now),
                    mtime_nanos: None,
                    uploaded_ms: now,
                    content_type: None,
                };
                state.uploaded.insert(hash);
                state.files.insert(path, entry);
            }
            state.updated_ms = now;
        })
    }

    /// Deletes files as a program does that has the bucket mounted.
    pub(crate) fn remove(bucket: &Bucket, paths: &[String]) -> anyhow::Result<()> {
        bucket.update(|state| {
            paths.iter().for_each(|path| drop(state.files.remove(path)));
            state.updated_ms = now_ms();
        })
    }
}
