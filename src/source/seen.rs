//! What a walk met, and what a reader of the log should know of it.

use std::collections::BTreeSet;

use super::SourceFile;
use super::faults::name_some;

/// What was found. Names are as messages show them, but for those that the plan shows.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) files: Vec<SourceFile>,
    /// How many files and folders the patterns of the user left out, or what never travels.
    pub(super) excluded: usize,
    /// What the defaults left out.
    pub(super) defaults: Vec<String>,
    /// What a `.gitignore` left out.
    pub(super) ignored: Vec<String>,
    /// Folders whose own `.gitignore` leaves out itself: the caches of tools.
    pub(super) caches: BTreeSet<String>,
    pub(super) special: Vec<String>,
}

impl Seen {
    /// How many files and folders were left out.
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
                name_some(&in_backticks(&self.defaults))
            ));
        }
        if !self.caches.is_empty() {
            let caches: Vec<String> = self.caches.iter().cloned().collect();
            notes.push(format!(
                "left out, because their own `.gitignore` says so: {}",
                name_some(&in_backticks(&caches))
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

fn in_backticks(names: &[String]) -> Vec<String> {
    names.iter().map(|name| super::faults::shown(name.as_ref())).collect()
}
