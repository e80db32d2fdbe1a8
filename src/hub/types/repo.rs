//! Repos and their types.

use std::fmt;
use std::str::FromStr;

use super::suggest;
use super::text::ParseError;
use crate::url::encode;

/// Type of a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RepoType {
    /// A Space.
    Space,
    /// A model.
    Model,
    /// A dataset.
    Dataset,
}

impl RepoType {
    /// Returns the singular: `space`, `model` or `dataset`, as in `POST /api/repos/create`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Space => "space",
            Self::Model => "model",
            Self::Dataset => "dataset",
        }
    }

    /// Returns the plural of API paths: `/api/spaces/…`.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Space => "spaces",
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }

    /// Returns the part of page, git and resolve URLs in front of the id: empty for models.
    pub fn url_prefix(self) -> &'static str {
        match self {
            Self::Space => "spaces/",
            Self::Model => "",
            Self::Dataset => "datasets/",
        }
    }

    /// Returns the type as a word in a sentence: `Space`, `model` or `dataset`.
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

/// Visibility of a repo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Readable by everyone.
    Public,
    /// Readable by its owner, or by the members of its organization.
    Private,
    /// A Space with private source and a public app.
    Protected,
}

impl Visibility {
    /// Returns the name that the API uses.
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

/// Full id of a repo: `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepoId {
    /// User or organization that owns the repo.
    pub namespace: String,
    /// Name of the repo in its namespace.
    pub name: String,
}

impl fmt::Display for RepoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A repo as requests address it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repo {
    /// Type of the repo.
    pub repo_type: RepoType,
    /// Full id of the repo.
    pub id: RepoId,
}

impl Repo {
    /// Returns the API path of the repo, such as `/api/spaces/ada/app`.
    pub(crate) fn api(&self) -> String {
        format!("/api/{}/{}/{}", self.repo_type.plural(), encode(&self.id.namespace), encode(&self.id.name))
    }

    /// Returns the path of the repo's page without a leading slash, such as `spaces/ada/app`.
    pub fn page(&self) -> String {
        format!("{}{}", self.repo_type.url_prefix(), self.id)
    }
}

impl fmt::Display for Repo {
    /// Writes the repo as it stands in a sentence: ``Space `ada/app` ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.repo_type.noun(), self.id)
    }
}
