//! A GitHub that runs on this machine, for tests: comments, deployments, pull requests and ID tokens.
//!
//! [`LocalGithub`] serves the part of GitHub's REST API that a deploy needs, on loopback and with real state. Every
//! request is recorded and compared with GitHub's own OpenAPI document, and so is every answer. Faults can be planted
//! on any path.

mod answer;
mod contract;
mod id_token;
mod routes;
mod server;
mod state;

pub use contract::Contract;
pub use server::{Fault, LocalGithub, RecordedRequest};
pub use state::{
    Access, Actor, ActorKind, Comment, Deployment, DeploymentStatus, Permissions, PullRequest, PullState,
};
