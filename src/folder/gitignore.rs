//! `.gitignore` files: what a folder or a repo says is no part of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::target::RepoPath;

/// The name of such a file.
pub const GIT_IGNORE: &str = ".gitignore";

/// A judgement on one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// No pattern matches.
    Silent,
    /// The `.gitignore` of this folder leaves it out.
    Ignored(&'a Path),
    /// A pattern that begins with `!` keeps it.
    Kept,
}

/// Every `.gitignore` that is in force, by its folder.
///
/// Patterns mean what they mean to git: the last one that matches in the nearest file decides, and what lies in an
/// ignored folder stays ignored. A line that git cannot read matches nothing, as in git.
#[derive(Debug, Clone, Default)]
pub struct GitIgnores {
    by_folder: BTreeMap<PathBuf, Gitignore>,
}

impl GitIgnores {
    /// Adds the `.gitignore` of `folder`, which is empty for the top.
    pub fn add(&mut self, folder: &Path, content: &[u8]) {
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let mut builder = GitignoreBuilder::new("");
        builder.allow_unclosed_class(false);
        for line in String::from_utf8_lossy(content).lines().filter(|line| line.trim() != "!") {
            // An error concerns this one line only.
            let _ = builder.add_line(None, &without_alternatives(line));
        }
        if let Ok(rules) = builder.build() {
            self.by_folder.insert(folder.to_owned(), rules);
        }
    }

    /// Reports whether the `.gitignore` of this folder is known.
    pub fn has(&self, folder: &Path) -> bool {
        self.by_folder.contains_key(folder)
    }

    /// The same files where the top is the folder `parent` of a repo.
    #[must_use]
    pub fn within(&self, parent: Option<&RepoPath>) -> Self {
        let Some(parent) = parent else { return self.clone() };
        let parent = Path::new(parent.as_str());
        let moved = |(folder, rules): (&PathBuf, &Gitignore)| {
            let place = if folder.as_os_str().is_empty() { parent.to_owned() } else { parent.join(folder) };
            (place, rules.clone())
        };
        Self { by_folder: self.by_folder.iter().map(moved).collect() }
    }

    /// Judges the file `path`, and the folders that it lies in.
    pub fn judge(&self, path: &str) -> Verdict<'_> {
        let path = Path::new(path);
        let folders: Vec<&Path> = path.ancestors().skip(1).collect();
        for folder in folders.into_iter().rev() {
            if let ignored @ Verdict::Ignored(_) = self.judge_entry(folder, true) {
                return ignored;
            }
        }
        self.judge_entry(path, false)
    }

    /// Judges one entry, given that no folder above it is ignored.
    pub(super) fn judge_entry(&self, path: &Path, is_folder: bool) -> Verdict<'_> {
        if self.by_folder.is_empty() {
            return Verdict::Silent;
        }
        for folder in path.ancestors().skip(1) {
            let Some((folder, rules)) = self.by_folder.get_key_value(folder) else { continue };
            let Ok(below) = path.strip_prefix(folder) else { continue };
            let decision = rules.matched(below, is_folder);
            if decision.is_ignore() {
                return Verdict::Ignored(folder);
            }
            if decision.is_whitelist() {
                return Verdict::Kept;
            }
        }
        Verdict::Silent
    }
}

/// Escapes the braces of a line, because `{a,b}` means itself to git.
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
    fn braces_and_a_lone_negation_mean_to_git_what_they_say() {
        let mut ignores = GitIgnores::default();
        ignores.add(Path::new(""), b"*.{js,css}\n{a}\nprivate/\n!\n");
        let is_ignored = |path: &str| matches!(ignores.judge(path), Verdict::Ignored(_));
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
            assert_eq!(ignores.judge(path), Verdict::Ignored(Path::new(folder)), "{path}");
        }
        for path in ["keep.db", "data/.gitignore", "data/x.csv"] {
            assert_eq!(ignores.judge(path), Verdict::Kept, "{path}");
        }
        for path in ["a", "a/state/log.txt", "state", "["] {
            assert_eq!(ignores.judge(path), Verdict::Silent, "{path}");
        }
    }

    #[test]
    fn a_folder_of_a_repo_takes_its_rules_along() {
        let folder: RepoPath = "web/app".parse().unwrap();
        let ignores = ignores(&[("", "/top\n*.log\n"), ("sub", "/x\n")]).within(Some(&folder));
        assert!(ignores.has(Path::new("web/app")) && ignores.has(Path::new("web/app/sub")));
        for path in ["web/app/top", "web/app/a/b.log", "web/app/sub/x"] {
            assert_ne!(ignores.judge(path), Verdict::Silent, "{path}");
        }
        for path in ["top", "a.log", "web/top", "web/app/x", "web/app/a/top"] {
            assert_eq!(ignores.judge(path), Verdict::Silent, "{path}");
        }
    }
}
