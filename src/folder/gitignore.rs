//! `.gitignore` files of a folder or a repo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use hub::RepoPath;

/// Name of an ignore file of git.
pub const GIT_IGNORE: &str = ".gitignore";

/// Result of matching one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitIgnoreMatch<'a> {
    /// No pattern matches.
    None,
    /// The `.gitignore` of this folder ignores the path.
    Ignored(&'a Path),
    /// A pattern that begins with `!` keeps the path.
    Kept,
}

/// All `.gitignore` files, by folder.
///
/// Patterns have git's meaning: the last one that matches in the nearest file decides, and all files in an ignored
/// folder stay ignored. A malformed line matches nothing, as in git.
#[derive(Debug, Clone, Default)]
pub struct GitIgnores {
    by_folder: BTreeMap<PathBuf, Gitignore>,
}

impl GitIgnores {
    /// Adds the `.gitignore` of `folder`, a path that is empty for the top.
    pub fn add(&mut self, folder: &Path, content: &[u8]) {
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut builder = GitignoreBuilder::new("");
        builder.allow_unclosed_class(false);
        for line in String::from_utf8_lossy(content).lines().filter(|line| line.trim() != "!") {
            // An error is ignored, because it concerns this line only.
            let _ = builder.add_line(None, &without_alternatives(line));
        }
        if let Ok(patterns) = builder.build() {
            self.by_folder.insert(folder.to_owned(), patterns);
        }
    }

    /// Reports whether the `.gitignore` of this folder was added.
    pub fn has(&self, folder: &Path) -> bool {
        self.by_folder.contains_key(folder)
    }

    /// Returns the same files for a top that is the folder `parent` of a repo.
    #[must_use]
    pub fn within(&self, parent: Option<&RepoPath>) -> Self {
        let Some(parent) = parent else { return self.clone() };
        let parent = Path::new(parent.as_str());
        let moved = |(folder, patterns): (&PathBuf, &Gitignore)| {
            let place = if folder.as_os_str().is_empty() { parent.to_owned() } else { parent.join(folder) };
            (place, patterns.clone())
        };
        Self { by_folder: self.by_folder.iter().map(moved).collect() }
    }

    /// Matches the file `path` and the folders above it.
    pub fn matched(&self, path: &str) -> GitIgnoreMatch<'_> {
        let path = Path::new(path);
        let folders: Vec<&Path> = path.ancestors().skip(1).collect();
        for folder in folders.into_iter().rev() {
            if let ignored @ GitIgnoreMatch::Ignored(_) = self.matched_entry(folder, true) {
                return ignored;
            }
        }
        self.matched_entry(path, false)
    }

    /// Matches one entry, given that no folder above it is ignored.
    pub(super) fn matched_entry(&self, path: &Path, is_folder: bool) -> GitIgnoreMatch<'_> {
        if self.by_folder.is_empty() {
            return GitIgnoreMatch::None;
        }
        for folder in path.ancestors().skip(1) {
            let Some((folder, patterns)) = self.by_folder.get_key_value(folder) else { continue };
            let Ok(below) = path.strip_prefix(folder) else { continue };
            let decision = patterns.matched(below, is_folder);
            if decision.is_ignore() {
                return GitIgnoreMatch::Ignored(folder);
            }
            if decision.is_whitelist() {
                return GitIgnoreMatch::Kept;
            }
        }
        GitIgnoreMatch::None
    }
}

/// Escapes the braces of a line, because git takes `{a,b}` literally.
fn without_alternatives(line: &str) -> String {
    let (mut escaped, mut in_class) = (String::with_capacity(line.len()), false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                escaped.push(c);
                escaped.extend(chars.next());
                continue;
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '{' | '}' if !in_class => escaped.push('\\'),
            _ => {}
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignores(files: &[(&str, &str)]) -> GitIgnores {
        let mut ignores = GitIgnores::default();
        for (folder, text) in files {
            ignores.add(Path::new(folder), text.as_bytes());
        }
        ignores
    }

    #[test]
    fn braces_and_a_lone_negation_are_literal() {
        let mut ignores = GitIgnores::default();
        ignores.add(Path::new(""), b"*.{js,css}\n{a}\nprivate/\n!\n");
        let is_ignored = |path: &str| matches!(ignores.matched(path), GitIgnoreMatch::Ignored(_));
        for path in ["x.{js,css}", "{a}", "private/x"] {
            assert!(is_ignored(path), "{path}");
        }
        for path in ["x.js", "x.css", "a"] {
            assert!(!is_ignored(path), "{path}");
        }
    }

    #[test]
    fn the_nearest_file_decides_and_ignored_folders_stay_ignored() {
        let ignores = ignores(&[
            ("", "\u{feff}*.db\r\n/state/\n[\n!keep.db\n"),
            ("data", "*\n!.gitignore\n!*.csv\n"),
            ("state", "!log.txt\n"),
        ]);
        let ignored = [
            ("users.db", ""),
            ("a/b.db", ""),
            ("state/log.txt", ""),
            ("data/x", "data"),
            ("data/sub/y.csv", "data"),
        ];
        for (path, folder) in ignored {
            assert_eq!(ignores.matched(path), GitIgnoreMatch::Ignored(Path::new(folder)), "{path}");
        }
        for path in ["keep.db", "data/.gitignore", "data/x.csv"] {
            assert_eq!(ignores.matched(path), GitIgnoreMatch::Kept, "{path}");
        }
        for path in ["a", "a/state/log.txt", "state", "["] {
            assert_eq!(ignores.matched(path), GitIgnoreMatch::None, "{path}");
        }
    }

    #[test]
    fn patterns_of_a_folder_move_with_it() {
        let folder: RepoPath = "web/app".parse().unwrap();
        let ignores = ignores(&[("", "/top\n*.log\n"), ("sub", "/x\n")]).within(Some(&folder));
        assert!(ignores.has(Path::new("web/app")) && ignores.has(Path::new("web/app/sub")));
        for path in ["web/app/top", "web/app/a/b.log", "web/app/sub/x"] {
            assert_ne!(ignores.matched(path), GitIgnoreMatch::None, "{path}");
        }
        for path in ["top", "a.log", "web/top", "web/app/x", "web/app/a/top"] {
            assert_eq!(ignores.matched(path), GitIgnoreMatch::None, "{path}");
        }
    }
}
