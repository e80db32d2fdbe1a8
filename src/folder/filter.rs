//! The paths that a deploy leaves out: `exclude`, `include`, `.hfignore` and the defaults.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::error::{Error, Result};
use super::patterns::{PatternList, UnusedPattern};
use crate::setting::{EXCLUDE, INCLUDE};
use crate::workspace::FOLDER;

/// Name of a file with patterns for its folder and the folders below it.
pub(super) const IGNORE_FILE: &str = ".hfignore";

/// Decides which paths are hidden from a deploy: paths of the folder, and paths on the Hub alike. All are relative to
/// the folder.
///
/// Patterns have the syntax and the meaning of `git help gitignore`, with two additions: `{a,b}` matches either, and a
/// leading `./` is read as a leading `/`, because git never matches such a pattern. Of several patterns that match,
/// the last one of the nearest list decides. `exclude` is nearer than the `.hfignore` of the file's own folder, which
/// is nearer than that of the folder above. All files in a hidden folder are hidden, as in git.
///
/// The defaults (`.venv/`, `node_modules/` and the like) come last: a pattern that begins with `!` lets them through,
/// and so does an `include` that names them.
///
/// Four names are always hidden: `.git`, `.cache/huggingface` (ignored by the official client,
/// `huggingface_hub/utils/_paths.py`), `.hf-deploy` (files of this program), and each `.hfignore`.
#[derive(Debug, Clone)]
pub struct PathFilter {
    exclude: Gitignore,
    /// By folder, relative to the deployed folder.
    ignore_files: BTreeMap<PathBuf, Gitignore>,
    /// One matcher for each pattern, so that the last one that matches a path or a folder above it wins.
    include: Vec<Gitignore>,
    defaults: Gitignore,
}

/// Set of patterns that are excluded by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum DefaultExcludes {
    /// No patterns.
    #[default]
    Off,
    /// Files that tools leave behind.
    Tools,
    /// Files that tools leave behind, and the workflows of the checkout.
    Checkout,
}

impl DefaultExcludes {
    fn patterns(self) -> &'static [&'static str] {
        const ALL: &[&str] = &[".venv/", "node_modules/", "__pycache__/", ".DS_Store", "/.github/"];
        match self {
            Self::Off => &[],
            Self::Tools => &ALL[..ALL.len() - 1],
            Self::Checkout => ALL,
        }
    }
}

/// Reason why an entry is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HiddenBy {
    /// The name is always hidden.
    Name,
    /// A pattern of the caller matches.
    Pattern,
    /// A default pattern matches.
    Default,
}

/// Hides the names that are always hidden, and no others.
impl Default for PathFilter {
    fn default() -> Self {
        Self {
            exclude: Gitignore::empty(),
            ignore_files: BTreeMap::new(),
            include: Vec::new(),
            defaults: Gitignore::empty(),
        }
    }
}

impl PathFilter {
    /// Parses the patterns. The error names every bad one.
    pub(super) fn new(include: &[String], exclude: &[String], defaults: DefaultExcludes) -> Result<Self> {
        let mut problems = Vec::new();
        let mut includes = Vec::new();
        for pattern in include {
            match matcher([pattern.as_str()]) {
                Ok(one) if !one.is_empty() => includes.push(one),
                Ok(_) => {}
                Err(bad) => problems.extend(bad.into_iter().map(|problem| format!("{INCLUDE}: {problem}"))),
            }
        }
        let exclude = matcher(exclude.iter().map(String::as_str)).unwrap_or_else(|bad| {
            problems.extend(bad.into_iter().map(|problem| format!("{EXCLUDE}: {problem}")));
            Gitignore::empty()
        });
        if !problems.is_empty() {
            return Err(Error::BadPatterns(problems));
        }
        let defaults = defaults.patterns().iter().copied().filter(|name| !is_named(include, name));
        let defaults = matcher(defaults).unwrap_or_else(|_| Gitignore::empty());
        Ok(Self { exclude, ignore_files: BTreeMap::new(), include: includes, defaults })
    }

