//! The server as a value: start it, inspect it, stop it.

mod bucket;
mod job;
mod repo;
mod space;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::accounts::registry::Accounts;
use crate::accounts::user::User;
use crate::buckets::registry::Buckets;
use crate::config::{HubConfig, LargeFileTransfer};
use crate::contract::ContractCheck;
use crate::core::content::Core;
use crate::core::lfs::LfsStore;
use crate::core::repo_type::RepoType;
use crate::core::repos::Repos;
use crate::core::xet::Xet;
use crate::faults::connection::ResettableListener;
use crate::faults::fault::{Fault, Faults};
use crate::http::record::{RecordedRequest, RequestLog};
use crate::hub::Hub;
use crate::jobs::registry::Jobs;
use crate::policy::{Policy, SharedPolicy};
use crate::spaces::edge::Edge;
use crate::spaces::registry::{SpaceSettings, Spaces};
use crate::tasks::Tasks;
use crate::util::unique_hex;

pub use self::bucket::BucketHandle;
pub use self::job::JobHandle;
pub use self::repo::{CommitInfo, NewRepo, RepoHandle};
pub use self::space::SpaceHandle;

/// A running local Hub. Dropping it stops the server.
pub struct LocalHub {
    hub: Arc<Hub>,
    stop: watch::Sender<bool>,
    _temp: Option<tempfile::TempDir>,
}

impl std::fmt::Debug for LocalHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalHub").field("endpoint", &self.hub.endpoint).finish_non_exhaustive()
    }
}

impl Drop for LocalHub {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        self.hub.spaces.close();
        if let Some(xet) = &self.hub.core.xet {
            xet.stop();
        }
    }
}

impl LocalHub {
    /// Starts a server on loopback and returns once it accepts connections.
    ///
    /// # Errors
    /// If the data directory or the port cannot be used.
    pub async fn start(config: HubConfig) -> anyhow::Result<Self> {
        let (dir, temp) = match &config.data_dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let temp = tempfile::tempdir()?;
                (temp.path().to_owned(), Some(temp))
            }
        };
        std::fs::create_dir_all(&dir)?;
        let listener = bind(config.port).await.with_context(|| format!("port {}", config.port))?;
        let port = listener.local_addr()?.port();
        // `localhost` can also mean the IPv6 loopback, so the server listens there if it exists.
        let second = TcpListener::bind(("::1", port)).await.ok();
        let (stop, stopped) = watch::channel(false);
        let hub = Arc::new(open(config, &dir, port, Tasks::new(stopped)).await?);
        hub.start_spaces()?;
        for listener in [Some(listener), second].into_iter().flatten() {
            let service = crate::server::service(hub.clone());
            let tasks = hub.tasks.clone();
            hub.tasks.spawn(async move {
                let stopped = async move { tasks.stopped().await };
                let served = axum::serve(ResettableListener(listener), service);
                if let Err(error) = served.with_graceful_shutdown(stopped).await {
                    tracing::error!(%error, "the server failed");
                }
            });
        }
        Ok(Self { hub, stop, _temp: temp })
    }

    /// Returns `http://127.0.0.1:PORT`, or the `public_url`: the value for `HF_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.hub.endpoint.clone()
    }

    /// Returns the address of the dataset viewer: the value for `HF_DATASETS_SERVER`.
    #[must_use]
    pub fn viewer(&self) -> String {
        format!("{}/{}", self.hub.endpoint, crate::viewer::PREFIX)
    }

    /// Returns a handle on a repository, which need not exist.
    #[must_use]
    pub fn repo<'a>(&'a self, repo_type: RepoType, id: &'a str) -> RepoHandle<'a> {
        RepoHandle::new(&self.hub, repo_type, id)
    }

    /// Returns a handle on a bucket, which need not exist.
    #[must_use]
    pub fn bucket<'a>(&'a self, id: &'a str) -> BucketHandle<'a> {
        BucketHandle::new(&self.hub, id)
    }

    /// Returns a handle on a Space, which need not exist.
    #[must_use]
    pub fn space<'a>(&'a self, id: &'a str) -> SpaceHandle<'a> {
        SpaceHandle::new(&self.hub, id)
    }

    /// Returns all Jobs, the newest first.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobHandle> {
        self.hub.jobs.all().into_iter().map(JobHandle::new).collect()
    }

    /// Creates a repository with its first commit, and returns its internal id.
    ///
    /// # Errors
    /// If the name is taken or not `namespace/name`.
    pub fn create_repo(&self, new: NewRepo<'_>) -> anyhow::Result<String> {
        new.create(&self.hub)
    }

    /// Creates a model with these facts, in the form of `GET /api/models/{id}?blobs=true`, and returns its commit. Of its
    /// files, only the names and sizes exist.
    ///
    /// # Errors
    /// If the name is taken, or `id` is missing.
    pub fn plant_model(&self, facts: &serde_json::Value) -> anyhow::Result<String> {
        let id = facts["id"].as_str().context("a model has an id")?;
        let owner = id.split('/').next().unwrap_or_default();
        let new = NewRepo::new(owner, RepoType::Model, id);
        self.create_repo(if facts["private"] == true { new.private() } else { new })?;
        let model = self.repo(RepoType::Model, id);
        model.plant(facts)?;
        model.head("main").context("a new model has a commit")
    }

    /// Returns every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.hub.requests.all()
    }

    /// Clears the requests, but not their breaches of the contract.
    pub fn clear_requests(&self) {
        self.hub.requests.clear();
    }

    /// Clears the breaches of the contract, for a test that sends invalid requests.
    pub fn forgive_violations(&self) {
        self.hub.requests.forgive();
    }

    /// Returns every breach of the contract so far, as `METHOD path: breach`.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.hub.requests.violations()
    }

    /// # Panics
    /// If a request broke the Hub's contract.
    pub fn assert_contract_kept(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "requests broke the Hub's contract:\n{}", violations.join("\n"));
    }

    /// Returns the responses of this server that break the contract, as a check of the server itself.
    #[must_use]
    pub fn own_breaches(&self) -> Vec<String> {
        self.hub.contract.own_breaches()
    }

    /// Injects a fault into later requests.
    pub fn inject(&self, fault: Fault) {
        self.hub.faults.add(fault);
    }

    /// Clears the faults that no request has hit.
    pub fn clear_faults(&self) {
        self.hub.faults.clear();
    }

    /// Adds an account.
    pub fn add_user(&self, user: User) {
        self.hub.accounts.add(user);
    }

    /// Changes plan rules and other switches.
    pub fn set_policy(&self, change: impl FnOnce(&mut Policy)) {
        self.hub.policy.change(change);
    }
}

