//! The files of the repo that a deploy may delete, and those that it keeps.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::context::Context;
use super::options::Prune;
use super::plan_base::{GIT_ATTRIBUTES, PlanBase};
use crate::failure::Result;
use crate::folder::Source;
use crate::folder::gitignore::{GIT_IGNORE, GitIgnoreMatch, GitIgnores};
use hub::{RemoteFile, RepoInfo, RepoPath, RepoType};

/// Number of `.gitignore` files that are read at once.
const READS: usize = 4;

/// Files of the repo, or of the folder that is deployed into.
pub(super) struct Listed {
    /// All paths.
    pub(super) paths: Vec<String>,
    /// Files that this deploy may change or delete.
    pub(super) ours: Vec<RemoteFile>,
    /// Files that only the Hub has, and that a `.gitignore` protects.
    pub(super) kept: Vec<String>,
    /// The `.gitignore` files in force, by their place in the repo.
    pub(super) git_ignores: GitIgnores,
}

/// Lists the files that this deploy may delete: `None` if it deletes nothing.
pub(super) async fn list_files(
    context: &Context<'_>,
    source: &Source,
    base: &PlanBase<'_>,
) -> Result<Option<Listed>> {
    let info = base.info;
    if !context.options.prunes() {
        return Ok(None);
    }
    let folder = context.options.path_in_repo.as_ref();
    let files = match (&info.siblings, &info.sha) {
        // A repo that was created a moment ago is small, so its description names all files.
        (Some(siblings), _) if base.is_new => {
            siblings.iter().map(|sibling| RemoteFile::named(&sibling.rfilename)).collect()
        }
        (_, Some(sha)) => context.hub.list_files(&context.repo, sha, folder).await?,
        _ => Vec::new(),
    };
    let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    // A Space keeps its card if the folder brings none, because the card names the SDK.
    let keeps_readme = context.options.repo_type == RepoType::Space && source.get("README.md").is_none();
    let local: HashSet<&str> = source.files.iter().map(|file| file.path.as_str()).collect();
    let is_ours = |file: &RemoteFile| {
        let Ok(path) = file.path.parse::<RepoPath>() else { return false };
        let Some(relative) = path.below(folder) else { return false };
        file.path != GIT_ATTRIBUTES
            && !(keeps_readme && file.path == "README.md")
            // A generated file is ours although `include` does not name it.
            && (!source.filter.hides(relative) || local.contains(relative))
            && may_prune(context.options.prune, relative)
    };
    let is_local = |file: &RemoteFile| {
        let path: Option<RepoPath> = file.path.parse().ok();
        path.and_then(|path| path.below(folder).map(|relative| local.contains(relative))).unwrap_or(false)
    };
    let only_there = |file: &RemoteFile| is_ours(file) && !is_local(file);
    let git_ignores = if files.iter().any(only_there) {
        git_ignores(context, source, info, &paths).await?
    } else {
        source.git_ignores.within(folder)
    };
    let mut kept = Vec::new();
    let mut deciding: HashSet<&Path> = HashSet::new();
    let mut ours = Vec::new();
    for file in files.into_iter().filter(|file| is_ours(file)) {
        match git_ignores.matched(&file.path) {
            GitIgnoreMatch::Ignored(by) if !is_local(&file) => {
                deciding.insert(by);
                kept.push(file.path);
            }
            _ => ours.push(file),
        }
    }
    // Without the `.gitignore` that keeps them, the next deploy would delete these files.
    ours.retain(|file| {
        is_local(file) || !folder_of_ignore(&file.path).is_some_and(|it| deciding.contains(it))
    });
    Ok(Some(Listed { paths, ours, kept, git_ignores }))
}

/// Returns true if the options allow the deletion of a file.
fn may_prune(prune: Prune, path: &str) -> bool {
    match prune {
        Prune::Named(names) => names.contains(&path),
        Prune::Auto | Prune::Always | Prune::Never => true,
    }
}

/// Returns the `.gitignore` files in force: those of the source, and those of the repo in other folders.
async fn git_ignores(
    context: &Context<'_>,
    source: &Source,
    info: &RepoInfo,
    paths: &[String],
) -> Result<GitIgnores> {
    let folder = context.options.path_in_repo.as_ref();
    let mut in_force = source.git_ignores.within(folder);
    let Some(sha) = &info.sha else { return Ok(in_force) };
    let above = folder.into_iter().flat_map(|folder| Path::new(folder.as_str()).ancestors().skip(1));
    let below = paths.iter().filter_map(|path| folder_of_ignore(path));
    let missing: Vec<PathBuf> =
        above.chain(below).filter(|folder| !in_force.has(folder)).map(Path::to_owned).collect();
    let read = |folder: PathBuf| async move {
        let path = folder.join(GIT_IGNORE);
        let content = context.hub.read_small_file(&context.repo, sha, &path.to_string_lossy()).await?;
        Ok::<_, crate::failure::Failure>((folder, content))
    };
    let found: Vec<_> = stream::iter(missing).map(read).buffered(READS).try_collect().await?;
    for (folder, content) in found {
        if let Some(content) = content {
            in_force.add(&folder, &content);
        }
    }
    Ok(in_force)
}

/// Returns the folder of a `.gitignore` file.
fn folder_of_ignore(path: &str) -> Option<&Path> {
    let path = Path::new(path);
    path.file_name().filter(|name| *name == GIT_IGNORE)?;
    path.parent()
}
