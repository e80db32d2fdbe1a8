//! The server as a value: start it, look into it, stop it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once, Weak};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::auth::{AppToken, RepoToken};
use crate::config::{HubConfig, LargeFileTransfer, RepoType, User};
use crate::conn::ResettableListener;
use crate::contract::Contract;
use crate::create::CreateRepo;
use crate::faults::{Fault, Faults};
use crate::lfs::LfsStore;
use crate::logs::LogScripts;
use crate::objects::Kind;
use crate::plan::{Op, Plan};
use crate::policy::Policy;
use crate::record::{Log, RecordedRequest};
use crate::runtime::Runs;
use crate::stage::WaitingScripts;
use crate::store::Store;
use crate::util::{lock, unique_hex};
use crate::xet::Xet;

/// State shared by all requests.
pub(crate) struct Hub {
    pub(crate) config: HubConfig,
    pub(crate) endpoint: String,
    /// The same server under another host name: storage and download URLs.
    pub(crate) storage_origin: String,
    pub(crate) store: Store,
    pub(crate) lfs: LfsStore,
    pub(crate) xet: Option<Xet>,
    pub(crate) users: Mutex<Vec<Arc<User>>>,
    pub(crate) repo_tokens: Mutex<Vec<Arc<RepoToken>>>,
    pub(crate) faults: Faults,
    pub(crate) log: Log,
    pub(crate) contract: Option<Arc<Contract>>,
    pub(crate) policy: Mutex<Policy>,
    /// Answers of this server that its own contract does not allow.
    pub(crate) own_breaches: Mutex<Vec<String>>,
    pub(crate) quota: Mutex<BTreeMap<String, (u64, u64)>>,
    pub(crate) stopped: watch::Receiver<bool>,
    /// Itself, for tasks that outlive a request.
    pub(crate) me: Weak<Self>,
    /// Where tasks run that a test's own thread asks for.
    pub(crate) tokio: tokio::runtime::Handle,
    /// Folder of the apps that run.
    pub(crate) apps: PathBuf,
    pub(crate) runs: Runs,
    pub(crate) log_scripts: LogScripts,
    /// Stage scripts of Spaces that do not exist yet, by lower-cased id.
    pub(crate) waiting_scripts: Mutex<BTreeMap<String, WaitingScripts>>,
    pub(crate) app_tokens: Mutex<Vec<AppToken>>,
}

/// A running local Hub. Dropping it stops the server.
pub struct LocalHub {
    pub(crate) hub: Arc<Hub>,
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
        self.hub.runs.close();
        if let Some(xet) = &self.hub.xet {
            xet.stop();
        }
    }
}

/// One file of a revision, as [`LocalHub::tree`] shows it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TreeFile {
    /// Git blob id; for a large file that of its pointer.
    pub oid: String,
    /// Bytes of the content (not of the pointer).
    pub size: u64,
    /// SHA-256 of a large file's content.
    pub lfs_sha256: Option<String>,
    /// Git mode, for instance `100644`.
    pub mode: String,
}

/// One commit, as [`LocalHub::commits`] shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// Commit id.
    pub id: String,
    /// First line of the message.
    pub title: String,
    /// The rest of the message.
    pub message: String,
    /// Parent commits.
    pub parents: Vec<String>,
    /// Name of the author.
    pub author: String,
}

