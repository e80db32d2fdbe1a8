//! Paths inside a repo.

use std::fmt;
use std::str::FromStr;

use super::text::{ParseError, bail_parse, shorten};

/// Maximum length of a path in a repo, in characters (`POST …/commit/{rev}`).
pub const MAX_PATH: usize = 1000;

/// Path of a file or folder inside a repo: relative, with `/` between the parts, never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(String);

impl RepoPath {
    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns this path inside the folder `parent`.
    pub fn within(&self, parent: Option<&RepoPath>) -> Result<RepoPath, ParseError> {
        match parent {
            None => Ok(self.clone()),
            Some(parent) => format!("{}/{}", parent.0, self.0).parse(),
        }
    }

    /// Returns the part of this path below the folder `parent`, if it is below it.
    pub fn below<'a>(&'a self, parent: Option<&RepoPath>) -> Option<&'a str> {
        match parent {
            None => Some(&self.0),
            Some(parent) => self.0.strip_prefix(parent.as_str())?.strip_prefix('/'),
        }
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RepoPath {
    type Err = ParseError;

    /// Refuses what the Hub refuses in a commit, before anything is sent.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        check_parts(text)?;
        // The Hub takes a backslash as part of a name, but not where it could lead out of the repo.
        if text.starts_with("..\\") {
            bail_parse!("begins with `..\\`, which the Hub refuses: {text:?}");
        }
        if text.split('/').any(|part| part.eq_ignore_ascii_case(".git")) {
            bail_parse!("has a `.git` part, which the Hub refuses: {text:?}");
        }
        Ok(Self(text.to_owned()))
    }
}

/// Applies the rules that paths in repos and buckets share.
pub(super) fn check_parts(text: &str) -> Result<(), ParseError> {
    if text.is_empty() {
        bail_parse!("must not be empty");
    }
    if text.chars().count() > MAX_PATH {
        bail_parse!("is longer than {MAX_PATH} characters: {:?}", shorten(text, 60));
    }
    if let Some(bad) = text.chars().find(|c| c.is_control()) {
        bail_parse!("has the control character {bad:?}, which the Hub refuses: {text:?}");
    }
    if text.starts_with('/') || text.ends_with('/') {
        bail_parse!("must be relative, without a `/` at either end: {text:?}");
    }
    for part in text.split('/') {
        match part {
            "" => bail_parse!("has an empty part: {text:?}"),
            "." | ".." => bail_parse!("has a `{part}` part: {text:?}"),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_the_hub_refuses() {
        for good in ["a", "a/b c/#?%.txt", "ü/é.txt", ".github/x", "a'\"b", "a\\b", "folder/..\\..\\file"] {
            assert_eq!(good.parse::<RepoPath>().unwrap().as_str(), good);
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/./b", ".git/config", "a/.GIT/x", "a\nb", "..\\a"] {
            assert!(bad.parse::<RepoPath>().is_err(), "{bad}");
        }
        assert!("x/".repeat(600).parse::<RepoPath>().is_err());
    }

    #[test]
    fn paths_within_a_folder() {
        let folder: RepoPath = "web/app".parse().unwrap();
        let file: RepoPath = "index.html".parse().unwrap();
        let full = file.within(Some(&folder)).unwrap();
        assert_eq!(full.as_str(), "web/app/index.html");
        assert_eq!(full.below(Some(&folder)), Some("index.html"));
        assert_eq!("web/apple".parse::<RepoPath>().unwrap().below(Some(&folder)), None);
    }
}
