//! The end of a preview: the Space and its proxy are deleted if they have the mark of the pull request.

use hub::{Repo, RepoType};

use super::marker::VARIABLE;
use super::options::PreviewOptions;
use super::removal::{Removal, delete_marked};
use super::side::PullRequestSide;
use crate::action::Recorder;
use crate::action::journal::Phase;
use crate::failure::{Failure, Result, preview as advice};
use crate::ops::Session;
use crate::ops::deploy::report::Status;
use crate::ops::deploy::{self, DeployOptions, DeployReport};

/// State of the preview after an attempt to delete it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Deleted,
    /// It was gone already.
    Gone,
    /// A Space of that name stays, because it is no preview of this pull request.
    Foreign,
}

/// Deletes the preview of a closed pull request. It needs no checkout.
pub(super) async fn close(
    options: &PreviewOptions,
    deploy: &DeployOptions,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<()> {
    let Session { hub, log, journal } = session;
    let repo = deploy::resolve_repo(&deploy.repo, RepoType::Space, hub).await?;
    recorder.record(|report| report.repo = Some(repo.clone()));
    log.info(&format!("pull request #{} is closed: its preview ends", options.marker.number));
    if deploy.dry_run {
        log.info(&format!("dry run: the {repo} would be deleted if it is the preview"));
        recorder.record(|report| report.status = Some(Status::DryRun));
        return Ok(());
    }
    if delete(options, &repo, session, recorder).await? != End::Foreign {
        let page = format!("{}/{}", hub.endpoint(), repo.page());
        PullRequestSide::open(options, repo, page, log).delete(journal, recorder).await;
    }
    Ok(())
}

/// Deletes the Space and its proxy, and records the end.
pub(super) async fn delete(
    options: &PreviewOptions,
    repo: &Repo,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<End> {
    let _phase = session.journal.enter(Phase::Cleanup, "cleanup");
    // The proxy first, because it is the public door. Each is tried, whatever became of the other.
    let proxy_end = match options.proxy_of(repo) {
        Some(proxy) => delete_one(options, &proxy, session).await,
        None => Ok(End::Gone),
    };
    let end = delete_one(options, repo, session).await;
    recorder.record(|report| {
        report.space_url = None;
        report.space_stage = None;
    });
    let end = end?;
    proxy_end?;
    if end == End::Gone {
        session.log.info(&format!("there is no {repo}"));
    }
    recorder.record(|report| {
        report.proxy = None;
        report.status = Some(match end {
            End::Deleted | End::Gone => Status::Deleted,
            End::Foreign => Status::Skipped,
        });
        report.skipped_because = (end == End::Foreign).then_some(advice::FOREIGN_STAYS);
    });
    Ok(end)
}

async fn delete_one(options: &PreviewOptions, space: &Repo, session: &Session<'_>) -> Result<End> {
    let Session { hub, log, journal } = session;
    match delete_marked(hub, space, &options.marker).await {
        Ok(Removal::Deleted) => {
            let message = format!("deleted the {space}");
            log.info(&message);
            journal.event("preview_deleted", message, serde_json::json!({ "repo": space.page() }));
            Ok(End::Deleted)
        }
        Ok(Removal::Gone) => Ok(End::Gone),
        Ok(Removal::Foreign(mark)) => {
            log.warning(&advice::foreign_kept(space, VARIABLE, mark.as_deref()));
            Ok(End::Foreign)
        }
        Err(error) => {
            let page = format!("{}/{}/settings", hub.endpoint(), space.page());
            Err(advice::not_deleted(Failure::from(error), space, &page))
        }
    }
}
