//! Which paths lie outside a deploy: `exclude`, `include` and `.hfignore`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::patterns::IdlePattern;
use crate::failure::{Code, Failure, Result};

/// The name of a file with rules for its folder and all below it.
pub(super) const IGNORE_FILE: &str = ".hfignore";

/// Decides about paths relative to the source folder, local and remote ones alike.
///
/// Patterns have the syntax and the meaning of `git help gitignore`, with two additions: `{a,b}` matches
/// either, and a leading `./` is read as a leading `/` (git never matches such a pattern, and whoever
/// writes it means this). Of several patterns that match, the last one of the nearest list decides, where
/// `exclude` is nearer than the `.hfignore` of the file's own folder, and that is nearer than the
/// `.hfignore` of the folder above. What lies in a hidden folder is hidden for good, as in git.
///
/// Below all of these stand the defaults (`.venv/`, `node_modules/` and the like): a pattern that begins with `!`
/// lets them through, and so does an `include` that names them.
///
/// Four things are hidden whatever the patterns say: `.git`, `.cache/huggingface` (what the official
/// client ignores by default, `huggingface_hub/utils/_paths.py`), `.hf-deploy` (what a check of the running
/// app kept), and each `.hfignore`, which is an instruction for this action and no content.
#[derive(Debug, Clone)]
pub struct Rules {
    exclude: Gitignore,
    /// By folder, relative to the source.
    ignore_files: BTreeMap<PathBuf, Gitignore>,
    /// One matcher for each pattern, so that the last one that matches a path or a folder above it wins.
    include: Vec<Gitignore>,
    defaults: Gitignore,
}

/// Files that are not meant to be deployed, left out unless the workflow says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Defaults {
    #[default]
    Off,
    /// Files that tools leave behind.
    Tools,
    /// The same, and the workflows of the checkout itself.
    Checkout,
}

impl Defaults {
    fn patterns(self) -> &'static [&'static str] {
        const ALL: &[&str] = &[".venv/", "node_modules/", "__pycache__/", ".DS_Store", "/.github/"];
        match self {
            Self::Off => &[],
            Self::Tools => &ALL[..ALL.len() - 1],
            Self::Checkout => ALL,
        }
    }
}

/// The rule that hides an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HiddenBy {
    /// Files that are never sent.
    Nature,
    /// A pattern of the user.
    Pattern,
    Default,
}

/// No rules but those that always hold.
impl Default for Rules {
    fn default() -> Self {
        Self {
            exclude: Gitignore::empty(),
            ignore_files: BTreeMap::new(),
            include: Vec::new(),
            defaults: Gitignore::empty(),
        }
    }
}

impl Rules {
    /// Reads the patterns of the inputs `include` and `exclude`. Names every bad one.
    pub(super) fn new(include: &[String], exclude: &[String], defaults: Defaults) -> Result<Self> {
        let mut faults = Vec::new();
        let mut includes = Vec::new();
        for pattern in include {
            match matcher([pattern.as_str()]) {
                Ok(one) if !one.is_empty() => includes.push(one),
                Ok(_) => {}
                Err(bad) => faults.extend(bad.into_iter().map(|fault| format!("include: {fault}"))),
            }
        }
        let exclude = matcher(exclude.iter().map(String::as_str)).unwrap_or_else(|bad| {
            faults.extend(bad.into_iter().map(|fault| format!("exclude: {fault}")));
            Gitignore::empty()
        });
        if !faults.is_empty() {
            return Err(bad_patterns(&faults));
        }
        let defaults = defaults.patterns().iter().copied().filter(|name| !is_named(include, name));
        let defaults = matcher(defaults).unwrap_or_else(|_| Gitignore::empty());
        Ok(Self { exclude, ignore_files: BTreeMap::new(), include: includes, defaults })
    }

    /// Adds the rules of the `.hfignore` in `folder` (relative to the source, empty for the source itself).
    pub(super) fn add_ignore_file(&mut self, folder: &Path, content: &[u8]) -> Result<()> {
        let name = folder.join(IGNORE_FILE);
        let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
        let Ok(text) = str::from_utf8(content) else {
            return Err(Failure::new(Code::InvalidInput, format!("`{}` is not UTF-8", name.display())));
        };
        let rules = matcher(text.lines()).map_err(|bad| {
            let faults: Vec<_> = bad.iter().map(|fault| format!("{}: {fault}", name.display())).collect();
            bad_patterns(&faults)
        })?;
        if !rules.is_empty() {
            self.ignore_files.insert(folder.to_owned(), rules);
        }
        Ok(())
    }

    /// Whether the file `path` lies outside this deploy. Such paths are never uploaded and never deleted.
    ///
    /// `path` is relative to the source folder, that is, to `path_in_repo` on the Hub.
    pub fn hides(&self, path: &str) -> bool {
        let path = Path::new(path);
        let in_hidden_folder = path.ancestors().skip(1).any(|folder| self.hides_entry(folder, true));
        in_hidden_folder || self.hides_entry(path, false) || !self.includes(path)
    }