impl LocalHub {
    /// Starts a server on loopback and returns once it accepts connections.
    ///
    /// # Errors
    /// When the data directory or the port cannot be used, or the OpenAPI document cannot be read.
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
        // `localhost` may also mean the IPv6 loopback; where that exists it is served too.
        let second = TcpListener::bind(("::1", port)).await.ok();
        let xet = match config.transfer {
            LargeFileTransfer::Xet => {
                Some(Xet::start(&dir.join("xet"), config.cas_url.as_deref(), &secret(&dir)?).await?)
            }
            LargeFileTransfer::Multipart | LargeFileTransfer::Basic => None,
        };
        let (stop, stopped) = watch::channel(false);
        let store = Store::open(&dir.join("repos"))?;
        let lfs = LfsStore::open(&dir.join("lfs"))?;
        let contract = Contract::find(config.openapi.as_deref())?;
        let hub = Arc::new_cyclic(|me| Hub {
            endpoint: config.public_url.clone().unwrap_or_else(|| format!("http://127.0.0.1:{port}")),
            storage_origin: format!("http://localhost:{port}"),
            store,
            lfs,
            xet,
            users: Mutex::new(config.users.iter().cloned().map(Arc::new).collect()),
            repo_tokens: Mutex::default(),
            faults: Faults::default(),
            log: Log::default(),
            contract,
            policy: Mutex::default(),
            own_breaches: Mutex::default(),
            quota: Mutex::default(),
            stopped,
            me: me.clone(),
            tokio: tokio::runtime::Handle::current(),
            apps: dir.join("apps"),
            runs: Runs::default(),
            log_scripts: LogScripts::default(),
            waiting_scripts: Mutex::default(),
            app_tokens: Mutex::default(),
            config,
        });
        // What a server that was killed left behind.
        let _ = std::fs::remove_dir_all(&hub.apps);
        hub.wake_spaces()?;
        for listener in [Some(listener), second].into_iter().flatten() {
            let app = crate::server::service(hub.clone());
            let mut stopped = hub.stopped.clone();
            tokio::spawn(async move {
                let done = async move {
                    let _ = stopped.wait_for(|s| *s).await;
                };
                if let Err(error) =
                    axum::serve(ResettableListener(listener), app).with_graceful_shutdown(done).await
                {
                    tracing::error!(%error, "the server ended");
                }
            });
        }
        Ok(Self { hub, stop, _temp: temp })
    }

    /// `http://127.0.0.1:PORT`, or the `public_url`: the value for `HF_ENDPOINT`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.hub.endpoint.clone()
    }

    /// Every request so far, in the order of arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.hub.log.all()
    }

    /// Forgets the requests, but not where they broke the contract.
    pub fn clear_requests(&self) {
        self.hub.log.clear();
    }

    /// Forgets the contract breaches so far: for a test that has cut requests on purpose.
    pub fn forgive_violations(&self) {
        self.hub.log.forgive();
    }

    /// Every contract breach so far, as `METHOD path: what`.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.hub.log.violations()
    }

    /// # Panics
    /// When a request broke the Hub's contract.
    pub fn assert_contract_kept(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "the Hub's contract was broken:\n{}", violations.join("\n"));
    }

    /// Whether requests are compared with the OpenAPI document. Where there is none, the first call says so on stderr,
    /// past what a test runner keeps to itself: a green run has then shown less.
    #[must_use]
    pub fn checks_contract(&self) -> bool {
        static TOLD: Once = Once::new();
        let checks = self.hub.contract.is_some();
        if !checks {
            TOLD.call_once(|| {
                let told = "NO CONTRACT: the Hub's OpenAPI document is not here, so no request is compared with it; \
                    name it with HUB_OPENAPI";
                let _ = writeln!(std::io::stderr(), "{told}");
            });
        }
        checks
    }

    /// Answers of this server that the OpenAPI document does not allow (a check of the server itself).
    #[must_use]
    pub fn own_breaches(&self) -> Vec<String> {
        lock(&self.hub.own_breaches).clone()
    }

    /// Makes later requests go wrong.
    pub fn inject(&self, fault: Fault) {
        self.hub.faults.add(fault);
    }

    /// Forgets faults that have not struck.
    pub fn clear_faults(&self) {
        self.hub.faults.clear();
    }

    /// Adds an account while the server runs.
    pub fn add_user(&self, user: User) {
        lock(&self.hub.users).push(Arc::new(user));
    }

    /// Changes plan rules and other switches.
    pub fn set_policy(&self, change: impl FnOnce(&mut Policy)) {
        change(&mut lock(&self.hub.policy));
    }

    /// Answers 402 with this text when a repository of the type is created; `None` goes back to the plan rules.
    pub fn set_payment_required(&self, repo_type: RepoType, message: Option<&str>) {
        let mut policy = lock(&self.hub.policy);
        match message {
            Some(text) => policy.payment_required.insert(repo_type, text.to_owned()),
            None => policy.payment_required.remove(&repo_type),
        };
    }

    /// The files of a revision.
    ///
    /// # Errors
    /// When the repository or the revision does not exist.
    pub fn tree(
        &self,
        repo_type: RepoType,
        id: &str,
        rev: &str,
    ) -> anyhow::Result<BTreeMap<String, TreeFile>> {
        self.hub.tree(repo_type, id, rev)
    }

    /// The commit a revision names.
    #[must_use]
    pub fn head(&self, repo_type: RepoType, id: &str, rev: &str) -> Option<String> {
        Some(self.hub.store.get(repo_type, id)?.resolve(rev)?.to_string())
    }

    /// Who can see a repository: `public`, `private` or `protected`.
    #[must_use]
    pub fn visibility(&self, repo_type: RepoType, id: &str) -> Option<String> {
        let repo = self.hub.store.get(repo_type, id)?;
        let state = lock(&repo.state);
        Some(state.visibility.clone())
    }

    /// The commits of a revision, newest first.
    #[must_use]
    pub fn commits(&self, repo_type: RepoType, id: &str, rev: &str) -> Vec<CommitInfo> {
        let Some(repo) = self.hub.store.get(repo_type, id) else { return vec![] };
        let history = repo.resolve(rev).and_then(|head| repo.history(head).ok()).unwrap_or_default();
        history
            .into_iter()
            .map(|(oid, c)| CommitInfo {
                id: oid.to_string(),
                title: c.title().to_owned(),
                message: c.body().to_owned(),
                parents: c.parents.iter().map(ToString::to_string).collect(),
                author: c.author,
            })
            .collect()
    }

    /// The content of a file; that of a large file comes from its store, with size and SHA-256 checked.
    ///
    /// # Errors
    /// When there is no such file or its content is not what was announced.
    pub async fn read_file_async(
        &self,
        repo_type: RepoType,
        id: &str,
        rev: &str,
        path: &str,
    ) -> anyhow::Result<Vec<u8>> {
        self.hub.read_file(repo_type, id, rev, path).await
    }

    /// As [`Self::read_file_async`], for callers outside async code or inside a multi-threaded runtime.
    ///
    /// # Errors
    /// When there is no such file or its content is not what was announced.
    pub fn read_file(&self, repo_type: RepoType, id: &str, rev: &str, path: &str) -> anyhow::Result<Vec<u8>> {
        // A thread of its own: a test may call this from a single-threaded runtime.
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                    runtime.block_on(self.hub.read_file(repo_type, id, rev, path))
                })
                .join()
                .map_err(|_| anyhow::anyhow!("reading failed"))?
        })
    }

    /// Another writer's commit on a branch; returns the new commit id.
    ///
    /// # Errors
    /// When the repository or the branch does not exist.
    pub fn commit_as(
        &self,
        user: &str,
        repo_type: RepoType,
        id: &str,
        rev: &str,
        files: &[(&str, &[u8])],
        message: &str,
    ) -> anyhow::Result<String> {
        let repo = self.hub.store.get(repo_type, id).context("no such repository")?;
        let mut ops = Vec::new();
        for (path, content) in files {
            let oid = repo.objects.put(Kind::Blob, content)?;
            ops.push(Op::File { path: (*path).to_owned(), oid });
        }
        let plan = Plan { summary: message.to_owned(), description: String::new(), parent: None, ops };
        let done =
            self.hub.apply(&repo, rev, plan, user, false).map_err(|e| anyhow::anyhow!("{}", e.body))?;
        Ok(done.oid.to_string())
    }

    /// Another writer's commit that makes a file executable, as `git push` can; returns the new commit id.
    ///
    /// # Errors
    /// When the repository, the branch or the file does not exist.
    pub fn make_executable_as(
        &self,
        user: &str,
        repo_type: RepoType,
        id: &str,
        rev: &str,
        path: &str,
    ) -> anyhow::Result<String> {
        let repo = self.hub.store.get(repo_type, id).context("no such repository")?;
        let ops = vec![Op::Chmod { path: path.to_owned(), mode: 0o100_755 }];
        let plan =
            Plan { summary: format!("chmod +x {path}"), description: String::new(), parent: None, ops };
        let done =
            self.hub.apply(&repo, rev, plan, user, false).map_err(|e| anyhow::anyhow!("{}", e.body))?;
        Ok(done.oid.to_string())
    }

    /// Creates a repository with its first commit.
    ///
    /// # Errors
    /// When the name is taken.
    pub fn create_repo_as(
        &self,
        user: &str,
        repo_type: RepoType,
        id: &str,
        sdk: Option<&str>,
        private: bool,
    ) -> anyhow::Result<String> {
        let (namespace, name) = id.split_once('/').context("an id is namespace/name")?;
        let request = CreateRepo {
            repo_type,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            visibility: if private { "private" } else { "public" }.to_owned(),
            sdk: sdk.map(ToOwned::to_owned),
            author: user.to_owned(),
            ..CreateRepo::default()
        };
        let repo = self.hub.create_repo(request)?.context("the repository exists")?;
        Ok(lock(&repo.state).id.clone())
    }

    /// Values of a Space's secrets, which no endpoint shows.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn secrets(&self, id: &str) -> anyhow::Result<BTreeMap<String, String>> {
        self.hub.space_update(id, |s| s.secrets.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect())
    }

    /// Lets a CI identity with exactly these claims exchange its token for this repository.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn add_trusted_publisher(
        &self,
        repo_type: RepoType,
        id: &str,
        claims: BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        let repo = self.hub.store.get(repo_type, id).context("no such repository")?;
        repo.update(|s| s.publishers.push(claims))
    }
}

/// A secret of the data directory, so that tokens stay valid over a restart.
fn secret(dir: &std::path::Path) -> anyhow::Result<String> {
    let path: PathBuf = dir.join("secret");
    if let Ok(text) = std::fs::read_to_string(&path) {
        return Ok(text);
    }
    let text = unique_hex(64);
    std::fs::write(path, &text)?;
    Ok(text)
}

/// Binds the port on loopback; one that a server going away still holds is tried for a few seconds.
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
