//! The state: repositories with their pull requests, comments and deployments, and those who may change them.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Rights on one kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Access {
    #[default]
    None,
    Read,
    Write,
}

/// Permissions of a token, as the key `permissions` of a workflow sets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions {
    pub pull_requests: Access,
    pub issues: Access,
    pub deployments: Access,
}

impl Permissions {
    /// All that a preview needs.
    pub const ALL: Self =
        Self { pull_requests: Access::Write, issues: Access::None, deployments: Access::Write };
}

/// Kind of account behind a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActorKind {
    User,
    /// The token of a workflow or of a GitHub App, which has no user of its own.
    App,
}

/// Account behind a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub login: String,
    pub kind: ActorKind,
    pub permissions: Permissions,
}

impl Actor {
    /// Returns the account of the token that each workflow run gets.
    pub fn workflow(permissions: Permissions) -> Self {
        Self { login: "github-actions[bot]".to_owned(), kind: ActorKind::App, permissions }
    }

    /// Returns the account of another GitHub App.
    pub fn app(login: &str) -> Self {
        Self { login: login.to_owned(), kind: ActorKind::App, permissions: Permissions::ALL }
    }

    /// Returns a person.
    pub fn person(login: &str) -> Self {
        Self { login: login.to_owned(), kind: ActorKind::User, permissions: Permissions::ALL }
    }
}

/// State of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullState {
    Open,
    Closed,
    Merged,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    pub title: String,
    pub state: PullState,
    /// Head commit, in hexadecimal.
    pub head: String,
    /// `owner/name` of the repository that the head is in: `None` after it was deleted.
    pub head_repo: Option<String>,
    pub updated_at: Timestamp,
}

/// A comment on a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    pub id: u64,
    /// Number of the pull request.
    pub number: u64,
    pub body: String,
    pub author: Actor,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Number of changes after its creation.
    pub edits: u32,
}

/// A deployment with its statuses, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    pub id: u64,
    /// The commit, or the ref as it was given.
    pub sha: String,
    pub task: String,
    pub environment: String,
    pub description: String,
    pub payload: serde_json::Value,
    pub is_transient: bool,
    pub is_production: bool,
    pub creator: Actor,
    pub created_at: Timestamp,
    pub statuses: Vec<DeploymentStatus>,
}

impl Deployment {
    /// Returns the state of the last status: `None` before the first.
    pub fn state(&self) -> Option<&str> {
        self.statuses.last().map(|status| status.state.as_str())
    }
}

/// A status of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentStatus {
    pub id: u64,
    pub state: String,
    pub description: String,
    pub environment_url: String,
    pub log_url: String,
    pub creator: Actor,
    pub created_at: Timestamp,
}

/// A repository.
#[derive(Debug, Clone, Default)]
pub(crate) struct Repository {
    pub(crate) is_private: bool,
    pub(crate) pulls: BTreeMap<u64, PullRequest>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) deployments: Vec<Deployment>,
}

/// All that this GitHub knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// By `owner/name`.
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// By token.
    pub(crate) actors: BTreeMap<String, Actor>,
    last_id: u64,
}

impl State {
    /// Returns an id that no other object has.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}
