//! The folder `.hf-deploy` in the workspace, where a run leaves files for later steps.
//!
//! The workspace is a checkout, which may hold anything. No link in it leads a file of this program elsewhere.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Name of the folder. A deploy never sends it.
pub(crate) const FOLDER: &str = ".hf-deploy";
/// Mode of the files. A container runs as root, and later steps of the job do not.
const READABLE: u32 = 0o644;

/// A folder that belongs to this program: `.hf-deploy`, or one below it.
#[derive(Debug, Clone)]
pub(crate) struct OwnFolder {
    path: PathBuf,
    /// User and group of the workspace.
    owner: (u32, u32),
}

impl OwnFolder {
    /// Opens `.hf-deploy`, and creates it with a rule that keeps it out of git.
    ///
    /// # Errors
    ///
    /// A link or a file has its name, or the workspace cannot be written.
    pub(crate) fn open(workspace: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(workspace)?;
        let workspace = Self { path: workspace.to_owned(), owner: (metadata.uid(), metadata.gid()) };
        let folder = workspace.subfolder(FOLDER)?;
        let rule = folder.path.join(".gitignore");
        if fs::symlink_metadata(&rule).is_err() {
            folder.write(".gitignore", b"*\n")?;
        }
        Ok(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the folder that this one is in.
    pub(crate) fn parent(&self) -> Option<Self> {
        Some(Self { path: self.path.parent()?.to_owned(), owner: self.owner })
    }

    /// Opens a folder in this one, and creates it if it is missing.
    pub(crate) fn subfolder(&self, name: &str) -> io::Result<Self> {
        match self.new_subfolder(name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let folder = Self { path: self.path.join(name), owner: self.owner };
                if fs::symlink_metadata(&folder.path)?.is_dir() {
                    Ok(folder)
                } else {
                    Err(io::Error::other(format!("`{name}` is there, and is not a folder")))
                }
            }
            created => created,
        }
    }

    /// Creates a folder in this one, which must not be there.
    pub(crate) fn new_subfolder(&self, name: &str) -> io::Result<Self> {
        let path = self.path.join(name);
        fs::create_dir(&path)?;
        // Its files could not be deleted by the user of the workspace otherwise, and the next checkout would fail.
        if fs::symlink_metadata(&path)?.uid() != self.owner.0 {
            let _ = lchown(&path, Some(self.owner.0), Some(self.owner.1));
        }
        Ok(Self { path, owner: self.owner })
    }

    /// Opens a temporary file in this folder, which a rename can give its name.
    pub(crate) fn temporary_file(&self) -> io::Result<NamedTempFile> {
        let mode = Permissions::from_mode(READABLE);
        tempfile::Builder::new().prefix(".new-").permissions(mode).tempfile_in(&self.path)
    }

    /// Writes a file as a whole: a reader sees the old content or the new one.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut file = self.temporary_file()?;
        file.write_all(content)?;
        file.persist(self.path.join(name)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Opens a file of this folder, to write at its end.
    pub(crate) fn append(&self, name: &str) -> io::Result<File> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if !metadata.is_file() => {
                Err(io::Error::other(format!("`{name}` is there, and is not a file")))
            }
            _ => OpenOptions::new().append(true).create(true).open(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_refused_at_each_depth() {
        let (workspace, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = |path: &str| {
            let _ = fs::remove_dir_all(workspace.path().join(FOLDER));
            fs::create_dir_all(workspace.path().join(path).parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(elsewhere.path(), workspace.path().join(path)).unwrap();
        };
        link(".hf-deploy");
        assert!(OwnFolder::open(workspace.path()).unwrap_err().to_string().contains("is not a folder"));
        fs::remove_file(workspace.path().join(FOLDER)).unwrap();
        link(".hf-deploy/runs");
        let folder = OwnFolder::open(workspace.path()).unwrap();
        assert!(folder.subfolder("runs").is_err() && folder.new_subfolder("runs").is_err());
        link(".hf-deploy/log");
        assert!(OwnFolder::open(workspace.path()).unwrap().append("log").is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }

    #[test]
    fn files_are_whole_and_readable_and_out_of_git() {
        let workspace = tempfile::tempdir().unwrap();
        let folder = OwnFolder::open(workspace.path()).unwrap().subfolder("runs").unwrap();
        folder.write("a.json", b"1").unwrap();
        folder.write("a.json", b"2").unwrap();
        folder.append("log").unwrap().write_all(b"x").unwrap();
        folder.append("log").unwrap().write_all(b"y").unwrap();
        let read = |name: &str| fs::read_to_string(workspace.path().join(".hf-deploy").join(name)).unwrap();
        assert_eq!((read("runs/a.json"), read("runs/log")), ("2".to_owned(), "xy".to_owned()));
        assert_eq!(read(".gitignore"), "*\n");
        let mode = fs::metadata(folder.path().join("a.json")).unwrap().permissions().mode();
        assert_eq!(mode & 0o044, 0o044, "{mode:o}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
    }
}
