//! Vocabulary of the Hub: repos, revisions, paths, hardware and ids.
//!
//! Each type is made by parsing and cannot hold a bad value afterwards. A parse error is one lower-case sentence
//! that names the value, meant to stand behind `input: `.

pub(crate) mod bucket;
pub(crate) mod commit_id;
pub(crate) mod digest;
pub(crate) mod hardware;
pub(crate) mod job;
pub(crate) mod repo;
pub(crate) mod repo_name;
pub(crate) mod repo_path;
pub(crate) mod revision;
pub(crate) mod sdk;
pub mod suggest;
pub(crate) mod text;
pub(crate) mod token_subject;
pub(crate) mod volume;

pub use bucket::{BucketId, BucketPath};
pub use commit_id::CommitId;
pub use digest::{
    Checksum, ContentId, GitBlobHasher, NotADigest, Oid, Sha256, SizeChanged, XetHash, git_blob_oid,
    read_in_blocks, sha256,
};
pub use hardware::{Flavor, SleepTime};
pub use job::{JobId, JobName, JobStage, job_namespace, label_key, label_value, to_label_value};
pub use repo::{Repo, RepoId, RepoType, Visibility};
pub use repo_name::{MAX_REPO_NAME, RepoName};
pub use repo_path::{MAX_PATH, RepoPath};
pub use revision::Revision;
pub use sdk::SpaceSdk;
pub use text::{ParseError, shorten};
pub use token_subject::TokenSubject;
pub use volume::{Volume, VolumeKind};
