//! The app of a Space, once the Space is up.

use hub::{Lookup, Repo, RepoId, RepoType, Revision, SpaceSdk};
use tokio::time::Instant;

use super::report::VerifyReport;
use crate::action::Recorder;
use crate::action::journal::Phase;
use crate::app_check::App;
use crate::failure::{Failure, Result, verify as advice};
use crate::ops::Session;
use crate::ops::space::{self, Readiness, SpaceFailure, WaitOptions, WaitOutcome};

/// A Space whose app is up.
#[derive(Debug)]
pub(super) struct RunningSpace {
    pub(super) space: Repo,
    pub(super) app: App,
    /// Options for watching it.
    pub(super) watch: WaitOptions,
}

/// Waits until a Space runs the newest commit of its branch. Changes nothing on the Hub.
pub(super) async fn wait_for(
    id: &RepoId,
    deadline: Instant,
    session: &Session<'_>,
    recorder: &Recorder<VerifyReport>,
) -> Result<RunningSpace> {
    let Session { hub, log, journal } = session;
    let space = Repo { repo_type: RepoType::Space, id: id.clone() };
    let missing = || advice::space_not_found(&space, hub.has_token());
    let watch = loop {
        let found = hub.look_up(&space, &Revision::default()).await?;
        let Lookup::Found(info) = found else { return Err(missing()) };
        let Some(commit) = info.sha else { return Err(missing()) };
        let sdk: Option<SpaceSdk> = info.sdk.as_deref().and_then(|sdk| sdk.parse().ok());
        let watch = WaitOptions {
            timeout: deadline.saturating_duration_since(Instant::now()),
            commit: Some(commit),
            is_static_space: sdk == Some(SpaceSdk::Static),
            is_new_commit: false,
            sdk,
            port: None,
            stage_before: None,
            is_read_only: true,
        };
        let phase = journal.enter(Phase::Start, "wait");
        let WaitOutcome { readiness, runtime, tails, .. } = space::wait(hub, log, &space, &watch).await;
        drop(phase);
        recorder.record(|report| {
            report.space_stage = runtime.map(|runtime| runtime.stage);
            report.log_tails = tails;
        });
        match readiness {
            Readiness::Running => break watch,
            Readiness::Unknown(error) => {
                log.warning(&advice::state_unknown(&error));
                break watch;
            }
            Readiness::Failed(error)
                if error.cause == SpaceFailure::Overtaken && Instant::now() < deadline =>
            {
                log.info("the branch has another commit by now: waiting for it");
            }
            Readiness::Failed(error) => return Err(Failure::from(*error)),
        }
    };
    let app = space::find_app(hub, &space).await?.ok_or_else(missing)?;
    Ok(RunningSpace { space, app, watch })
}
