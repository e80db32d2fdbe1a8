//! All Spaces of a server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use serde_json::Value;

use crate::config::Runtimes;
use crate::core::content::Core;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::policy::SharedPolicy;
use crate::spaces::logs::{Log, LogScripts, LogStep};
use crate::spaces::script::{BuildScript, StageStep, WaitingScripts};
use crate::spaces::space::Space;
use crate::spaces::state::{Setting, SpaceState};
use crate::tasks::Tasks;
use crate::util::{lock, now_ms, sha256_hex};

/// Settings that all Spaces share.
pub(crate) struct SpaceSettings {
    /// True if each Space has an address.
    pub(crate) has_edge: bool,
    pub(crate) runtimes: Runtimes,
    /// Folder of the running apps.
    pub(crate) apps: PathBuf,
}

/// Settings of a new Space.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewSpace {
    pub(crate) sdk: String,
    pub(crate) hardware: Option<String>,
    pub(crate) sleep_time: Option<i64>,
    pub(crate) secrets: BTreeMap<String, Setting>,
    pub(crate) variables: BTreeMap<String, Setting>,
    pub(crate) volumes: Vec<Value>,
    pub(crate) dev_mode: bool,
}

/// A token that opens one private app (`GET …/jwt`).
#[derive(Clone, Debug)]
pub(crate) struct AppToken {
    pub(crate) token: String,
    pub(crate) repo_id: String,
    pub(crate) expires_ms: u64,
}

/// The Spaces by internal id of their repository, and their scripts.
pub(crate) struct Spaces {
    pub(super) core: Arc<Core>,
    pub(super) policy: SharedPolicy,
    pub(super) tasks: Tasks,
    pub(super) settings: SpaceSettings,
    pub(super) log_scripts: LogScripts,
    all: Mutex<BTreeMap<String, Arc<Space>>>,
    /// Scripts of Spaces that do not exist yet, by lower-cased id.
    waiting: Mutex<BTreeMap<String, WaitingScripts>>,
    app_tokens: Mutex<Vec<AppToken>>,
}

impl Spaces {
    /// Opens the Spaces of the stored repositories.
    pub(crate) fn open(
        core: Arc<Core>,
        settings: SpaceSettings,
        policy: SharedPolicy,
        tasks: Tasks,
    ) -> anyhow::Result<Self> {
        // A server that was killed leaves the folders of its apps.
        let _ = std::fs::remove_dir_all(&settings.apps);
        let mut all = BTreeMap::new();
        for repo in core.repos.all(RepoType::Space) {
            let id = id_of(&repo);
            all.extend(Space::open(repo)?.map(|space| (id, Arc::new(space))));
        }
        Ok(Self {
            core,
            policy,
            tasks,
            settings,
            log_scripts: LogScripts::default(),
            all: Mutex::new(all),
            waiting: Mutex::default(),
            app_tokens: Mutex::default(),
        })
    }

    /// Returns true if Spaces have addresses or apps. Otherwise only their stages change.
    pub(crate) fn runs_apps(&self) -> bool {
        self.settings.has_edge || !self.settings.runtimes.is_empty()
    }

    /// Returns the Space of a repository; `None` for a model or dataset.
    pub(crate) fn of(&self, repo: &Repo) -> Option<Arc<Space>> {
        lock(&self.all).get(&id_of(repo)).cloned()
    }

    /// Returns the Space with this `namespace/name`.
    pub(crate) fn named(&self, id: &str) -> anyhow::Result<Arc<Space>> {
        let repo = self.core.repos.get(RepoType::Space, id);
        repo.and_then(|repo| self.of(&repo)).context("no such Space")
    }

    pub(crate) fn all(&self) -> Vec<Arc<Space>> {
        lock(&self.all).values().cloned().collect()
    }

