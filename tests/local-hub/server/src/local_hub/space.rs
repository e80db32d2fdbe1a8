//! Handles on Spaces.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::faults::fault::Fault;
use crate::http::answer::HubError;
use crate::http::record::RecordedRequest;
use crate::hub::Hub;
use crate::spaces::logs::{Log, LogStep};
use crate::spaces::script::{BuildScript, StageStep};

/// One Space of a local Hub.
#[derive(Clone, Copy)]
pub struct SpaceHandle<'a> {
    hub: &'a Hub,
    id: &'a str,
}

impl std::fmt::Debug for SpaceHandle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SpaceHandle").field(&self.id).finish()
    }
}

impl<'a> SpaceHandle<'a> {
    pub(super) fn new(hub: &'a Hub, id: &'a str) -> Self {
        Self { hub, id }
    }

    /// Scripts the current build, and later builds without their own script. Empty means: running at once, or the
    /// stages of the app. The Space need not exist.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub fn script_stages(&self, script: Vec<StageStep>) -> anyhow::Result<()> {
        self.hub.spaces.script_stages(self.id, script)
    }

    /// Scripts the next builds. Each build takes the first script with its cause, or else the one of
    /// [`Self::script_stages`]. The Space need not exist. The app is started too if it can run, because a scripted
    /// `RUNNING` needs an app.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub fn script_builds(&self, scripts: Vec<BuildScript>) -> anyhow::Result<()> {
        self.hub.spaces.script_builds(self.id, scripts)
    }

    /// Puts the Space to sleep. The next visit or a restart wakes it.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn sleep(&self) -> anyhow::Result<()> {
        let spaces = &self.hub.spaces;
        crate::spaces::registry::Spaces::sleep(&*spaces.named(self.id)?)
    }

    /// Pauses the Space, like its owner on its page.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn pause(&self) -> anyhow::Result<()> {
        let spaces = &self.hub.spaces;
        crate::spaces::registry::Spaces::pause(&*spaces.named(self.id)?)
    }

    /// Switches dev mode, in which commits are not built.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn set_dev_mode(&self, enabled: bool) -> anyhow::Result<()> {
        let spaces = &self.hub.spaces;
        spaces.switch_dev_mode(&spaces.named(self.id)?, enabled).map_err(HubError::into_anyhow)
    }

    /// Returns true in dev mode.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn dev_mode(&self) -> anyhow::Result<bool> {
        Ok(self.hub.spaces.named(self.id)?.read(|state| state.dev_mode))
    }

    /// Adds a line to a log.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn push_log(&self, log: Log, line: &str) -> anyhow::Result<()> {
        self.hub.spaces.push_log(self.id, log, &[line])
    }

    /// Scripts every later connection to a log; empty means the log itself. The Space need not exist.
    pub fn script_log(&self, log: Log, steps: Vec<LogStep>) {
        let connections = if steps.is_empty() { vec![] } else { vec![steps] };
        self.script_log_connections(log, connections);
    }

    /// Scripts the next connections to a log, one by one. The last script serves all later connections.
    pub fn script_log_connections(&self, log: Log, connections: Vec<Vec<LogStep>>) {
        self.hub.spaces.script_log(self.id, log, connections);
    }

    /// Returns the origin of the app, as the Hub reports it.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn host(&self) -> anyhow::Result<String> {
        Ok(self.hub.spaces.named(self.id)?.read(|state| state.host()))
    }

    /// Returns the stage and the commit, as the Hub reports them.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn stage(&self) -> anyhow::Result<(String, Option<String>)> {
        let now = self.hub.spaces.named(self.id)?.read(|state| state.reported());
        Ok((now.stage, now.sha.map(|sha| sha.to_string())))
    }

    /// Returns the values of the secrets, which no endpoint shows.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn secrets(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let space = self.hub.spaces.named(self.id)?;
        Ok(space.read(|state| state.secrets.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect()))
    }

    /// Replaces the app by a server of the test; `None` restores the app. The Space need not exist.
    pub fn set_app(&self, address: Option<SocketAddr>) {
        self.hub.spaces.set_stand_in(self.id, address);
    }

    /// Returns the requests at the Space's address, in the order of arrival.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn edge_requests(&self) -> anyhow::Result<Vec<RecordedRequest>> {
        Ok(self.hub.spaces.named(self.id)?.app.log.all())
    }

    /// Injects a fault into later requests to the Space's address.
    ///
    /// # Errors
    /// If there is no such Space.
    pub fn inject_edge(&self, fault: Fault) -> anyhow::Result<()> {
        self.hub.spaces.named(self.id)?.app.faults.add(fault);
        Ok(())
    }
}
