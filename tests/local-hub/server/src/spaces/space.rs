//! One Space: its repository, its state and its app.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::core::repo::Repo;
use crate::spaces::app::App;
use crate::spaces::state::SpaceState;
use crate::util::lock;

/// A Space in memory. Its state is stored in `space.json`, beside its repository.
pub(crate) struct Space {
    pub(crate) repo: Arc<Repo>,
    pub(crate) app: App,
    state: Mutex<SpaceState>,
}

impl Space {
    pub(crate) fn new(repo: Arc<Repo>, state: SpaceState) -> anyhow::Result<Self> {
        let space = Self { repo, app: App::default(), state: Mutex::new(state) };
        space.update(|_| ())?;
        Ok(space)
    }

    /// Opens the stored Space of a repository; `None` for a repository that was created without an SDK.
    pub(crate) fn open(repo: Arc<Repo>) -> anyhow::Result<Option<Self>> {
        let path = file(&repo);
        if !path.is_file() {
            return Ok(None);
        }
        Self::new(repo, serde_json::from_slice(&std::fs::read(path)?)?).map(Some)
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&SpaceState) -> T) -> T {
        look(&lock(&self.state))
    }

    /// Changes the state in memory only, for stages and log lines of a running build.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut SpaceState) -> T) -> T {
        change(&mut lock(&self.state))
    }

    /// Changes the state and stores it by a rename, so that a reader never sees half of it.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut SpaceState) -> T) -> anyhow::Result<T> {
        let mut state = lock(&self.state);
        let out = change(&mut state);
        let path = file(&self.repo);
        let temporary = path.with_extension("tmp");
        std::fs::write(&temporary, serde_json::to_vec(&*state)?)?;
        std::fs::rename(temporary, path)?;
        Ok(out)
    }
}

fn file(repo: &Repo) -> PathBuf {
    repo.dir.join("space.json")
}
