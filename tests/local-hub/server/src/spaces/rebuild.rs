//! Starting and stopping the apps of Spaces.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::core::card;
use crate::http::answer::HubError;
use crate::spaces::build::{Build, Runner};
use crate::spaces::build_check::{card_error, duration, has_app};
use crate::spaces::registry::Spaces;
use crate::spaces::script::{BuildCause, Live};
use crate::spaces::space::Space;
use crate::spaces::state::BuildTimes;

/// Default of the card's `startup_duration_timeout`.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(30 * 60);

impl Spaces {
    /// Builds the head of the main branch. A paused Space stays paused, and in dev mode a commit is not built, because
    /// the running app is edited in place.
    pub(crate) fn rebuild(&self, space: &Arc<Space>, cause: BuildCause) -> Result<(), HubError> {
        if space.read(|s| s.dev_mode) && cause == BuildCause::Commit {
            return Ok(());
        }
        let repo = &space.repo;
        let Some(head) = repo.resolve("main") else { return Ok(()) };
        let snapshot = repo.snapshot(head)?;
        let text = repo.text_at(&snapshot, "README.md").unwrap_or_default();
        let card = card::front_matter(&text);
        let policy = self.policy.get();
        let runs_apps = self.runs_apps();
        let stays_paused = space.update(|state| {
            if let Some(sdk) = card.get("sdk").and_then(Value::as_str)
                && ["gradio", "docker", "static"].contains(&sdk)
            {
                sdk.clone_into(&mut state.sdk);
            }
            state.config_error = if runs_apps { card_error(&text) } else { None };
            let is_automatic = matches!(cause, BuildCause::Commit | BuildCause::Setting);
            let stays_paused = state.paused && is_automatic && !policy.commit_restarts_paused;
            if stays_paused {
                state.has_app = has_app(&state.sdk, &card, &snapshot, runs_apps);
                state.target = Some(head);
            }
            stays_paused
        })?;
        if stays_paused {
            return Ok(());
        }
        let generation = space.app.begin(cause == BuildCause::FactoryRestart);
        let build = space.update(|state| {
            let found = has_app(&state.sdk, &card, &snapshot, runs_apps);
            let times = BuildTimes { stale: policy.stale_running, build: policy.build_time };
            state.rebuild(head, found, cause, &times);
            let runner = self.runner(&state.sdk, &card);
            let runner = runner.filter(|_| found && state.config_fault().is_none())?;
            state.live = Some(Live { stage: "BUILDING", sha: state.previous, error: None });
            Some((runner, Duration::from_millis(state.stale_ms)))
        })?;
        let Some((runner, stale)) = build else {
            // No process serves this Space, so an old one must not either.
            drop(space.app.take_apps(generation));
            return Ok(());
        };
        let timeout = card["startup_duration_timeout"].as_str().and_then(duration).unwrap_or(STARTUP_TIMEOUT);
        let build = Build {
            core: self.core.clone(),
            space: space.clone(),
            apps: self.settings.apps.clone(),
            generation,
            head,
            runner,
            timeout,
            stale,
        };
        space.app.keep_build(generation, self.tasks.spawn(build.run()));
        Ok(())
    }

    /// Returns the program that runs an app of this SDK; `None` if there is none.
    fn runner(&self, sdk: &str, card: &Value) -> Option<Runner> {
        let runtimes = &self.settings.runtimes;
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

    /// Pauses a Space until a restart.
    pub(crate) fn pause(space: &Space) -> anyhow::Result<()> {
        space.update(|state| state.paused = true)?;
        stop_app(space);
        Ok(())
    }

    /// Puts a Space to sleep, like the Hub does with a Space without visitors.
    pub(crate) fn sleep(space: &Space) -> anyhow::Result<()> {
        space.update(|state| state.asleep = true)?;
        stop_app(space);
        Ok(())
    }

    /// Switches dev mode, and restarts the Space with the head of the branch: for its SSH server, and after it because
    /// no commit was built meanwhile.
    pub(crate) fn switch_dev_mode(&self, space: &Arc<Space>, enabled: bool) -> Result<(), HubError> {
        let was = space.update(|state| std::mem::replace(&mut state.dev_mode, enabled))?;
        if was == enabled { Ok(()) } else { self.rebuild(space, BuildCause::Setting) }
    }
}

fn stop_app(space: &Space) {
    space.app.begin(true);
    space.change(|state| (state.live, state.previous) = (None, None));
}
