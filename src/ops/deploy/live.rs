//! After the commit: a Space is deployed when this commit runs.

use std::time::Duration;

use hub::{CommitReceipt, LogKind, RepoInfo, RepoType, SpaceSdk};
use tokio::time::Instant;

use super::Deploy;
use crate::app_check::{App, Check, CheckFailure, CheckResult, CheckStatus, Mode, Subject};
use crate::failure::{self, Code, Failure, Place, Result};
use crate::folder::{Source, card, sdk};
use crate::ops::check;
use crate::ops::deploy::options::OnFailure;
use crate::ops::space::{
    self, CodeLine, Diagnosis, Evidence, HardwareStatus, LogTail, Readiness, SpaceError, Spot, WaitOptions,
    WaitOutcome,
};
use crate::report::Status;

/// The time that a check has, however long the Space took to come up.
const SHORTEST_CHECK: Duration = Duration::from_secs(60);
/// Time that a check runs before the Space is read again. Most checks have ended by then.
const FIRST_GUARD: Duration = Duration::from_secs(5);
/// How long the run log is listened to after a check that failed.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// What is to run, and what ran before.
pub(super) struct Target<'a> {
    /// The commit that is to run.
    pub(super) commit: &'a str,
    /// The state before this deploy.
    pub(super) before: &'a RepoInfo,
    /// The commit of this deploy: `None` when nothing changed.
    pub(super) receipt: Option<&'a CommitReceipt>,
    /// Whether this deploy made the Space.
    pub(super) created: bool,
    /// The kind of the Space, if it is known.
    pub(super) sdk: Option<SpaceSdk>,
    /// The files of this deploy.
    pub(super) source: &'a Source,
}

impl Target<'_> {
    fn wait_options(&self, commit: &str, is_new_commit: bool, timeout: Duration) -> WaitOptions {
        WaitOptions {
            timeout,
            commit: commit.to_owned(),
            is_static_space: self.sdk == Some(SpaceSdk::Static),
            is_new_commit,
            sdk: self.sdk,
            port: self.port(),
        }
    }

    /// The port on which the Hub expects the app. Without the card it is not known for Docker.
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

/// The running app of a Space, if there is one to check.
enum AppToCheck {
    Found(App),
    /// There is none, and this is the result.
    None(CheckResult),
}

/// An exception from the run log.
struct LoggedException {
    text: String,
    hints: Vec<String>,
    /// Its place in a file of the user.
    place: Option<Place>,
}

/// A commit that does not run as it should.
pub(super) struct NotLive {
    pub(super) failure: Failure,
    /// The new app failed. What the Hub's own failures hide may run well, and what is overtaken is not taken back.
    is_the_apps: bool,
}

impl From<Failure> for NotLive {
    /// A failure of the check, which may as well be that of a request to the Hub.
    fn from(failure: Failure) -> Self {
        Self { is_the_apps: failure.code == Code::CheckFailed, failure }
    }
}

