//! Handles on buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;

use crate::buckets::bucket::{Bucket, BucketEntry};
use crate::buckets::registry::Buckets;
use crate::hub::Hub;
use crate::util::lock;

/// One bucket of a local Hub.
#[derive(Clone, Copy)]
pub struct BucketHandle<'a> {
    hub: &'a Hub,
    id: &'a str,
}

impl std::fmt::Debug for BucketHandle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("BucketHandle").field(&self.id).finish()
    }
}

impl<'a> BucketHandle<'a> {
    pub(super) fn new(hub: &'a Hub, id: &'a str) -> Self {
        Self { hub, id }
    }

    fn get(&self) -> anyhow::Result<Arc<Bucket>> {
        self.hub.buckets.named(self.id).context("no such bucket")
    }

    /// Creates the bucket.
    ///
    /// # Errors
    /// If the name is taken or not `namespace/name`.
    pub fn create(&self, user: &str, private: bool) -> anyhow::Result<()> {
        self.hub.buckets.create(self.id, user, private)?.context("the bucket exists").map(drop)
    }

    /// Adds a trusted publisher: a CI identity with exactly these claims can exchange its token for this bucket.
    ///
    /// # Errors
    /// If there is no such bucket.
    pub fn add_trusted_publisher(&self, claims: BTreeMap<String, String>) -> anyhow::Result<()> {
        self.get()?.update(|state| state.publishers.push(claims))
    }

    /// Returns true if only its namespace can read the bucket; `None` if there is no bucket.
    #[must_use]
    pub fn is_private(&self) -> Option<bool> {
        Some(lock(&self.get().ok()?.state).private)
    }

    /// Returns the files by path; none if there is no bucket.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, BucketEntry> {
        self.get().map(|bucket| lock(&bucket.state).files.clone()).unwrap_or_default()
    }

    /// Returns the content of a file.
    ///
    /// # Errors
    /// If there is no such file.
    pub async fn read(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.hub.buckets.read(&*self.get()?, path).await?.into())
    }

    /// Writes files as a program does that has the bucket mounted. Paths may be hostile.
    ///
    /// # Errors
    /// If there is no such bucket.
    pub async fn write(&self, files: &[(&str, &[u8])]) -> anyhow::Result<()> {
        let files = files.iter().map(|(path, content)| ((*path).to_owned(), Bytes::copy_from_slice(content)));
        self.hub.buckets.write(&*self.get()?, files.collect()).await
    }

    /// Deletes files as a program does that has the bucket mounted.
    ///
    /// # Errors
    /// If there is no such bucket.
    pub fn remove(&self, paths: &[&str]) -> anyhow::Result<()> {
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        Buckets::remove(&*self.get()?, &paths)
    }
}
