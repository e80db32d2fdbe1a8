//! A deploy outside of pull requests that the workflow wants as a deployment on GitHub.

use super::record::{CANCEL_TIMEOUT, Record, RecordOptions};
use super::trouble::Trouble;
use crate::action::Recorder;
use crate::action::journal::{EndCause, Undone};
use crate::failure::{Result, preview as advice};
use crate::github::{DeploymentState, Github, GithubOptions};
use crate::ops::Session;
use crate::ops::deploy::{self, DeployReport};
use crate::ops::proxy_space::{Whole, deploy_whole};

/// A deployment on GitHub for a deploy.
#[derive(Debug, Clone)]
pub struct DeploymentOptions {
    pub record: RecordOptions,
    /// `None` without a token for GitHub.
    pub github: Option<GithubOptions>,
}

/// Deploys, and reports to GitHub. Trouble with GitHub is no error.
///
/// # Errors
///
/// The deploy failed.
pub async fn deploy_with_record(
    options: &DeploymentOptions,
    whole: Whole<'_>,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<()> {
    let Session { hub, log, journal } = session;
    let trouble = Trouble::new(log);
    let github = match &options.github {
        None => {
            log.notice(advice::NO_GITHUB_TOKEN);
            None
        }
        Some(options) => trouble.note(Github::new(options.clone())),
    };
    let Some(github) = github else { return deploy_whole(whole, session, recorder).await.map(drop) };
    let repo = deploy::resolve_repo(&whole.deploy.repo, whole.deploy.repo_type, hub).await?;
    let page = format!("{}/{}", hub.endpoint(), repo.page());
    let record = Record::new(github, trouble, options.record.clone(), repo);
    let cancelled = record.clone();
    let cancelling = journal.on_early_end("the deployment on GitHub", move |unwinding| async move {
        if unwinding.cause == EndCause::Cancelled {
            let ended = cancelled.set(DeploymentState::Inactive, "the run was cancelled", None);
            let _ = tokio::time::timeout(CANCEL_TIMEOUT, ended).await;
        }
        Undone::TakenBack
    });
    let begin = async {
        if let Some(id) = record.start().await {
            recorder.record(|report| report.preview.deployment_id = Some(id));
        }
    };
    let ((), result) = tokio::join!(begin, deploy_whole(whole, session, recorder));
    match &result {
        Ok(live) => {
            let url = live.address.as_deref().unwrap_or(&page);
            record.set(DeploymentState::Success, "deployed", Some(url)).await;
            // Not earlier, because a deploy that fails leaves what was deployed before.
            record.end_earlier().await;
        }
        Err(failure) => record.set(DeploymentState::Failure, failure.code.as_str(), None).await,
    }
    cancelling.settle();
    result.map(drop)
}
