//! The life of a Space on this machine: builds, apps, pauses, sleep.

mod build;
mod process;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::task::AbortHandle;

use crate::answer::HubError;
use crate::card;
use crate::config::RepoType;
use crate::faults::Faults;
use crate::hub::Hub;
use crate::record;
use crate::repo::Repo;
use crate::runtime::build::{Build, Runner};
use crate::runtime::process::Process;
use crate::snapshot::Snapshot;
use crate::space::BuildTimes;
use crate::stage::{BuildCause, Live};
use crate::util::lock;

/// The default of the card's `startup_duration_timeout`.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What runs for one Space.
#[derive(Default)]
pub(crate) struct SpaceRun {
    state: Mutex<Running>,
    /// Requests at the edge.
    pub(crate) log: record::Log,
    /// Faults at the edge.
    pub(crate) faults: Faults,
}

#[derive(Default)]
struct Running {
    /// Counts the builds; what an older one says is not heard any more.
    generation: u64,
    /// No app is started any more.
    closed: bool,
    build: Option<AbortHandle>,
    edge: Option<AbortHandle>,
    serving: Option<Process>,
    starting: Option<Process>,
    /// A server of the test in place of an app.
    stand_in: Option<SocketAddr>,
}

impl SpaceRun {
    /// A new build begins: the one under way is forgotten, its app is killed. With `stop` the old app is killed too.
    fn begin(&self, stop: bool) -> u64 {
        let mut state = lock(&self.state);
        state.generation += 1;
        if let Some(build) = state.build.take() {
            build.abort();
        }
        let mut gone = vec![state.starting.take()];
        if stop {
            gone.push(state.serving.take());
        }
        let generation = state.generation;
        drop(state);
        drop(gone);
        generation
    }

    /// Runs `what` while no newer build can begin, when this one is the newest.
    fn if_current(&self, generation: u64, what: impl FnOnce()) {
        let state = lock(&self.state);
        if state.generation == generation {
            what();
        }
    }

    /// Keeps a process that is starting; `false` when it comes too late, and is killed.
    fn starting(&self, generation: u64, process: Process) -> bool {
        let mut state = lock(&self.state);
        if state.generation != generation || state.closed {
            return false;
        }
        state.starting = Some(process);
        true
    }

    /// The process that was starting serves from now on; returns the old one.
    fn swap(&self, generation: u64) -> Option<Process> {
        let mut state = lock(&self.state);
        if state.generation != generation {
            return None;
        }
        let new = state.starting.take();
        std::mem::replace(&mut state.serving, new)
    }

    fn take_apps(&self, generation: u64) -> Vec<Process> {
        let mut state = lock(&self.state);
        if state.generation != generation {
            return vec![];
        }
        [state.starting.take(), state.serving.take()].into_iter().flatten().collect()
    }

    /// Where visitors are sent.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let state = lock(&self.state);
        state.stand_in.or_else(|| state.serving.as_ref().map(|p| p.address))
    }

    /// Whether the Space is gone, or the server about to go.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    pub(crate) fn set_stand_in(&self, address: Option<SocketAddr>) {
        lock(&self.state).stand_in = address;
    }

    pub(crate) fn set_edge(&self, edge: AbortHandle) {
        lock(&self.state).edge = Some(edge);
    }

    /// Ends everything for good.
    fn close(&self) {
        let edge = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.edge.take()
        };
        self.begin(true);
        if let Some(edge) = edge {
            edge.abort();
        }
    }
}

/// Everything that runs, by id of the repository.
#[derive(Default)]
pub(crate) struct Runs(Mutex<BTreeMap<String, Arc<SpaceRun>>>);

impl Runs {
    pub(crate) fn of(&self, repo: &Repo) -> Arc<SpaceRun> {
        let id = lock(&repo.state).id.clone();
        lock(&self.0).entry(id).or_default().clone()
    }

    fn remove(&self, repo: &Repo) -> Option<Arc<SpaceRun>> {
        let id = lock(&repo.state).id.clone();
        lock(&self.0).remove(&id)
    }

    /// Kills every app (the server ends).
    pub(crate) fn close(&self) {
        for run in lock(&self.0).values() {
            run.close();
        }
    }
}

