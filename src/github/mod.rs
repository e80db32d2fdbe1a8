//! GitHub's REST API, as far as a preview needs it: comments, deployments and pull requests; and the event of the run.
//!
//! GitHub's OpenAPI document and <https://docs.github.com/rest> are the source of the shapes. One question goes to the
//! GraphQL API: the account of the token. The client gives no advice:
//! an [`Error`] says which operation failed and why.

mod client;
mod comments;
mod deployments;
mod error;
mod event;
mod patience;
mod pulls;

pub use client::{Github, GithubOptions};
pub use comments::Comment;
pub use deployments::{Deployment, DeploymentState, NewDeployment, NewStatus};
pub use error::{Cause, Error, Permission};
pub use event::{EventError, PullRequestEvent};
pub use pulls::PullRequest;
