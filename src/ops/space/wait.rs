//! Waiting until a commit is running.

mod guard;

pub use guard::until_it_stops;

use std::time::Duration;

use hub::{Cause, Hub, HubError, LogKind, Lookup, Repo, Revision, Runtime, SpaceSdk, Stage};
use tokio::time::Instant;

use super::cause::{NotReady, SpaceFailure};
use super::diagnosis::Spot;
use super::explain::{Remains, add_the_app, app_that_lacks, explain};
use super::logs::{Follower, LogTail};
use super::port::{WrongAddress, wrong_address};
use super::stage_words;
use crate::action::{Group, Log};
use crate::failure::Failure;
use crate::text::without_colors;

/// The waits between two looks at the Space: quick at first, since a static Space runs at once.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LAST_LOOK: Duration = Duration::from_secs(5);
/// How long a stage of the previous build may stand after a commit, before it is taken for ours.
const STALE: Duration = Duration::from_secs(15);
/// How long a Space may sleep after a commit, which may wake it, before it is woken.
const NAP: Duration = Duration::from_secs(5);
/// How long a running Space may keep silent about its commit, before that is told.
const SILENCE: Duration = Duration::from_secs(60);
/// How long lines are gathered before they are printed.
const BURST: Duration = Duration::from_millis(100);
/// How long a Space in dev mode is waited for, which keeps running what it runs until that is switched off.
const DEV_MODE: Duration = Duration::from_secs(60);
/// A look at the Space is given so long, however little time is left.
const SHORTEST_LOOK: Duration = Duration::from_secs(5);
/// A look at the branch, which may take the blame off this deploy, is given so long.
const HEAD_LOOK: Duration = Duration::from_secs(30);
/// How long log lines that are still on their way are waited for, at the end.
const LAST_LINES: Duration = Duration::from_millis(1500);

/// Time in which an app may still move from one port to another, before its address is reported as wrong.
const WRONG_ADDRESS: Duration = Duration::from_secs(60);

/// What is waited for.
#[derive(Debug, Clone)]
pub struct WaitOptions {
    pub timeout: Duration,
    /// The commit that is to run.
    pub commit: String,
    /// Static Spaces say no commit.
    pub fixed: bool,
    /// Whether the commit is new: what the Hub says at first may be about the one before.
    pub fresh: bool,
    /// The kind of the Space, if it is known.
    pub sdk: Option<SpaceSdk>,
    /// The port on which the Hub expects the app, if it is known.
    pub port: Option<u16>,
}

/// How the wait ended.
#[derive(Debug)]
pub struct Awaited {
    pub ready: Ready,
    /// The last state that was seen.
    pub runtime: Option<Runtime>,
    /// The logs that were followed.
    pub tails: Vec<LogTail>,
    /// The place that the log of a failure names, with the cause.
    pub spot: Option<(Spot, String)>,
}

/// What a wait came to.
#[derive(Debug)]
pub enum Ready {
    /// This commit is running.
    Yes,
    /// The token may not see the state of the Space: nothing is known.
    Unseen(HubError),
    No(NotReady),
}

/// Waits until `options.commit` runs, telling stages and logs on the way.
pub async fn wait(hub: &Hub, log: &Log, space: &Repo, options: &WaitOptions) -> Awaited {
    let mut watch = Watch::new(hub, log, space, options);
    let ready = watch.until_ready().await;
    watch.end(ready)
}

struct Watch<'a> {
    hub: &'a Hub,
    log: &'a Log,
    space: &'a Repo,
    options: &'a WaitOptions,
    started: Instant,
    runtime: Option<Runtime>,
    /// The commit that ran when the wait began.
    first_sha: Option<String>,
    /// Whether a build or a start was seen since.
    active: bool,
    woken: bool,
    /// The restart after a failure of the Hub, if there was one.
    restarted: Option<Instant>,
    /// It left its sleep after it was woken.
    stirred: bool,
    /// The app is being started since then.
    starting: Option<Instant>,
    /// The wrong address of the app was reported.
    address_reported: bool,
    follower: Option<(LogKind, Follower)>,
    group: Option<Group>,
    tails: Vec<LogTail>,
}

/// What a look at the Space calls for.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Ready,
    /// It runs, and the Hub does not say which commit.
    ReadyUnproven,
    Failed,
    Wake,
    /// Another commit than ours and the previous one: whose?
    CheckHead,
    Wait,
}

