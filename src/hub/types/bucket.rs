//! Storage buckets and paths inside them.

use std::fmt;
use std::str::FromStr;

use super::repo::RepoId;
use super::repo_name::RepoName;
use super::repo_path::check_parts;
use super::text::{ParseError, bail_parse};
use crate::url::encode;

/// Full id of a storage bucket: `namespace/name`.
///
/// ```
/// let bucket: hub::BucketId = "ada/jobs-artifacts".parse().unwrap();
/// assert_eq!(bucket.namespace(), "ada");
/// assert!("jobs-artifacts".parse::<hub::BucketId>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BucketId(RepoId);

impl BucketId {
    /// Makes the id of a bucket from its parts, which follow the rule of repo names.
    pub fn new(namespace: &str, name: &str) -> Result<Self, ParseError> {
        format!("{namespace}/{name}").parse()
    }

    /// Returns the user or organization that owns the bucket.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// Returns the name of the bucket in its namespace.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the API path of the bucket, such as `/api/buckets/ada/data`.
    pub(crate) fn api(&self) -> String {
        format!("/api/{}", self.encoded())
    }

    /// Returns the path of the bucket's page without a leading slash, such as `buckets/ada/data`.
    pub fn page(&self) -> String {
        format!("buckets/{}", self.0)
    }

    /// Returns the same with its parts encoded.
    pub(crate) fn encoded(&self) -> String {
        format!("buckets/{}/{}", encode(&self.0.namespace), encode(&self.0.name))
    }
}

impl From<RepoId> for BucketId {
    fn from(id: RepoId) -> Self {
        Self(id)
    }
}

impl fmt::Display for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for BucketId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.parse::<RepoName>()?.full() {
            Some(id) => Ok(Self(id)),
            None => bail_parse!("must be `namespace/name`, not `{text}`"),
        }
    }
}

/// Path of a file or folder inside a bucket: relative, with `/` between the parts, never empty.
///
/// ```
/// let folder: hub::BucketPath = "runs/42".parse().unwrap();
/// let file = folder.join("state.json").unwrap();
/// assert_eq!(file.as_str(), "runs/42/state.json");
/// assert_eq!(folder.below("runs/42/logs/a.txt"), Some("logs/a.txt"));
/// assert_eq!(folder.below("runs/421/a.txt"), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketPath(String);

impl BucketPath {
    /// Returns the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path `rest` inside this folder.
    pub fn join(&self, rest: &str) -> Result<Self, ParseError> {
        format!("{}/{rest}", self.0).parse()
    }

    /// Returns the part of `path` below this folder, if it is below it.
    pub fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.0.as_str())?.strip_prefix('/')
    }
}

impl fmt::Display for BucketPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BucketPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        check_parts(text)?;
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_ids_have_both_parts() {
        let bucket: BucketId = "ada/data.v2".parse().unwrap();
        assert_eq!(
            (bucket.api().as_str(), bucket.page().as_str()),
            ("/api/buckets/ada/data.v2", "buckets/ada/data.v2")
        );
        for bad in ["", "data", "ada/", "ada/a/b", "ada/a b", "hf://buckets/ada/data"] {
            assert!(bad.parse::<BucketId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn bucket_paths_are_relative() {
        for good in ["a", ".git/config", "a b/ü#?%.txt", "a\\b"] {
            assert_eq!(good.parse::<BucketPath>().unwrap().as_str(), good);
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/./b", "a\nb", "a\0b"] {
            assert!(bad.parse::<BucketPath>().is_err(), "{bad:?}");
        }
    }
}