impl Hub {
    /// Tells a Space's runtime about a new head of its main branch, or of another reason to start again.
    pub(crate) fn rebuild_space(&self, repo: &Repo, cause: BuildCause) -> Result<(), HubError> {
        match &lock(&repo.state).space {
            None => return Ok(()),
            // In dev mode the app is edited where it runs: a commit is not built until that is over.
            Some(space) if space.dev_mode && cause == BuildCause::Commit => return Ok(()),
            Some(_) => {}
        }
        let Some(head) = repo.resolve("main") else { return Ok(()) };
        let snapshot = repo.snapshot(head)?;
        let text = repo.text_at(&snapshot, "README.md").unwrap_or_default();
        let card = card::front_matter(&text);
        let policy = lock(&self.policy).clone();
        let runs = self.config.runs_spaces();
        let id = lock(&repo.state).full_id();
        let owned = self.store.get(RepoType::Space, &id);
        let mut stays = false;
        repo.update(|state| {
            let Some(space) = &mut state.space else { return };
            if let Some(sdk) = card.get("sdk").and_then(Value::as_str)
                && ["gradio", "docker", "static"].contains(&sdk)
            {
                sdk.clone_into(&mut space.sdk);
            }
            space.config_error = if runs { card_error(&text) } else { None };
            let by_itself = matches!(cause, BuildCause::Commit | BuildCause::Setting);
            stays = space.paused && by_itself && !policy.commit_restarts_paused;
            if stays {
                space.has_app = has_app(&space.sdk, &card, &snapshot, runs);
                space.target = Some(head);
            }
        })?;
        if stays {
            return Ok(());
        }
        let run = self.runs.of(repo);
        let generation = run.begin(cause == BuildCause::FactoryRestart);
        let mut build = None;
        repo.update(|state| {
            let Some(space) = &mut state.space else { return };
            let found = has_app(&space.sdk, &card, &snapshot, runs);
            let times = BuildTimes { stale: policy.stale_running, build: policy.build_time };
            space.rebuild(head, found, cause, &times);
            let runner = self.runner(&space.sdk, &card);
            if let Some(runner) = runner.filter(|_| found && space.fault_of_config().is_none()) {
                space.live = Some(Live { stage: "BUILDING", sha: space.previous, error: None });
                build = Some((runner, Duration::from_millis(space.stale_ms)));
            }
        })?;
        let (Some((runner, stale)), Some(hub), Some(repo)) = (build, self.me.upgrade(), owned) else {
            // Nothing of this Space runs any more.
            drop(run.take_apps(generation));
            return Ok(());
        };
        let timeout = card["startup_duration_timeout"].as_str().and_then(duration).unwrap_or(STARTUP_TIMEOUT);
        let job = Build { hub, repo, run: run.clone(), generation, head, runner, timeout, stale };
        let task = self.tokio.spawn(job.drive());
        let mut state = lock(&run.state);
        if state.generation == generation && !state.closed {
            state.build = Some(task.abort_handle());
        } else {
            task.abort();
        }
        Ok(())
    }

    /// How an app of this SDK is started here; `None` when it is not.
    fn runner(&self, sdk: &str, card: &Value) -> Option<Runner> {
        let runtimes = &self.config.runtimes;
        match sdk {
            "gradio" if !runtimes.gradio_python.is_empty() => {
                let version = match &card["sdk_version"] {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                };
                let number = |major: &str| major.parse::<u64>().unwrap_or(0);
                let python = match &version {
                    Some(version) => {
                        runtimes.gradio_python.get(version.split('.').next().unwrap_or_default()).cloned()
                    }
                    None => runtimes
                        .gradio_python
                        .iter()
                        .max_by_key(|(major, _)| number(major))
                        .map(|(_, python)| python.clone()),
                };
                Some(Runner::Gradio {
                    python: python.ok_or_else(|| version.unwrap_or_default()),
                    app_file: card["app_file"].as_str().unwrap_or("app.py").to_owned(),
                })
            }
            "docker" => runtimes.docker.clone().map(|docker| Runner::Docker {
                program: docker.program,
                args: docker.args,
                app_port: card["app_port"].as_u64().and_then(|p| u16::try_from(p).ok()).unwrap_or(7860),
            }),
            _ => None,
        }
    }

    /// Stops the app of a Space that is paused or put to sleep.
    pub(crate) fn stop_app(&self, repo: &Repo) {
        self.runs.of(repo).begin(true);
        if let Some(space) = &mut lock(&repo.state).space {
            (space.live, space.previous) = (None, None);
        }
    }

    /// Ends everything of a Space that is deleted.
    pub(crate) fn close_space(&self, repo: &Repo) {
        if let Some(run) = self.runs.remove(repo) {
            run.close();
        }
    }
}

/// Whether the files are enough to build. A static Space without its page is one only where pages are served.
fn has_app(sdk: &str, card: &Value, snapshot: &Snapshot, serves: bool) -> bool {
    let file = |default| card["app_file"].as_str().unwrap_or(default);
    match sdk {
        "docker" => snapshot.files.contains_key("Dockerfile"),
        "static" => !serves || snapshot.files.contains_key(file("index.html").trim_start_matches('/')),
        _ => snapshot.files.contains_key(file("app.py")),
    }
}

/// Why the Hub cannot use a card. The text for a missing one is the Hub's; the others are worded as its YAML check.
fn card_error(text: &str) -> Option<String> {
    if card::block(text).is_none() {
        return Some("Missing configuration in README".into());
    }
    if let Some(error) = card::validate(text, "space").0.first() {
        return Some(error["message"].as_str().unwrap_or("Invalid configuration in README").to_owned());
    }
    let card = card::front_matter(text);
    let port = &card["app_port"];
    if !port.is_null() && !port.as_u64().is_some_and(|p| (1..=65535).contains(&p)) {
        return Some("\"app_port\" must be a valid port number".into());
    }
    let path = &card["base_path"];
    if !path.is_null() && !path.as_str().is_some_and(|p| p.starts_with('/')) {
        return Some("\"base_path\" must start with /".into());
    }
    None
}

/// A time as cards write it: `30m`, `1h`, `90s`.
fn duration(text: &str) -> Option<Duration> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return None,
    };
    let number: u64 = text.get(..text.len() - 1)?.trim().parse().ok()?;
    Some(Duration::from_secs(number * unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_cards() {
        assert_eq!(duration("30m"), Some(Duration::from_secs(1800)));
        assert_eq!(duration("1h"), Some(Duration::from_secs(3600)));
        assert_eq!(duration("m"), None);
        assert_eq!(duration("é"), None);
    }

    #[test]
    fn unusable_cards() {
        assert_eq!(card_error("# no card").as_deref(), Some("Missing configuration in README"));
        assert!(card_error("---\nsdk: rails\n---\n").is_some());
        assert!(card_error("---\nsdk: docker\napp_port: many\n---\n").is_some());
        assert!(card_error("---\nsdk: docker\nbase_path: x\n---\n").is_some());
        assert_eq!(card_error("---\nsdk: docker\napp_port: 8000\nbase_path: /x\n---\n"), None);
    }
}
