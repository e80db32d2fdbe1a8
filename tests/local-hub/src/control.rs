//! What a test does to Spaces from outside the Hub's interface.

use std::net::SocketAddr;

use anyhow::Context as _;

use crate::answer::HubError;
use crate::config::RepoType;
use crate::faults::Fault;
use crate::hub::{Hub, LocalHub};
use crate::logs::{Log, LogStep};
use crate::record::RecordedRequest;
use crate::repo::Repo;
use crate::stage::{BuildCause, BuildScript, StageStep};
use crate::util::lock;

impl Hub {
    /// Sets what builds without a script of their own do, also before the Space exists.
    pub(crate) fn script_stages(&self, id: &str, script: Vec<StageStep>) -> anyhow::Result<()> {
        if self.store.get(RepoType::Space, id).is_some() {
            return self.space_update(id, |s| {
                s.playing.clone_from(&script);
                s.script = script;
            });
        }
        lock(&self.waiting_scripts).entry(id.to_lowercase()).or_default().stages = script;
        Ok(())
    }

    /// Adds scripts for builds to come, also before the Space exists.
    pub(crate) fn script_builds(&self, id: &str, scripts: Vec<BuildScript>) -> anyhow::Result<()> {
        if self.store.get(RepoType::Space, id).is_some() {
            return self.space_update(id, |s| s.queue.extend(scripts));
        }
        lock(&self.waiting_scripts).entry(id.to_lowercase()).or_default().builds.extend(scripts);
        Ok(())
    }

    pub(crate) fn push_log(&self, id: &str, log: Log, lines: &[&str]) -> anyhow::Result<()> {
        self.space_update(id, |s| {
            let rows = s.logs.entry(log).or_default();
            for line in lines {
                rows.push((*line).to_owned());
            }
        })
    }

    /// Pauses a Space: it stays so until somebody restarts it.
    pub(crate) fn pause_space(&self, repo: &Repo) -> anyhow::Result<()> {
        repo.update(|state| {
            if let Some(space) = &mut state.space {
                space.paused = true;
            }
        })?;
        self.stop_app(repo);
        Ok(())
    }

    /// Switches dev mode. Once it is off, the head of the branch is built: what was committed meanwhile had to wait.
    pub(crate) fn switch_dev_mode(&self, repo: &Repo, enabled: bool) -> Result<(), HubError> {
        let was = repo.update(|state| {
            state.space.as_mut().is_some_and(|space| std::mem::replace(&mut space.dev_mode, enabled))
        })?;
        if was && !enabled { self.rebuild_space(repo, BuildCause::Setting) } else { Ok(()) }
    }

    /// Puts a Space to sleep, as the Hub does with one that nobody visits.
    pub(crate) fn sleep_space(&self, id: &str) -> anyhow::Result<()> {
        let repo = self.store.get(RepoType::Space, id).context("no such Space")?;
        self.space_update(id, |s| s.asleep = true)?;
        self.stop_app(&repo);
        Ok(())
    }
}

impl LocalHub {
    /// How builds of a Space go from now on (and the one under way); empty means: running at once, or what the
    /// runner makes of it. The Space need not exist yet.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn set_stage_script(&self, id: &str, script: Vec<StageStep>) -> anyhow::Result<()> {
        self.hub.script_stages(id, script)
    }

    /// How the next builds of a Space go: each build takes the first script that fits its cause; one that finds none
    /// follows [`Self::set_stage_script`]. The Space need not exist yet. The app is started all the same where there
    /// is a runner, so that a script that says `RUNNING` has something to show.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn script_builds(&self, id: &str, scripts: Vec<BuildScript>) -> anyhow::Result<()> {
        self.hub.script_builds(id, scripts)
    }

    /// Puts a Space to sleep; the next visit or a restart wakes it.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn sleep_space(&self, id: &str) -> anyhow::Result<()> {
        self.hub.sleep_space(id)
    }

    /// Pauses a Space, as its owner does on its page.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn pause_space(&self, id: &str) -> anyhow::Result<()> {
        let repo = self.hub.store.get(RepoType::Space, id).context("no such Space")?;
        self.hub.pause_space(&repo)
    }

    /// Switches dev mode, in which commits are not built.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn set_dev_mode(&self, id: &str, enabled: bool) -> anyhow::Result<()> {
        let repo = self.hub.store.get(RepoType::Space, id).context("no such Space")?;
        self.hub.switch_dev_mode(&repo, enabled).map_err(|error| anyhow::anyhow!("{}", error.body))
    }

    /// Adds a line to a log of a Space.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn push_log(&self, id: &str, log: Log, line: &str) -> anyhow::Result<()> {
        self.hub.push_log(id, log, &[line])
    }

    /// What every connection to a log does from now on; empty means: the real log. The Space need not exist yet.
    pub fn script_log(&self, id: &str, log: Log, steps: Vec<LogStep>) {
        let connections = if steps.is_empty() { vec![] } else { vec![steps] };
        self.hub.log_scripts.set(id, log, connections);
    }

    /// The same for one connection after the other; the last script serves all that come later.
    pub fn script_log_connections(&self, id: &str, log: Log, connections: Vec<Vec<LogStep>>) {
        self.hub.log_scripts.set(id, log, connections);
    }

    /// Origin of a Space's app, as the Hub reports it.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn space_host(&self, id: &str) -> anyhow::Result<String> {
        self.hub.space_update(id, |s| s.host())
    }

    /// Stage and commit of a Space, as the Hub reports them.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn space_stage(&self, id: &str) -> anyhow::Result<(String, Option<String>)> {
        self.hub.space_update(id, |s| {
            let now = s.reported();
            (now.stage, now.sha.map(|sha| sha.to_string()))
        })
    }

    /// Lets a server of the test stand in for the app of a Space; `None` gives the place back.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn set_space_app(&self, id: &str, address: Option<SocketAddr>) -> anyhow::Result<()> {
        let repo = self.hub.store.get(RepoType::Space, id).context("no such Space")?;
        self.hub.runs.of(&repo).set_stand_in(address);
        Ok(())
    }

    /// Every request that reached a Space's address, in the order of arrival. They are not among
    /// [`Self::requests`], which are those to the Hub.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn edge_requests(&self, id: &str) -> anyhow::Result<Vec<RecordedRequest>> {
        let repo = self.hub.store.get(RepoType::Space, id).context("no such Space")?;
        Ok(self.hub.runs.of(&repo).log.all())
    }

    /// Makes later requests to a Space's address go wrong.
    ///
    /// # Errors
    /// When there is no such Space.
    pub fn inject_edge(&self, id: &str, fault: Fault) -> anyhow::Result<()> {
        let repo = self.hub.store.get(RepoType::Space, id).context("no such Space")?;
        self.hub.runs.of(&repo).faults.add(fault);
        Ok(())
    }
}
