//! The files of the repo that this deploy may delete, and those that it leaves alone.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt, TryStreamExt, stream};
use hub::{RemoteFile, RepoInfo, RepoPath, RepoType};

use super::{Deploy, remote::GIT_ATTRIBUTES};
use crate::failure::Result;
use crate::folder::Source;
use crate::folder::gitignore::{GIT_IGNORE, GitIgnoreMatch, GitIgnores};

/// `.gitignore` files of the repo that are read at once.
const READS: usize = 4;

/// The files of the repo, or of the folder of it that is deployed into.
pub(super) struct Listed {
    /// Every one of them, by name.
    pub(super) paths: Vec<String>,
    /// Those that this deploy may change or delete.
    pub(super) ours: Vec<RemoteFile>,
    /// Those that only the Hub has, and that a `.gitignore` keeps from being deleted.
    pub(super) kept: Vec<String>,
    /// The `.gitignore` files in force, by their place in the repo.
    pub(super) git_ignores: GitIgnores,
}

impl Deploy<'_> {
    /// Lists what this deploy may delete: `None` when it deletes nothing.
    pub(super) async fn list(&self, source: &Source, info: &RepoInfo, fresh: bool) -> Result<Option<Listed>> {
        if !self.options.prunes() {
            return Ok(None);
        }
        let folder = self.options.path_in_repo.as_ref();
        let files = match (&info.siblings, &info.sha) {
            // A repo that was created a moment ago is small: its description names all there is.
            (Some(siblings), _) if fresh => {
                siblings.iter().map(|sibling| RemoteFile::named(&sibling.rfilename)).collect()
            }
            (_, Some(sha)) => self.hub.list_files(&self.repo, sha, folder).await?,
            _ => Vec::new(),
        };
        let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
        // A Space keeps its card when the folder brings none: without it, it has no SDK.
        let keeps_readme = self.options.repo_type == RepoType::Space && source.get("README.md").is_none();
        let is_ours = |file: &RemoteFile| {
            let Ok(path) = file.path.parse::<RepoPath>() else { return false };
            let Some(relative) = path.below(folder) else { return false };
            file.path != GIT_ATTRIBUTES
                && !(keeps_readme && file.path == "README.md")
                && !source.filter.hides(relative)
        };
        let local: HashSet<&str> = source.files.iter().map(|file| file.path.as_str()).collect();
        let is_local = |file: &RemoteFile| {
            let path: Option<RepoPath> = file.path.parse().ok();
            path.and_then(|path| path.below(folder).map(|relative| local.contains(relative))).unwrap_or(false)
        };
        let only_there = |file: &RemoteFile| is_ours(file) && !is_local(file);
        let git_ignores = match files.iter().any(only_there) {
            true => self.git_ignores(source, info, &paths).await?,
            false => source.git_ignores.within(folder),
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

    /// The `.gitignore` files in force: those of the source, and those of the repo in whose place it has none.
    async fn git_ignores(&self, source: &Source, info: &RepoInfo, paths: &[String]) -> Result<GitIgnores> {
        let folder = self.options.path_in_repo.as_ref();
        let mut in_force = source.git_ignores.within(folder);
        let Some(sha) = &info.sha else { return Ok(in_force) };
        let above = folder.into_iter().flat_map(|folder| Path::new(folder.as_str()).ancestors().skip(1));
        let below = paths.iter().filter_map(|path| folder_of_ignore(path));
        let missing: Vec<PathBuf> =
            above.chain(below).filter(|folder| !in_force.has(folder)).map(Path::to_owned).collect();
        let read = |folder: PathBuf| async move {
            let path = folder.join(GIT_IGNORE);
            let content = self.hub.read_small_file(&self.repo, sha, &path.to_string_lossy()).await?;
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
}

/// The folder whose `.gitignore` this is.
fn folder_of_ignore(path: &str) -> Option<&Path> {
    let path = Path::new(path);
    path.file_name().filter(|name| *name == GIT_IGNORE)?;
    path.parent()
}
