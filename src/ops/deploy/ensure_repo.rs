//! Creates the repo and the branch if they are missing.

use crate::failure::{self, Result, deploy_log as advice};
use crate::folder::Source;
use hub::{Lookup, RepoInfo, Revision, SpaceSdk};

use super::context::Context;
use super::mark::check_mark_again;
use super::new_repo::{NewRepo, create_repo};
use super::options::DeployOptions;
use super::pending_write::{Pending, watch};
use super::plan::Created;
use super::report::AccessChange;

/// The repo and the branch that a deploy goes to.
pub(super) enum Target {
    /// Both existed before.
    Existing(Box<RepoInfo>),
    /// This deploy has created the repo or the branch. `Some` holds what it has given to a new repo.
    Created(Option<Box<NewRepo>>),
    /// A dry run, which creates nothing.
    Missing,
}

impl Target {
    /// Returns the repo that this deploy has created.
    pub(super) fn new_repo(&self) -> Option<&NewRepo> {
        match self {
            Self::Created(Some(new_repo)) => Some(new_repo),
            _ => None,
        }
    }

    /// Returns the files that this deploy has created the repo with.
    pub(super) fn created_files(&self) -> &[Created] {
        self.new_repo().map_or(&[], |new_repo| &new_repo.files)
    }
}

/// Creates the repo and the branch if they are missing.
pub(super) async fn ensure_repo(
    context: &Context<'_>,
    lookup: Lookup,
    sdk: Option<SpaceSdk>,
    source: &Source,
) -> Result<Target> {
    let Context { options, repo, log, .. } = context;
    let DeployOptions { revision, dry_run, .. } = options;
    let mut new_repo = None;
    match lookup {
        Lookup::Found(info) => return Ok(Target::Existing(info)),
        // Refused before a repo is created for it.
        Lookup::NoRepo(_) | Lookup::NoRevision if !can_create_branch(context, revision) => {
            return Err(failure::deploy::no_such_branch(repo, revision));
        }
        Lookup::NoRepo(_) if *dry_run => {
            log_would_create(context);
            return Ok(Target::Missing);
        }
        Lookup::NoRevision if *dry_run => {
            log.info(&format!("the branch `{revision}` does not exist yet: it would be created"));
            return Ok(Target::Missing);
        }
        Lookup::NoRepo(refusal) => {
            let pending = watch(context, Pending::Creation);
            let created = create_repo(context, sdk, source).await;
            pending.settle();
            match created? {
                Some(created) => {
                    if created.is_unanswered {
                        check_mark_again(context).await?;
                    }
                    context.recorder.record(|report| report.created = true);
                    let message = format!("created the {repo}");
                    context.journal.event(
                        "repo_created",
                        message,
                        serde_json::json!({ "repo": repo.page() }),
                    );
                    new_repo = Some(Box::new(created));
                }
                // Another writer created it a moment ago, or it is hidden from this token.
                None => {
                    log.info(&format!("the {repo} exists ({refusal})"));
                    check_mark_again(context).await?;
                }
            }
        }
        Lookup::NoRevision => {}
    }
    if !revision.is_main() {
        context.hub.create_branch(repo, revision).await?;
        log.info(&format!("created the branch `{revision}`"));
    }
    Ok(Target::Created(new_repo))
}

fn log_would_create(context: &Context<'_>) {
    let Context { options, repo, log, .. } = context;
    if context.hub.has_token() {
        context.record_access(Some(options.visibility), AccessChange::WouldCreate);
        let visibility = options.visibility.as_str();
        log.info(&format!("the {repo} does not exist yet: it would be created ({visibility})"));
    } else {
        log.warning(&advice::planned_without_token(repo));
    }
}

fn can_create_branch(context: &Context<'_>, revision: &Revision) -> bool {
    revision.is_main() || !(context.options.create_pr || revision.as_str().starts_with("refs/"))
}
