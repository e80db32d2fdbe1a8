//! A running Space, watched while its app is checked.

use hub::{Hub, LogKind, Repo, Runtime, Stage};

use super::cause::SpaceFailure;
use super::error::SpaceError;
use super::readiness::{RunState, WaitOptions, judge_running};
use super::stage_words;
use super::watch::{MAX_POLL_INTERVAL, Readiness, WaitOutcome, Watch};
use crate::action::Log;

/// Watches a Space that runs as `options` ask for, and returns when it stops. Does not return while it runs, so the caller
/// ends the wait. Sends the first request at once.
pub async fn until_it_stops(hub: &Hub, log: &Log, space: &Repo, options: &WaitOptions) -> WaitOutcome {
    let mut watch = Watch::new(hub, log, space, options);
    loop {
        // A failure of the Hub says nothing about the Space.
        if let Ok(runtime) = watch.read_state().await
            && let Some(error) = stopped(&mut watch, &runtime).await
        {
            return watch.end(Readiness::from(error));
        }
        tokio::time::sleep(MAX_POLL_INTERVAL).await;
    }
}

async fn stopped(watch: &mut Watch<'_>, runtime: &Runtime) -> Option<SpaceError> {
    watch.runtime = Some(runtime.clone());
    match judge_running(runtime, watch.options) {
        RunState::Running => None,
        RunState::CheckHead => watch.overtaken().await,
        RunState::Failed => {
            let is_build = runtime.stage == Stage::BuildError;
            watch.logs.follow(if is_build { LogKind::Build } else { LogKind::Run });
            Some(watch.failed(runtime).await)
        }
        RunState::Asleep => {
            let stage = stage_words::describe(&runtime.stage);
            let message = format!("the {} was {stage} while its app was checked", watch.space);
            Some(SpaceError::new(SpaceFailure::Asleep, message))
        }
    }
}
