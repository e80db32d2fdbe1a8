//! Patterns that match nothing: probably a mistake, and one that publishes files.

use std::fmt;
use std::path::Path;

use ignore::gitignore::Gitignore;

/// List that a pattern is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatternList {
    Include,
    Exclude,
}

/// One pattern of a list that has matched nothing so far.
#[derive(Clone)]
pub struct UnusedPattern {
    pub list: PatternList,
    /// As the caller wrote it.
    pub pattern: String,
    matcher: Gitignore,
}

/// Paths that are left out without any pattern. A pattern for them is no mistake, even if it matches nothing.
const LEFT_OUT_ANYWAY: &[&str] = &[
    ".git/config",
    ".gitattributes",
    ".github/workflows/x.yml",
    ".cache/huggingface/x",
    ".venv/x",
    ".DS_Store",
    "node_modules/x",
    "__pycache__/x.pyc",
];

impl fmt::Debug for UnusedPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnusedPattern").field(&self.list).field(&self.pattern).finish()
    }
}

impl UnusedPattern {
    pub(super) fn new(list: PatternList, pattern: &str, matcher: Gitignore) -> Self {
        Self { list, pattern: pattern.to_owned(), matcher }
    }

    /// Reports whether the pattern matches this one entry.
    pub(super) fn matches_entry(&self, path: &Path, is_folder: bool) -> bool {
        !self.matcher.matched(path, is_folder).is_none()
    }

    /// Reports whether the pattern matches the file `path` or a folder above it.
    pub fn matches(&self, path: &str) -> bool {
        let path = Path::new(path);
        let mut folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        self.matches_entry(path, false) || folders.any(|folder| self.matches_entry(folder, true))
    }

    /// Reports whether the pattern only matches paths that are left out without it.
    pub(super) fn is_harmless(&self) -> bool {
        LEFT_OUT_ANYWAY.iter().any(|path| self.matches(path))
    }

    /// Returns the patterns that were written in one line, with commas or semicolons between them. Empty for one pattern.
    pub fn parts(&self) -> Vec<&str> {
        if self.pattern.contains(['{', '\\']) {
            return Vec::new();
        }
        let parts = self.pattern.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
        let parts: Vec<&str> = parts.collect();
        if parts.len() > 1 { parts } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::filter::one_pattern;

    fn unused(pattern: &str) -> UnusedPattern {
        UnusedPattern::new(PatternList::Exclude, pattern, one_pattern(pattern).unwrap())
    }

    #[test]
    fn several_patterns_in_one_line_are_separated() {
        assert_eq!(unused("*.key, .env, tests/").parts(), ["*.key", ".env", "tests/"]);
        assert_eq!(unused("*.png;*.jpg").parts(), ["*.png", "*.jpg"]);
        for pattern in ["*.kye", ".pth", "*.{png,jpg}", "a,"] {
            assert!(unused(pattern).parts().is_empty(), "{pattern}");
        }
    }

    #[test]
    fn patterns_for_paths_that_are_left_out_anyway_are_harmless() {
        for pattern in [".git*", ".git/", "*.pyc", "__pycache__/", "node_modules", "/.venv", ".DS_Store", "*"]
        {
            assert!(unused(pattern).is_harmless(), "{pattern}");
        }
        for pattern in ["*.kye", "tests/", ".env", "venv/"] {
            assert!(!unused(pattern).is_harmless(), "{pattern}");
        }
    }

    #[test]
    fn folder_pattern_matches_the_files_in_the_folder() {
        assert!(unused("data/").matches("data/x/y") && unused("!keep.db").matches("a/keep.db"));
        assert!(!unused("data/").matches("data") && !unused("/x").matches("a/x"));
    }
}
