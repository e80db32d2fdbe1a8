//! The repo of a deploy: its full name, and the client that is signed in for it.

use crate::action::Log;
use crate::failure::deploy_log as advice;
use crate::failure::{self, Result};
use hub::{Hub, Lookup, Repo, RepoName, RepoType};

use super::context::Context;
use super::options::DeployOptions;

/// Completes the name of a repo. The namespace of the token's user is the default.
pub(crate) async fn resolve_repo(name: &RepoName, repo_type: RepoType, hub: &Hub) -> Result<Repo> {
    let id = match name.full() {
        Some(id) => id,
        None if !hub.has_token() => return Err(failure::deploy::namespace_missing()),
        None => name.with_namespace(&hub.whoami().await?.name),
    };
    Ok(Repo { repo_type, id })
}

/// Signs in before anything else. A dry run may continue without, because public repos are open to all.
pub(super) async fn sign_in(hub: Hub, options: &DeployOptions, log: &Log) -> Result<Hub> {
    match hub.token().await {
        Err(error) if options.dry_run => {
            log.info(&format!("looking at the repo without signing in: {error}"));
            Ok(hub.anonymous())
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(hub),
    }
}

/// Returns the repo under its present name. The Hub redirects requests for an old name, but takes no upload there.
pub(super) fn present_name(context: &Context<'_>, lookup: &Lookup) -> Option<Repo> {
    let Lookup::Found(info) = lookup else { return None };
    let named = info.id.as_deref().and_then(|id| id.parse::<RepoName>().ok()).and_then(|name| name.full());
    let id = named.filter(|id| *id != context.repo.id)?;
    context.log.warning(&advice::repo_renamed(&context.repo, &id));
    let repo = Repo { repo_type: context.repo.repo_type, id };
    context.recorder.record(|report| report.repo = Some(repo.clone()));
    Some(repo)
}
