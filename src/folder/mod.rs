//! A local folder: its files, ignore rules, hashes, and the README card and SDK of a Space.
//!
//! [`read`] walks the folder, and refuses files that the Hub would refuse. It returns a list of files, and opens none
//! of them except small ones that could be Git LFS pointers.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};

use hub::RepoPath;

mod cache;
pub mod card;
mod content;
mod error;
pub mod executables;
mod filter;
pub mod framework;
pub mod gitignore;
pub mod hash;
pub mod leaks;
mod left_out;
mod limits;
pub mod near_misses;
mod patterns;
mod pointer;
mod root;
mod scan;
pub mod sdk;
pub mod streamlit;
mod submodules;
mod walk;

pub use cache::{HashCache, Look};
pub use error::{EmptyReason, Error, MissingFolder, MissingReason, Result, Siblings};
pub use filter::PathFilter;
pub use gitignore::GitIgnores;
pub use hash::{Checksum, Oid, Sha256, SizeChanged};
pub use left_out::LeftOut;
pub use patterns::{PatternList, UnusedPattern};

/// Options for reading a folder. Paths are as the user wrote them.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// Folder: absolute, or relative to the working directory.
    pub root: PathBuf,
    /// Patterns of files to deploy. Empty for all files.
    pub include: Vec<String>,
    /// Patterns of files to leave out.
    pub exclude: Vec<String>,
    /// Leaves out files that are not meant to be deployed, such as `node_modules/`.
    pub default_excludes: bool,
    /// Folder of the checkout, if there is one.
    pub workspace: Option<PathBuf>,
    /// Hashes that earlier runs computed. The file of the cache is never deployed.
    pub cache: Option<Arc<HashCache>>,
}

/// A folder as it was when it was read.
#[derive(Debug)]
pub struct Source {
    /// Absolute path without symbolic links.
    pub root: PathBuf,
    /// Files to deploy, sorted by the bytes of their unique paths.
    pub files: Vec<SourceFile>,
    /// Filter of paths that this deploy neither uploads nor deletes.
    pub filter: PathFilter,
    /// `.gitignore` files of the folder.
    pub git_ignores: GitIgnores,
    /// Paths that are not deployed.
    pub left_out: LeftOut,
    /// Patterns that match nothing in the folder.
    pub unused_patterns: Vec<UnusedPattern>,
}

/// One file to deploy.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path relative to the folder.
    pub path: RepoPath,
    pub content: Content,
    /// Size in bytes, when the folder was read.
    pub size: u64,
    /// Cache that may know the hashes of the file.
    pub cache: Option<Arc<HashCache>>,
}

/// Location of the content of a file.
#[derive(Debug, Clone)]
pub enum Content {
    /// In the file at this absolute path.
    Disk(PathBuf),
    /// In memory: the file was generated, or is an edited copy.
    Memory(Bytes),
}

/// Reads the folder. An error names all problems of one kind. Blocks.
pub fn read(options: &SourceOptions) -> Result<Source> {
    walk::read(options)
}

impl Source {
    /// Returns the file `path`.
    pub fn get(&self, path: &str) -> Option<&SourceFile> {
        let index = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(index)
    }

    /// Removes the file `path` from the list, and reports whether it was there.
    pub fn leave_out(&mut self, path: &str) -> bool {
        let place = self.files.binary_search_by(|file| file.path.as_str().cmp(path));
        place.map(|index| self.files.remove(index)).is_ok()
    }

    /// Gives the file `path` another content, or adds it. The file on the disk stays as it is.
    pub fn replace_or_insert(&mut self, path: RepoPath, content: Bytes) {
        let size = content.len() as u64;
        let place = self.files.binary_search_by(|file| file.path.cmp(&path));
        let file = SourceFile { path, content: Content::Memory(content), size, cache: None };
        match place {
            Ok(index) => self.files[index] = file,
            Err(index) => self.files.insert(index, file),
        }
    }

    /// Returns the size of all files in bytes.
    pub fn total_size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// Returns the files at the top of the folder.
    pub(super) fn top_files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| !file.path.as_str().contains('/'))
    }

    /// Returns the text of a small file that must be understood, such as a Dockerfile. `None` if there is no such file,
    /// it is too large, or it cannot be read. The upload of the file reports that error.
    pub fn text(&self, path: &str) -> Option<String> {
        let file = self.get(path)?;
        if file.size > MAX_TEXT {
            return None;
        }
        Some(String::from_utf8_lossy(&file.read_to_vec().ok()?).into_owned())
    }
}

/// Maximum size of a file that is read as text, because files written by hand are smaller.
const MAX_TEXT: u64 = 4 * 1024 * 1024;

