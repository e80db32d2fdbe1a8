//! A Hugging Face Hub that runs on this machine, for tests.
//!
//! [`LocalHub`] serves the Hub's HTTP interface on loopback with real state: repositories with git's own object
//! ids, branches, pull requests, large files by LFS or by chunks, Spaces with secrets and a runtime. Every request
//! is recorded and compared with the Hub's OpenAPI document; faults can be injected on any path.

mod answer;
mod attributes;
mod auth;
mod billing;
mod card;
mod config;
mod conn;
mod content;
mod contract;
mod contract_schema;
mod contract_tables;
mod control;
mod create;
mod discussion;
mod edge;
mod faults;
mod hub;
mod large;
mod lfs;
mod logs;
mod objects;
mod plan;
mod policy;
mod quota;
mod record;
mod repo;
mod routes;
mod runtime;
mod server;
mod snapshot;
mod space;
mod stage;
mod store;
mod util;
mod xet;

pub use config::{
    DEFAULT_TOKEN, DockerCommand, HubConfig, LargeFileTransfer, Moves, Org, RepoType, Runtimes, TokenRole,
    TokenScope, User,
};
pub use faults::{Fault, FaultKind};
pub use hub::{CommitInfo, LocalHub, TreeFile};
pub use logs::{Log, LogStep};
pub use policy::{CommitAnswer, Policy};
pub use record::{KEPT_BODY, RecordedRequest};
pub use stage::{BuildCause, BuildScript, StageSha, StageStep};
