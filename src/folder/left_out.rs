//! Paths of a folder that are not deployed.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// Paths of a folder that are not deployed, sorted. Folders end in a slash.
#[derive(Debug, Clone, Default)]
pub struct LeftOut {
    /// Number of files and folders that patterns of the caller leave out, or that are never sent.
    pub excluded: usize,
    /// Paths that the default patterns leave out.
    pub by_default: Vec<String>,
    /// Paths that a `.gitignore` leaves out.
    pub ignored: Vec<String>,
    /// Folders of tools, such as `.pytest_cache/`, whose own `.gitignore` leaves them out.
    pub caches: BTreeSet<String>,
    /// Sockets, devices and the like, as messages show them.
    pub special: Vec<String>,
    /// Folders of submodules that were not fetched.
    pub empty_submodules: Vec<PathBuf>,
}

impl LeftOut {
    /// Returns the number of files and folders that a pattern leaves out.
    pub(super) fn by_patterns(&self) -> usize {
        self.excluded + self.by_default.len() + self.ignored.len() + self.caches.len()
    }

    pub(super) fn sort(&mut self) {
        for paths in [&mut self.by_default, &mut self.ignored, &mut self.special] {
            paths.sort_unstable();
        }
    }
}