/// What has been seen so far.
#[derive(Debug, Clone, Copy)]
struct Seen<'a> {
    first_sha: Option<&'a str>,
    active: bool,
    woken: bool,
    /// It left its sleep after it was woken.
    stirred: bool,
    elapsed: Duration,
}

/// The rules of readiness. `RUNNING` alone may be the previous image, and an error the previous build's.
fn judge(runtime: &Runtime, options: &WaitOptions, seen: Seen<'_>) -> Step {
    let sha = runtime.sha.as_deref();
    let ours = sha == Some(options.commit.as_str());
    let current = ours || seen.active || !options.fresh || seen.elapsed >= STALE;
    match &runtime.stage {
        Stage::Running if ours || options.fixed => Step::Ready,
        Stage::Running => match sha {
            Some(sha) if seen.first_sha != Some(sha) => Step::CheckHead,
            Some(_) => Step::Wait,
            None if seen.active || seen.elapsed >= SILENCE => Step::ReadyUnproven,
            None => Step::Wait,
        },
        stage if stage.is_error() && current => Step::Failed,
        Stage::Deleting => Step::Failed,
        // The Hub paused it again, for example for its bill: nothing here wakes it.
        stage if stage.is_asleep() && seen.stirred => Step::Failed,
        stage if stage.is_asleep() && !seen.woken && (!options.fresh || seen.elapsed >= NAP) => Step::Wake,
        _ => Step::Wait,
    }
}

impl<'a> Watch<'a> {
    /// Ends the watch, with what the words of the Space mean.
    fn end(mut self, ready: Ready) -> Awaited {
        self.group = None;
        let (ready, spot) = match ready {
            Ready::No(end) => {
                let page = format!("{}/{}", self.hub.endpoint(), self.space.page());
                let message = self.runtime.as_ref().and_then(|runtime| runtime.error_message.as_deref());
                let (end, spot) = explain(&Remains { message, tails: &self.tails, page: &page }, end);
                (Ready::No(end), spot)
            }
            other => (other, None),
        };
        Awaited { ready, runtime: self.runtime, tails: self.tails, spot }
    }

    fn new(hub: &'a Hub, log: &'a Log, space: &'a Repo, options: &'a WaitOptions) -> Self {
        Self {
            hub,
            log,
            space,
            options,
            started: Instant::now(),
            runtime: None,
            first_sha: None,
            active: false,
            woken: false,
            restarted: None,
            stirred: false,
            starting: None,
            address_reported: false,
            follower: None,
            group: None,
            tails: Vec::new(),
        }
    }

    async fn until_ready(&mut self) -> Ready {
        let mut pause = FIRST_LOOK;
        loop {
            let runtime = match self.look().await {
                Ok(runtime) => runtime,
                Err(error) if matches!(error.status(), Some(401 | 403)) => return Ready::Unseen(error),
                // The Hub's own trouble says nothing of the Space, and passes.
                Err(error) if error.may_pass() && !self.left().is_zero() => {
                    self.log.info(&format!("looking again: {error}"));
                    self.listen(LAST_LOOK.min(self.left())).await;
                    continue;
                }
                Err(error) => {
                    return Ready::No(NotReady { cause: SpaceFailure::Unanswered, failure: error.into() });
                }
            };
            self.notice(&runtime);
            let seen = Seen {
                first_sha: self.first_sha.as_deref(),
                active: self.active,
                woken: self.woken,
                stirred: self.stirred,
                elapsed: self.started.elapsed(),
            };
            match judge(&runtime, self.options, seen) {
                Step::Ready => return Ready::Yes,
                Step::ReadyUnproven => {
                    self.log.warning("the Space is running, but the Hub does not say which commit");
                    return Ready::Yes;
                }
                Step::Failed if self.is_restarted() => {}
                Step::Failed => {
                    if !self.restart_after_the_hubs_failure(&runtime).await {
                        return self.failed(&runtime).await;
                    }
                }
                Step::Wake => {
                    if let Err(failure) = self.wake(&runtime).await {
                        return Ready::No(NotReady { cause: SpaceFailure::Asleep, failure });
                    }
                }
                Step::CheckHead => {
                    if let Some(end) = self.overtaken().await {
                        return Ready::No(end);
                    }
                }
                Step::Wait => self.report_wrong_address(),
            }
            let left = self.left();
            if left.is_zero() {
                return self.timed_out(&runtime).await;
            }
            self.listen(pause.min(left)).await;
            pause = (pause + FIRST_LOOK / 2).min(LAST_LOOK);
        }
    }

