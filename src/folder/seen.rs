//! Findings of a walk, and the log lines about them.

use std::collections::BTreeSet;

use super::SourceFile;
use crate::text::{name_some, quoted_all};

/// Findings of a walk. Names are as messages show them, except those that the plan shows.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) files: Vec<SourceFile>,
    /// Number of files and folders that the user's patterns left out, or that are never sent.
    pub(super) excluded: usize,
    /// Paths that the defaults left out.
    pub(super) defaults: Vec<String>,
    /// Paths that a `.gitignore` left out.
    pub(super) ignored: Vec<String>,
    /// Folders whose own `.gitignore` leaves out itself: the caches of tools.
    pub(super) caches: BTreeSet<String>,
    pub(super) special: Vec<String>,
}

impl Seen {
    /// Returns the number of files and folders that were left out.
    pub(super) fn hidden(&self) -> usize {
        self.excluded + self.defaults.len() + self.ignored.len() + self.caches.len()
    }

    /// Lines for the log.
    pub(super) fn notes(&mut self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.defaults.is_empty() {
            self.defaults.sort_unstable();
            notes.push(format!(
                "left out by default: {} (`default_excludes: false` sends them)",
                name_some(&quoted_all(&self.defaults))
            ));
        }
        if !self.caches.is_empty() {
            let caches: Vec<String> = self.caches.iter().cloned().collect();
            notes.push(format!(
                "left out, because their own `.gitignore` says so: {}",
                name_some(&quoted_all(&caches))
            ));
        }
        notes
    }

    pub(super) fn warnings(&mut self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.special.is_empty() {
            self.special.sort_unstable();
            warnings.push(format!(
                "not deployed, since neither a file nor a folder: {}",
                name_some(&self.special)
            ));
        }
        warnings
    }
}