/// Opens the parts of a server in its data directory.
async fn open(config: HubConfig, dir: &Path, port: u16, tasks: Tasks) -> anyhow::Result<Hub> {
    let xet = match config.transfer {
        LargeFileTransfer::Xet => {
            Some(Xet::start(&dir.join("xet"), config.cas_url.as_deref(), &secret(dir)?).await?)
        }
        LargeFileTransfer::Multipart | LargeFileTransfer::Basic => None,
    };
    let core = Arc::new(Core {
        repos: Repos::open(&dir.join("repos"))?,
        lfs: LfsStore::open(&dir.join("lfs"))?,
        xet,
    });
    let buckets = Arc::new(Buckets::open(&dir.join("buckets"), core.clone())?);
    let policy = SharedPolicy::default();
    let accounts = Arc::new(Accounts::new(&config.users, policy.clone()));
    let settings =
        SpaceSettings { has_edge: config.edge, runtimes: config.runtimes.clone(), apps: dir.join("apps") };
    let spaces = Arc::new(Spaces::open(core.clone(), settings, policy.clone(), tasks.clone())?);
    let jobs =
        Arc::new(Jobs::new((core.clone(), buckets.clone()), dir.join("jobs"), policy.clone(), tasks.clone()));
    let endpoint = config.public_url.clone().unwrap_or_else(|| format!("http://127.0.0.1:{port}"));
    let edge = config.edge.then(|| {
        Arc::new(Edge {
            core: core.clone(),
            accounts: accounts.clone(),
            spaces: spaces.clone(),
            policy: policy.clone(),
            tasks: tasks.clone(),
            endpoint: endpoint.clone(),
        })
    });
    Ok(Hub {
        contract: ContractCheck::new(config.contract.clone()),
        config,
        endpoint,
        storage_origin: format!("http://localhost:{port}"),
        policy,
        accounts,
        core,
        buckets,
        spaces,
        jobs,
        edge,
        faults: Faults::default(),
        requests: RequestLog::default(),
        tasks,
    })
}

/// Returns a secret of the data directory, so that tokens stay valid after a restart.
fn secret(dir: &Path) -> anyhow::Result<String> {
    let path: PathBuf = dir.join("secret");
    if let Ok(text) = std::fs::read_to_string(&path) {
        return Ok(text);
    }
    let text = unique_hex(64);
    std::fs::write(path, &text)?;
    Ok(text)
}

/// Binds the port on loopback. Retries for up to 5 s while a stopping server holds it.
async fn bind(port: u16) -> std::io::Result<TcpListener> {
    let mut tries = 0;
    loop {
        match TcpListener::bind(("127.0.0.1", port)).await {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && port != 0 && tries < 50 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            done => return done,
        }
    }
}
