//! The rules of readiness: the next step for a Space in a state. Pure.

use std::time::Duration;

use hub::{CommitId, Runtime, SpaceSdk, Stage};

/// Time after a commit in which a stage may be that of the previous build.
pub(super) const STALE_STAGE_GRACE: Duration = Duration::from_secs(15);
/// Time in which a commit may wake a sleeping Space by itself.
const SLEEP_GRACE: Duration = Duration::from_secs(5);
/// Time in which a running Space may not name its commit.
const MISSING_SHA_GRACE: Duration = Duration::from_secs(60);

/// Options of a wait until a Space runs.
#[derive(Debug, Clone)]
pub struct WaitOptions {
    pub timeout: Duration,
    /// The commit to wait for: `None` if any may run.
    pub commit: Option<CommitId>,
    /// A static Space names no commit.
    pub is_static_space: bool,
    /// The first answers of the Hub may be about the commit before a new one.
    pub is_new_commit: bool,
    /// The kind of the Space, if it is known.
    pub sdk: Option<SpaceSdk>,
    /// The port on which the Hub expects the app, if it is known.
    pub port: Option<u16>,
    /// The stage before a restart, which the Hub may report for a while.
    pub stage_before: Option<Stage>,
    /// The wait changes nothing on the Hub. A sleeping Space is left to the next visit, which wakes it, and a paused one
    /// fails. An older commit that keeps running is accepted.
    pub is_read_only: bool,
}

impl WaitOptions {
    /// Returns true if this is a commit that may run.
    pub(super) fn accepts(&self, sha: Option<&CommitId>) -> bool {
        self.commit.as_ref().is_none_or(|commit| sha == Some(commit))
    }
}

/// Next step of a wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    Ready,
    /// The Space is running, and the Hub does not name its commit.
    ReadyUnproven,
    Failed,
    Wake,
    /// The Space sleeps, and the next visit wakes it.
    LeftToVisit,
    /// The Space runs neither this commit nor the previous one, so the branch may be at another one.
    CheckHead,
    Wait,
}

/// Facts from the answers so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation<'a> {
    /// The commit that ran when the wait began.
    pub(super) first_sha: Option<&'a CommitId>,
    /// A build or a start was seen.
    pub(super) was_active: bool,
    pub(super) is_woken: bool,
    /// It left its sleep after it was woken.
    pub(super) has_stirred: bool,
    pub(super) elapsed: Duration,
}

/// Decides the next step of a wait. `RUNNING` alone may be the previous image, and an error that of the previous build.
pub(super) fn judge(runtime: &Runtime, options: &WaitOptions, seen: Observation<'_>) -> NextStep {
    let sha = runtime.sha.as_ref();
    let may_be_stale = options.stage_before.as_ref() == Some(&runtime.stage) && !seen.was_active;
    if may_be_stale && seen.elapsed < STALE_STAGE_GRACE {
        return NextStep::Wait;
    }
    let is_ours = options.accepts(sha);
    let is_current =
        is_ours || seen.was_active || !options.is_new_commit || seen.elapsed >= STALE_STAGE_GRACE;
    match &runtime.stage {
        Stage::Running if is_ours || options.is_static_space => NextStep::Ready,
        Stage::Running if options.is_read_only && seen.elapsed >= STALE_STAGE_GRACE => {
            NextStep::ReadyUnproven
        }
        Stage::Running => match sha {
            Some(sha) if seen.first_sha != Some(sha) => NextStep::CheckHead,
            Some(_) => NextStep::Wait,
            None if seen.was_active || seen.elapsed >= MISSING_SHA_GRACE => NextStep::ReadyUnproven,
            None => NextStep::Wait,
        },
        stage if stage.is_error() && is_current => NextStep::Failed,
        Stage::Deleting => NextStep::Failed,
        Stage::Sleeping if options.is_read_only => NextStep::LeftToVisit,
        stage if stage.is_asleep() && options.is_read_only => NextStep::Failed,
        // The Hub paused it again, for example for its bill, and another restart does not help.
        stage if stage.is_asleep() && seen.has_stirred => NextStep::Failed,
        stage
            if stage.is_asleep()
                && !seen.is_woken
                && (!options.is_new_commit || seen.elapsed >= SLEEP_GRACE) =>
        {
            NextStep::Wake
        }
        _ => NextStep::Wait,
    }
}

/// State of a Space that was running.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RunState {
    Running,
    Failed,
    /// Paused or stopped, and visits do not wake it.
    Asleep,
    /// The branch may be at another commit.
    CheckHead,
}

