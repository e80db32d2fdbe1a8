//! A client of the Hugging Face Hub: repos, commits, uploads, downloads, buckets, pull requests, Spaces and Jobs.
//!
//! [`Hub`] is the client. Its methods are named by the nouns of the Hub, one file each. Every path and body follows the
//! Hub's OpenAPI document, or the official Python client where the document is silent. Values such as [`RepoName`],
//! [`RepoPath`] or [`Flavor`] are made by parsing.
//!
//! Requests are repeated after transient failures ([`RetryPolicy`]). A request that could land twice is not: after a
//! lost answer, its outcome is looked up first.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use hub::{Credentials, Hub, HubOptions, Lookup, Repo, RepoName, RepoType, Revision, Secret};
//!
//! let mut options = HubOptions::new("https://huggingface.co".parse()?);
//! options.credentials = Credentials::Token(Secret::new(std::env::var("HF_TOKEN")?));
//! let hub = Hub::new(options)?;
//!
//! let user = hub.whoami().await?;
//! let id = "my-space".parse::<RepoName>()?.with_namespace(&user.name);
//! let space = Repo { repo_type: RepoType::Space, id };
//! match hub.look_up(&space, &Revision::default()).await? {
//!     Lookup::Found(info) => println!("{space} is at {:?}", info.sha),
//!     Lookup::NoRevision => println!("{space} has no branch `main`"),
//!     Lookup::NoRepo(refusal) => println!("{space} does not exist: {refusal}"),
//! }
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs, unreachable_pub)]

mod auth;
mod bucket_files;
mod buckets;
mod call;
mod cards;
mod client;
mod commit_body;
mod commits;
mod content;
mod dataset_viewer;
mod discussions;
mod download;
mod error;
mod files;
pub mod http;
mod inference;
mod jobs;
mod large_file;
mod lfs;
mod lock;
mod marker;
mod models;
mod operation;
mod pages;
mod preupload;
mod rate_limit;
mod refusal;
mod repos;
mod retry;
mod runtime;
mod secret;
mod space_logs;
mod space_settings;
mod spaces;
pub mod sse;
mod stage;
mod token_form;
mod transport;
mod types;
mod uploads;
mod url;
mod usage;
mod users;
mod whoami;
mod xet;
mod xet_feed;

pub use auth::{Credentials, IdToken, IdTokenFuture, IdTokenSource, OnSecret};
pub use bucket_files::{BUCKET_BATCH, BucketOperation, StoredContent};
pub use buckets::{BucketFile, BucketInfo, ListedBucket};
pub use cards::CardCheck;
pub use client::{Hub, HubOptions};
pub use commits::CommitReceipt;
pub use content::{Content, ContentError, ContentFault, InMemory};
pub use dataset_viewer::{
    DatasetViewer, SplitSize, Viewed, ViewerConfig, ViewerParts, ViewerSize, ViewerSizes, ViewerSplit,
    ViewerSplits,
};
pub use discussions::{Merged, NewDraft, PullRequest, PullRow, PullStatus, pull_request_ref};
pub use download::{Download, DownloadFrom, DownloadId, Downloaded, RefusedPath, TargetFolder, xet_hash};
pub use error::{BatchFailure, Cause, Error, ExchangeError, PathFault, TransferFault};
pub use files::RemoteFile;
pub use inference::{ChatStream, Inferred, RoutedModel, RoutedProvider, Router, TokenPrice};
pub use jobs::{Accelerator, Job, JobDurations, JobEnd, JobHardware, JobImage, JobOwner, JobSpec, JobStatus};
pub use large_file::{LargeFile, Transfer, Uploaded};
pub use marker::Marker;
pub use models::{FileAccess, ModelFile, ModelInfo, ModelLookup, ModelParts};
pub use operation::{CommitRequest, OnBytes, Operation};
pub use preupload::{Preupload, PreuploadFile, UploadMode};
pub use refusal::{Payment, Refusal, RefusalKind};
pub use repos::{CreateRepo, Creation, ListedRepo, Lookup, NewFile, NewSpace, RepoInfo, Sibling};
pub use retry::RetryPolicy;
pub use runtime::{Hardware, HardwareName, MountedVolume, Runtime};
pub use secret::Secret;
pub use space_logs::{LogBytes, LogKind, StreamEnd};
pub use space_settings::SettingKind;
pub use spaces::Price;
pub use stage::Stage;
pub use token_form::{Access, token_form};
pub use transport::OnNotice;
pub use types::{
    BucketId, BucketPath, Checksum, CommitId, ContentId, Flavor, GitBlobHasher, JobId, JobName, JobStage,
    MAX_PATH, MAX_REPO_NAME, NotADigest, Oid, ParseError, Repo, RepoId, RepoName, RepoPath, RepoType,
    Revision, Sha256, SizeChanged, SleepTime, SpaceSdk, TokenSubject, Visibility, Volume, VolumeKind,
    XetHash, git_blob_oid, job_namespace, label_key, label_value, read_in_blocks, sha256, shorten, suggest,
    to_label_value,
};
pub use usage::{
    Bill, BillLine, BillingPeriod, InferenceBill, InferencePeriod, InferenceSession, InferenceUsage,
    JobsAccess, JobsSpending, Usage, ZeroGpuQuota,
};
pub use whoami::{Org, OrgRole, TokenInfo, TokenRole, TokenScope, WhoAmI};
