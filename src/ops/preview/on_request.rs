//! A deploy outside of pull requests that the workflow wants as a deployment on GitHub.

use super::connection::{Connection, on_cancel};
use super::record::{Record, RecordOptions};
use crate::action::Recorder;
use crate::failure::Result;
use crate::github::{DeploymentState, GithubOptions};
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
    let Some(connection) = Connection::of_deploy(options.github.as_ref(), log) else {
        return deploy_whole(whole, session, recorder).await.map(drop);
    };
    let repo = deploy::resolve_repo(&whole.deploy.repo, whole.deploy.repo_type, hub).await?;
    let page = format!("{}/{}", hub.endpoint(), repo.page());
    let record = Record::new(connection, options.record.clone(), repo);
    let cancelled = record.clone();
    let cancelling =
        on_cancel(journal, "the deployment on GitHub", || async move { cancelled.cancel().await });
    let ((), result) = tokio::join!(record.start(recorder), deploy_whole(whole, session, recorder));
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
