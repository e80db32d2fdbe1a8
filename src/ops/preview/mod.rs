//! The previews of pull requests: a Space for each, with a comment and a deployment on GitHub.
//!
//! The preview wraps the deploy: before it, the event decides what happens, and GitHub learns that the run has begun.
//! After it, GitHub gets the result, and a preview whose pull request was closed meanwhile is deleted.

pub mod body;
mod close;
pub mod comment_mark;
pub mod comments;
pub mod connection;
pub mod deployments;
pub mod marker;
pub mod name;
pub mod on_request;
mod open;
pub mod options;
mod plan_comment;
mod prices;
pub mod record;
pub mod removal;
mod side;

use hub::RepoType;

use crate::action::Recorder;
use crate::failure::Result;
use crate::ops::deploy::DeployReport;
use crate::ops::proxy_space::Whole;
use crate::ops::{Session, proxy_space};

pub use on_request::{DeploymentOptions, deploy_with_record};
pub use options::PreviewOptions;

/// Brings the preview of a pull request up to date, or deletes it.
///
/// # Errors
///
/// The deploy failed, the name is taken by another Space, or the preview cannot be deleted. Trouble with GitHub is no
/// error.
pub async fn run(
    options: &PreviewOptions,
    whole: Whole<'_>,
    session: &Session<'_>,
    recorder: &Recorder<DeployReport>,
) -> Result<()> {
    let Whole { deploy, .. } = whole;
    match (deploy.repo_type, options.is_closed) {
        (RepoType::Space, true) => close::close(options, deploy, session, recorder).await,
        // A dry run touches neither the Hub nor GitHub.
        (RepoType::Space, false) if deploy.dry_run => {
            proxy_space::deploy_whole(whole, session, recorder).await.map(drop)
        }
        (RepoType::Space, false) => open::deploy(options, whole, session, recorder).await,
        (RepoType::Model | RepoType::Dataset, true) => {
            plan_comment::skip(deploy, session, recorder);
            Ok(())
        }
        (RepoType::Model | RepoType::Dataset, false) => {
            plan_comment::plan(options, deploy, session, recorder).await
        }
    }
}
