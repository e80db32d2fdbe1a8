//! Objections to a plan before it is carried out: deletions that are probably not meant.

use std::collections::HashSet;

use super::app_file::AppFile;
use super::context::Context;
use super::make_plan::Planned;
use super::plan::Action;
use crate::failure::deploy_log as advice;
use crate::failure::folder::unused_pattern_warning;
use crate::failure::{self, Result};
use crate::folder::{Source, UnusedPattern};
use crate::text::count;
use hub::RepoInfo;

/// Number of deleted files that is suspicious, if they are half of the repo.
const MANY_DELETES: usize = 10;

/// Refuses a plan that takes an app down, or that deletes more than is allowed. Warns about what looks like it.
pub(super) async fn check_plan(
    context: &Context<'_>,
    planned: &Planned,
    source: &Source,
    info: &RepoInfo,
    app_file: Option<&AppFile>,
) -> Result<()> {
    check_deletions(context, planned)?;
    let Some(app) = app_file.filter(|_| context.options.affects_live_branch()) else { return Ok(()) };
    let plan = &planned.plan;
    match plan.changes.iter().find(|change| change.path.as_str() == app.path).map(|change| change.action) {
        Some(Action::Add | Action::Update) => return Ok(()),
        Some(Action::Delete) => return Err(app.deleted(context, source)),
        None => {}
    }
    // Several steps may each deploy a folder of one Space.
    let is_whole_repo = context.options.path_in_repo.is_none();
    if is_whole_repo && !is_on_hub(context, &app.path, planned, info).await? {
        return Err(app.absent(context, source));
    }
    Ok(())
}

/// Returns true if a file that no change names is on the Hub.
async fn is_on_hub(context: &Context<'_>, path: &str, planned: &Planned, info: &RepoInfo) -> Result<bool> {
    if let Some(there) = &planned.there {
        return Ok(there.iter().any(|other| other == path));
    }
    if info.siblings.iter().flatten().any(|sibling| sibling.rfilename == path) {
        return Ok(true);
    }
    let Some(sha) = &info.sha else { return Ok(false) };
    Ok(context.hub.oids_of(&context.repo, sha, &[path]).await?.contains_key(path))
}

fn check_deletions(context: &Context<'_>, planned: &Planned) -> Result<()> {
    let Context { options, repo, log, .. } = context;
    let (lost, there) = (planned.lost, planned.there.as_ref().map_or(0, Vec::len));
    let place = match &options.path_in_repo {
        Some(folder) => format!("in `{folder}` of the {repo}"),
        None => format!("of the {repo}"),
    };
    let deletes = if options.dry_run { "would delete" } else { "deletes" };
    let moved = planned.plan.count(Action::Delete).saturating_sub(lost);
    let moved = if moved > 0 { format!(" ({moved} more only get another name)") } else { String::new() };
    let summary = format!("this deploy {deletes} {lost} of the {} {place}{moved}", count(there, "file"));
    if let Some(limit) = options.max_deletes.filter(|limit| !limit.allows(lost, there)) {
        return Err(failure::deploy::too_many_deletes(&summary, &limit));
    }
    if lost >= MANY_DELETES && lost * 2 >= there {
        log.warning(&advice::many_deletes(&summary));
    }
    Ok(())
}

/// Warns about patterns that match nothing, neither in the folder nor on the Hub.
pub(super) fn warn_about_unused_patterns(
    context: &Context<'_>,
    unused: &[UnusedPattern],
    there: Option<&[String]>,
) {
    let folder = context.options.path_in_repo.as_ref();
    let folder = folder.map(|folder| format!("{folder}/")).unwrap_or_default();
    let there: HashSet<&str> =
        there.into_iter().flatten().filter_map(|path| path.strip_prefix(&folder)).collect();
    for pattern in unused.iter().filter(|pattern| !there.iter().any(|path| pattern.matches(path))) {
        context.log.warning(&unused_pattern_warning(pattern));
    }
}
