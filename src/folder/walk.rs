//! The walk through the folder, which collects its files and its problems.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hub::RepoPath;

use super::error::{Error, Problems, Result, refused};
use super::filter::{
    DefaultExcludes, HiddenBy, IGNORE_FILE, PathFilter, is_never_sent, is_own_folder, single_patterns,
};
use super::gitignore::{GIT_IGNORE, GitIgnoreMatch, GitIgnores};
use super::left_out::LeftOut;
use super::limits::{MAX_FILE_BYTES, full_folders};
use super::patterns::UnusedPattern;
use super::root::{find_root, is_whole_checkout};
use super::submodules::empty_submodules;
use super::{FileContent, HashCache, Source, SourceFile, SourceOptions, pointer};
use crate::text::quoted_path;

/// Maximum number of folders behind symbolic links, because links that multiply each other have no end.
const MAX_LINKED_FOLDERS: usize = 10_000;
/// Maximum number of entries behind a link that are searched for one that `include` lets through.
const MAX_LINKED_ENTRIES: usize = 1_000;
/// Maximum number of entries of hidden folders that are searched for matches of unused patterns.
const MAX_HIDDEN_ENTRIES: usize = 20_000;

/// Reads the folder. An error names all problems of one kind. Blocks.
pub fn read(options: &SourceOptions) -> Result<Source> {
    let root = find_root(&options.root, options.workspace.as_deref())?;
    let defaults = if !options.default_excludes {
        DefaultExcludes::Off
    } else if is_whole_checkout(&root, options.workspace.as_deref()) {
        DefaultExcludes::Checkout
    } else {
        DefaultExcludes::Tools
    };
    let mut walk = Walk {
        filter: PathFilter::new(&options.include, &options.exclude, defaults)?,
        git_ignores: GitIgnores::default(),
        unused_patterns: single_patterns(&options.include, &options.exclude),
        cache: options.cache.as_ref(),
        cache_file: options.cache.as_ref().map(|cache| cache.canonical_file()),
        linked: 0,
        hidden_folders: Vec::new(),
        files: Vec::new(),
        left_out: LeftOut::default(),
        problems: Problems::default(),
        root: &root,
    };
    let mut folders = vec![Folder { path: PathBuf::new(), real: root.clone(), entered: Vec::new() }];
    while let Some(folder) = folders.pop() {
        walk.folder(&folder, &mut folders)?;
    }
    walk.search_hidden_folders();
    let Walk { filter, git_ignores, unused_patterns, mut files, mut left_out, mut problems, .. } = walk;
    files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    problems.too_large.extend(full_folders(files.iter().map(|file| file.path.as_str())));
    problems.into_result()?;
    if files.is_empty() {
        let left_out = left_out.by_patterns();
        return Err(Error::NothingLeft { path: root, left_out, unused_patterns });
    }
    let is_hidden = |path: &Path| path.ancestors().any(|folder| filter.hides_entry(folder, true));
    left_out.empty_submodules = empty_submodules(&root);
    left_out.empty_submodules.retain(|path| !is_hidden(path));
    left_out.sort();
    Ok(Source { root, files, filter, git_ignores, left_out, unused_patterns })
}

/// A folder that is walked.
struct Folder {
    /// Path relative to the source, with the names of links.
    path: PathBuf,
    /// Absolute path, with all links resolved.
    real: PathBuf,
    /// Resolved folders whose links lead here.
    entered: Vec<PathBuf>,
}

struct Walk<'a> {
    root: &'a Path,
    filter: PathFilter,
    git_ignores: GitIgnores,
    unused_patterns: Vec<UnusedPattern>,
    cache: Option<&'a Arc<HashCache>>,
    /// File of the cache, which is never sent.
    cache_file: Option<PathBuf>,
    /// Number of folders that were entered through links.
    linked: usize,
    /// Folders that are not walked: the path relative to the source, and the absolute path.
    hidden_folders: Vec<(PathBuf, PathBuf)>,
    files: Vec<SourceFile>,
    left_out: LeftOut,
    problems: Problems,
}

