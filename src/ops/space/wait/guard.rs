//! A Space that runs, watched while its app is checked.

use hub::{Hub, LogKind, Repo, Runtime, Stage};

use super::{Awaited, LAST_LOOK, Ready, WaitOptions, Watch};
use crate::action::Log;
use crate::ops::space::{SpaceFailure, stage_words};

/// Reaction to the state of a Space that was running.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Running,
    Failed,
    /// Paused or stopped: visits do not wake it.
    Asleep,
    /// Another commit may be on its way.
    CheckHead,
}

fn judge(runtime: &Runtime, options: &WaitOptions) -> Found {
    let is_ours = options.fixed || runtime.sha.as_ref().is_none_or(|sha| *sha == options.commit);
    match &runtime.stage {
        stage if stage.is_error() => Found::Failed,
        Stage::Deleting => Found::Failed,
        Stage::Paused | Stage::Stopped => Found::Asleep,
        stage if stage.is_building() || !is_ours => Found::CheckHead,
        _ => Found::Running,
    }
}

/// Watches a Space that runs `options.commit`, and returns why it does so no longer. Does not return while it runs: the
/// caller ends the wait. The first look is made at once.
pub async fn until_it_stops(hub: &Hub, log: &Log, space: &Repo, options: &WaitOptions) -> Awaited {
    let mut watch = Watch::new(hub, log, space, options);
    loop {
        // The Hub's own trouble says nothing of the Space.
        if let Ok(runtime) = watch.look().await
            && let Some(ready) = watch.stopped(&runtime).await
        {
            return watch.end(ready);
        }
        tokio::time::sleep(LAST_LOOK).await;
    }
}

impl Watch<'_> {
    async fn stopped(&mut self, runtime: &Runtime) -> Option<Ready> {
        self.runtime = Some(runtime.clone());
        match judge(runtime, self.options) {
            Found::Running => None,
            Found::CheckHead => self.overtaken().await.map(Ready::No),
            Found::Failed => {
                self.follow(if runtime.stage == Stage::BuildError { LogKind::Build } else { LogKind::Run });
                Some(self.failed(runtime).await)
            }
            Found::Asleep => {
                let stage = stage_words::of(&runtime.stage);
                let message = format!("the {} was {stage} while its app was checked", self.space);
                Some(Ready::No(SpaceFailure::Asleep.with(message)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_space_that_stops_is_told_from_one_that_runs() {
        let options = WaitOptions {
            timeout: Duration::from_secs(60),
            commit: "new".to_owned(),
            fixed: false,
            fresh: false,
            sdk: None,
            port: None,
        };
        for (stage, sha, found) in [
            ("RUNNING", Some("new"), Found::Running),
            ("RUNNING", None, Found::Running),
            ("RUNNING_APP_STARTING", Some("new"), Found::Running),
            ("SLEEPING", Some("new"), Found::Running),
            ("RUNNING_BUILDING", Some("new"), Found::CheckHead),
            ("RUNNING", Some("theirs"), Found::CheckHead),
            ("RUNTIME_ERROR", Some("new"), Found::Failed),
            ("BUILD_ERROR", Some("theirs"), Found::Failed),
            ("DELETING", Some("new"), Found::Failed),
            ("PAUSED", Some("new"), Found::Asleep),
            ("STOPPED", None, Found::Asleep),
        ] {
            let runtime = serde_json::from_value(serde_json::json!({ "stage": stage, "sha": sha })).unwrap();
            assert_eq!(judge(&runtime, &options), found, "{stage} {sha:?}");
        }
    }
}
