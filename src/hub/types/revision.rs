//! Branches and refs.

use std::fmt;
use std::str::FromStr;

use super::text::{ParseError, bail_parse};

/// A branch, or a pull-request ref such as `refs/pr/3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    /// Returns the name of the branch or ref.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses a revision that is only read: a branch, a tag, a ref, or a commit as well.
    ///
    /// # Errors
    ///
    /// It is no name that git takes.
    pub fn to_read(text: &str) -> Result<Self, ParseError> {
        if is_commit(text) { Ok(Self(text.to_ascii_lowercase())) } else { text.parse() }
    }

    /// Returns true for a commit, which never moves.
    pub fn is_commit(&self) -> bool {
        is_commit(&self.0)
    }

    /// Returns true for the branch that every repo is created with.
    pub fn is_main(&self) -> bool {
        self.0 == "main"
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Revision {
    type Err = ParseError;

    /// Takes what git takes as a ref name (`git help check-ref-format`), without a leading `-`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bad_char = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
        let bad = text.is_empty()
            || text == "@"
            || text.starts_with(['-', '/'])
            || text.ends_with(['/', '.'])
            || text.contains("..")
            || text.contains("@{")
            || text.contains("//")
            || text.chars().any(bad_char)
            || text.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock"));
        if bad {
            bail_parse!("is not a branch name that git takes: {text:?}");
        }
        if is_commit(text) {
            bail_parse!("must be a branch, not a commit: `{text}`");
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_branches() {
        for good in ["main", "release/1.0", "refs/pr/3", "v1"] {
            assert_eq!(good.parse::<Revision>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "-x", "a..b", "x.lock", "/a", "a/", "a~1", "a\nb", &"a".repeat(40)] {
            assert!(bad.parse::<Revision>().is_err(), "{bad}");
        }
    }

    #[test]
    fn commit_can_be_read() {
        let commit = Revision::to_read(&"A".repeat(40)).unwrap();
        assert!(commit.is_commit() && commit.as_str() == "a".repeat(40));
        assert!(!Revision::to_read("v1").unwrap().is_commit() && Revision::to_read("a b").is_err());
    }
}
