//! Patterns of `include` and `exclude` that match nothing: most likely a mistake, and one that publishes files.

use std::path::Path;

use ignore::gitignore::Gitignore;

/// One pattern of an input, as long as no path matched it.
#[derive(Debug, Clone)]
pub struct IdlePattern {
    /// `include` or `exclude`.
    input: &'static str,
    pattern: String,
    matcher: Gitignore,
}

/// Paths that are left out without any pattern: one for them does no harm where there are none.
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

impl IdlePattern {
    pub(super) fn new(input: &'static str, pattern: &str, matcher: Gitignore) -> Self {
        Self { input, pattern: pattern.to_owned(), matcher }
    }

    /// Reports whether the pattern speaks of this one entry.
    pub(super) fn matches_entry(&self, path: &Path, is_folder: bool) -> bool {
        !self.matcher.matched(path, is_folder).is_none()
    }

    /// Reports whether the pattern speaks of the file `path` or of a folder that it lies in.
    pub fn matches(&self, path: &str) -> bool {
        let path = Path::new(path);
        let mut folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        self.matches_entry(path, false) || folders.any(|folder| self.matches_entry(folder, true))
    }

    /// Reports whether the pattern only repeats what is left out without it.
    pub(super) fn is_harmless(&self) -> bool {
        LEFT_OUT_ANYWAY.iter().any(|path| self.matches(path))
    }

    /// The warning, with what to write instead where several patterns stand in one line.
    pub fn warning(&self) -> String {
        let Self { input, pattern, .. } = self;
        let found = format!("`{input}`: the pattern `{pattern}` matches nothing");
        match separate(pattern).as_deref() {
            Some([rest @ .., last]) => {
                let rest: Vec<String> = rest.iter().map(|part| format!("`{part}`")).collect();
                format!("{found}: write {} and `{last}`, each on a line of its own", rest.join(", "))
            }
            _ => found,
        }
    }
}

/// Patterns that were written in one line, with commas or semicolons between them.
fn separate(pattern: &str) -> Option<Vec<&str>> {
    if pattern.contains(['{', '\\']) {
        return None;
    }
    let parts: Vec<&str> = pattern.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()).collect();
    (parts.len() > 1).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::rules::one_pattern;

    fn idle(pattern: &str) -> IdlePattern {
        IdlePattern::new("exclude", pattern, one_pattern(pattern).unwrap())
    }

    #[test]
    fn several_patterns_in_one_line_are_told_apart() {
        let lines = "`exclude`: the pattern `*.key, .env, tests/` matches nothing: write `*.key`, `.env` and \
                     `tests/`, each on a line of its own";
        assert_eq!(idle("*.key, .env, tests/").warning(), lines);
        assert!(
            idle("*.png;*.jpg").warning().ends_with("write `*.png` and `*.jpg`, each on a line of its own")
        );
        for pattern in ["*.kye", ".pth", "*.{png,jpg}", "a,"] {
            assert_eq!(
                idle(pattern).warning(),
                format!("`exclude`: the pattern `{pattern}` matches nothing"),
            );
        }
    }

    #[test]
    fn what_is_left_out_anyway_needs_no_match() {
        for pattern in [".git*", ".git/", "*.pyc", "__pycache__/", "node_modules", "/.venv", ".DS_Store", "*"]
        {
            assert!(idle(pattern).is_harmless(), "{pattern}");
        }
        for pattern in ["*.kye", "tests/", ".env", "venv/"] {
            assert!(!idle(pattern).is_harmless(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_speaks_of_what_lies_in_a_folder() {
        assert!(idle("data/").matches("data/x/y") && idle("!keep.db").matches("a/keep.db"));
        assert!(!idle("data/").matches("data") && !idle("/x").matches("a/x"));
    }
}
