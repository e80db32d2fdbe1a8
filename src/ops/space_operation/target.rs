//! The Space of an operation: its lookup, its state, and the waits for it.

use std::time::Duration;

use hub::{Lookup, Repo, RepoInfo, RepoName, RepoType, Revision, Runtime, SpaceSdk, Stage};
use tokio::time::Instant;

use crate::action::Recorder;
use crate::action::journal::Phase;
use crate::failure::{Result, space_operation as advice};
use crate::folder::card::DEFAULT_PORT;
use crate::ops::Session;
use crate::ops::space::{self, HourlyPrices, Readiness, WaitOptions, WaitOutcome};

use super::options::{Operation, SpaceOptions};
use super::report::SpaceReport;

/// Pauses between two looks at a Space that is paused.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// State of a Space before an operation that starts its app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start<'a> {
    /// The operation restarted it from this stage, which the Hub may report for a while.
    Restarted(&'a Stage),
    /// The operation left it alone, and so does the wait.
    LeftAlone,
}

/// The Space of an operation.
pub(super) struct Target<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) recorder: &'a Recorder<SpaceReport>,
    pub(super) repo: Repo,
    pub(super) info: RepoInfo,
    sdk: Option<SpaceSdk>,
}

impl<'a> Target<'a> {
    /// Looks the Space up, under its present name, and refuses an operation that it does not support.
    pub(super) async fn find(
        options: &SpaceOptions,
        session: &'a Session<'a>,
        recorder: &'a Recorder<SpaceReport>,
    ) -> Result<Self> {
        let mut repo = Repo { repo_type: RepoType::Space, id: options.space.clone() };
        recorder.record(|report| report.repo = Some(repo.clone()));
        let info = match session.hub.look_up(&repo, &Revision::default()).await? {
            Lookup::Found(info) => *info,
            Lookup::NoRepo(refusal) => return Err(advice::not_found(&repo, Some(&refusal))),
            Lookup::NoRevision => return Err(advice::not_found(&repo, None)),
        };
        let now = info.id.as_deref().and_then(|id| id.parse::<RepoName>().ok()?.full());
        if let Some(now) = now.filter(|now| *now != repo.id) {
            if options.operation == Operation::Delete {
                return Err(advice::renamed_before_delete(&repo, &now));
            }
            session.log.warning(&advice::renamed(&repo, &now));
            repo.id = now;
        }
        let sdk = info.sdk.as_deref().and_then(|sdk| sdk.parse().ok());
        if sdk == Some(SpaceSdk::Static) && options.operation.needs_machine() {
            return Err(advice::static_space(&repo, options.operation.verb()));
        }
        recorder.record(|report| {
            report.repo = Some(repo.clone());
            report.space_url.clone_from(&info.host);
        });
        Ok(Self { session, recorder, repo, info, sdk })
    }

    pub(super) fn sdk(&self) -> Option<SpaceSdk> {
        self.sdk
    }

    /// Reads and records the state of the Space.
    pub(super) async fn read(&self) -> Result<Runtime> {
        let runtime = self.session.hub.runtime(&self.repo).await?;
        self.recorder.record(|report| report.runtime = Some(runtime.clone()));
        Ok(runtime)
    }

    /// Records the price of the hardware of a Space, and logs it unless the hardware is free.
    pub(super) async fn name_price(&self, runtime: &Runtime) {
        let Some(hardware) = runtime.flavor() else { return };
        let mut price = Some(0.0);
        if !space::is_free(hardware) {
            price = HourlyPrices::read(self.session.hub).await.of(hardware);
            self.session.log.info(&advice::price(hardware.as_str(), price));
        }
        self.recorder.record(|report| report.hourly_price = price);
    }

    /// Waits until the Space runs, and records its state and its logs. A Space that fails is diagnosed.
    pub(super) async fn wait_until_running(
        &self,
        timeout: Duration,
        start: Start<'_>,
    ) -> Result<Option<Runtime>> {
        let Session { hub, log, journal } = self.session;
        let (stage_before, is_read_only) = match start {
            Start::Restarted(stage) => (Some(stage.clone()), false),
            Start::LeftAlone => (None, true),
        };
        let options = WaitOptions {
            timeout,
            commit: None,
            is_static_space: self.sdk == Some(SpaceSdk::Static),
            is_new_commit: false,
            sdk: self.sdk,
            port: self.port(),
            stage_before,
            is_read_only,
        };
        let phase = journal.enter(Phase::Start, "wait");
        let WaitOutcome { readiness, runtime, tails, .. } = space::wait(hub, log, &self.repo, &options).await;
        drop(phase);
        self.recorder.record(|report| {
            report.runtime = runtime.clone().or(report.runtime.take());
            report.log_tails = tails;
        });
        match readiness {
            Readiness::Running => Ok(runtime),
            Readiness::Unknown(error) => Err(error.into()),
            Readiness::Failed(error) => Err((*error).into()),
        }
    }

    /// Waits until the Space is paused.
    pub(super) async fn wait_until_paused(&self, timeout: Duration) -> Result<()> {
        let _phase = self.session.journal.enter(Phase::Start, "wait");
        let started = Instant::now();
        loop {
            let runtime = match self.session.hub.runtime(&self.repo).await {
                Ok(runtime) => runtime,
                Err(error) if error.may_pass() && started.elapsed() < timeout => {
                    self.session.log.info(&format!("looking again: {error}"));
                    tokio::time::sleep(POLL_INTERVAL).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            self.recorder.record(|report| report.runtime = Some(runtime.clone()));
            if runtime.stage == Stage::Paused {
                return Ok(());
            }
            if started.elapsed() >= timeout {
                return Err(advice::not_paused(&self.repo, space::describe_stage(&runtime.stage), timeout));
            }
            tokio::time::sleep(POLL_INTERVAL.min(timeout)).await;
        }
    }

    /// Returns the port on which the Hub expects the app.
    fn port(&self) -> Option<u16> {
        let in_card = || self.info.card_data.as_ref()?.get("app_port")?.as_u64()?.try_into().ok();
        match self.sdk? {
            SpaceSdk::Gradio => Some(DEFAULT_PORT),
            SpaceSdk::Docker | SpaceSdk::Streamlit => Some(in_card().unwrap_or(DEFAULT_PORT)),
            SpaceSdk::Static => None,
        }
    }
}
