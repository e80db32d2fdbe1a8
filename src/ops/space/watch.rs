//! A Space under observation: the requests, the logs, and the ends that all waits share.

use std::time::Duration;

use hub::{Cause, Hub, LogKind, Lookup, Repo, Revision, Runtime, Stage};
use tokio::time::Instant;

use super::cause::SpaceFailure;
use super::diagnosis::Spot;
use super::error::SpaceError;
use super::explain::{Remains, app_that_lacks, explain};
use super::log_tail::LogTail;
use super::readiness::WaitOptions;
use super::space_logs::LogPrinter;
use super::stage_words;
use crate::action::Log;
use crate::text::without_colors;

/// Pauses between two requests for the state: short at first, because a static Space runs at once.
pub(super) const FIRST_POLL_INTERVAL: Duration = Duration::from_secs(1);
pub(super) const MAX_POLL_INTERVAL: Duration = Duration::from_secs(5);
/// Longest wait for a Space in dev mode, which does not build a commit until dev mode is off.
const DEV_MODE_TIMEOUT: Duration = Duration::from_secs(60);
/// Time that a request for the state has, even at the end of the timeout.
const MIN_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Time allowed for the request for the head of the branch.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for log lines that are still on their way at the end.
pub(super) const LAST_LINES_TIMEOUT: Duration = Duration::from_millis(1500);

/// Outcome of a wait.
#[derive(Debug)]
pub struct WaitOutcome {
    pub readiness: Readiness,
    /// The last state of the Space.
    pub runtime: Option<Runtime>,
    /// The logs that were followed.
    pub tails: Vec<LogTail>,
    /// The place that the log of a failure names, with the cause.
    pub spot: Option<(Spot, String)>,
}

/// Readiness of a commit at the end of a wait.
#[derive(Debug)]
pub enum Readiness {
    /// The commit is running.
    Running,
    /// Unknown, because the token may not read the state of the Space.
    Unknown(hub::Error),
    Failed(Box<SpaceError>),
}

impl From<SpaceError> for Readiness {
    fn from(error: SpaceError) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// A Space under observation.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    pub(super) hub: &'a Hub,
    pub(super) log: &'a Log,
    pub(super) space: &'a Repo,
    pub(super) options: &'a WaitOptions,
    pub(super) started: Instant,
    /// The last state.
    pub(super) runtime: Option<Runtime>,
    pub(super) logs: LogPrinter<'a>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(hub: &'a Hub, log: &'a Log, space: &'a Repo, options: &'a WaitOptions) -> Self {
        let logs = LogPrinter::new(hub, log, space);
        Self { hub, log, space, options, started: Instant::now(), runtime: None, logs }
    }

    /// Ends the watch, and explains a failure.
    pub(super) fn end(mut self, readiness: Readiness) -> WaitOutcome {
        self.logs.close_group();
        let (readiness, spot) = match readiness {
            Readiness::Failed(error) => {
                let page = format!("{}/{}", self.hub.endpoint(), self.space.page());
                let message = self.runtime.as_ref().and_then(|runtime| runtime.error_message.as_deref());
                let remains = Remains { message, tails: self.logs.tails(), page: &page };
                let (error, spot) = explain(&remains, *error);
                let is_about_commit = self.options.commit.is_some();
                (SpaceError { is_about_commit, ..error }.into(), spot)
            }
            other => (other, None),
        };
        WaitOutcome { readiness, runtime: self.runtime, tails: self.logs.into_tails(), spot }
    }

    /// Returns the time that is left.
    pub(super) fn left(&self) -> Duration {
        let is_in_dev_mode =
            self.options.commit.is_some() && self.runtime.as_ref().is_some_and(|runtime| runtime.dev_mode);
        let timeout = self.options.timeout;
        let timeout = if is_in_dev_mode { timeout.min(DEV_MODE_TIMEOUT) } else { timeout };
        timeout.saturating_sub(self.started.elapsed())
    }

    /// Reads the state of the Space, within the time that is left.
    pub(super) async fn read_state(&self) -> Result<Runtime, hub::Error> {
        let slow = || {
            let detail = "no answer in the time that was left".to_owned();
            let cause = Cause::Unreachable { detail, attempts: 1, before_sending: false };
            hub::Error::new(format!("read the state of the {}", self.space), cause)
        };
        let time = self.left().max(MIN_REQUEST_TIMEOUT);
        tokio::time::timeout(time, self.hub.runtime(self.space)).await.unwrap_or_else(|_| Err(slow()))
    }

    /// Returns the error if the branch is at another commit by now.
    pub(super) async fn overtaken(&self) -> Option<SpaceError> {
        let wanted = self.options.commit.as_ref()?;
        let main = Revision::default();
        let request = self.hub.look_up(self.space, &main);
        let Ok(Ok(Lookup::Found(info))) = tokio::time::timeout(HEAD_TIMEOUT, request).await else {
            return None;
        };
        let head = info.sha?;
        if head == *wanted {
            return None;
        }
        let message = format!("another commit overtook this deploy of the {}: `{head}`", self.space);
        Some(SpaceError::new(SpaceFailure::Overtaken, message))
    }

    /// Returns the error of a Space in an error stage.
    pub(super) async fn failed(&mut self, runtime: &Runtime) -> SpaceError {
        if let Some(error) = self.overtaken().await {
            return error;
        }
        // The last lines of the log may name the cause.
        self.logs.listen(LAST_LINES_TIMEOUT).await;
        let build_log = self.logs.tails().iter().filter(|tail| tail.kind == LogKind::Build);
        let cause = SpaceFailure::of_stage(runtime, build_log.flat_map(LogTail::lines));
        if runtime.stage.is_asleep() && self.options.is_read_only {
            let stage = stage_words::describe(&runtime.stage);
            return SpaceError::new(cause, format!("the {} is {stage}", self.space));
        }
        if runtime.stage.is_asleep() {
            let message = format!("the {} was paused again after it was woken", self.space);
            return SpaceError { is_paused_again: true, ..SpaceError::new(cause, message) };
        }
        let what = match runtime.stage {
            Stage::BuildError => "did not build",
            Stage::RuntimeError if !cause.is_caused_by_app() => "did not start",
            Stage::RuntimeError => "crashed",
            Stage::ConfigError => "is not configured right",
            Stage::NoAppFile => app_that_lacks(self.options.sdk),
            _ => "is being deleted",
        };
        let detail = match &runtime.error_message {
            // The log explains a failure of the app better than the Hub, whose message has a piece of that log.
            Some(message) if !message.trim().is_empty() && !cause.is_caused_by_app() => {
                format!(" ({}): {}", runtime.stage.as_str(), without_colors(message.trim()))
            }
            _ => String::new(),
        };
        let message = format!("the {} {what}{detail}", self.space);
        SpaceError { sdk: self.options.sdk, ..SpaceError::new(cause, message) }
    }
}
