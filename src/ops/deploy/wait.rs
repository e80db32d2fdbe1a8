//! Waits until a commit runs.

use std::time::Duration;

use crate::action::journal::Phase;
use crate::failure::deploy_log as advice;
use crate::failure::{Code, Failure};
use crate::folder::{Source, card, sdk};
use crate::ops::space::{self, HardwareStatus, Readiness, SpaceError, Spot, WaitOptions, WaitOutcome};
use hub::{CommitId, CommitReceipt, RepoInfo, SpaceSdk};

use super::change_set::Purpose;
use super::context::Context;
use super::place;
use super::settings_undo::SettingsUndo;

/// Commit that a Space has to run, and the state before it.
pub(super) struct LiveTarget<'a> {
    /// Commit that has to run.
    pub(super) commit: &'a CommitId,
    /// State before this deploy.
    pub(super) before: &'a RepoInfo,
    /// Commit of this deploy: `None` if no file changed.
    pub(super) receipt: Option<&'a CommitReceipt>,
    /// This deploy has created the Space.
    pub(super) is_new_space: bool,
    /// Kind of the Space, if it is known.
    pub(super) sdk: Option<SpaceSdk>,
    /// Files of this deploy.
    pub(super) source: &'a Source,
    /// Result of the request for hardware, if there was one.
    pub(super) hardware: Option<HardwareStatus>,
    /// The way back to the variables before this deploy.
    pub(super) settings: Option<&'a SettingsUndo>,
}

/// A commit that does not run as it should.
pub(super) struct NotLive {
    pub(super) failure: Failure,
    /// The new app failed. A failure of the Hub, and a commit of another writer, are no reason to roll back.
    pub(super) is_the_apps: bool,
}

impl From<Failure> for NotLive {
    /// Converts a failure of the check, which may also be one of a request to the Hub.
    fn from(failure: Failure) -> Self {
        Self { is_the_apps: failure.code == Code::CheckFailed, failure }
    }
}

impl NotLive {
    /// Adds the end of the log that shows the failure.
    pub(super) fn with_log(self, lines: Vec<String>) -> Self {
        Self { failure: self.failure.with_log(lines), ..self }
    }
}

/// Age of the commit that a Space has to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommitAge {
    /// The Hub may at first report the state of the commit before it.
    New,
    Old,
}

impl LiveTarget<'_> {
    /// Returns the options of a wait for `commit`.
    pub(super) fn wait_options(&self, commit: &CommitId, age: CommitAge, timeout: Duration) -> WaitOptions {
        WaitOptions {
            timeout,
            commit: Some(commit.clone()),
            is_static_space: self.sdk == Some(SpaceSdk::Static),
            is_new_commit: age == CommitAge::New,
            sdk: self.sdk,
            port: self.port(),
            stage_before: None,
            is_read_only: false,
        }
    }

    /// Returns the port on which the Hub expects the app. For Docker, it is known only from the card.
    fn port(&self) -> Option<u16> {
        let card = sdk::readme(self.source).and_then(|readme| card::Card::read(&readme).ok().flatten());
        match self.sdk? {
            SpaceSdk::Gradio => Some(card::DEFAULT_PORT),
            SpaceSdk::Docker | SpaceSdk::Streamlit => {
                card.map(|card| card.app_port().unwrap_or(card::DEFAULT_PORT))
            }
            SpaceSdk::Static => None,
        }
    }
}

/// Waits for a commit, and records the state of the Space.
pub(super) async fn wait_for(
    context: &Context<'_>,
    target: &LiveTarget<'_>,
    options: &WaitOptions,
    purpose: Purpose,
) -> Result<(), NotLive> {
    let phase = context.journal.enter(Phase::Build, "wait");
    let WaitOutcome { readiness, runtime, tails, spot } =
        space::wait(&context.hub, context.log, &context.repo, options).await;
    drop(phase);
    let lines = space::last_lines(&tails);
    context.recorder.record(|report| {
        report.space_stage = runtime.map(|runtime| runtime.stage);
        // After a rollback, the log of the failed app stays, because it shows the cause.
        if purpose == Purpose::Deploy {
            report.log_tails = tails;
        }
    });
    match readiness {
        Readiness::Running => Ok(()),
        Readiness::Unknown(error) => {
            context.log.warning(&advice::readiness_unknown(&error));
            Ok(())
        }
        Readiness::Failed(error) => Err(not_live(context, target, *error, spot).with_log(lines)),
    }
}

/// Adds the place in a file of the user that the log names.
pub(super) fn not_live(
    context: &Context<'_>,
    target: &LiveTarget<'_>,
    error: SpaceError,
    spot: Option<(Spot, String)>,
) -> NotLive {
    let place = spot.and_then(|(spot, why)| place::find(context, target.source, &spot, why));
    let is_the_apps = error.cause.is_caused_by_app();
    NotLive { failure: Failure::from(error).at(place), is_the_apps }
}
