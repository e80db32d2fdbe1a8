//! Folder into which files are downloaded. Nothing is written outside of it.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};

use super::types::disk_error;
use crate::error::{Cause, Error, PathFault};

/// Folder of unfinished downloads, below the target folder.
pub(super) const UNFINISHED: &str = ".hf-deploy-download";
/// Maximum length of one name in bytes, on all usual file systems.
const MAX_NAME: usize = 255;
/// Maximum length of a path in bytes, which leaves room for the folder above.
const MAX_LENGTH: usize = 3000;

/// Folder into which files are downloaded. It is on the disk, and no part of its path below the base was a symbolic link
/// when it was made.
#[derive(Debug, Clone)]
pub struct TargetFolder {
    root: PathBuf,
}

impl TargetFolder {
    /// Creates the folder `path` below the folder `base`, or takes the one that is there. `base` itself may be reached
    /// through links, and `path` may not.
    ///
    /// # Errors
    ///
    /// [`Cause::UnsafePath`] if the path leads through a link or leaves `base`, [`Cause::Disk`] if it cannot be created.
    pub fn create(base: &Path, path: &str) -> Result<Self, Error> {
        let operation = format!("create the folder `{path}`");
        let refused = |fault| Error::new(&operation, Cause::UnsafePath(fault));
        check_parts(path).map_err(refused)?;
        let base = fs::canonicalize(base).map_err(|error| disk_error(&operation, error))?;
        match make_folders(&base, path) {
            Ok(root) => Ok(Self { root }),
            Err(Unmade::Fault(fault)) => Err(refused(fault)),
            Err(Unmade::Io(error)) => Err(disk_error(&operation, error)),
        }
    }

    /// Takes a folder that is there, and that may be reached through links.
    ///
    /// # Errors
    ///
    /// [`Cause::Disk`] if there is no such folder.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let operation = format!("open the folder `{}`", folder.display());
        let root = fs::canonicalize(folder).map_err(|error| disk_error(&operation, error))?;
        if !root.is_dir() {
            return Err(disk_error(&operation, io::ErrorKind::NotADirectory.into()));
        }
        Ok(Self { root })
    }

    /// Returns the absolute path of the folder.
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Checks that a path names a file below this folder, without a look at the disk.
    pub fn check(&self, path: &str) -> Result<(), PathFault> {
        check_parts(path)?;
        if path.split('/').next() == Some(UNFINISHED) {
            return Err(PathFault::Taken);
        }
        Ok(())
    }

    /// Returns the place of a file without creating anything. Fails if a link is on the way, or the place is a folder.
    pub(super) fn place(&self, path: &str) -> Result<PathBuf, Unmade> {
        let mut place = self.root.clone();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            place.push(part);
            let is_last = parts.peek().is_none();
            match fs::symlink_metadata(&place) {
                Ok(found) if found.is_symlink() => {
                    return Err(Unmade::Fault(PathFault::Link(part.to_owned())));
                }
                Ok(found) if found.is_dir() == is_last => return Err(both(part)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Unmade::Io(error)),
            }
        }
        Ok(place)
    }

    /// Creates the folders above a file, and returns its place.
    pub(super) fn make_place(&self, path: &str) -> Result<PathBuf, Unmade> {
        if let Some((folder, _)) = path.rsplit_once('/') {
            make_folders(&self.root, folder)?;
        }
        self.place(path)
    }

    /// Returns the place of an unfinished download.
    pub(super) fn make_unfinished(&self, name: &str) -> Result<PathBuf, Unmade> {
        Ok(make_folders(&self.root, UNFINISHED)?.join(name))
    }

    /// Removes the folder of unfinished downloads, if it is empty.
    pub(super) fn remove_unfinished_folder(&self) {
        let _ = fs::remove_dir(self.root.join(UNFINISHED));
    }
}

/// Reason why a place was not made.
#[derive(Debug)]
pub(super) enum Unmade {
    Fault(PathFault),
    Io(io::Error),
}

fn both(part: &str) -> Unmade {
    Unmade::Fault(PathFault::FileAndFolder(part.to_owned()))
}

/// Creates the folder `path` below `root` part by part, and enters no link.
fn make_folders(root: &Path, path: &str) -> Result<PathBuf, Unmade> {
    let mut place = root.to_owned();
    for part in path.split('/') {
        place.push(part);
        // The look comes after the attempt, so that another process cannot put a link there in between.
        match fs::create_dir(&place) {
            Ok(()) => {
                keep_owner(&place);
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Unmade::Io(error)),
        }
        let found = fs::symlink_metadata(&place).map_err(Unmade::Io)?;
        if found.is_symlink() {
            return Err(Unmade::Fault(PathFault::Link(part.to_owned())));
        }
        if !found.is_dir() {
            return Err(both(part));
        }
    }
    Ok(place)
}

