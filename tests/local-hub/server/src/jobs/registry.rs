//! All Jobs of a server.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::job::{Account, Job};
use super::sandbox::Isolation;
use super::spec::Spec;
use crate::buckets::registry::Buckets;
use crate::core::content::Core;
use crate::http::answer::HubError;
use crate::policy::SharedPolicy;
use crate::tasks::Tasks;
use crate::util::{lock, unique_hex};

const NO_CREDITS: &str =
    "Pre-paid credit balance is insufficient - add more credits to your account to use Jobs.";

/// The Jobs, oldest first.
pub(crate) struct Jobs {
    all: Mutex<Vec<Arc<Job>>>,
    pub(super) core: Arc<Core>,
    pub(super) buckets: Arc<Buckets>,
    pub(crate) policy: SharedPolicy,
    pub(crate) tasks: Tasks,
    /// Folder for the roots of containers.
    pub(super) folder: PathBuf,
    isolation: std::sync::OnceLock<Isolation>,
}

impl Jobs {
    pub(crate) fn new(
        (core, buckets): (Arc<Core>, Arc<Buckets>),
        folder: PathBuf,
        policy: SharedPolicy,
        tasks: Tasks,
    ) -> Self {
        let isolation = std::sync::OnceLock::new();
        Self { all: Mutex::default(), core, buckets, policy, tasks, folder, isolation }
    }

    /// Creates a Job, which the caller starts.
    pub(crate) fn create(&self, owner: Account, creator: Account, spec: Spec) -> Result<Arc<Job>, HubError> {
        if self.policy.get().jobs.credits == Some(0) {
            return Err(HubError::new(402, NO_CREDITS));
        }
        let job = Arc::new(Job::new(unique_hex(24), owner, creator, spec));
        lock(&self.all).push(job.clone());
        Ok(job)
    }

    /// Returns the Job of this id.
    pub(crate) fn find(&self, namespace: &str, id: &str) -> Option<Arc<Job>> {
        let all = lock(&self.all);
        all.iter().find(|job| job.id == id && job.owner.name.eq_ignore_ascii_case(namespace)).cloned()
    }

    /// Returns all Jobs, the newest first.
    pub(crate) fn all(&self) -> Vec<Arc<Job>> {
        lock(&self.all).iter().rev().cloned().collect()
    }

    /// Returns the isolation of processes on this machine, which is tried once.
    pub(super) fn isolation(&self) -> Isolation {
        if self.policy.get().jobs.has_namespaces {
            self.isolation.get_or_init(Isolation::find).clone()
        } else {
            Isolation::Folder
        }
    }

    /// Takes the price of a second out of the credits. Returns false if none are left.
    pub(super) fn pay(&self, micro_usd: u64) -> bool {
        let mut is_paid = true;
        self.policy.change(|policy| {
            if let Some(credits) = &mut policy.jobs.credits {
                *credits = credits.saturating_sub(micro_usd);
                is_paid = *credits > 0;
            }
        });
        is_paid
    }
}
