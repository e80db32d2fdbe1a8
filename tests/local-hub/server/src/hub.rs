//! The parts of a server, and the operations that need several of them.

use std::sync::Arc;

use crate::accounts::registry::Accounts;
use crate::buckets::registry::Buckets;
use crate::config::HubConfig;
use crate::contract::ContractCheck;
use crate::core::commit::{Commit, CommitTarget, Plan};
use crate::core::content::Core;
use crate::core::merge::merge;
use crate::core::new_repo::CreateRepo;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::faults::fault::Faults;
use crate::http::answer::HubError;
use crate::http::record::RequestLog;
use crate::jobs::registry::Jobs;
use crate::policy::SharedPolicy;
use crate::spaces::edge::Edge;
use crate::spaces::registry::{NewSpace, Spaces};
use crate::spaces::script::BuildCause;
use crate::tasks::Tasks;
use crate::util::lock;

/// The state of a server, shared by all requests.
pub(crate) struct Hub {
    pub(crate) config: HubConfig,
    /// Origin of the Hub.
    pub(crate) endpoint: String,
    /// Origin of storage and download URLs: the same server, under another host name.
    pub(crate) storage_origin: String,
    pub(crate) policy: SharedPolicy,
    pub(crate) accounts: Arc<Accounts>,
    pub(crate) core: Arc<Core>,
    pub(crate) buckets: Arc<Buckets>,
    pub(crate) spaces: Arc<Spaces>,
    pub(crate) jobs: Arc<Jobs>,
    /// The edge, if Spaces have addresses.
    pub(crate) edge: Option<Arc<Edge>>,
    pub(crate) faults: Faults,
    pub(crate) requests: RequestLog,
    pub(crate) contract: ContractCheck,
    pub(crate) tasks: Tasks,
}

impl Hub {
    /// Returns the page of a repository.
    pub(crate) fn repo_url(&self, repo_type: RepoType, id: &str) -> String {
        format!("{}/{}{id}", self.endpoint, repo_type.page_prefix())
    }

    /// Creates a repository, and its Space; `None` if the name is taken.
    pub(crate) fn create_repo(
        &self,
        request: &CreateRepo,
        space: Option<NewSpace>,
    ) -> anyhow::Result<Option<Arc<Repo>>> {
        let Some(repo) = self.core.create(request)? else { return Ok(None) };
        if let Some(space) = space {
            let space = self.spaces.add(&repo, space)?;
            if let Some(edge) = &self.edge {
                edge.open(&space)?;
            }
            self.spaces.rebuild(&space, BuildCause::Create).map_err(HubError::into_anyhow)?;
        }
        Ok(Some(repo))
    }

    /// Stops the Space of a repository and deletes both.
    pub(crate) fn delete_repo(&self, repo: &Repo) -> anyhow::Result<()> {
        self.spaces.remove(repo);
        let (repo_type, id) = {
            let state = lock(&repo.state);
            (state.repo_type, state.full_id())
        };
        self.core.repos.delete(repo_type, &id)?;
        Ok(())
    }

    /// Applies a commit, and builds the Space after a commit on `main`.
    pub(crate) fn commit(
        &self,
        repo: &Repo,
        plan: Plan,
        target: &CommitTarget<'_>,
    ) -> Result<Commit, HubError> {
        let commit = self.core.apply(repo, plan, target)?;
        if commit.moved_main {
            self.main_moved(repo)?;
        }
        Ok(commit)
    }

    /// Merges a pull request, and builds the Space.
    pub(crate) fn merge(&self, repo: &Repo, number: u64, author: &str) -> Result<(), HubError> {
        merge(repo, number, author)?;
        self.main_moved(repo)
    }

    /// Builds the Space of a repository after a commit on `main`.
    pub(crate) fn main_moved(&self, repo: &Repo) -> Result<(), HubError> {
        match self.spaces.of(repo) {
            Some(space) => self.spaces.rebuild(&space, BuildCause::Commit),
            None => Ok(()),
        }
    }

    /// Opens the edge of the stored Spaces and starts their apps.
    pub(crate) fn start_spaces(&self) -> anyhow::Result<()> {
        if !self.spaces.runs_apps() {
            return Ok(());
        }
        for space in self.spaces.all() {
            if let Some(edge) = &self.edge {
                edge.open(&space)?;
            }
            let rests = space.change(|state| {
                // The apps of the earlier server have stopped.
                (state.target, state.previous) = (None, None);
                state.playing.clear();
                state.paused || state.asleep
            });
            if !rests {
                self.spaces.rebuild(&space, BuildCause::Restart).map_err(HubError::into_anyhow)?;
            }
        }
        Ok(())
    }
}
