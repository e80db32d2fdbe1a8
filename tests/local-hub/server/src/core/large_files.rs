//! The large files of one repository, by SHA-256.
//!
//! Content is stored once for the whole server, but a repository may commit only what was uploaded to it.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::util::lock;

/// SHA-256 of every uploaded file, stored in a file with one per line.
pub(crate) struct LargeFiles {
    path: PathBuf,
    known: Mutex<BTreeSet<String>>,
}

impl LargeFiles {
    /// Reads the list, which is empty without its file.
    pub(crate) fn open(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let known = text.lines().map(ToOwned::to_owned).collect();
        Self { path: path.to_owned(), known: Mutex::new(known) }
    }

    pub(crate) fn has(&self, sha256: &str) -> bool {
        lock(&self.known).contains(sha256)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        lock(&self.known).iter().cloned().collect()
    }

    pub(crate) fn add(&self, sha256: &str) -> std::io::Result<()> {
        let mut known = lock(&self.known);
        if known.insert(sha256.to_owned()) {
            let mut file = std::fs::OpenOptions::new().append(true).create(true).open(&self.path)?;
            writeln!(file, "{sha256}")?;
        }
        Ok(())
    }

    /// Removes a file; returns `false` when it was not there.
    pub(crate) fn remove(&self, sha256: &str) -> std::io::Result<bool> {
        let mut known = lock(&self.known);
        let removed = known.remove(sha256);
        if removed {
            let text: String = known.iter().map(|sha256| format!("{sha256}\n")).collect();
            std::fs::write(&self.path, text)?;
        }
        Ok(removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_survives_a_restart() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("large.txt");
        let files = LargeFiles::open(&path);
        for sha256 in ["b", "a", "b"] {
            files.add(sha256).expect("the list is written");
        }
        assert!(files.remove("b").expect("the list is written"));
        assert!(!files.remove("b").expect("nothing is written"));
        let again = LargeFiles::open(&path);
        assert_eq!((again.all(), again.has("a"), again.has("b")), (vec!["a".to_owned()], true, false));
    }
}
