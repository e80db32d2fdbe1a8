//! The only room that speaks to the Hub. Every path and body here follows the Hub's OpenAPI document;
//! where that is silent, the official Python client.

mod call;
mod client;
mod commits;
mod error;
#[cfg(test)]
pub(crate) mod fuzzing;
mod keyless;
mod listing;
mod pull_requests;
mod repos;
mod retry;
mod runtime;
mod spaces;
mod tree;
mod upload;

pub use client::{Hide, Hub, HubOptions, Notify};
pub use commits::{CommitReceipt, CommitRequest, MARK, OnBytes, Operation};
pub use error::{Cause, HubError, Refusal};
pub use listing::ListedRepo;
pub use pull_requests::{NewDraft, PullStatus, pull_request_ref};
pub use repos::{
    CardCheck, CreateRepo, Creation, Lookup, NewFile, NewSpace, Org, OrgRole, RepoInfo, TokenRole,
    TokenScope, WhoAmI,
};
pub use retry::RetryPolicy;
pub use runtime::{Hardware, LogBytes, LogKind, Runtime, Stage};
pub use spaces::{Machine, MachineHardware, MountedVolume, Price, SettingKind};
pub use tree::RemoteFile;
pub use upload::{LargeFile, Preupload, PreuploadFile, Transfer, UploadMode, Uploaded};

use crate::target::{RepoId, RepoType};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A repo as requests address it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    pub repo_type: RepoType,
    pub id: RepoId,
}

impl Repo {
    /// The repo's API path, such as `/api/spaces/ada/app`.
    fn api(&self) -> String {
        format!("/api/{}/{}/{}", self.repo_type.plural(), encode(&self.id.namespace), encode(&self.id.name))
    }

    /// The repo's page path without a leading slash, such as `spaces/ada/app`.
    pub fn page(&self) -> String {
        format!("{}{}", self.repo_type.url_prefix(), self.id)
    }
}

impl std::fmt::Display for Repo {
    /// The repo in a sentence: ``Space `ada/app` ``.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}`", self.repo_type.noun(), self.id)
    }
}

/// What RFC 3986 (section 2.3) calls unreserved stays; all else is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, for a path whose slashes stay slashes.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// One path segment: a slash in a revision becomes `%2F`, as the Hub wants it.
fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

/// A path of several segments.
fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_for_their_place() {
        assert_eq!(encode("refs/pr/1"), "refs%2Fpr%2F1");
        assert_eq!(encode_path("a b/ü#?%.txt"), "a%20b/%C3%BC%23%3F%25.txt");
    }
}