/// Judges a Space that was running this commit.
pub(super) fn judge_running(runtime: &Runtime, options: &WaitOptions) -> RunState {
    let is_ours = options.is_static_space || runtime.sha.is_none() || options.accepts(runtime.sha.as_ref());
    match &runtime.stage {
        stage if stage.is_error() => RunState::Failed,
        Stage::Deleting => RunState::Failed,
        Stage::Paused | Stage::Stopped => RunState::Asleep,
        stage if stage.is_building() || !is_ours => RunState::CheckHead,
        _ => RunState::Running,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn runtime(stage: &str, sha: Option<&str>) -> Runtime {
        serde_json::from_value(serde_json::json!({ "stage": stage, "sha": sha })).unwrap()
    }

    fn options(is_new_commit: bool) -> WaitOptions {
        WaitOptions {
            timeout: Duration::from_secs(60),
            commit: Some(CommitId::new("new")),
            is_static_space: false,
            is_new_commit,
            sdk: None,
            port: None,
            stage_before: None,
            is_read_only: false,
        }
    }

    static OLD: LazyLock<CommitId> = LazyLock::new(|| CommitId::new("old"));

    fn start() -> Observation<'static> {
        Observation {
            first_sha: Some(&OLD),
            was_active: false,
            is_woken: false,
            has_stirred: false,
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn running_space_is_ready_when_it_runs_this_commit() {
        let step = |sha, observation| judge(&runtime("RUNNING", sha), &options(true), observation);
        assert_eq!(step(Some("new"), start()), NextStep::Ready);
        assert_eq!(step(Some("old"), start()), NextStep::Wait, "the previous image");
        assert_eq!(step(Some("theirs"), start()), NextStep::CheckHead);
        assert_eq!(step(None, start()), NextStep::Wait);
        assert_eq!(step(None, Observation { was_active: true, ..start() }), NextStep::ReadyUnproven);
        let static_space = WaitOptions { is_static_space: true, ..options(true) };
        assert_eq!(judge(&runtime("RUNNING", None), &static_space, start()), NextStep::Ready);
    }

    #[test]
    fn error_of_an_earlier_build_does_not_count() {
        for stage in ["BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR", "NO_APP_FILE"] {
            let step =
                |is_new, observation| judge(&runtime(stage, Some("old")), &options(is_new), observation);
            assert_eq!(step(true, start()), NextStep::Wait, "{stage}");
            assert_eq!(step(true, Observation { was_active: true, ..start() }), NextStep::Failed, "{stage}");
            assert_eq!(
                step(true, Observation { elapsed: STALE_STAGE_GRACE, ..start() }),
                NextStep::Failed,
                "{stage}"
            );
            assert_eq!(step(false, start()), NextStep::Failed, "{stage}");
            let ours = judge(&runtime(stage, Some("new")), &options(true), start());
            assert_eq!(ours, NextStep::Failed, "{stage}");
        }
    }

    #[test]
    fn sleeping_space_is_woken_once() {
        for stage in ["SLEEPING", "PAUSED", "STOPPED"] {
            let step = |is_new, observation| judge(&runtime(stage, None), &options(is_new), observation);
            assert_eq!(step(true, start()), NextStep::Wait, "{stage}: the commit may wake it");
            assert_eq!(
                step(true, Observation { elapsed: SLEEP_GRACE, ..start() }),
                NextStep::Wake,
                "{stage}"
            );
            assert_eq!(step(false, start()), NextStep::Wake, "{stage}");
            assert_eq!(step(false, Observation { is_woken: true, ..start() }), NextStep::Wait, "{stage}");
            let again = Observation { is_woken: true, has_stirred: true, ..start() };
            assert_eq!(step(false, again), NextStep::Failed, "{stage}: paused again");
        }
    }

    #[test]
    fn read_only_wait_wakes_nothing() {
        let options = WaitOptions { is_read_only: true, ..options(false) };
        let step = |stage, sha, observation| judge(&runtime(stage, sha), &options, observation);
        assert_eq!(step("SLEEPING", None, start()), NextStep::LeftToVisit);
        assert_eq!(step("PAUSED", None, start()), NextStep::Failed);
        assert_eq!(step("STOPPED", None, start()), NextStep::Failed);
        assert_eq!(step("RUNNING", Some("new"), start()), NextStep::Ready);
        assert_eq!(step("RUNNING", Some("old"), start()), NextStep::Wait, "a build may be about to begin");
        let later = Observation { elapsed: STALE_STAGE_GRACE, ..start() };
        assert_eq!(step("RUNNING", Some("old"), later), NextStep::ReadyUnproven);
        assert_eq!(step("RUNNING_BUILDING", Some("old"), later), NextStep::Wait);
    }

    #[test]
    fn stage_of_before_a_restart_does_not_count() {
        for (stage, step) in [("RUNNING", NextStep::Ready), ("RUNTIME_ERROR", NextStep::Failed)] {
            let runtime = runtime(stage, Some("old"));
            let restarted =
                WaitOptions { commit: None, stage_before: Some(runtime.stage.clone()), ..options(false) };
            assert_eq!(judge(&runtime, &restarted, start()), NextStep::Wait, "{stage}");
            for seen in [
                Observation { was_active: true, ..start() },
                Observation { elapsed: STALE_STAGE_GRACE, ..start() },
            ] {
                assert_eq!(judge(&runtime, &restarted, seen), step, "{stage}");
            }
        }
        let other = WaitOptions { commit: None, stage_before: Some(Stage::Paused), ..options(false) };
        assert_eq!(judge(&runtime("RUNNING", Some("any")), &other, start()), NextStep::Ready);
    }

    #[test]
    fn space_on_its_way_is_waited_for() {
        for stage in ["BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING", "TELEPORTING"] {
            assert_eq!(
                judge(&runtime(stage, Some("new")), &options(true), start()),
                NextStep::Wait,
                "{stage}"
            );
        }
    }

    #[test]
    fn stopped_space_is_distinguished_from_a_running_one() {
        for (stage, sha, state) in [
            ("RUNNING", Some("new"), RunState::Running),
            ("RUNNING", None, RunState::Running),
            ("RUNNING_APP_STARTING", Some("new"), RunState::Running),
            ("SLEEPING", Some("new"), RunState::Running),
            ("RUNNING_BUILDING", Some("new"), RunState::CheckHead),
            ("RUNNING", Some("theirs"), RunState::CheckHead),
            ("RUNTIME_ERROR", Some("new"), RunState::Failed),
            ("BUILD_ERROR", Some("theirs"), RunState::Failed),
            ("DELETING", Some("new"), RunState::Failed),
            ("PAUSED", Some("new"), RunState::Asleep),
            ("STOPPED", None, RunState::Asleep),
        ] {
            assert_eq!(judge_running(&runtime(stage, sha), &options(false)), state, "{stage} {sha:?}");
        }
    }
}