    /// Adds the Space of a new repository.
    pub(crate) fn add(&self, repo: &Arc<Repo>, new: NewSpace) -> anyhow::Result<Arc<Space>> {
        let waiting = lock(&self.waiting).remove(&lock(&repo.state).full_id().to_lowercase());
        let mut state = SpaceState::new(&new.sdk, subdomain(repo));
        (state.hardware, state.sleep_time) = (new.hardware, new.sleep_time);
        (state.secrets, state.variables) = (new.secrets, new.variables);
        (state.volumes, state.dev_mode) = (new.volumes, new.dev_mode);
        let mut stand_in = None;
        if let Some(waiting) = waiting {
            (state.script, state.queue) = (waiting.stages, waiting.builds);
            stand_in = waiting.stand_in;
        }
        let space = Arc::new(Space::new(repo.clone(), state)?);
        space.app.set_stand_in(stand_in);
        lock(&self.all).insert(id_of(repo), space.clone());
        Ok(space)
    }

    /// Stops and removes the Space of a repository that is deleted.
    pub(crate) fn remove(&self, repo: &Repo) {
        let removed = lock(&self.all).remove(&id_of(repo));
        if let Some(space) = removed {
            space.app.close();
        }
    }

    /// Updates the subdomain after a rename of the repository.
    pub(crate) fn rename(&self, repo: &Repo) -> anyhow::Result<()> {
        let Some(space) = self.of(repo) else { return Ok(()) };
        space.update(|state| state.subdomain = subdomain(repo))
    }

    /// Stops every app, when the server stops.
    pub(crate) fn close(&self) {
        self.all().iter().for_each(|space| space.app.close());
    }

    /// Sets the stages of the current build, and of later builds without their own script. The Space need not exist.
    pub(crate) fn script_stages(&self, id: &str, script: Vec<StageStep>) -> anyhow::Result<()> {
        if let Ok(space) = self.named(id) {
            return space.update(|s| {
                s.playing.clone_from(&script);
                s.script = script;
            });
        }
        lock(&self.waiting).entry(id.to_lowercase()).or_default().stages = script;
        Ok(())
    }

    /// Adds scripts for later builds. The Space need not exist.
    pub(crate) fn script_builds(&self, id: &str, scripts: Vec<BuildScript>) -> anyhow::Result<()> {
        if let Ok(space) = self.named(id) {
            return space.update(|s| s.queue.extend(scripts));
        }
        lock(&self.waiting).entry(id.to_lowercase()).or_default().builds.extend(scripts);
        Ok(())
    }

    /// Replaces the app of a Space. The Space need not exist.
    pub(crate) fn set_stand_in(&self, id: &str, address: Option<SocketAddr>) {
        match self.named(id) {
            Ok(space) => space.app.set_stand_in(address),
            Err(_) => lock(&self.waiting).entry(id.to_lowercase()).or_default().stand_in = address,
        }
    }

    /// Scripts the connections to a log. The Space need not exist.
    pub(crate) fn script_log(&self, id: &str, log: Log, connections: Vec<Vec<LogStep>>) {
        self.log_scripts.set(id, log, connections);
    }

    pub(crate) fn push_log(&self, id: &str, log: Log, lines: &[&str]) -> anyhow::Result<()> {
        self.named(id)?.update(|s| {
            let rows = s.logs.entry(log).or_default();
            lines.iter().for_each(|line| rows.push((*line).to_owned()));
        })
    }

    pub(crate) fn add_app_token(&self, token: AppToken) {
        lock(&self.app_tokens).push(token);
    }

    /// Returns true if the token opens the app of this repository.
    pub(crate) fn token_opens(&self, token: &str, repo_id: &str) -> bool {
        let now = now_ms();
        let tokens = lock(&self.app_tokens);
        tokens.iter().any(|t| t.token == token && t.repo_id == repo_id && t.expires_ms > now)
    }
}

fn id_of(repo: &Repo) -> String {
    lock(&repo.state).id.clone()
}

/// Returns the subdomain: the slug and a suffix from the repository's id, which no client can compute.
fn subdomain(repo: &Repo) -> String {
    let state = lock(&repo.state);
    let slug: String = format!("{}-{}", state.namespace, state.name)
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let slug: String = slug.trim_matches('-').chars().take(50).collect();
    format!("{}-{}", slug.trim_end_matches('-'), &sha256_hex(state.id.as_bytes())[..5])
}
