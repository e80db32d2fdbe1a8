//! The preview of a model or a dataset: the plan of a deploy, as a comment.

use tokio::time::Instant;

use super::body::{FailureFacts, PreviewFacts};
use super::options::PreviewOptions;
use super::side::PullRequestSide;
use crate::action::Recorder;
use crate::failure::{Result, preview as advice};
use crate::ops::Session;
use crate::ops::deploy::report::Status;
use crate::ops::deploy::{self, DeployOptions, DeployReport};

/// Plans the deploy, and writes the plan to the pull request. Nothing on the Hub changes.
pub(super) async fn plan(
    options: &PreviewOptions,
    deploy: &DeployOptions,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<()> {
    let started = Instant::now();
    let Session { hub, log, .. } = session;
    if deploy.dry_run {
        return deploy::deploy(deploy, session, recorder).await.map(drop);
    }
    let repo = deploy::resolve_repo(&deploy.repo, deploy.repo_type, hub).await?;
    let page = format!("{}/{}", hub.endpoint(), repo.page());
    let side = PullRequestSide::open(options, repo, page, log);
    let planned = DeployOptions { dry_run: true, ..deploy.clone() };
    let result = deploy::deploy(&planned, session, recorder).await;
    let body = match &result {
        Ok(deployed) => side.page().planned(&deployed.dry_plan, started.elapsed()),
        Err(failure) => {
            let facts = PreviewFacts { took: started.elapsed(), ..PreviewFacts::default() };
            side.page().failed(&facts, &FailureFacts::of(failure, log))
        }
    };
    side.conclude(body, recorder).await;
    result.map(drop)
}

/// Ends the run of a closed pull request: there is nothing to delete.
pub(super) fn skip(deploy: &DeployOptions, session: &Session<'_>, recorder: &Recorder<DeployReport>) {
    let noun = deploy.repo_type.noun();
    session.log.info(&format!("the pull request is closed, and the preview of a {noun} is only a comment"));
    recorder.record(|report| {
        report.status = Some(Status::Skipped);
        report.skipped_because = Some(advice::NOTHING_TO_DELETE);
    });
}
