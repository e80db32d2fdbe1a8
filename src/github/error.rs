//! Errors of requests to GitHub.

use std::fmt;
use std::time::Duration;

/// Error of an operation on GitHub.
#[derive(Debug)]
pub struct Error {
    /// Operation and its object, to stand behind "cannot": `list the comments on pull request #12`.
    pub operation: String,
    pub cause: Cause,
}

/// Reason why an operation on GitHub failed.
#[derive(Debug)]
pub enum Cause {
    /// GitHub answered with an error.
    Status {
        status: u16,
        /// Message of GitHub.
        message: String,
        /// `X-GitHub-Request-Id`, for GitHub's support.
        request_id: Option<String>,
    },
    /// The token lacks a permission.
    Forbidden { permission: Permission, message: String },
    /// There was no answer, because the connection failed or broke.
    Unreachable { detail: String },
    /// There was no answer in time.
    TimedOut { after: Duration },
    /// GitHub has kept the run waiting for as long as a run waits.
    GivenUp,
    /// GitHub asks for a longer wait than a run allows.
    RateLimited { wait: Option<Duration> },
    /// The answer is not what GitHub's documents describe.
    Unexpected { detail: String },
}

/// A key of `permissions` in a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    PullRequests,
    Deployments,
}

impl Permission {
    /// Returns the key as workflows have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PullRequests => "pull-requests",
            Self::Deployments => "deployments",
        }
    }
}

impl Error {
    /// Returns the permission that the token lacks, if that is the cause.
    pub fn missing_permission(&self) -> Option<Permission> {
        match &self.cause {
            Cause::Forbidden { permission, .. } => Some(*permission),
            _ => None,
        }
    }

    /// Returns true if GitHub says that the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self.cause, Cause::Status { status: 404 | 410, .. })
    }

    /// Returns true if GitHub understood the request, and does not carry it out for this token.
    pub fn is_refused(&self) -> bool {
        matches!(self.cause, Cause::Forbidden { .. } | Cause::Status { status: 403, .. })
            || self.is_not_found()
    }

    /// Returns true if GitHub may have carried out the request although it did not say so.
    pub fn is_ambiguous(&self) -> bool {
        match self.cause {
            Cause::Status { status, .. } => status >= 500,
            Cause::Unreachable { .. } | Cause::TimedOut { .. } | Cause::Unexpected { .. } => true,
            Cause::Forbidden { .. } | Cause::GivenUp | Cause::RateLimited { .. } => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: ", self.operation)?;
        match &self.cause {
            Cause::Status { status, message, request_id } => {
                write!(f, "GitHub answered {status} {message}")?;
                request_id.as_ref().map_or(Ok(()), |id| write!(f, " (request id {id})"))
            }
            Cause::Forbidden { permission, message } => {
                write!(f, "the token lacks the permission `{}: write` ({message})", permission.as_str())
            }
            Cause::Unreachable { detail } => write!(f, "no connection: {detail}"),
            Cause::TimedOut { after } => write!(f, "no answer within {} s", after.as_secs()),
            Cause::GivenUp => {
                f.write_str("GitHub is not asked any more, because it has kept this run waiting for a minute")
            }
            Cause::RateLimited { wait: Some(wait) } => {
                write!(f, "GitHub's rate limit asks for a wait of {} s", wait.as_secs())
            }
            Cause::RateLimited { wait: None } => f.write_str("GitHub's rate limit is reached"),
            Cause::Unexpected { detail } => write!(f, "unexpected answer of GitHub: {detail}"),
        }
    }
}

impl std::error::Error for Error {}