    /// The time that is left.
    fn left(&self) -> Duration {
        let timeout =
            if self.in_dev_mode() { self.options.timeout.min(DEV_MODE) } else { self.options.timeout };
        timeout.saturating_sub(self.started.elapsed())
    }

    fn in_dev_mode(&self) -> bool {
        self.runtime.as_ref().is_some_and(|runtime| runtime.dev_mode)
    }

    /// A look at the Space, which takes no longer than there is time.
    async fn look(&self) -> Result<Runtime, HubError> {
        let slow = || {
            let detail = "no answer in the time that was left".to_owned();
            let cause = Cause::Unreachable { detail, attempts: 1, before_sending: false };
            HubError::new(format!("read the state of the {}", self.space), cause)
        };
        let time = self.left().max(SHORTEST_LOOK);
        tokio::time::timeout(time, self.hub.runtime(self.space)).await.unwrap_or_else(|_| Err(slow()))
    }

    /// Tells a new stage, and follows the log that belongs to it.
    fn notice(&mut self, runtime: &Runtime) {
        let before = self.runtime.as_ref().map(|runtime| &runtime.stage);
        if before != Some(&runtime.stage) {
            self.group = None;
            let what = match &runtime.sha {
                Some(sha) if runtime.stage != Stage::Running || *sha == self.options.commit => "",
                Some(sha) if before.is_none() || self.first_sha.as_ref() == Some(sha) => {
                    " the previous version"
                }
                Some(_) => " another commit",
                None => "",
            };
            let after = stage_words::after(self.started.elapsed());
            self.log.info(&format!("{}{what}{after}", stage_words::of(&runtime.stage)));
        }
        if self.runtime.is_none() {
            self.first_sha.clone_from(&runtime.sha);
            if runtime.dev_mode {
                self.log.warning("the Space is in dev mode: a commit is not built until dev mode is switched off in its settings");
            }
        }
        self.active |= runtime.stage.is_building() || runtime.stage.is_starting();
        self.stirred |= self.woken && !runtime.stage.is_asleep();
        if runtime.stage.is_starting() {
            self.starting.get_or_insert_with(Instant::now);
        } else {
            self.starting = None;
        }
        if runtime.stage.is_building() {
            self.follow(LogKind::Build);
        } else if runtime.stage.is_starting() || runtime.stage == Stage::RuntimeError {
            self.follow(LogKind::Run);
        } else if runtime.stage == Stage::BuildError {
            self.follow(LogKind::Build);
        }
        self.runtime = Some(runtime.clone());
    }

    fn follow(&mut self, kind: LogKind) {
        if self.follower.as_ref().is_some_and(|(followed, _)| *followed == kind) {
            return;
        }
        self.print(None);
        self.group = None;
        self.follower = Some((kind, Follower::start(self.hub, self.space, kind)));
        self.tails.retain(|tail| tail.kind != kind);
        self.tails.push(LogTail::new(kind));
    }