impl SourceFile {
    /// Returns the error of a failed read. A file that is gone or has another size was changed since it was found.
    pub fn error(&self, source: io::Error) -> Error {
        let path = self.path.to_string();
        let is_resized = source.get_ref().is_some_and(|inner| inner.is::<hash::SizeChanged>());
        if is_resized || matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) {
            return Error::FileChanged { path, source };
        }
        Error::FileUnreadable { path, source }
    }

    /// The content, from its beginning.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        match &self.content {
            Content::Disk(path) => Ok(Box::new(File::open(path)?)),
            Content::Memory(bytes) => Ok(Box::new(bytes.clone().reader())),
        }
    }

    /// The content from the byte `offset` on: nothing, if it is shorter.
    pub fn open_at(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        match &self.content {
            Content::Disk(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(offset))?;
                Ok(Box::new(file))
            }
            Content::Memory(bytes) => {
                let start = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
                Ok(Box::new(bytes.slice(start..).reader()))
            }
        }
    }

    /// The whole content. For small files only.
    pub fn read_to_vec(&self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        self.open()?.read_to_end(&mut content)?;
        Ok(content)
    }

    /// The git blob id. Fails with [`hash::SizeChanged`] inside when the file has another size by now.
    pub fn git_blob_oid(&self) -> io::Result<Oid> {
        let look = self.look();
        if let Some(oid) = look.as_ref().and_then(Look::oid) {
            return Ok(oid);
        }
        let oid = hash::git_blob_oid(self.open()?, self.size)?;
        if let Some(look) = look {
            look.learn(Some(oid), None);
        }
        Ok(oid)
    }

    /// The SHA-256 of the content. Fails like [`SourceFile::git_blob_oid`].
    pub fn sha256(&self) -> io::Result<Sha256> {
        self.sha256_and_checksum().map(|(sha256, _)| sha256)
    }

    /// The SHA-256, and the [`Checksum`] by which another reading can be compared: `None` where the cache knew the
    /// SHA-256, so that nothing was read.
    pub fn sha256_and_checksum(&self) -> io::Result<(Sha256, Option<u64>)> {
        let look = self.look();
        if let Some(sha256) = look.as_ref().and_then(Look::sha256) {
            return Ok((sha256, None));
        }
        let (sha256, checksum) = hash::sha256_of_size(self.open()?, self.size)?;
        if let Some(look) = look {
            look.learn(None, Some(sha256));
        }
        Ok((sha256, Some(checksum)))
    }

    /// What the file is before it is read, for whoever reads it in another way and can tell the cache afterwards.
    pub fn look(&self) -> Option<Look<'_>> {
        match (&self.cache, &self.content) {
            (Some(cache), Content::Disk(path)) => cache.look(path, self.size),
            _ => None,
        }
    }
}

#[cfg(test)]
mod testing {
    use super::*;

    /// A source that exists in memory only.
    pub(super) fn source(files: &[(&str, &str)]) -> Source {
        let mut source = Source {
            root: PathBuf::from("/nowhere"),
            files: Vec::new(),
            filter: PathFilter::default(),
            git_ignores: GitIgnores::default(),
            left_out: LeftOut::default(),
            unused_patterns: Vec::new(),
        };
        for (path, content) in files {
            source.replace_or_insert(path.parse().unwrap(), Bytes::copy_from_slice(content.as_bytes()));
        }
        source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_sorted_and_unique() {
        let mut source = testing::source(&[("b", "1"), ("a/b", "22"), ("a", "333"), ("a.txt", "")]);
        source.replace_or_insert("a".parse().unwrap(), Bytes::from_static(b"4444"));
        let paths: Vec<_> = source.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a", "a.txt", "a/b", "b"]);
        assert_eq!(source.total_size(), 7);
        assert_eq!(source.get("a").unwrap().read_to_vec().unwrap(), b"4444");
        assert!(source.get("c").is_none());
    }

    #[test]
    fn content_in_memory_and_on_disk_reads_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let content = "x".repeat(600);
        std::fs::write(&path, &content).unwrap();
        let memory = SourceFile {
            path: "file".parse().unwrap(),
            content: Content::Memory(Bytes::from(content.clone())),
            size: 600,
            cache: None,
        };
        let disk = SourceFile { content: Content::Disk(path.clone()), ..memory.clone() };
        for offset in [0, 1, 599, 600, 601] {
            let rest = |file: &SourceFile| io::read_to_string(file.open_at(offset).unwrap()).unwrap();
            assert_eq!(rest(&memory), content[600.min(offset as usize)..]);
            assert_eq!(rest(&memory), rest(&disk));
        }
        assert_eq!(memory.git_blob_oid().unwrap(), disk.git_blob_oid().unwrap());
        assert_eq!(memory.sha256().unwrap(), disk.sha256().unwrap());

        std::fs::write(&path, "shorter").unwrap();
        assert_eq!(disk.git_blob_oid().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(disk.sha256().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