    /// Returns the filter for the files of a repo, which has no defaults. The error names every bad pattern.
    pub fn of_repo(include: &[String], exclude: &[String]) -> Result<Self> {
        Self::new(include, exclude, DefaultExcludes::Off)
    }

    /// Adds the patterns of the `.hfignore` in `folder`, a relative path that is empty for the top.
    pub(super) fn add_ignore_file(&mut self, folder: &Path, content: &[u8]) -> Result<()> {
        let name = folder.join(IGNORE_FILE);
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let Ok(text) = str::from_utf8(content) else {
            return Err(Error::IgnoreFileNotUtf8(name));
        };
        let patterns = matcher(text.lines()).map_err(|bad| {
            Error::BadPatterns(bad.iter().map(|problem| format!("{}: {problem}", name.display())).collect())
        })?;
        if !patterns.is_empty() {
            self.ignore_files.insert(folder.to_owned(), patterns);
        }
        Ok(())
    }

    /// Reports whether the file `path` is hidden. Hidden files are neither uploaded nor deleted.
    ///
    /// `path` is relative to the folder, or on the Hub to the place that the folder is deployed to.
    pub fn hides(&self, path: &str) -> bool {
        let path = Path::new(path);
        let in_hidden_folder = path.ancestors().skip(1).any(|folder| self.hides_entry(folder, true));
        in_hidden_folder || self.hides_entry(path, false) || !self.includes(path)
    }

    /// Reports whether one entry is hidden, given that the folders above it are not.
    pub(super) fn hides_entry(&self, path: &Path, is_folder: bool) -> bool {
        self.hidden_by(path, is_folder).is_some()
    }

    /// Returns the reason why one entry is hidden, given that the folders above it are not.
    pub(super) fn hidden_by(&self, path: &Path, is_folder: bool) -> Option<HiddenBy> {
        let name = path.file_name()?;
        if is_never_sent(path) || name == IGNORE_FILE {
            return Some(HiddenBy::Name);
        }
        match self.patterns_hide(path, is_folder) {
            Some(is_hidden) => is_hidden.then_some(HiddenBy::Pattern),
            None => self.defaults.matched(path, is_folder).is_ignore().then_some(HiddenBy::Default),
        }
    }

    /// Returns the decision of `exclude` and the `.hfignore` files, if one of their patterns matches.
    fn patterns_hide(&self, path: &Path, is_folder: bool) -> Option<bool> {
        let decision = self.exclude.matched(path, is_folder);
        if !decision.is_none() {
            return Some(decision.is_ignore());
        }
        if self.ignore_files.is_empty() {
            return None;
        }
        for folder in path.ancestors().skip(1) {
            let Some(patterns) = self.ignore_files.get(folder) else { continue };
            let Ok(below) = path.strip_prefix(folder) else { continue };
            let decision = patterns.matched(below, is_folder);
            if !decision.is_none() {
                return Some(decision.is_ignore());
            }
        }
        None
    }

    /// Reports whether there are patterns of `include`.
    pub(super) fn has_include(&self) -> bool {
        !self.include.is_empty()
    }

    /// Reports whether `include` lets the file `path` through.
    ///
    /// The last pattern that matches the path or a folder above it decides. A list of negated patterns only (`!…`)
    /// starts from everything.
    pub(super) fn includes(&self, path: &Path) -> bool {
        for pattern in self.include.iter().rev() {
            let mut folders = path.ancestors().skip(1).filter(|folder| *folder != Path::new(""));
            let matches = !pattern.matched(path, false).is_none()
                || folders.any(|folder| !pattern.matched(folder, true).is_none());
            if matches {
                return pattern.num_whitelists() == 0;
            }
        }
        self.include.iter().all(|pattern| pattern.num_whitelists() > 0)
    }
}

/// Reports whether `path` is, or is in, a folder that is never sent: git's own data, the cache of the Hub client, and
/// the files of this program. Git's data may hold a token, because actions/checkout writes one into `.git/config`.
pub(super) fn is_never_sent(path: &Path) -> bool {
    const HIDDEN: [&str; 3] = [".git", ".cache/huggingface", FOLDER];
    path.ancestors().any(|path| HIDDEN.iter().any(|hidden| path.ends_with(hidden)))
}

