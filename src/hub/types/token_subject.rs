//! Subject of a token of trusted publishing.

use std::fmt;

use super::bucket::BucketId;
use super::repo::{Repo, RepoType};

/// Repo or bucket that a token of trusted publishing is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSubject {
    /// A repo.
    Repo(Repo),
    /// A bucket.
    Bucket(BucketId),
}

impl TokenSubject {
    /// Returns the name in an exchange: `ns/name` for a model, else with the kind in front, such as `spaces/ns/name`.
    pub(crate) fn resource(&self) -> String {
        match self {
            Self::Repo(Repo { repo_type: RepoType::Model, id }) => id.to_string(),
            Self::Repo(Repo { repo_type, id }) => format!("{}/{id}", repo_type.plural()),
            Self::Bucket(bucket) => bucket.page(),
        }
    }

    /// Returns the path of the page without a leading slash, such as `spaces/ada/app`.
    pub fn page(&self) -> String {
        match self {
            Self::Repo(repo) => repo.page(),
            Self::Bucket(bucket) => bucket.page(),
        }
    }
}

impl fmt::Display for TokenSubject {
    /// Writes the subject as it stands in a sentence: ``Space `ada/app` ``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repo(repo) => repo.fmt(f),
            Self::Bucket(bucket) => write!(f, "bucket `{bucket}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::RepoName;

    #[test]
    fn resources_have_the_names_of_the_hub() {
        let of = |repo_type| {
            let id = "ada/app".parse::<RepoName>().unwrap().full().unwrap();
            TokenSubject::Repo(Repo { repo_type, id }).resource()
        };
        let all = [RepoType::Model, RepoType::Dataset, RepoType::Space].map(of);
        assert_eq!(all, ["ada/app", "datasets/ada/app", "spaces/ada/app"]);
        let bucket = TokenSubject::Bucket("ada/data".parse().unwrap());
        assert_eq!(bucket.resource(), "buckets/ada/data");
    }
}