impl Deploy<'_> {
    /// Waits until the commit runs, where there is something to wait for.
    pub(super) async fn go_live(&self, target: &Target<'_>) -> Result<()> {
        let runs_this = self.options.repo_type == RepoType::Space && !self.options.is_aside();
        if !runs_this {
            return Ok(());
        }
        let Some(timeout) = self.options.space.wait else {
            self.ledger.update(|outcome| outcome.not_waited_for = true);
            return Ok(());
        };
        let Err(NotLive { failure, is_the_apps }) = self.come_alive(target, timeout).await else {
            return Ok(());
        };
        match self.options.space.on_failure {
            OnFailure::Keep => {}
            OnFailure::Rollback if is_the_apps => {
                self.log.info("rolling back, because this commit does not run as it should");
                self.roll_back(target).await;
            }
            OnFailure::Rollback => self.log.info("not rolled back: the app is not what failed"),
        }
        Err(failure)
    }

    /// Waits until the commit runs, and then asks the app itself.
    async fn come_alive(&self, target: &Target<'_>, timeout: Duration) -> Result<(), NotLive> {
        let started = Instant::now();
        let is_new_commit = target.receipt.is_some() || target.created;
        self.wait_for(target, target.commit, is_new_commit, timeout).await?;
        let check = &self.options.space.check;
        if check.mode == Mode::Off {
            return Ok(());
        }
        let left = timeout.saturating_sub(started.elapsed()).max(SHORTEST_CHECK);
        self.check(target, &Check { timeout: left, ..check.clone() }).await
    }

    /// Checks the running app, and records the result. A Space that stops ends the check.
    async fn check(&self, target: &Target<'_>, check: &Check) -> Result<(), NotLive> {
        let options = target.wait_options(target.commit, false, Duration::MAX);
        let mut stopped = None;
        let mut result = match self.app_to_check().await? {
            AppToCheck::Found(app) => {
                let _phase = self.ledger.phase("verify");
                self.log.info(&format!("checking the app at {}", app.url));
                let ended = async {
                    tokio::time::sleep(FIRST_GUARD).await;
                    stopped = Some(space::until_it_stops(self.hub, self.log, &self.repo, &options).await);
                    "the Space stopped while its app was checked".to_owned()
                };
                let mut result = check::check_app_until(&app, check, self.log, ended).await;
                if self.hub.uses_trusted_publishing() && app.token.is_some() && has_answered_404(&result) {
                    // Unknown: a keyless token may not open a private app, which is no fault of the app.
                    result.reclassify(CheckFailure::ClosedToToken);
                }
                result
            }
            AppToCheck::None(result) => result,
        };
        let is_the_apps = !matches!(result.subject(), Subject::Input | Subject::Workspace);
        let failed = result.status == CheckStatus::Failed && is_the_apps;
        let mut tail = None;
        if failed && stopped.is_none() {
            // The app may have failed because it ended.
            let stop = space::until_it_stops(self.hub, self.log, &self.repo, &options);
            let (log, stop) = tokio::join!(self.run_log(), tokio::time::timeout(LAST_WORDS, stop));
            stopped = stop.ok();
            tail = log.filter(|_| stopped.is_none());
        }
        let mut place = None;
        let mut hints = failure::app_check::hints(&result);
        if let Some(tail) = tail.as_ref().filter(|_| result.subject() == Subject::Exception)
            && let Some(exception) = self.exception(target, tail)
        {
            result.name_exception(&exception.text);
            (place, hints) = (exception.place, exception.hints);
        }
        let outcome = match stopped {
            Some(outcome) => self.stopped(target, outcome),
            // An endpoint that is missing may have gone with this deploy; a file of the workspace has not.
            None => check::conclude(&result, hints, self.log).map_err(|failure| NotLive {
                is_the_apps: result.subject() != Subject::Workspace,
                failure: failure.at(place),
            }),
        };
        self.ledger.update(|outcome| outcome.check = Some(result));
        if let Some(tail) = tail {
            self.show_run_log(tail);
        }
        outcome
    }

    /// Returns the running app, or the result of a check without one.
    async fn app_to_check(&self) -> Result<AppToCheck> {
        if self.ledger.read(|outcome| outcome.hardware_status) == Some(HardwareStatus::ManualHardwareRequired)
        {
            let detail = "it has not got the hardware that was asked for";
            return Ok(AppToCheck::None(CheckResult::failed(CheckFailure::HardwareMissing, detail)));
        }
        Ok(match space::find_app(self.hub, &self.repo).await? {
            Some(app) => AppToCheck::Found(app),
            None => {
                let detail = "the Hub does not say where the app is";
                AppToCheck::None(CheckResult::failed(CheckFailure::AddressUnknown, detail))
            }
        })
    }

    /// Writes down how a Space stopped that was being checked.
    fn stopped(&self, target: &Target<'_>, outcome: WaitOutcome) -> Result<(), NotLive> {
        let WaitOutcome { readiness, runtime, tails, spot } = outcome;
        self.ledger.update(|outcome| {
            outcome.space_stage = runtime.map(|runtime| runtime.stage);
            outcome.log_tails.retain(|other| tails.iter().all(|tail| tail.kind != other.kind));
            outcome.log_tails.extend(tails);
        });
        match readiness {
            Readiness::Failed(error) => Err(self.not_live(target, *error, spot)),
            Readiness::Running | Readiness::Unknown(_) => Ok(()),
        }
    }

    /// Reads what the app wrote last, which may say why it did not pass.
    async fn run_log(&self) -> Option<LogTail> {
        let tail = space::read_tail(self.hub, &self.repo, LogKind::Run, LAST_WORDS).await;
        Some(tail).filter(|tail| !tail.is_empty())
    }

    /// Finds the exception that the run log has.
    fn exception(&self, target: &Target<'_>, tail: &LogTail) -> Option<LoggedException> {
        let lines: Vec<&str> = tail.evidence().collect();
        let exception = space::last_traceback(lines.iter().copied())?;
        let text = self.log.redact(&exception.to_string());
        let mut hints = Vec::new();
        let known = space::diagnose(&Evidence { hub: None, kind: LogKind::Run, log: &lines });
        if let Some(Diagnosis { cause, fixes, is_weak: false, .. }) = known {
            hints.extend(fixes.iter().map(|fix| self.log.redact(&format!("{cause}: {fix}"))));
        }
        let place = exception.origin.and_then(|CodeLine { file, line }| {
            let spot = Spot { file, line: Some(line), find: None };
            self.place_of(target.source, &spot, format!("the app raised {text}"))
        });
        Some(LoggedException { text, hints, place })
    }

    fn show_run_log(&self, tail: LogTail) {
        let group = self.log.group("the end of the run log");
        tail.lines().for_each(|line| self.log.untrusted(line));
        drop(group);
        self.ledger.update(|outcome| {
            outcome.log_tails.retain(|other| other.kind != LogKind::Run);
            outcome.log_tails.push(tail);
        });
    }

    /// Waits for a commit, and writes down what was seen.
    pub(super) async fn wait_for(
        &self,
        target: &Target<'_>,
        commit: &str,
        is_new_commit: bool,
        timeout: Duration,
    ) -> Result<(), NotLive> {
        let options = target.wait_options(commit, is_new_commit, timeout);
        let phase = self.ledger.phase("wait");
        let WaitOutcome { readiness, runtime, tails, spot } =
            space::wait(self.hub, self.log, &self.repo, &options).await;
        drop(phase);
        self.ledger.update(|outcome| {
            outcome.space_stage = runtime.map(|runtime| runtime.stage);
            // After a rollback, the log of what failed is what counts.
            if outcome.log_tails.is_empty() && outcome.status != Some(Status::RolledBack) {
                outcome.log_tails = tails;
            }
        });
        match readiness {
            Readiness::Running => Ok(()),
            Readiness::Unknown(error) => {
                self.log.warning(&format!(
                    "the commit is on the Hub, but whether it runs is not known: {error}; give the token read access to the Space's settings, or set `wait: false`"
                ));
                Ok(())
            }
            Readiness::Failed(error) => Err(self.not_live(target, *error, spot)),
        }
    }

    /// Adds the place in a file of the user that the log names.
    fn not_live(&self, target: &Target<'_>, error: SpaceError, spot: Option<(Spot, String)>) -> NotLive {
        let place = spot.and_then(|(spot, why)| self.place_of(target.source, &spot, why));
        let is_the_apps = error.cause.is_caused_by_app();
        NotLive { failure: Failure::from(error).at(place), is_the_apps }
    }
}

/// Returns true if the app failed by a 404.
fn has_answered_404(result: &CheckResult) -> bool {
    let answer = result.failure.as_ref().and_then(CheckFailure::answer);
    result.status == CheckStatus::Failed && answer.is_some_and(|answer| answer.status == 404)
}
