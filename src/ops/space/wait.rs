//! Waiting until a commit is running.

use std::time::Duration;

use hub::{CommitId, Hub, LogKind, Repo, Runtime, Stage};
use tokio::time::Instant;

use super::cause::SpaceFailure;
use super::error::SpaceError;
use super::port::{WrongAddress, wrong_address};
use super::readiness::{NextStep, Observation, STALE_STAGE_GRACE, WaitOptions, judge};
use super::stage_words;
use super::watch::{
    FIRST_POLL_INTERVAL, LAST_LINES_TIMEOUT, MAX_POLL_INTERVAL, Readiness, WaitOutcome, Watch,
};
use crate::action::Log;
use crate::failure::space as advice;

/// Time in which an app may still move from one port to another, before its address is reported as wrong.
const ADDRESS_GRACE: Duration = Duration::from_secs(60);

/// Waits until the Space runs, with `options.commit` if there is one, and prints stages and logs.
pub async fn wait(hub: &Hub, log: &Log, space: &Repo, options: &WaitOptions) -> WaitOutcome {
    let mut wait = Wait {
        watch: Watch::new(hub, log, space, options),
        first_sha: None,
        was_active: false,
        is_woken: false,
        restarted: None,
        has_stirred: false,
        starting: None,
        is_address_reported: false,
    };
    let readiness = wait.until_ready().await;
    wait.watch.end(readiness)
}

struct Wait<'a> {
    watch: Watch<'a>,
    /// The commit that ran when the wait began.
    first_sha: Option<CommitId>,
    /// A build or a start was seen since.
    was_active: bool,
    is_woken: bool,
    /// Time of the restart after a failure of the Hub, if there was one.
    restarted: Option<Instant>,
    /// It left its sleep after it was woken.
    has_stirred: bool,
    /// Start of the current start of the app.
    starting: Option<Instant>,
    /// The wrong address of the app was reported.
    is_address_reported: bool,
}

