//! The state that a plan is made for, and the place of each file in the repo.

use crate::failure::{self, Code, Result};
use crate::folder::{Source, SourceFile};
use hub::{ParseError, RepoInfo, RepoPath, Revision};

use super::context::Context;
use super::large_names::is_surely_large;
use super::plan::{self, Candidate, Plan, Pruning};

/// The Hub's own file, which says which files are large. It is never pruned.
pub(super) const GIT_ATTRIBUTES: &str = ".gitattributes";

/// State of the repo that a plan is made for.
#[derive(Clone, Copy)]
pub(super) struct PlanBase<'a> {
    pub(super) revision: &'a Revision,
    pub(super) info: &'a RepoInfo,
    /// This deploy has created the repo or the branch a moment ago.
    pub(super) is_new: bool,
}

/// Returns each file of the source with its path in the repo.
pub(super) fn files_in_repo<'s>(
    context: &Context<'_>,
    source: &'s Source,
) -> Result<Vec<(RepoPath, &'s SourceFile)>> {
    let paths = repo_paths(source, context.options.path_in_repo.as_ref())?;
    Ok(paths.into_iter().zip(&source.files).collect())
}

/// Returns the path in the repo of each file of the source.
pub(super) fn repo_paths(source: &Source, folder: Option<&RepoPath>) -> Result<Vec<RepoPath>> {
    let paths: Result<Vec<RepoPath>, ParseError> =
        source.files.iter().map(|file| file.path.within(folder)).collect();
    paths.map_err(|error| failure::deploy::path_refused(&error))
}

/// Returns the plan of a dry run against a repo that does not exist.
pub(super) fn plan_for_nothing(source: &Source, folder: Option<&RepoPath>) -> Result<Plan> {
    let candidates: Vec<Candidate> = repo_paths(source, folder)?
        .into_iter()
        .zip(&source.files)
        .map(|(path, file)| Candidate {
            size: file.size,
            large: is_surely_large(&path, file.size),
            path,
            ignored: false,
            remote: None,
            local: None,
        })
        .collect();
    let mut plan = plan::plan(&candidates, &Pruning::Off);
    plan.ignored.extend(source.left_out.ignored.iter().cloned());
    Ok(plan)
}

/// Returns true if the token has no right to the object.
pub(super) fn is_missing_right(code: Code) -> bool {
    matches!(code, Code::TokenInvalid | Code::PermissionDenied)
}