    /// Whether one entry is hidden, given that the folders above it are not.
    pub(super) fn hides_entry(&self, path: &Path, is_folder: bool) -> bool {
        self.hidden_by(path, is_folder).is_some()
    }

    /// The rule that hides one entry, given that the folders above it are not hidden.
    pub(super) fn hidden_by(&self, path: &Path, is_folder: bool) -> Option<HiddenBy> {
        let name = path.file_name()?;
        if never_travels(path) || name == IGNORE_FILE {
            return Some(HiddenBy::Nature);
        }
        match self.patterns_hide(path, is_folder) {
            Some(hides) => hides.then_some(HiddenBy::Pattern),
            None => self.defaults.matched(path, is_folder).is_ignore().then_some(HiddenBy::Default),
        }
    }

    /// The decision of `exclude` and the `.hfignore` files, where they decide.
    fn patterns_hide(&self, path: &Path, is_folder: bool) -> Option<bool> {
        let decision = self.exclude.matched(path, is_folder);
        if !decision.is_none() {
            return Some(decision.is_ignore());
        }
        if self.ignore_files.is_empty() {
            return None;
        }
        for folder in path.ancestors().skip(1) {
            let Some(rules) = self.ignore_files.get(folder) else { continue };
            let Ok(below) = path.strip_prefix(folder) else { continue };
            let decision = rules.matched(below, is_folder);
            if !decision.is_none() {
                return Some(decision.is_ignore());
            }
        }
        None
    }

    /// Reports whether there are patterns of `include`.
    pub(super) fn narrows(&self) -> bool {
        !self.include.is_empty()
    }

    /// Whether `include` lets the file `path` through.
    ///
    /// A pattern speaks of a path when it matches the path or a folder above it; the last pattern that
    /// does so decides. A list that only takes away (`!…`) starts from everything.
    pub(super) fn includes(&self, path: &Path) -> bool {
        for pattern in self.include.iter().rev() {
            let mut folders = path.ancestors().skip(1).filter(|folder| *folder != Path::new(""));
            let speaks_of_it = !pattern.matched(path, false).is_none()
                || folders.any(|folder| !pattern.matched(folder, true).is_none());
            if speaks_of_it {
                return pattern.num_whitelists() == 0;
            }
        }
        self.include.iter().all(|pattern| pattern.num_whitelists() > 0)
    }
}

/// Whether `path` is one of those, or lies in one of those, that no rule can let through: git's own data
/// (which may hold a token, as actions/checkout leaves one in `.git/config`), the Hub client's cache, and
/// what a check of the running app kept.
pub(super) fn never_travels(path: &Path) -> bool {
    const HIDDEN: [&str; 3] = [".git", ".cache/huggingface", ".hf-deploy"];
    path.ancestors().any(|path| HIDDEN.iter().any(|hidden| path.ends_with(hidden)))
}

/// Reports whether a pattern of `include` asks for what the default pattern `name` leaves out.
fn is_named(include: &[String], name: &str) -> bool {
    let name = name.trim_matches('/');
    include.iter().any(|pattern| !pattern.starts_with('!') && pattern.split('/').any(|part| part == name))
}

/// Patterns of the inputs, each by itself, to find those that match nothing. Bad ones are left out.
pub(super) fn idle_patterns(include: &[String], exclude: &[String]) -> Vec<IdlePattern> {
    let lists = [("include", include), ("exclude", exclude)];
    let each = lists.into_iter().flat_map(|(input, list)| list.iter().map(move |pattern| (input, pattern)));
    each.filter_map(|(input, pattern)| Some(IdlePattern::new(input, pattern, one_pattern(pattern)?)))
        .filter(|pattern| !pattern.is_harmless())
        .collect()
}

/// A matcher for one pattern: `None` for a comment and for a bad one.
pub(super) fn one_pattern(pattern: &str) -> Option<Gitignore> {
    matcher([pattern]).ok().filter(|one| !one.is_empty())
}

