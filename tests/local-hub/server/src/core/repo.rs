//! One repository: its state, its revisions and the making of commits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::core::discussion::Discussion;
use crate::core::large_files::LargeFiles;
use crate::core::objects::{Commit, Kind, ObjectStore, Oid};
use crate::core::repo_type::RepoType;
use crate::core::snapshot::{FileEntry, Snapshot};
use crate::util::{lock, now_ms};

/// State of a repository, as stored in its `state.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RepoState {
    /// 24 hexadecimal digits.
    pub(crate) id: String,
    pub(crate) repo_type: RepoType,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// `public`, `private` or `protected`.
    pub(crate) visibility: String,
    /// `false`, `"auto"` or `"manual"`.
    pub(crate) gated: serde_json::Value,
    /// Lower-cased names of the users with access to a gated repository.
    #[serde(default)]
    pub(crate) granted: BTreeSet<String>,
    /// Other settings that were put.
    pub(crate) settings: BTreeMap<String, serde_json::Value>,
    pub(crate) created_ms: u64,
    pub(crate) modified_ms: u64,
    /// Full ref name to commit.
    pub(crate) refs: BTreeMap<String, Oid>,
    pub(crate) discussions: BTreeMap<u64, Discussion>,
    /// Creator, because a `contributor` of an organisation can write to no other repository.
    #[serde(default)]
    pub(crate) creator: String,
    /// Trusted publishers, each a set of claims that must all match.
    #[serde(default)]
    pub(crate) publishers: Vec<BTreeMap<String, String>>,
    /// Lower-cased names before renames, which redirect to this repository.
    #[serde(default)]
    pub(crate) former_ids: BTreeSet<String>,
    /// Facts about a model that a test planted, as `GET /api/models/{id}` shows them; `null` for others.
    #[serde(default)]
    pub(crate) planted: serde_json::Value,
}

/// The default branch.
pub(crate) const MAIN: &str = "refs/heads/main";

impl RepoState {
    /// Returns the number of the next discussion or pull request.
    pub(crate) fn next_discussion(&self) -> u64 {
        self.discussions.keys().next_back().copied().unwrap_or(0) + 1
    }