/// Reports whether an entry is the folder of this program's own files, which is no part of the source.
pub(super) fn is_own_folder(path: &Path) -> bool {
    path.ends_with(FOLDER)
}

/// Reports whether a pattern of `include` asks for what the default pattern `name` leaves out.
fn is_named(include: &[String], name: &str) -> bool {
    let name = name.trim_matches('/');
    include.iter().any(|pattern| !pattern.starts_with('!') && pattern.split('/').any(|part| part == name))
}

/// Returns the patterns, each with a matcher of its own, so that those that match nothing can be found. Bad ones are
/// left out.
pub(super) fn single_patterns(include: &[String], exclude: &[String]) -> Vec<UnusedPattern> {
    let lists = [(PatternList::Include, include), (PatternList::Exclude, exclude)];
    let each = lists.into_iter().flat_map(|(list, patterns)| patterns.iter().map(move |one| (list, one)));
    each.filter_map(|(list, pattern)| Some(UnusedPattern::new(list, pattern, one_pattern(pattern)?)))
        .filter(|pattern| !pattern.is_harmless())
        .collect()
}

/// Returns a matcher for one pattern: `None` for a comment and for a bad pattern.
pub(super) fn one_pattern(pattern: &str) -> Option<Gitignore> {
    matcher([pattern]).ok().filter(|one| !one.is_empty())
}