    /// Prints log lines as they come, for a while.
    async fn listen(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let Some((_, follower)) = &mut self.follower else { return tokio::time::sleep_until(end).await };
            let Ok(first) = tokio::time::timeout_at(end, follower.next()).await else { return };
            // Lines come in bursts: one fence for all of them.
            tokio::time::sleep_until(end.min(Instant::now() + BURST)).await;
            self.print(Some(first));
        }
    }

    /// Prints a line, if there is one, and what has come after it.
    fn print(&mut self, first: Option<String>) {
        let Some((kind, follower)) = &mut self.follower else { return };
        let lines: Vec<String> =
            first.into_iter().chain(std::iter::from_fn(|| follower.try_next())).collect();
        if lines.is_empty() {
            return;
        }
        if self.group.is_none() {
            self.group = Some(self.log.group(&format!("{} log of the Space", kind.as_str())));
        }
        self.log.untrusted(&lines.join("\n"));
        if let Some(tail) = self.tails.last_mut() {
            for line in &lines {
                tail.push(&self.log.redact(line));
            }
        }
    }

    /// The address at which the app says it listens, where that is not the Space's.
    fn wrong_address(&self) -> Option<WrongAddress> {
        self.starting?;
        let tail = self.tails.iter().rev().find(|tail| tail.kind == LogKind::Run)?;
        wrong_address(tail.evidence(), self.options.port)
    }

    /// Warns once of an app that listens where the Hub does not look for it, because the Hub itself says so only after
    /// its own limit of 30 minutes.
    fn report_wrong_address(&mut self) {
        let patience = WRONG_ADDRESS.min(self.options.timeout / 2);
        if self.address_reported || self.starting.is_none_or(|since| since.elapsed() < patience) {
            return;
        }
        if let Some(WrongAddress { cause, fix }) = self.wrong_address() {
            self.address_reported = true;
            self.group = None;
            self.log.warning(&format!("the Space does not start: {cause}; {fix}"));
        }
    }

    async fn wake(&mut self, runtime: &Runtime) -> Result<(), Failure> {
        self.woken = true;
        self.log.info(&format!("the Space is {}: waking it", runtime.stage.as_str().to_lowercase()));
        self.hub.restart(self.space).await.map_err(|error| {
            Failure::from(error).hint("restart the Space on its page, and run the job again")
        })
    }

    /// Restarts a Space that failed before this run for a reason of the Hub, because a deploy without a change starts
    /// no build. Returns false if there is nothing to restart for.
    async fn restart_after_the_hubs_failure(&mut self, runtime: &Runtime) -> bool {
        let may_pass = SpaceFailure::of_stage(runtime, []).may_pass();
        if self.options.fresh || self.restarted.is_some() || !may_pass {
            return false;
        }
        self.log.info(&format!(
            "the Space is in {} after a failure of the Hub: restarting it",
            runtime.stage.as_str()
        ));
        let result = match runtime.stage {
            Stage::BuildError => self.hub.rebuild(self.space).await,
            _ => self.hub.restart(self.space).await,
        };
        if let Err(error) = result {
            self.log.warning(&error.to_string());
            return false;
        }
        (self.restarted, self.active) = (Some(Instant::now()), false);
        true
    }

    /// Returns true while an error may still be that of before the restart.
    fn is_restarted(&self) -> bool {
        !self.active && self.restarted.is_some_and(|at| at.elapsed() < STALE)
    }

    /// Whether the branch is at another commit by now.
    async fn overtaken(&self) -> Option<NotReady> {
        let main = Revision::default();
        let look = self.hub.look_up(self.space, &main);
        let Ok(Ok(Lookup::Found(info))) = tokio::time::timeout(HEAD_LOOK, look).await else { return None };
        let head = info.sha?;
        if head == self.options.commit {
            return None;
        }
        let message = format!("another commit overtook this deploy of the {}: `{head}`", self.space);
        Some(SpaceFailure::Overtaken.with(message))
    }

    async fn failed(&mut self, runtime: &Runtime) -> Ready {
        if let Some(end) = self.overtaken().await {
            return Ready::No(end);
        }
        // The lines that are still on their way may say whose failure it is.
        self.listen(LAST_LINES).await;
        let build_log = self.tails.iter().filter(|tail| tail.kind == LogKind::Build);
        let cause = SpaceFailure::of_stage(runtime, build_log.flat_map(LogTail::lines));
        if runtime.stage.is_asleep() {
            let mut end = cause.with(format!("the {} was paused again after it was woken", self.space));
            end.failure =
                end.failure.hint("look at the page of the Space, and at its owner's billing, for the reason");
            return Ready::No(end);
        }
        let what = match runtime.stage {
            Stage::BuildError => "did not build",
            Stage::RuntimeError if !cause.is_the_apps() => "did not start",
            Stage::RuntimeError => "crashed",
            Stage::ConfigError => "is not configured right",
            Stage::NoAppFile => app_that_lacks(self.options.sdk),
            _ => "is being deleted",
        };
        let detail = match &runtime.error_message {
            // The log explains a failure of the app better than the Hub, whose message holds a piece of that log.
            Some(message) if !message.trim().is_empty() && !cause.is_the_apps() => {
                format!(" ({}): {}", runtime.stage.as_str(), without_colors(message.trim()))
            }
            _ => String::new(),
        };
        let mut end = cause.with(format!("the {} {what}{detail}", self.space));
        if cause == SpaceFailure::NoApp {
            end.failure = end.failure.hint(add_the_app(self.options.sdk));
        }
        Ready::No(end)
    }

    async fn timed_out(&mut self, runtime: &Runtime) -> Ready {
        if let Some(end) = self.overtaken().await {
            return Ready::No(end);
        }
        let after = stage_words::after(self.started.elapsed());
        self.listen(LAST_LINES).await;
        let sha = runtime.sha.as_deref();
        let message = match sha {
            Some(sha) if runtime.stage == Stage::Running && sha != self.options.commit => {
                format!("the {} still runs another commit{after}: `{sha}`", self.space)
            }
            _ => format!("the {} is still {}{after}", self.space, stage_words::of(&runtime.stage)),
        };
        let mut end = SpaceFailure::of_timeout(runtime).with(message);
        if let Some(WrongAddress { cause, fix }) = self.wrong_address() {
            end.failure.message = format!("{}: {cause}", end.failure.message);
            // More time does not help.
            end.failure.hints = vec![fix];
        }
        Ready::No(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime(stage: &str, sha: Option<&str>) -> Runtime {
        serde_json::from_value(serde_json::json!({ "stage": stage, "sha": sha })).unwrap()
    }

    fn options(fresh: bool) -> WaitOptions {
        WaitOptions {
            timeout: Duration::from_secs(60),
            commit: "new".to_owned(),
            fixed: false,
            fresh,
            sdk: None,
            port: None,
        }
    }

    const START: Seen<'_> =
        Seen { first_sha: Some("old"), active: false, woken: false, stirred: false, elapsed: Duration::ZERO };

    #[test]
    fn a_running_space_is_ready_when_it_runs_this_commit() {
        let step = |sha, seen| judge(&runtime("RUNNING", sha), &options(true), seen);
        assert_eq!(step(Some("new"), START), Step::Ready);
        assert_eq!(step(Some("old"), START), Step::Wait, "the previous image");
        assert_eq!(step(Some("theirs"), START), Step::CheckHead);
        assert_eq!(step(None, START), Step::Wait);
        assert_eq!(step(None, Seen { active: true, ..START }), Step::ReadyUnproven);
        let fixed = WaitOptions { fixed: true, ..options(true) };
        assert_eq!(judge(&runtime("RUNNING", None), &fixed, START), Step::Ready);
    }

    #[test]
    fn an_error_of_the_build_before_is_not_ours() {
        for stage in ["BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR", "NO_APP_FILE"] {
            let step = |fresh, seen| judge(&runtime(stage, Some("old")), &options(fresh), seen);
            assert_eq!(step(true, START), Step::Wait, "{stage}");
            assert_eq!(step(true, Seen { active: true, ..START }), Step::Failed, "{stage}");
            assert_eq!(step(true, Seen { elapsed: STALE, ..START }), Step::Failed, "{stage}");
            assert_eq!(step(false, START), Step::Failed, "{stage}");
            let ours = judge(&runtime(stage, Some("new")), &options(true), START);
            assert_eq!(ours, Step::Failed, "{stage}");
        }
    }

    #[test]
    fn a_sleeping_space_is_woken_once() {
        for stage in ["SLEEPING", "PAUSED", "STOPPED"] {
            let step = |fresh, seen| judge(&runtime(stage, None), &options(fresh), seen);
            assert_eq!(step(true, START), Step::Wait, "{stage}: the commit may wake it");
            assert_eq!(step(true, Seen { elapsed: NAP, ..START }), Step::Wake, "{stage}");
            assert_eq!(step(false, START), Step::Wake, "{stage}");
            assert_eq!(step(false, Seen { woken: true, ..START }), Step::Wait, "{stage}");
            let again = Seen { woken: true, stirred: true, ..START };
            assert_eq!(step(false, again), Step::Failed, "{stage}: paused again");
        }
    }

    #[test]
    fn all_else_is_waited_for() {
        for stage in ["BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING", "TELEPORTING"] {
            assert_eq!(judge(&runtime(stage, Some("new")), &options(true), START), Step::Wait, "{stage}");
        }
    }
}