impl Walk<'_> {
    /// Visits each entry of `folder` and adds its folders to `folders`.
    fn folder(&mut self, folder: &Folder, folders: &mut Vec<Folder>) -> Result<()> {
        let entries: io::Result<Vec<DirEntry>> =
            fs::read_dir(&folder.real).and_then(|entries| entries.collect());
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                self.problems.unreadable.push((quoted_path(&folder.path), error));
                return Ok(());
            }
        };
        let has = |name: &str| entries.iter().any(|entry| entry.file_name() == name);
        if has(IGNORE_FILE) {
            self.read_ignore_file(folder)?;
        }
        if has(GIT_IGNORE) {
            self.read_git_ignore(folder);
        }
        for entry in entries {
            let path = folder.path.join(entry.file_name());
            let visited = entry.file_type().and_then(|kind| {
                if kind.is_symlink() {
                    return self.visit_link(&path, &entry, folder, folders);
                }
                if self.leaves_out(&path, &entry.path(), kind.is_dir()) {
                    return Ok(());
                }
                if kind.is_dir() {
                    folders.push(Folder {
                        path: path.clone(),
                        real: entry.path(),
                        entered: folder.entered.clone(),
                    });
                    return Ok(());
                }
                self.visit_file(&path, entry.path(), &entry.metadata()?)
            });
            if let Err(error) = visited {
                self.problems.unreadable.push((quoted_path(&path), error));
            }
        }
        Ok(())
    }

    /// Reports whether the entry `path`, which is at `disk`, is left out, and records the reason.
    ///
    /// Files that are left out are not checked, because their problems do not affect the deploy.
    fn leaves_out(&mut self, path: &Path, disk: &Path, is_folder: bool) -> bool {
        self.unused_patterns.retain(|pattern| !pattern.matches_entry(path, is_folder));
        match self.filter.hidden_by(path, is_folder) {
            Some(HiddenBy::Default) => self.left_out.by_default.push(named(path, is_folder)),
            Some(HiddenBy::Name) if is_own_folder(path) => {}
            Some(HiddenBy::Name | HiddenBy::Pattern) => self.left_out.excluded += 1,
            None if !is_folder && !self.filter.includes(path) => self.left_out.excluded += 1,
            None => {
                let GitIgnoreMatch::Ignored(by) = self.git_ignores.matched_entry(path, is_folder) else {
                    return false;
                };
                if is_cache(by) && self.ignores_itself(by) {
                    self.left_out.caches.insert(named(by, true));
                } else {
                    self.left_out.ignored.push(named(path, is_folder));
                }
            }
        }
        if is_folder && !is_never_sent(path) {
            self.hidden_folders.push((path.to_owned(), disk.to_owned()));
        }
        true
    }

    /// Reports whether the `.gitignore` of `folder` ignores itself, like those that tools write into their caches.
    fn ignores_itself(&self, folder: &Path) -> bool {
        let own = self.git_ignores.matched_entry(&folder.join(GIT_IGNORE), false);
        !folder.as_os_str().is_empty() && own == GitIgnoreMatch::Ignored(folder)
    }

    fn read_ignore_file(&mut self, folder: &Folder) -> Result<()> {
        match fs::read(folder.real.join(IGNORE_FILE)) {
            Ok(content) => self.filter.add_ignore_file(&folder.path, &content)?,
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
            Err(error) => {
                self.problems.unreadable.push((quoted_path(&folder.path.join(IGNORE_FILE)), error));
            }
        }
        Ok(())
    }

    /// Reads the `.gitignore` of `folder`, unless it is left out itself.
    fn read_git_ignore(&mut self, folder: &Folder) {
        let path = folder.path.join(GIT_IGNORE);
        if self.filter.hides_entry(&path, false) || !self.filter.includes(&path) {
            return;
        }
        // An error is ignored, because it is reported when the entry is visited or sent.
        if let Ok(content) = fs::read(folder.real.join(GIT_IGNORE)) {
            self.git_ignores.add(&folder.path, &content);
        }
    }

    /// Adds the file at `disk` as `path`.
    fn visit_file(&mut self, path: &Path, disk: PathBuf, metadata: &Metadata) -> io::Result<()> {
        if !metadata.is_file() {
            self.left_out.special.push(quoted_path(path));
            return Ok(());
        }
        if self.cache_file.as_ref() == Some(&disk) {
            self.left_out.excluded += 1;
            return Ok(());
        }
        let Some(text) = path.to_str() else {
            self.problems.refused_paths.push(refused(path, "is not UTF-8"));
            return Ok(());
        };
        let repo_path = match text.parse::<RepoPath>() {
            Ok(repo_path) => repo_path,
            Err(error) => {
                self.problems.refused_paths.push(refused(path, &error.to_string()));
                return Ok(());
            }
        };
        let size = metadata.len();
        if size > MAX_FILE_BYTES {
            self.problems.too_large.push(format!("{} has {} GB", quoted_path(path), size / 1_000_000_000));
        }
        if pointer::is_pointer_file(&disk, size)? {
            self.problems.lfs_pointers.push(quoted_path(path));
        }
        self.files.push(SourceFile {
            path: repo_path,
            content: FileContent::Disk(disk),
            size,
            cache: self.cache.cloned(),
        });
        Ok(())
    }

    /// Adds the target of the symbolic link `path`, if the target is inside the source.
    ///
    /// The canonical path of the target decides, so that neither a chain of links nor a `..` after one can lead out. A
    /// target that is never sent under its own name is not sent through a link, because `.git/config` may hold the
    /// token of the checkout.
    fn visit_link(
        &mut self,
        path: &Path,
        entry: &DirEntry,
        folder: &Folder,
        folders: &mut Vec<Folder>,
    ) -> io::Result<()> {
        let disk = entry.path();
        let target = fs::canonicalize(&disk);
        // `data/` in a list also matches a link to a folder, although git takes a link for a file.
        let is_folder = target.as_ref().is_ok_and(|target| target.is_dir());
        if self.leaves_out(path, &disk, is_folder)
            || (is_folder && !self.may_have_included_files(path, &disk))
        {
            return Ok(());
        }
        let target = match target {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(error) => {
                let reason = match error.kind() {
                    io::ErrorKind::NotFound => "leads to nothing".to_owned(),
                    _ => format!("cannot be followed ({error})"),
                };
                self.problems.links.push(format!("{} {reason}", quoted_path(path)));
                return Ok(());
            }
        };
        let Ok(inside) = target.strip_prefix(self.root) else {
            self.problems.links.push(format!(
                "{} leads out of the source folder, to {}",
                quoted_path(path),
                quoted_path(&target)
            ));
            return Ok(());
        };
        if is_never_sent(inside) {
            self.problems.links.push(format!("{} leads into {}", quoted_path(path), quoted_path(inside)));
            return Ok(());
        }
        if !is_folder {
            let metadata = fs::metadata(&target)?;
            return self.visit_file(path, target, &metadata);
        }
        if folder.entered.iter().chain([&folder.real]).any(|above| above.starts_with(&target)) {
            self.problems.links.push(format!(
                "{} leads to {}, in which it lies",
                quoted_path(path),
                quoted_path(inside)
            ));
            return Ok(());
        }
        self.linked += 1;
        if self.linked > MAX_LINKED_FOLDERS {
            self.problems
                .links
                .push(format!("{} is one of more than {MAX_LINKED_FOLDERS} to folders", quoted_path(path)));
            folders.clear();
            return Ok(());
        }
        let entered = folder.entered.iter().chain([&folder.real]).cloned().collect();
        folders.push(Folder { path: path.to_owned(), real: target, entered });
        Ok(())
    }

    /// Reports whether `include` lets through a file of the folder that a link leads to. Returns true for a folder that
    /// is too large to search.
    fn may_have_included_files(&self, path: &Path, disk: &Path) -> bool {
        let mut left = MAX_LINKED_ENTRIES;
        let mut folders = vec![(path.to_owned(), disk.to_owned())];
        while let Some((path, disk)) = folders.pop().filter(|_| self.filter.has_include()) {
            for entry in fs::read_dir(disk).into_iter().flatten().flatten() {
                let path = path.join(entry.file_name());
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                if left == 0 || (is_file && self.filter.includes(&path)) {
                    return true;
                }
                left -= 1;
                if !is_file {
                    folders.push((path, entry.path()));
                }
            }
        }
        !self.filter.has_include()
    }

    /// Drops the unused patterns that match in a hidden folder, because they are no mistake.
    fn search_hidden_folders(&mut self) {
        let mut left = MAX_HIDDEN_ENTRIES;
        while let Some((path, disk)) = self.hidden_folders.pop().filter(|_| !self.unused_patterns.is_empty())
        {
            for entry in fs::read_dir(disk).into_iter().flatten().flatten() {
                if left == 0 {
                    return self.unused_patterns.clear();
                }
                left -= 1;
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let path = path.join(entry.file_name());
                self.unused_patterns.retain(|pattern| !pattern.matches_entry(&path, is_folder));
                if is_folder {
                    self.hidden_folders.push((path, entry.path()));
                }
            }
        }
    }
}

/// Returns a path as the plan shows it: a folder ends in a slash.
fn named(path: &Path, is_folder: bool) -> String {
    let text = path.to_string_lossy();
    if is_folder { format!("{text}/") } else { text.into_owned() }
}

/// Returns true for a folder in which a tool keeps its own files, such as `.pytest_cache` or `venv`.
///
/// The name decides, because the `.gitignore` of a build may ignore itself as well, like that of wasm-pack in `pkg/`.
fn is_cache(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    name == "venv" || name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests;