/// Returns one matcher for several lines. The error has a text for each bad line.
fn matcher<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Gitignore, Vec<String>> {
    let mut builder = GitignoreBuilder::new("");
    // An error, because git accepts an unclosed `[` and then matches nothing.
    builder.allow_unclosed_class(false);
    let mut problems = Vec::new();
    for line in lines {
        let rooted = match line.strip_prefix('!') {
            Some(rest) => rest.strip_prefix("./").map(|rest| format!("!/{rest}")),
            None => line.strip_prefix("./").map(|rest| format!("/{rest}")),
        };
        if let Err(error) = builder.add_line(None, rooted.as_deref().unwrap_or(line)) {
            let reason = match error {
                ignore::Error::Glob { err, .. } => err,
                other => other.to_string(),
            };
            problems.push(format!("{line:?} ({reason})"));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    builder.build().map_err(|error| vec![error.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> PathFilter {
        filter_with(include, exclude, DefaultExcludes::Off)
    }

    fn filter_with(include: &[&str], exclude: &[&str], defaults: DefaultExcludes) -> PathFilter {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        PathFilter::new(&owned(include), &owned(exclude), defaults).unwrap()
    }

    #[track_caller]
    fn check(filter: &PathFilter, hidden: &[&str], visible: &[&str]) {
        for path in hidden {
            assert!(filter.hides(path), "`{path}` should be hidden");
        }
        for path in visible {
            assert!(!filter.hides(path), "`{path}` should be visible");
        }
    }

    #[test]
    fn some_names_are_always_hidden() {
        let hidden = [
            ".git",
            ".git/config",
            "sub/.git",
            "sub/.git/x",
            ".cache/huggingface/token",
            "a/.cache/huggingface/b",
            ".hf-deploy/output-1.png",
        ];
        let visible = [".gitignore", ".github/x", ".gitattributes", ".cache/x", "huggingface/x", "x.git/y"];
        check(&filter(&[], &[]), &hidden, &visible);
        check(&filter(&["**"], &["!.git", "!.git/**"]), &hidden, &visible);
        check(&filter(&[], &["!.hfignore"]), &[".hfignore", "a/.hfignore"], &["hfignore"]);
    }

    #[test]
    fn exclude_has_the_meaning_of_gitignore() {
        let list =
            ["# a comment", "", "*.log", "!keep.log", "/build", "data/", "docs/*.md", "./here", "a\\ b"];
        check(
            &filter(&[], &list),
            &[
                "x.log",
                "a/x.log",
                "build",
                "build/keep.log",
                "data/x",
                "a/data/x",
                "docs/a.md",
                "here/x",
                "a b",
            ],
            &["keep.log", "a/keep.log", "a/build", "data", "docs/a/b.md", "a/here", "# a comment"],
        );
    }

    #[test]
    fn include_narrows() {
        check(
            &filter(&["app/", "*.py"], &[]),
            &["x", "b/x"],
            &["app/x", "app/a/b", "x.py", "b/x.py", "a/app/x"],
        );
        check(&filter(&["/app"], &["app/raw"]), &["x", "app/raw", "app/raw/x", "a/app/x"], &["app", "app/x"]);
        check(&filter(&["*.py", "!tests/"], &[]), &["tests/x.py", "a/tests/x.py", "x"], &["x.py", "a/x.py"]);
        check(&filter(&["!tests/", "*.py"], &[]), &["x"], &["tests/x.py"]);
        check(&filter(&["!tests/"], &[]), &["tests/x"], &["x", "a/x"]);
        check(&filter(&["# nothing", ""], &[]), &[], &["x"]);
        check(&filter(&["*.{py,txt}"], &[]), &["x.md"], &["x.py", "a/x.txt"]);
    }

    #[test]
    fn nested_ignore_files_are_relative_to_their_folder() {
        let mut filter = filter(&[], &["!/exclude-wins"]);
        filter.add_ignore_file(Path::new(""), b"\xef\xbb\xbf*.tmp\r\nexclude-wins\n").unwrap();
        filter.add_ignore_file(Path::new("a/b"), b"/here\n!keep.tmp\n").unwrap();
        check(
            &filter,
            &["x.tmp", "a/b/x.tmp", "a/b/here", "a/keep.tmp", "a/exclude-wins"],
            &["here", "a/b/c/here", "a/b/keep.tmp", "a/b/c/keep.tmp", "exclude-wins"],
        );
    }

    #[test]
    fn default_excludes_give_way_to_patterns() {
        let left_out =
            [".venv/bin/x", "web/node_modules/a/b", "a/__pycache__/x.pyc", "a/.DS_Store", ".github/x"];
        check(
            &filter_with(&[], &[], DefaultExcludes::Checkout),
            &left_out,
            &["node_modules", "a/.github/x", "venv/x"],
        );
        check(&filter_with(&[], &[], DefaultExcludes::Tools), &left_out[..4], &[".github/x"]);
        check(&filter_with(&[], &[], DefaultExcludes::Off), &[], &left_out);
        check(
            &filter_with(&[], &["!node_modules/"], DefaultExcludes::Checkout),
            &[".venv/x"],
            &["node_modules/a/b"],
        );
        check(
            &filter_with(&["web/node_modules/a"], &[], DefaultExcludes::Tools),
            &[".venv/x"],
            &["web/node_modules/a/b"],
        );
        check(&filter_with(&["!node_modules"], &[], DefaultExcludes::Tools), &["node_modules/a"], &["x"]);
    }

    #[test]
    fn bad_patterns_are_all_named() {
        let exclude = ["ok".into(), "{b".into(), "[z-a]".into()];
        let error = PathFilter::new(&["a[".into()], &exclude, DefaultExcludes::Checkout).unwrap_err();
        let message = error.to_string();
        for text in ["`include`: \"a[\"", "`exclude`: \"{b\"", "`exclude`: \"[z-a]\""] {
            assert!(message.contains(text), "{message}");
        }
        let mut filter = PathFilter::default();
        let error = filter.add_ignore_file(Path::new("sub"), b"ok\n[").unwrap_err();
        assert!(error.to_string().contains("sub/.hfignore: \"[\""), "{error}");
        let error = filter.add_ignore_file(Path::new(""), b"\xff").unwrap_err();
        assert_eq!(error.to_string(), "`.hfignore` is not UTF-8");
    }

    #[test]
    fn odd_paths_are_judged_by_their_last_part() {
        let filter = filter(&["a"], &["b"]);
        let is_hidden = ["", "/", "/a", "..", "../a", ".", "a/../b", "a//b", "./a", "./a/b"]
            .map(|path| filter.hides(path));
        assert_eq!(is_hidden, [true, true, false, true, false, true, true, true, false, true]);
    }
}
