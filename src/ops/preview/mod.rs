//! The previews of pull requests: a Space for each, with a comment and a deployment on GitHub.

pub mod comment_mark;
pub mod comments;
pub mod deployments;
pub mod marker;
pub mod name;
pub mod removal;
