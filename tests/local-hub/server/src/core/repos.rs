//! All repositories of the server, and their directories.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::core::repo::{Repo, RepoState};
use crate::core::repo_type::RepoType;
use crate::util::lock;

type Key = (RepoType, String);

/// Repositories by type and lower-cased `namespace/name`, because the Hub compares names without case.
pub(crate) struct Repos {
    root: PathBuf,
    repos: Mutex<BTreeMap<Key, Arc<Repo>>>,
}

impl Repos {
    /// Opens every repository found under `root`.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root)?;
        let mut repos = BTreeMap::new();
        for entry in std::fs::read_dir(root)? {
            let dir = entry?.path();
            if dir.join("state.json").is_file() {
                let repo = Repo::open(dir)?;
                let key = key_of(&lock(&repo.state));
                repos.insert(key, Arc::new(repo));
            }
        }
        Ok(Self { root: root.to_owned(), repos: Mutex::new(repos) })
    }

    pub(crate) fn get(&self, repo_type: RepoType, id: &str) -> Option<Arc<Repo>> {
        lock(&self.repos).get(&(repo_type, id.to_lowercase())).cloned()
    }

    /// Returns the repository with this name in any case, or else the one that had this name before a rename.
    pub(crate) fn named(&self, repo_type: RepoType, id: &str) -> Option<Arc<Repo>> {
        let id = id.to_lowercase();
        let repos = lock(&self.repos);
        let own = repos.get(&(repo_type, id.clone())).cloned();
        own.or_else(|| {
            repos
                .iter()
                .find(|((t, _), repo)| *t == repo_type && lock(&repo.state).former_ids.contains(&id))
                .map(|(_, repo)| repo.clone())
        })
    }

    /// Returns the repository with this internal id (24 digits), which a rename does not change.
    pub(crate) fn by_id(&self, id: &str) -> Option<Arc<Repo>> {
        lock(&self.repos).values().find(|repo| lock(&repo.state).id == id).cloned()
    }

    /// Adds a new repository; `None` when the name is taken.
    pub(crate) fn create(&self, state: RepoState) -> anyhow::Result<Option<Arc<Repo>>> {
        let mut repos = lock(&self.repos);
        let key = key_of(&state);
        if repos.contains_key(&key) {
            return Ok(None);
        }
        let repo = Arc::new(Repo::new(self.root.join(&state.id), state)?);
        repos.insert(key, repo.clone());
        Ok(Some(repo))
    }

    pub(crate) fn delete(&self, repo_type: RepoType, id: &str) -> anyhow::Result<bool> {
        let removed = lock(&self.repos).remove(&(repo_type, id.to_lowercase()));
        if let Some(repo) = &removed {
            std::fs::remove_dir_all(&repo.dir)?;
        }
        Ok(removed.is_some())
    }

    /// Gives a repository another name; `false` when that one is taken.
    pub(crate) fn rename(&self, repo: &Arc<Repo>, namespace: &str, name: &str) -> anyhow::Result<bool> {
        let mut repos = lock(&self.repos);
        let old = key_of(&lock(&repo.state));
        let new = (old.0, format!("{namespace}/{name}").to_lowercase());
        if new != old && repos.contains_key(&new) {
            return Ok(false);
        }
        repo.update(|s| {
            s.former_ids.insert(old.1.clone());
            s.namespace = namespace.to_owned();
            s.name = name.to_owned();
        })?;
        repos.remove(&old);
        repos.insert(new, repo.clone());
        Ok(true)
    }

    pub(crate) fn all(&self, repo_type: RepoType) -> Vec<Arc<Repo>> {
        lock(&self.repos).iter().filter(|((t, _), _)| *t == repo_type).map(|(_, r)| r.clone()).collect()
    }
}

fn key_of(state: &RepoState) -> Key {
    (state.repo_type, state.full_id().to_lowercase())
}
