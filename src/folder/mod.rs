//! The local folder: which files a deploy is made of, and the Space's README card.
//!
//! [`read`] walks the folder and refuses what the Hub would refuse, before any request is made. What it
//! returns is a list of files; content is opened when it is asked for.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};

use crate::failure::{Code, Failure, Result};
use crate::target::RepoPath;

mod cache;
pub mod card;
mod card_place;
pub mod executables;
mod faults;
pub mod framework;
mod front_matter;
pub mod gitignore;
pub mod hash;
pub mod leaks;
pub mod near_misses;
mod patterns;
mod pointer;
mod root;
mod rules;
mod scan;
pub mod sdk;
mod seen;
pub mod streamlit;
mod submodules;
mod walk;
mod yaml_edit;

pub use cache::{HashCache, Look};
pub use gitignore::GitIgnores;
pub use hash::{BlobHasher, Checksum, Oid, Sha256, SizeChanged};
pub use patterns::IdlePattern;
pub use rules::Rules;

/// How many bytes of a file the Hub wants to see before it says how the file must come
/// (`sample` in `POST /api/{type}s/{id}/preupload/{rev}`).
pub const SAMPLE_BYTES: u64 = 512;

/// What to read. All paths as the user gave them.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// The folder: absolute, or relative to the working directory.
    pub root: PathBuf,
    /// Patterns; empty takes everything.
    pub include: Vec<String>,
    /// Patterns; empty leaves out nothing.
    pub exclude: Vec<String>,
    /// Leaves out what is not meant to be deployed, such as `node_modules/`.
    pub default_excludes: bool,
    /// The checkout, if it is known.
    pub workspace: Option<PathBuf>,
    /// What earlier runs knew of the files. The file it lives in is never deployed.
    pub cache: Option<Arc<HashCache>>,
}

/// A folder as it was when it was read.
#[derive(Debug)]
pub struct Source {
    /// Absolute, without symbolic links.
    pub root: PathBuf,
    /// Sorted by the bytes of the path; no path stands twice.
    pub files: Vec<SourceFile>,
    /// What lies outside this deploy.
    pub rules: Rules,
    /// The `.gitignore` files of the folder.
    pub git_ignores: GitIgnores,
    /// Paths that they left out, sorted: relative to the folder, with a slash behind folders.
    pub ignored: Vec<String>,
    /// The patterns that match nothing in the folder.
    pub idle: Vec<IdlePattern>,
    /// For the log: what a reader may wonder about later.
    pub notes: Vec<String>,
    /// What probably is a mistake.
    pub warnings: Vec<String>,
}

/// One file that is to be on the Hub.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Relative to the source folder.
    pub path: RepoPath,
    pub content: Content,
    /// In bytes, when the folder was read.
    pub size: u64,
    /// Asked before the file is read, and told what it was read as.
    pub cache: Option<Arc<HashCache>>,
}

/// Where the content of a file is.
#[derive(Debug, Clone)]
pub enum Content {
    /// In the file at this absolute path.
    Disk(PathBuf),
    /// Here: it was generated, or is an edited copy.
    Memory(Bytes),
}

/// Reads the folder. All faults of one kind are named at once; nothing but small files that could be Git
/// LFS pointers is opened.
///
/// Fails with [`Code`] `SourceMissing`, `SourceUnreadable`, `InvalidInput` (a bad
/// pattern), `InvalidPath`, `LinkOutsideSource`, `LfsPointer` or `SourceTooLarge`. Blocks.
pub fn read(options: &SourceOptions) -> Result<Source> {
    walk::read(options)
}

impl Source {
    pub fn get(&self, path: &str) -> Option<&SourceFile> {
        let index = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(index)
    }

    /// Takes the file `path` out, and says whether it was there. Touches nothing on disk.
    pub fn leave_out(&mut self, path: &str) -> bool {
        let place = self.files.binary_search_by(|file| file.path.as_str().cmp(path));
        place.map(|index| self.files.remove(index)).is_ok()
    }

    /// Gives the file `path` another content, or adds it. Touches nothing on disk.
    pub fn replace_or_insert(&mut self, path: RepoPath, content: Bytes) {
        let size = content.len() as u64;
        let place = self.files.binary_search_by(|file| file.path.cmp(&path));
        let file = SourceFile { path, content: Content::Memory(content), size, cache: None };
        match place {
            Ok(index) => self.files[index] = file,
            Err(index) => self.files.insert(index, file),
        }
    }

    /// The bytes of all files together.
    pub fn total_size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The files that do not lie in a folder.
    pub(super) fn top_files(&self) -> impl Iterator<Item = &SourceFile> {
        self.files.iter().filter(|file| !file.path.as_str().contains('/'))
    }

    /// The content of a small file that this action has to understand, such as a Dockerfile. None when
    /// there is no such file, or when it cannot be read (whoever uploads it will say so) or is no text of
    /// reasonable size.
    pub fn text(&self, path: &str) -> Option<String> {
        let file = self.get(path)?;
        if file.size > MAX_TEXT {
            return None;
        }
        Some(String::from_utf8_lossy(&file.read_to_vec().ok()?).into_owned())
    }
}

/// No file that is written by hand is larger.
const MAX_TEXT: u64 = 4 * 1024 * 1024;

impl SourceFile {
    /// Why this file cannot be deployed, when reading it failed: it changed since it was found, or it
    /// cannot be read at all.
    pub fn failure(&self, error: io::Error) -> Failure {
        let resized = error.get_ref().is_some_and(|inner| inner.is::<hash::SizeChanged>());
        let changed = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof);
        if resized || changed {
            return self.changed().caused_by(error);
        }
        Failure::new(Code::SourceUnreadable, format!("cannot read `{}`", self.path)).caused_by(error)
    }

    /// This file is no longer what the plan was made for.
    pub fn changed(&self) -> Failure {
        Failure::new(Code::SourceChanged, format!("`{}` changed while it was deployed", self.path))
            .hint("let nothing write to `source_dir` while this step runs")
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

    /// The first [`SAMPLE_BYTES`] bytes. Fails like [`SourceFile::git_blob_oid`], because the Hub refuses a sample that
    /// does not fit the size.
    pub fn sample(&self) -> io::Result<Vec<u8>> {
        let mut sample = Vec::new();
        self.open()?.take(SAMPLE_BYTES).read_to_end(&mut sample)?;
        let found = sample.len() as u64;
        if found != self.size.min(SAMPLE_BYTES) {
            return Err(SizeChanged { expected: self.size, found }.into());
        }
        Ok(sample)
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
            rules: Rules::default(),
            git_ignores: GitIgnores::default(),
            ignored: Vec::new(),
            idle: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
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
        assert_eq!(memory.sample().unwrap(), content.as_bytes()[..512]);
        assert_eq!(memory.sample().unwrap(), disk.sample().unwrap());
        for offset in [0, 1, 599, 600, 601] {
            let rest = |file: &SourceFile| io::read_to_string(file.open_at(offset).unwrap()).unwrap();
            assert_eq!(rest(&memory), content[600.min(offset as usize)..]);
            assert_eq!(rest(&memory), rest(&disk));
        }
        assert_eq!(memory.git_blob_oid().unwrap(), disk.git_blob_oid().unwrap());
        assert_eq!(memory.sha256().unwrap(), disk.sha256().unwrap());

        std::fs::write(&path, "shorter").unwrap();
        assert_eq!(disk.sample().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(disk.git_blob_oid().unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(disk.sha256().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
