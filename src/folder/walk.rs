//! The walk through the source folder, and everything that can be wrong with it.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::faults::{Faults, MAX_FILE_BYTES, bad_path, full_folders, shown};
use super::gitignore::{GIT_IGNORE, GitIgnores, Verdict};
use super::patterns::IdlePattern;
use super::root::{find_root, is_whole_checkout, nothing_to_deploy};
use super::rules::{Defaults, HiddenBy, IGNORE_FILE, idle_patterns, never_travels};
use super::seen::Seen;
use super::submodules::submodule_warning;
use super::{Content, HashCache, Rules, Source, SourceFile, SourceOptions, pointer};
use crate::failure::Result;
use crate::target::RepoPath;

/// Folders that are entered by way of links: links that multiply each other have no end.
const MAX_LINKED_FOLDERS: usize = 10_000;
/// Entries behind a link that are looked at for those that `include` lets through.
const MAX_LINKED_ENTRIES: usize = 1_000;
/// Entries of hidden folders that are looked at for patterns which match nothing else.
const MAX_HIDDEN_ENTRIES: usize = 20_000;

pub(super) fn read(options: &SourceOptions) -> Result<Source> {
    let root = find_root(&options.root, options.workspace.as_deref())?;
    let defaults = match options.default_excludes {
        false => Defaults::Off,
        true if is_whole_checkout(&root, options.workspace.as_deref()) => Defaults::Checkout,
        true => Defaults::Tools,
    };
    let rules = Rules::new(&options.include, &options.exclude, defaults)?;
    let mut walk = Walk {
        rules,
        git_ignores: GitIgnores::default(),
        idle: idle_patterns(&options.include, &options.exclude),
        cache: options.cache.as_ref(),
        own: options.cache.as_ref().map(|cache| cache.place()),
        linked: 0,
        hidden_folders: Vec::new(),
        seen: Seen::default(),
        faults: Faults::default(),
        root: &root,
    };
    let mut folders = vec![Folder { path: PathBuf::new(), real: root.clone(), entered: Vec::new() }];
    while let Some(folder) = folders.pop() {
        walk.folder(&folder, &mut folders)?;
    }
    walk.look_into_hidden_folders();
    let Walk { rules, git_ignores, idle, mut seen, mut faults, .. } = walk;
    seen.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    faults.too_large.extend(full_folders(&seen.files));
    faults.into_result()?;
    if seen.files.is_empty() {
        let failure = nothing_to_deploy(&root, seen.hidden());
        return Err(idle.iter().fold(failure, |failure, pattern| failure.hint(pattern.warning())));
    }
    let notes = seen.notes();
    let mut warnings = seen.warnings();
    warnings.extend(submodule_warning(&root, &rules));
    seen.ignored.sort_unstable();
    Ok(Source { root, files: seen.files, rules, git_ignores, ignored: seen.ignored, idle, notes, warnings })
}

/// A folder to look into.
struct Folder {
    /// Relative to the source, by whichever links.
    path: PathBuf,
    /// Absolute, without links.
    real: PathBuf,
    /// The real folders whose links lead here.
    entered: Vec<PathBuf>,
}

struct Walk<'a> {
    root: &'a Path,
    rules: Rules,
    git_ignores: GitIgnores,
    /// The patterns that have matched nothing so far.
    idle: Vec<IdlePattern>,
    cache: Option<&'a Arc<HashCache>>,
    /// The file that the cache lives in, which never travels.
    own: Option<PathBuf>,
    linked: usize,
    /// Folders that are not walked: relative to the source, and on the disk.
    hidden_folders: Vec<(PathBuf, PathBuf)>,
    seen: Seen,
    faults: Faults,
}