/// One matcher for several lines, or what is wrong with each bad one.
fn matcher<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Gitignore, Vec<String>> {
    let mut builder = GitignoreBuilder::new("");
    // Git takes an unclosed `[` and matches nothing; whoever wrote it should hear of it.
    builder.allow_unclosed_class(false);
    let mut faults = Vec::new();
    for line in lines {
        let rooted = match line.strip_prefix('!') {
            Some(rest) => rest.strip_prefix("./").map(|rest| format!("!/{rest}")),
            None => line.strip_prefix("./").map(|rest| format!("/{rest}")),
        };
        if let Err(error) = builder.add_line(None, rooted.as_deref().unwrap_or(line)) {
            let why = match error {
                ignore::Error::Glob { err, .. } => err,
                other => other.to_string(),
            };
            faults.push(format!("{line:?} ({why})"));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    builder.build().map_err(|error| vec![error.to_string()])
}

fn bad_patterns(faults: &[String]) -> Failure {
    let message = format!("cannot read the patterns of the source folder: {}", faults.join("; "));
    Failure::new(Code::InvalidInput, message)
        .hint("patterns have the syntax of .gitignore; put a `\\` before a `[` or `{` that stands for itself")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(include: &[&str], exclude: &[&str]) -> Rules {
        let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Rules::new(&owned(include), &owned(exclude), Defaults::Off).unwrap()
    }

    #[track_caller]
    fn check(rules: &Rules, hidden: &[&str], visible: &[&str]) {
        for path in hidden {
            assert!(rules.hides(path), "`{path}` should be hidden");
        }
        for path in visible {
            assert!(!rules.hides(path), "`{path}` should be visible");
        }
    }

    #[test]
    fn what_never_travels() {
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
        check(&rules(&[], &[]), &hidden, &visible);
        check(&rules(&["**"], &["!.git", "!.git/**"]), &hidden, &visible);
        check(&rules(&[], &["!.hfignore"]), &[".hfignore", "a/.hfignore"], &["hfignore"]);
    }

    #[test]
    fn exclude_has_the_meaning_of_gitignore() {
        let list =
            ["# a comment", "", "*.log", "!keep.log", "/build", "data/", "docs/*.md", "./here", "a\\ b"];
        check(
            &rules(&[], &list),
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
            &rules(&["app/", "*.py"], &[]),
            &["x", "b/x"],
            &["app/x", "app/a/b", "x.py", "b/x.py", "a/app/x"],
        );
        check(&rules(&["/app"], &["app/raw"]), &["x", "app/raw", "app/raw/x", "a/app/x"], &["app", "app/x"]);
        check(&rules(&["*.py", "!tests/"], &[]), &["tests/x.py", "a/tests/x.py", "x"], &["x.py", "a/x.py"]);
        check(&rules(&["!tests/", "*.py"], &[]), &["x"], &["tests/x.py"]);
        check(&rules(&["!tests/"], &[]), &["tests/x"], &["x", "a/x"]);
        check(&rules(&["# nothing", ""], &[]), &[], &["x"]);
        check(&rules(&["*.{py,txt}"], &[]), &["x.md"], &["x.py", "a/x.txt"]);
    }

    #[test]
    fn nested_ignore_files_are_relative_to_their_folder() {
        let mut rules = rules(&[], &["!/exclude-wins"]);
        rules.add_ignore_file(Path::new(""), b"\xef\xbb\xbf*.tmp\r\nexclude-wins\n").unwrap();
        rules.add_ignore_file(Path::new("a/b"), b"/here\n!keep.tmp\n").unwrap();
        check(
            &rules,
            &["x.tmp", "a/b/x.tmp", "a/b/here", "a/keep.tmp", "a/exclude-wins"],
            &["here", "a/b/c/here", "a/b/keep.tmp", "a/b/c/keep.tmp", "exclude-wins"],
        );
    }

    #[test]
    fn the_defaults_give_way_to_patterns() {
        let left_out =
            [".venv/bin/x", "web/node_modules/a/b", "a/__pycache__/x.pyc", "a/.DS_Store", ".github/x"];
        let with = |include: &[&str], exclude: &[&str], defaults| {
            let owned = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            Rules::new(&owned(include), &owned(exclude), defaults).unwrap()
        };
        check(&with(&[], &[], Defaults::Checkout), &left_out, &["node_modules", "a/.github/x", "venv/x"]);
        check(&with(&[], &[], Defaults::Tools), &left_out[..4], &[".github/x"]);
        check(&with(&[], &[], Defaults::Off), &[], &left_out);
        check(&with(&[], &["!node_modules/"], Defaults::Checkout), &[".venv/x"], &["node_modules/a/b"]);
        check(&with(&["web/node_modules/a"], &[], Defaults::Tools), &[".venv/x"], &["web/node_modules/a/b"]);
        check(&with(&["!node_modules"], &[], Defaults::Tools), &["node_modules/a"], &["x"]);
    }

    #[test]
    fn bad_patterns_are_all_named() {
        let exclude = ["ok".into(), "{b".into(), "[z-a]".into()];
        let failure = Rules::new(&["a[".into()], &exclude, Defaults::Checkout).unwrap_err();
        assert_eq!(failure.code, Code::InvalidInput);
        for text in ["include: \"a[\"", "exclude: \"{b\"", "exclude: \"[z-a]\""] {
            assert!(failure.message.contains(text), "{failure}");
        }
        let mut rules = Rules::default();
        let failure = rules.add_ignore_file(Path::new("sub"), b"ok\n[").unwrap_err();
        assert!(failure.message.contains("sub/.hfignore: \"[\""), "{failure}");
        assert!(rules.add_ignore_file(Path::new(""), b"\xff").is_err());
    }

    #[test]
    fn odd_paths_do_not_panic() {
        let rules = rules(&["a"], &["b"]);
        for path in ["", "/", "/a", "..", "../a", ".", "a/../b", "a//b", "./a"] {
            rules.hides(path);
        }
    }
}
