//! Advice on clean-ups.

use std::path::Path;

use super::{Code, Failure};
use crate::github::{self, Cause};
use crate::setting::GITHUB_TOKEN;

/// Returns the failure of a clean-up that left repos behind, with a line for each.
pub fn repos_left(errors: &[String]) -> Failure {
    let message = format!("cannot clean up everything: {} failed\n{}", errors.len(), errors.join("\n"));
    Failure::new(Code::HubRefused, message).hint("run this again, or delete them by hand")
}

/// Returns the failure of a list of repos that cannot be read.
pub fn list_unreadable(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, format!("cannot read `{}`", path.display())).caused_by(error)
}

/// Returns the failure of a clean-up that cannot ask GitHub for the pull requests, so that it deletes nothing.
pub fn github_not_asked(error: &github::Error) -> Failure {
    let message = format!("nothing is deleted, because GitHub cannot be asked: {error}");
    match &error.cause {
        Cause::Forbidden { .. } => Failure::new(Code::PermissionDenied, message)
            .hint("give the job `permissions: { pull-requests: write, deployments: write }`"),
        Cause::Status { status: 401, .. } => Failure::new(Code::PermissionDenied, message)
            .hint(format!("check {GITHUB_TOKEN}: its default is the token of the job")),
        Cause::Status { status: 403 | 404, .. } => Failure::new(Code::PermissionDenied, message)
            .hint(format!("check that {GITHUB_TOKEN} can read the pull requests of this repository")),
        Cause::RateLimited { .. } => Failure::new(Code::GithubUnavailable, message)
            .hint("run this again later: the next run finds the same previews"),
        Cause::Status { .. }
        | Cause::GivenUp
        | Cause::Unreachable { .. }
        | Cause::TimedOut { .. }
        | Cause::Unexpected { .. } => Failure::new(Code::GithubUnavailable, message)
            .hint("see https://www.githubstatus.com, and run this again when GitHub is back"),
    }
}