impl Walk<'_> {
    /// Looks at each entry of `folder` and adds the folders in it to `folders`.
    fn folder(&mut self, folder: &Folder, folders: &mut Vec<Folder>) -> Result<()> {
        let entries: io::Result<Vec<DirEntry>> =
            fs::read_dir(&folder.real).and_then(|entries| entries.collect());
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                self.faults.unreadable.push((shown(&folder.path), error));
                return Ok(());
            }
        };
        let has = |name: &str| entries.iter().any(|entry| entry.file_name() == name);
        if has(IGNORE_FILE) {
            self.ignore_file(folder)?;
        }
        if has(GIT_IGNORE) {
            self.git_ignore(folder);
        }
        for entry in entries {
            let path = folder.path.join(entry.file_name());
            let looked_at = entry.file_type().and_then(|kind| {
                if kind.is_symlink() {
                    return self.link(&path, &entry, folder, folders);
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
                self.file(&path, entry.path(), &entry.metadata()?)
            });
            if let Err(error) = looked_at {
                self.faults.unreadable.push((shown(&path), error));
            }
        }
        Ok(())
    }

    /// Reports whether a rule leaves out the entry `path`, which lies at `disk`, and notes which one.
    ///
    /// Files that are left out are not checked, because their faults do not matter to this deploy.
    fn leaves_out(&mut self, path: &Path, disk: &Path, is_folder: bool) -> bool {
        self.idle.retain(|pattern| !pattern.matches_entry(path, is_folder));
        match self.rules.hidden_by(path, is_folder) {
            Some(HiddenBy::Default) => self.seen.defaults.push(named(path, is_folder)),
            Some(HiddenBy::Nature | HiddenBy::Pattern) => self.seen.excluded += 1,
            None if !is_folder && !self.rules.includes(path) => self.seen.excluded += 1,
            None => {
                let Verdict::Ignored(by) = self.git_ignores.judge_entry(path, is_folder) else {
                    return false;
                };
                if is_cache(by) && self.ignores_itself(by) {
                    self.seen.caches.insert(named(by, true));
                } else {
                    self.seen.ignored.push(named(path, is_folder));
                }
            }
        }
        if is_folder && !never_travels(path) {
            self.hidden_folders.push((path.to_owned(), disk.to_owned()));
        }
        true
    }

    /// Reports whether the `.gitignore` of `folder` leaves out itself, as the tools write it that fill caches.
    fn ignores_itself(&self, folder: &Path) -> bool {
        let own = self.git_ignores.judge_entry(&folder.join(GIT_IGNORE), false);
        !folder.as_os_str().is_empty() && own == Verdict::Ignored(folder)
    }

    fn ignore_file(&mut self, folder: &Folder) -> Result<()> {
        match fs::read(folder.real.join(IGNORE_FILE)) {
            Ok(content) => self.rules.add_ignore_file(&folder.path, &content)?,
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
            Err(error) => self.faults.unreadable.push((shown(&folder.path.join(IGNORE_FILE)), error)),
        }
        Ok(())
    }

    /// Takes the `.gitignore` of `folder` into account, unless it is left out itself.
    fn git_ignore(&mut self, folder: &Folder) {
        let path = folder.path.join(GIT_IGNORE);
        if self.rules.hides_entry(&path, false) || !self.rules.includes(&path) {
            return;
        }
        // A file that cannot be read is reported by the look at the entry, or when it is sent.
        if let Ok(content) = fs::read(folder.real.join(GIT_IGNORE)) {
            self.git_ignores.add(&folder.path, &content);
        }
    }

    /// Takes the file at `disk` as `path`.
    fn file(&mut self, path: &Path, disk: PathBuf, metadata: &Metadata) -> io::Result<()> {
        if !metadata.is_file() {
            self.seen.special.push(shown(path));
            return Ok(());
        }
        if self.own.as_ref() == Some(&disk) {
            self.seen.excluded += 1;
            return Ok(());
        }
        let Some(text) = path.to_str() else {
            self.faults.names.push(bad_path(path, "is not UTF-8"));
            return Ok(());
        };
        let repo_path = match text.parse::<RepoPath>() {
            Ok(repo_path) => repo_path,
            Err(error) => {
                self.faults.names.push(bad_path(path, &error.to_string()));
                return Ok(());
            }
        };
        let size = metadata.len();
        if size > MAX_FILE_BYTES {
            self.faults.too_large.push(format!("{} has {} GB", shown(path), size / 1_000_000_000));
        }
        if pointer::is_pointer_file(&disk, size)? {
            self.faults.pointers.push(shown(path));
        }
        self.seen.files.push(SourceFile {
            path: repo_path,
            content: Content::Disk(disk),
            size,
            cache: self.cache.cloned(),
        });
        Ok(())
    }

    /// Takes what the symbolic link `path` leads to, if that is inside the source.
    ///
    /// The target is judged by its canonical path, so a chain of links, or a `..` behind one, cannot lead
    /// out. What never travels by its own name does not travel by another one either: `.git/config` may
    /// hold the token of the checkout.
    fn link(
        &mut self,
        path: &Path,
        entry: &DirEntry,
        folder: &Folder,
        folders: &mut Vec<Folder>,
    ) -> io::Result<()> {
        let disk = entry.path();
        let target = fs::canonicalize(&disk);
        // `data/` in a list means a link to a folder too, though git takes a link for a file.
        let is_folder = target.as_ref().is_ok_and(|target| target.is_dir());
        if self.leaves_out(path, &disk, is_folder) || (is_folder && !self.may_bring(path, &disk)) {
            return Ok(());
        }
        let target = match target {
            Ok(target) => target,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            Err(error) => {
                let why = match error.kind() {
                    io::ErrorKind::NotFound => "leads to nothing".to_owned(),
                    _ => format!("cannot be followed ({error})"),
                };
                self.faults.links.push(format!("{} {why}", shown(path)));
                return Ok(());
            }
        };
        let Ok(inside) = target.strip_prefix(self.root) else {
            self.faults.links.push(format!(
                "{} leads out of the source folder, to {}",
                shown(path),
                shown(&target)
            ));
            return Ok(());
        };
        if never_travels(inside) {
            self.faults.links.push(format!("{} leads into {}", shown(path), shown(inside)));
            return Ok(());
        }
        if !is_folder {
            let metadata = fs::metadata(&target)?;
            return self.file(path, target, &metadata);
        }
        if folder.entered.iter().chain([&folder.real]).any(|above| above.starts_with(&target)) {
            self.faults.links.push(format!("{} leads to {}, in which it lies", shown(path), shown(inside)));
            return Ok(());
        }
        self.linked += 1;
        if self.linked > MAX_LINKED_FOLDERS {
            self.faults
                .links
                .push(format!("{} is one of more than {MAX_LINKED_FOLDERS} to folders", shown(path)));
            folders.clear();
            return Ok(());
        }
        let entered = folder.entered.iter().chain([&folder.real]).cloned().collect();
        folders.push(Folder { path: path.to_owned(), real: target, entered });
        Ok(())
    }

    /// Reports whether `include` lets through anything of the folder that a link leads to, as far as a look tells.
    fn may_bring(&self, path: &Path, disk: &Path) -> bool {
        let mut left = MAX_LINKED_ENTRIES;
        let mut folders = vec![(path.to_owned(), disk.to_owned())];
        while let Some((path, disk)) = folders.pop().filter(|_| self.rules.narrows()) {
            for entry in fs::read_dir(disk).into_iter().flatten().flatten() {
                let path = path.join(entry.file_name());
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                if left == 0 || (is_file && self.rules.includes(&path)) {
                    return true;
                }
                left -= 1;
                if !is_file {
                    folders.push((path, entry.path()));
                }
            }
        }
        !self.rules.narrows()
    }

    /// Spares the patterns that match in a folder which another rule hides: they are no mistake.
    fn look_into_hidden_folders(&mut self) {
        let mut left = MAX_HIDDEN_ENTRIES;
        while let Some((path, disk)) = self.hidden_folders.pop().filter(|_| !self.idle.is_empty()) {
            for entry in fs::read_dir(disk).into_iter().flatten().flatten() {
                if left == 0 {
                    return self.idle.clear();
                }
                left -= 1;
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let path = path.join(entry.file_name());
                self.idle.retain(|pattern| !pattern.matches_entry(&path, is_folder));
                if is_folder {
                    self.hidden_folders.push((path, entry.path()));
                }
            }
        }
    }
}

/// A path as the plan shows it: a folder ends in a slash.
fn named(path: &Path, is_folder: bool) -> String {
    let text = path.to_string_lossy();
    if is_folder { format!("{text}/") } else { text.into_owned() }
}

/// Returns true for a folder by whose name a tool keeps files of its own, such as `.pytest_cache` or `venv`. The
/// `.gitignore` of a build may leave out itself as well, as that of wasm-pack in `pkg/`.
fn is_cache(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    name == "venv" || name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests;
