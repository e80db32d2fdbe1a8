//! The types of repositories.

use serde::{Deserialize, Serialize};

/// The three repository types the Hub serves git trees for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RepoType {
    /// A model repository; its pages have no prefix.
    Model,
    /// A dataset repository.
    Dataset,
    /// A Space.
    Space,
}

impl RepoType {
    /// All types.
    pub const ALL: [Self; 3] = [Self::Model, Self::Dataset, Self::Space];

    /// `model`, `dataset` or `space`: the value of a `type` field.
    #[must_use]
    pub fn singular(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
            Self::Space => "space",
        }
    }

    /// `models`, `datasets` or `spaces`: the segment of an API path.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
        }
    }

    /// Prefix of a page or git path: empty, `datasets/` or `spaces/`.
    #[must_use]
    pub fn page_prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
            Self::Space => "spaces/",
        }
    }

    pub(crate) fn from_plural(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.plural() == text)
    }

    pub(crate) fn from_singular(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.singular() == text)
    }
}