impl Wait<'_> {
    async fn until_ready(&mut self) -> Readiness {
        let mut pause = FIRST_POLL_INTERVAL;
        loop {
            let runtime = match self.watch.read_state().await {
                Ok(runtime) => runtime,
                Err(error) if matches!(error.status(), Some(401 | 403)) => return Readiness::Unknown(error),
                // A temporary failure of the Hub says nothing about the Space.
                Err(error) if error.may_pass() && !self.watch.left().is_zero() => {
                    self.watch.log.info(&format!("reading the state of the Space again: {error}"));
                    self.watch.logs.listen(MAX_POLL_INTERVAL.min(self.watch.left())).await;
                    continue;
                }
                Err(error) => {
                    return Readiness::from(SpaceError::of_hub(SpaceFailure::Unanswered, error));
                }
            };
            self.observe(&runtime);
            match judge(&runtime, self.watch.options, self.observation()) {
                NextStep::Ready => return Readiness::Running,
                NextStep::ReadyUnproven => {
                    self.watch.log.warning(&match &runtime.sha {
                        Some(sha) => {
                            format!("the Space runs the commit `{sha}`, and its branch is at another")
                        }
                        None => "the Space is running, but the Hub does not say which commit".to_owned(),
                    });
                    return Readiness::Running;
                }
                NextStep::LeftToVisit => {
                    self.watch.log.info("the Space sleeps: the next request wakes it");
                    return Readiness::Running;
                }
                NextStep::Failed if self.is_restarting() => {}
                NextStep::Failed => {
                    if !self.restart_after_failure_of_hub(&runtime).await {
                        return Readiness::from(self.watch.failed(&runtime).await);
                    }
                }
                NextStep::Wake => {
                    if let Err(error) = self.wake(&runtime).await {
                        return Readiness::from(SpaceError::of_hub(SpaceFailure::Asleep, error));
                    }
                }
                NextStep::CheckHead => {
                    if let Some(error) = self.watch.overtaken().await {
                        return Readiness::from(error);
                    }
                }
                NextStep::Wait => self.report_wrong_address(),
            }
            let left = self.watch.left();
            if left.is_zero() {
                return Readiness::from(self.timed_out(&runtime).await);
            }
            self.watch.logs.listen(pause.min(left)).await;
            pause = (pause + FIRST_POLL_INTERVAL / 2).min(MAX_POLL_INTERVAL);
        }
    }

    fn observation(&self) -> Observation<'_> {
        Observation {
            first_sha: self.first_sha.as_ref(),
            was_active: self.was_active,
            is_woken: self.is_woken,
            has_stirred: self.has_stirred,
            elapsed: self.watch.started.elapsed(),
        }
    }

    /// Reports a new stage, and follows its log.
    fn observe(&mut self, runtime: &Runtime) {
        let before = self.watch.runtime.as_ref().map(|runtime| &runtime.stage);
        if before != Some(&runtime.stage) {
            self.watch.logs.close_group();
            let what = match &runtime.sha {
                Some(sha) if runtime.stage != Stage::Running || self.watch.options.accepts(Some(sha)) => "",
                Some(sha) if before.is_none() || self.first_sha.as_ref() == Some(sha) => {
                    " the previous version"
                }
                Some(_) => " another commit",
                None => "",
            };
            let after = stage_words::after(self.watch.started.elapsed());
            self.watch.log.info(&format!("{}{what}{after}", stage_words::describe(&runtime.stage)));
        }
        if self.watch.runtime.is_none() {
            self.first_sha.clone_from(&runtime.sha);
            if runtime.dev_mode && self.watch.options.commit.is_some() {
                self.watch.log.warning(advice::DEV_MODE);
            }
        }
        let stage = &runtime.stage;
        self.was_active |= stage.is_building() || stage.is_starting();
        self.has_stirred |= self.is_woken && !stage.is_asleep();
        if stage.is_starting() {
            self.starting.get_or_insert_with(Instant::now);
        } else {
            self.starting = None;
        }
        if stage.is_building() || *stage == Stage::BuildError {
            self.watch.logs.follow(LogKind::Build);
        } else if stage.is_starting() || *stage == Stage::RuntimeError {
            self.watch.logs.follow(LogKind::Run);
        }
        self.watch.runtime = Some(runtime.clone());
    }

    /// Returns the address of an app that starts, if it is not that of the Space.
    fn wrong_address(&self) -> Option<WrongAddress> {
        self.starting?;
        let tail = self.watch.logs.tails().iter().rev().find(|tail| tail.kind == LogKind::Run)?;
        wrong_address(tail.evidence(), self.watch.options.port)
    }

    /// Warns once of an app that listens at another address than the one that the Hub uses, because the Hub itself
    /// reports it only after its own limit of 30 minutes.
    fn report_wrong_address(&mut self) {
        let grace = ADDRESS_GRACE.min(self.watch.options.timeout / 2);
        if self.is_address_reported || self.starting.is_none_or(|since| since.elapsed() < grace) {
            return;
        }
        if let Some(wrong) = self.wrong_address() {
            self.is_address_reported = true;
            self.watch.logs.close_group();
            let fix = advice::fix_address(&wrong);
            self.watch.log.warning(&format!("the Space does not start: {wrong}; {fix}"));
        }
    }

    async fn wake(&mut self, runtime: &Runtime) -> Result<(), hub::Error> {
        self.is_woken = true;
        let stage = runtime.stage.as_str().to_lowercase();
        self.watch.log.info(&format!("the Space is {stage}: waking it"));
        self.watch.hub.restart(self.watch.space).await
    }

    /// Restarts a Space that failed before this run for a reason of the Hub, because a deploy without a change starts
    /// no build. Returns false if it was not restarted.
    async fn restart_after_failure_of_hub(&mut self, runtime: &Runtime) -> bool {
        let is_transient = SpaceFailure::of_stage(runtime, []).is_transient();
        let may_restart = !self.watch.options.is_new_commit && !self.watch.options.is_read_only;
        if !may_restart || self.restarted.is_some() || !is_transient {
            return false;
        }
        let Watch { hub, log, space, .. } = self.watch;
        let stage = stage_words::describe(&runtime.stage);
        log.info(&format!("restarting the Space after a failure of the Hub ({stage})"));
        let result = match runtime.stage {
            Stage::BuildError => hub.rebuild(space).await,
            _ => hub.restart(space).await,
        };
        if let Err(error) = result {
            log.warning(&error.to_string());
            return false;
        }
        (self.restarted, self.was_active) = (Some(Instant::now()), false);
        true
    }

    /// Returns true while an error may still be that of before the restart.
    fn is_restarting(&self) -> bool {
        !self.was_active && self.restarted.is_some_and(|at| at.elapsed() < STALE_STAGE_GRACE)
    }

    async fn timed_out(&mut self, runtime: &Runtime) -> SpaceError {
        if let Some(error) = self.watch.overtaken().await {
            return error;
        }
        let after = stage_words::after(self.watch.started.elapsed());
        self.watch.logs.listen(LAST_LINES_TIMEOUT).await;
        let space = self.watch.space;
        let mut message = match &runtime.sha {
            Some(sha) if runtime.stage == Stage::Running && !self.watch.options.accepts(Some(sha)) => {
                format!("the {space} still runs another commit{after}: `{sha}`")
            }
            _ => format!("the {space} is still {}{after}", stage_words::describe(&runtime.stage)),
        };
        let wrong_address = self.wrong_address();
        if let Some(wrong) = &wrong_address {
            message = format!("{message}: {wrong}");
        }
        let cause = SpaceFailure::of_timeout(runtime, self.watch.options.commit.is_some());
        SpaceError { wrong_address, ..SpaceError::new(cause, message) }
    }
}