/// Gives a new folder the owner of the folder above. A container runs as root, and the user of a checkout could not delete
/// the files otherwise.
fn keep_owner(folder: &Path) {
    let owner = |path: &Path| fs::symlink_metadata(path).ok().map(|found| (found.uid(), found.gid()));
    let (Some(own), Some(above)) = (owner(folder), folder.parent().and_then(owner)) else { return };
    if own != above {
        // Only root may do this, and all others have no need of it.
        let _ = lchown(folder, Some(above.0), Some(above.1));
    }
}

fn check_parts(path: &str) -> Result<(), PathFault> {
    if path.starts_with('/') {
        return Err(PathFault::Absolute);
    }
    // A backslash is a separator for other systems, and a control character confuses logs and shells.
    if let Some(bad) = path.chars().find(|c| *c == '\\' || c.is_control()) {
        return Err(PathFault::Character(bad));
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(PathFault::Parts);
    }
    if path.len() > MAX_LENGTH || path.split('/').any(|part| part.len() > MAX_NAME) {
        return Err(PathFault::TooLong);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    fn target() -> (tempfile::TempDir, TargetFolder) {
        let base = tempfile::tempdir().unwrap();
        let target = TargetFolder::create(base.path(), "a/b").unwrap();
        (base, target)
    }

    #[test]
    fn hostile_paths_are_refused() {
        let (_base, target) = target();
        let long = "x".repeat(256);
        for (path, fault) in [
            ("", PathFault::Parts),
            ("/etc/passwd", PathFault::Absolute),
            ("../x", PathFault::Parts),
            ("a/../../x", PathFault::Parts),
            ("a//b", PathFault::Parts),
            ("a/", PathFault::Parts),
            (".", PathFault::Parts),
            ("a\0b", PathFault::Character('\0')),
            ("a\nb", PathFault::Character('\n')),
            ("..\\x", PathFault::Character('\\')),
            ("C:\\x", PathFault::Character('\\')),
            (long.as_str(), PathFault::TooLong),
            (".hf-deploy-download/x", PathFault::Taken),
        ] {
            assert_eq!(target.check(path), Err(fault), "{path:?}");
        }
        for path in ["a", "a/b c/ü#?%.txt", "...", "..a", ".git/config", "x/.hf-deploy-download"] {
            assert_eq!(target.check(path), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn links_are_neither_followed_nor_replaced() {
        let (base, target) = target();
        let outside = base.path().join("outside");
        fs::create_dir(&outside).unwrap();
        symlink(&outside, target.path().join("folder")).unwrap();
        symlink(outside.join("file"), target.path().join("file")).unwrap();
        for path in ["folder/x", "folder/deep/x", "file"] {
            let error = target.make_place(path).unwrap_err();
            assert!(matches!(error, Unmade::Fault(PathFault::Link(_))), "{path}: {error:?}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

        symlink(&outside, base.path().join("link")).unwrap();
        for path in ["link", "link/x"] {
            let error = TargetFolder::create(base.path(), path).unwrap_err();
            assert!(matches!(*error.cause, Cause::UnsafePath(PathFault::Link(_))), "{path}: {error}");
        }
    }

    #[test]
    fn a_file_is_no_folder() {
        let (_base, target) = target();
        fs::write(target.path().join("file"), "").unwrap();
        fs::create_dir(target.path().join("folder")).unwrap();
        for path in ["file/x", "folder"] {
            let error = target.make_place(path).unwrap_err();
            assert!(matches!(error, Unmade::Fault(PathFault::FileAndFolder(_))), "{path}: {error:?}");
        }
        assert!(target.make_place("new/deep/file").unwrap().ends_with("a/b/new/deep/file"));
    }

    proptest! {
        #[test]
        fn a_checked_path_stays_inside(path in "(\\.\\.|\\.|/|\\\\|a|\\PC){0,12}") {
            let (_base, target) = target();
            if target.check(&path).is_ok() {
                let place = target.root.join(&path);
                prop_assert!(place.starts_with(&target.root));
                let climbs = place.components().any(|part| part == std::path::Component::ParentDir);
                prop_assert!(!climbs);
            }
        }
    }
}
