//! One bucket: its settings and its files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::util::{iso, lock, now_ms};

/// A file of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketEntry {
    /// Xet hash of the content.
    pub hash: String,
    /// Bytes.
    pub size: u64,
    /// Time that the writer named, in milliseconds since 1970.
    pub mtime_ms: Option<u64>,
    /// Rest of that time, in nanoseconds.
    pub mtime_nanos: Option<u64>,
    /// Time of the batch, in milliseconds since 1970.
    pub uploaded_ms: u64,
    /// Media type that the writer named.
    pub content_type: Option<String>,
}

/// State of a bucket, as stored in its `state.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct BucketState {
    /// 24 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) private: bool,
    /// Creator, because a `contributor` of an organisation can write to no other bucket.
    pub(crate) creator: String,
    pub(crate) created_ms: u64,
    pub(crate) updated_ms: u64,
    pub(crate) cdn: Value,
    /// Files by path.
    pub(crate) files: BTreeMap<String, BucketEntry>,
    /// Xet hashes that were uploaded for this bucket.
    pub(crate) uploaded: BTreeSet<String>,
    /// Trusted publishers, each a set of claims that must all match.
    #[serde(default)]
    pub(crate) publishers: Vec<BTreeMap<String, String>>,
    /// Lower-cased names before renames, which lead to this bucket.
    #[serde(default)]
    pub(crate) former_ids: BTreeSet<String>,
}

impl BucketState {
    pub(crate) fn new(id: String, namespace: &str, name: &str, creator: &str, private: bool) -> Self {
        let now = now_ms();
        Self {
            id,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            private,
            creator: creator.to_owned(),
            created_ms: now,
            updated_ms: now,
            cdn: json!([]),
            files: BTreeMap::new(),
            uploaded: BTreeSet::new(),
            publishers: vec![],
            former_ids: BTreeSet::new(),
        }
    }

    /// `namespace/name`.
    pub(crate) fn full_id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Returns the description that the Hub gives.
    pub(crate) fn overview(&self) -> Value {
        json!({
            "author": self.namespace,
            "id": self.full_id(),
            "createdAt": iso(self.created_ms),
            "updatedAt": iso(self.updated_ms),
            "size": self.files.values().map(|file| file.size).sum::<u64>(),
            "totalFiles": self.files.len(),
            "repoType": "bucket",
            "cdnRegions": self.cdn,
            "private": self.private,
        })
    }

    /// Returns true if content with this hash may be put at a path: it was uploaded for this bucket, or it is in it.
    pub(crate) fn has_content(&self, hash: &str) -> bool {
        self.uploaded.contains(hash) || self.files.values().any(|file| file.hash == hash)
    }
}

/// A bucket in memory.
pub(crate) struct Bucket {
    pub(crate) dir: PathBuf,
    pub(crate) state: Mutex<BucketState>,
}

impl Bucket {
    pub(crate) fn new(dir: PathBuf, state: BucketState) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let bucket = Self { dir, state: Mutex::new(state) };
        bucket.update(|_| ())?;
        Ok(bucket)
    }

    pub(crate) fn open(dir: PathBuf) -> anyhow::Result<Self> {
        let text = std::fs::read(dir.join("state.json"))?;
        Ok(Self { state: Mutex::new(serde_json::from_slice(&text)?), dir })
    }

    /// Changes the state and stores it, by a rename, so that a reader never sees half of it.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut BucketState) -> T) -> anyhow::Result<T> {
        let mut state = lock(&self.state);
        let out = change(&mut state);
        let tmp = self.dir.join("state.json.tmp");
        std::fs::write(&tmp, serde_json::to_vec(&*state)?)?;
        std::fs::rename(tmp, self.dir.join("state.json"))?;
        Ok(out)
    }
}