    /// `namespace/name`.
    pub(crate) fn full_id(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Returns the commit of a branch, a tag or a full ref.
    pub(crate) fn resolve(&self, rev: &str) -> Option<Oid> {
        self.refs
            .get(&format!("refs/heads/{rev}"))
            .or_else(|| self.refs.get(&format!("refs/tags/{rev}")))
            .or_else(|| self.refs.get(rev))
            .or_else(|| self.refs.get(&format!("refs/{rev}")).filter(|_| rev.starts_with("pr/")))
            .copied()
    }

    /// Returns the full name of the ref that a commit to `rev` moves; `None` if it is a tag, a commit or unknown.
    pub(crate) fn writable_ref(&self, rev: &str) -> Option<String> {
        let branch = format!("refs/heads/{rev}");
        if self.refs.contains_key(&branch) {
            return Some(branch);
        }
        (self.refs.contains_key(rev) && (rev.starts_with("refs/heads/") || rev.starts_with("refs/pr/")))
            .then(|| rev.to_owned())
    }
}

/// A repository in memory.
pub(crate) struct Repo {
    pub(crate) dir: PathBuf,
    pub(crate) objects: ObjectStore,
    pub(crate) large: LargeFiles,
    pub(crate) state: Mutex<RepoState>,
    /// Held while a commit is applied: one writer at a time.
    pub(crate) writer: tokio::sync::Mutex<()>,
    snapshots: Mutex<HashMap<Oid, Arc<Snapshot>>>,
}

/// Description of a commit.
pub(crate) struct NewCommit {
    pub(crate) author: String,
    pub(crate) summary: String,
    pub(crate) description: String,
}

impl Repo {
    pub(crate) fn new(dir: PathBuf, state: RepoState) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&dir)?;
        let objects = ObjectStore::open(&dir.join("objects.log"))?;
        let repo = Self {
            large: LargeFiles::open(&dir.join("large.txt")),
            dir,
            objects,
            state: Mutex::new(state),
            writer: tokio::sync::Mutex::new(()),
            snapshots: Mutex::default(),
        };
        repo.save()?;
        Ok(repo)
    }

    pub(crate) fn open(dir: PathBuf) -> anyhow::Result<Self> {
        let text = std::fs::read(dir.join("state.json"))?;
        Self::new(dir, serde_json::from_slice(&text)?)
    }

    /// Writes the state file by a rename, so that a reader never sees half of it.
    pub(crate) fn save(&self) -> anyhow::Result<()> {
        let state = lock(&self.state);
        let text = serde_json::to_vec(&*state)?;
        let tmp = self.dir.join("state.json.tmp");
        std::fs::write(&tmp, text)?;
        std::fs::rename(tmp, self.dir.join("state.json"))?;
        Ok(())
    }

    /// Changes the state and stores it.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut RepoState) -> T) -> anyhow::Result<T> {
        let out = change(&mut lock(&self.state));
        self.save()?;
        Ok(out)
    }

    /// Returns the commit of a revision, which can also be a commit id or its first 7 digits.
    pub(crate) fn resolve(&self, rev: &str) -> Option<Oid> {
        if let Some(oid) = lock(&self.state).resolve(rev) {
            return Some(oid);
        }
        if let Some(oid) = Oid::parse(rev) {
            return self.objects.has(Kind::Commit, oid).then_some(oid);
        }
        let digits = rev.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if (7..40).contains(&rev.len()) && digits { self.objects.find(Kind::Commit, rev) } else { None }
    }

    pub(crate) fn commit(&self, oid: Oid) -> anyhow::Result<Commit> {
        Commit::decode(&self.objects.get(Kind::Commit, oid)?)
    }

    /// Returns the files of a commit. The last few snapshots stay in memory.
    pub(crate) fn snapshot(&self, commit: Oid) -> anyhow::Result<Arc<Snapshot>> {
        let tree = self.commit(commit)?.tree;
        if let Some(found) = lock(&self.snapshots).get(&tree) {
            return Ok(found.clone());
        }
        let snapshot = Arc::new(Snapshot::load(&self.objects, tree)?);
        self.keep(tree, snapshot.clone());
        Ok(snapshot)
    }

    fn keep(&self, tree: Oid, snapshot: Arc<Snapshot>) {
        let mut cache = lock(&self.snapshots);
        if cache.len() >= 8 {
            cache.clear();
        }
        cache.insert(tree, snapshot);
    }

    /// Returns the text of a file; `None` if it is missing or not UTF-8.
    pub(crate) fn text_at(&self, snapshot: &Snapshot, path: &str) -> Option<String> {
        let entry = snapshot.files.get(path)?;
        String::from_utf8(self.objects.get(Kind::Blob, entry.oid).ok()?).ok()
    }

    /// Writes trees and the commit object; the caller moves the ref.
    pub(crate) fn write_commit(
        &self,
        files: BTreeMap<String, FileEntry>,
        parents: Vec<Oid>,
        new: &NewCommit,
    ) -> anyhow::Result<Oid> {
        let snapshot = Snapshot::write(&self.objects, files)?;
        let tree = snapshot.root();
        self.keep(tree, Arc::new(snapshot));
        let message = if new.description.trim().is_empty() {
            new.summary.clone()
        } else {
            format!("{}\n\n{}", new.summary, new.description)
        };
        let commit = Commit { tree, parents, author: new.author.clone(), time: now_ms() / 1000, message };
        self.objects.put(Kind::Commit, &commit.encode())
    }

    /// Returns the first-parent history of a commit, newest first.
    pub(crate) fn history(&self, from: Oid) -> anyhow::Result<Vec<(Oid, Commit)>> {
        let mut out = Vec::new();
        let mut next = Some(from);
        while let Some(oid) = next {
            let commit = self.commit(oid).with_context(|| format!("history of {from}"))?;
            next = commit.parents.first().copied();
            out.push((oid, commit));
        }
        Ok(out)
    }
}
