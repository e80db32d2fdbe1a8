//! A folder as it was when it was read.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use hub::RepoPath;

use super::cache::HashCache;
use super::filter::PathFilter;
use super::gitignore::GitIgnores;
use super::left_out::LeftOut;
use super::patterns::UnusedPattern;
use super::source_file::{FileContent, SourceFile};

/// Maximum size of a file that is read as text, because files written by hand are smaller.
const MAX_TEXT: u64 = 4 * 1024 * 1024;

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
        self.put(SourceFile { path, content: FileContent::Memory(content), size, cache: None });
    }

    /// Puts a file into its place in the list, instead of one with its path.
    pub fn put(&mut self, file: SourceFile) {
        match self.files.binary_search_by(|other| other.path.cmp(&file.path)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stay_sorted_and_unique() {
        let mut source =
            super::super::testing::source(&[("b", "1"), ("a/b", "22"), ("a", "333"), ("a.txt", "")]);
        source.replace_or_insert("a".parse().unwrap(), Bytes::from_static(b"4444"));
        let paths: Vec<_> = source.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a", "a.txt", "a/b", "b"]);
        assert_eq!(source.total_size(), 7);
        assert_eq!(source.get("a").unwrap().read_to_vec().unwrap(), b"4444");
        assert!(source.get("c").is_none());
    }
}
