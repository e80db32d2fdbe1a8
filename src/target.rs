//! What is deployed to: repo ids, repo types, SDKs, visibilities, revisions and paths.
//!
//! Each type is made by parsing and cannot hold a bad value afterwards. A refusal is one lower-case
//! sentence that names the value, meant to stand behind `input: `.

mod hardware;
mod repo_name;
pub mod suggest;

use std::fmt;
use std::str::FromStr;

pub use hardware::{Flavor, SleepTime, Volume, VolumeKind};
pub use repo_name::{MAX_REPO_NAME, RepoName};

/// Why a piece of text is not a value of the wanted type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

macro_rules! bail_parse {
    ($($arg:tt)*) => { return Err(ParseError(format!($($arg)*))) };
}

/// The kinds of repo that the Hub hosts and this action deploys to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepoType {
    Space,
    Model,
    Dataset,
}

impl RepoType {
    /// The singular: `space`, `model` or `dataset`, as in the input and in `POST /api/repos/create`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Space => "space",
            Self::Model => "model",
            Self::Dataset => "dataset",
        }
    }

    /// The plural that API paths use: `/api/spaces/…`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Space => "spaces",
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }

    /// What stands before the id in page, git and resolve URLs: empty for models.
    pub fn url_prefix(self) -> &'static str {
        match self {
            Self::Space => "spaces/",
            Self::Model => "",
            Self::Dataset => "datasets/",
        }
    }

    /// The type as it stands in a sentence: `Space`, `model` or `dataset`.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Space => "Space",
            other => other.as_str(),
        }
    }
}

impl FromStr for RepoType {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "space" => Ok(Self::Space),
            "model" => Ok(Self::Model),
            "dataset" => Ok(Self::Dataset),
            _ => suggest::one_of(&["space", "model", "dataset"], text),
        }
    }
}

/// The SDK that a Space runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceSdk {
    Gradio,
    Docker,
    Static,
    /// No longer an SDK of the Hub: the input value lives on and deploys a Docker Space.
    Streamlit,
}

impl SpaceSdk {
    /// The value as the input spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gradio => "gradio",
            Self::Docker => "docker",
            Self::Static => "static",
            Self::Streamlit => "streamlit",
        }
    }

    /// The SDK as the Hub knows it: `gradio`, `docker` or `static` (`POST /api/repos/create`, `sdk`).
    pub fn hub_name(self) -> &'static str {
        match self {
            Self::Streamlit => "docker",
            other => other.as_str(),
        }
    }
}

impl FromStr for SpaceSdk {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "gradio" => Ok(Self::Gradio),
            "docker" => Ok(Self::Docker),
            "static" => Ok(Self::Static),
            "streamlit" => Ok(Self::Streamlit),
            _ => {
                let refusal = suggest::refusal(&["gradio", "docker", "static", "streamlit"], text);
                bail_parse!("{refusal}{}", advice_for_framework(text))
            }
        }
    }
}

/// Frameworks whose apps the Hub runs in Docker Spaces.
const DOCKER_FRAMEWORKS: &[&str] = &["flask", "fastapi", "django", "node", "nodejs", "express", "nextjs"];

/// Returns the end of a refusal: the SDK that runs the apps of a framework.
fn advice_for_framework(text: &str) -> &'static str {
    let name = suggest::letters_of(text);
    match name.as_str() {
        "html" => ": set `static` for plain pages",
        name if DOCKER_FRAMEWORKS.contains(&name) => {
            ": set `docker`, and add a Dockerfile that starts the app"
        }
        _ => "",
    }
}

/// Who can see a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    Public,
    Private,
    /// Spaces only: the source is private, the app is public.
    Protected,
}

impl Visibility {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Protected => "protected",
        }
    }
}

impl FromStr for Visibility {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "public" => Ok(Self::Public),
            "private" => Ok(Self::Private),
            "protected" => Ok(Self::Protected),
            _ => suggest::one_of(&["public", "private", "protected"], text),
        }
    }
}

/// A repo on the Hub: `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoId {
    pub namespace: String,
    pub name: String,
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A branch, or a pull-request ref such as `refs/pr/3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision(String);

impl Revision {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The branch that every repo is created with.
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
        if text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            bail_parse!("must be a branch, not a commit: `{text}`");
        }
        Ok(Self(text.to_owned()))
    }
}

/// The longest path in a repo, in characters (`POST …/commit/{rev}`).
pub const MAX_PATH: usize = 1000;

/// The path of a file or folder inside a repo: relative, `/` between the parts, never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoPath(String);

impl RepoPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This path inside the folder `parent`.
    pub fn within(&self, parent: Option<&RepoPath>) -> Result<RepoPath, ParseError> {
        match parent {
            None => Ok(self.clone()),
            Some(parent) => format!("{}/{}", parent.0, self.0).parse(),
        }
    }

    /// The part of this path below the folder `parent`, if it is below it.
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
        if text.is_empty() {
            bail_parse!("must not be empty");
        }
        if text.chars().count() > MAX_PATH {
            bail_parse!("is longer than {MAX_PATH} characters: {:?}", shorten(text, 60));
        }
        if let Some(bad) = text.chars().find(|c| c.is_control()) {
            bail_parse!("has the control character {bad:?}, which the Hub refuses: {text:?}");
        }
        // The Hub takes a backslash as part of a name, but not where it could lead out of the repo.
        if text.starts_with("..\\") {
            bail_parse!("begins with `..\\`, which the Hub refuses: {text:?}");
        }
        if text.starts_with('/') || text.ends_with('/') {
            bail_parse!("must be relative, without a `/` at either end: {text:?}");
        }
        for part in text.split('/') {
            match part {
                "" => bail_parse!("has an empty part: {text:?}"),
                "." | ".." => bail_parse!("has a `{part}` part: {text:?}"),
                _ if part.eq_ignore_ascii_case(".git") => {
                    bail_parse!("has a `.git` part, which the Hub refuses: {text:?}")
                }
                _ => {}
            }
        }
        Ok(Self(text.to_owned()))
    }
}

/// The first `max` characters of `text`, with an ellipsis where something was cut.
pub fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: FromStr<Err = ParseError> + fmt::Debug>(text: &str) -> String {
        text.parse::<T>().expect_err(text).to_string()
    }

    #[test]
    fn revisions_are_branches() {
        for good in ["main", "release/1.0", "refs/pr/3", "v1"] {
            assert_eq!(good.parse::<Revision>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "-x", "a..b", "x.lock", "/a", "a/", "a~1", "a\nb", &"a".repeat(40)] {
            refusal::<Revision>(bad);
        }
    }

    #[test]
    fn paths_that_the_hub_refuses() {
        for good in ["a", "a/b c/#?%.txt", "ü/é.txt", ".github/x", "a'\"b", "a\\b", "folder/..\\..\\file"] {
            assert_eq!(good.parse::<RepoPath>().unwrap().as_str(), good);
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/./b", ".git/config", "a/.GIT/x", "a\nb", "..\\a"] {
            refusal::<RepoPath>(bad);
        }
        refusal::<RepoPath>(&"x/".repeat(600));
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
