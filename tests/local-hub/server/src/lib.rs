//! A Hugging Face Hub that runs on this machine, for tests.
//!
//! [`LocalHub`] serves the Hub's HTTP interface on loopback, with state: repositories with git's object ids, branches,
//! pull requests, large files by LFS or by chunks, buckets, Spaces with secrets and apps, Jobs. It records every request,
//! compares it with a [`Contract`] if there is one, and injects faults on any path.
//!
//! The parts, each with its own state: `core` (repositories), `buckets`, `accounts`, `spaces`, `jobs`, `faults`. `viewer`
//! shows datasets, from the repositories. `hub` joins
//! them, `routes` maps paths to them, and `local_hub` is the interface for tests.

mod accounts;
mod buckets;
mod config;
mod contract;
mod core;
mod faults;
mod http;
mod hub;
pub mod inference;
mod jobs;
mod local_hub;
mod policy;
mod routes;
mod server;
mod spaces;
mod tasks;
mod util;
mod viewer;

pub use accounts::billing::FLAVORS;
pub use accounts::user::{DEFAULT_TOKEN, Org, TokenRole, TokenScope, User, Wallet};
pub use buckets::bucket::BucketEntry;
pub use config::{DockerCommand, HubConfig, LargeFileTransfer, Moves, Runtimes};
pub use contract::{CheckedRequest, Contract, LineKind};
pub use core::card::LICENSES;
pub use core::content::TreeFile;
pub use core::repo_type::RepoType;
pub use faults::fault::{Fault, FaultKind};
pub use http::record::{KEPT_BODY, RecordedRequest};
pub use jobs::policy::{JobLogPolicy, JobPolicy};
pub use local_hub::{BucketHandle, CommitInfo, JobHandle, LocalHub, NewRepo, RepoHandle, SpaceHandle};
pub use policy::{CommitAnswer, Policy};
pub use spaces::logs::{Log, LogStep};
pub use spaces::script::{BuildCause, BuildScript, StageSha, StageStep};
