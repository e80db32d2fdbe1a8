//! Errors of requests to the Hub.

use std::fmt;
use std::io;
use std::time::Duration;

use reqwest::StatusCode;

use crate::content::ContentError;
use crate::refusal::{Refusal, RefusalKind};
use crate::types::{TokenSubject, shorten};

/// Error of an operation on the Hub.
///
/// It says what failed and why, and gives no advice: that depends on the program that uses this crate.
#[derive(Debug)]
pub struct Error {
    /// Operation and its object, to stand behind "cannot": ``create the Space `ada/app` ``.
    pub operation: String,
    /// Reason.
    pub cause: Box<Cause>,
}

/// Reason why an operation on the Hub failed.
#[derive(Debug)]
pub enum Cause {
    /// The Hub answered with an error.
    Status(Refusal),
    /// There was no answer, because the connection failed or broke.
    Unreachable {
        /// Description of the network error.
        detail: String,
        /// Number of attempts.
        attempts: u32,
        /// True if it failed before a byte of the request was sent.
        before_sending: bool,
    },
    /// There was no answer in time.
    TimedOut {
        /// Time that was allowed.
        after: Duration,
    },
    /// The Hub asks for a longer wait than the retry policy allows.
    WaitTooLong {
        /// The wait, if the Hub names it.
        wait: Option<Duration>,
        /// Answer that asks for it.
        refusal: Refusal,
    },
    /// The answer is not what the Hub's OpenAPI document describes.
    Unexpected {
        /// Description of the difference.
        detail: String,
    },
    /// The Hub may have carried out the request, and the lookup of the outcome failed.
    Unknown {
        /// Error of the lookup.
        look: Error,
    },
    /// Content to upload cannot be read, or changed.
    Content(ContentError),
    /// The storage of large files refused content. This says nothing about the repo or the token, because addresses of
    /// the storage carry a permission of their own.
    Storage(Refusal),
    /// The storage refused one large file.
    ObjectRefused {
        /// Message of the storage.
        message: String,
    },
    /// The transfer engine of large files failed.
    Transfer {
        /// Kind of the failure.
        fault: TransferFault,
        /// Message of the engine.
        detail: String,
    },
    /// The transfer engine failed while it read from the storage.
    Download {
        /// Kind of the failure.
        fault: TransferFault,
        /// Message of the engine.
        detail: String,
    },
    /// Downloaded content is not what the Hub announced.
    Corrupt {
        /// Announced id.
        expected: String,
        /// Id of the content that came.
        found: String,
    },
    /// A downloaded file cannot be written to the disk.
    Disk(io::Error),
    /// A path would leave the folder of a download.
    UnsafePath(PathFault),
    /// The bucket is public, and is not written to.
    PublicBucket,
    /// The Hub carried out only a part of a batch.
    BatchFailed {
        /// Number of operations of the batch.
        sent: usize,
        /// Operations that failed.
        failed: Vec<BatchFailure>,
    },
    /// No byte of large files moved for this time.
    Stalled {
        /// Time without progress.
        after: Duration,
    },
    /// No temporary folder could be made.
    Scratch(io::Error),
    /// The HTTP client could not be set up.
    Setup {
        /// Message of the HTTP client.
        detail: String,
    },
    /// The token has a character that no token has.
    MalformedToken,
    /// No token was obtained from the ID token.
    Exchange(ExchangeError),
}

/// Operation of a batch that failed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct BatchFailure {
    /// Path in the bucket.
    pub path: String,
    /// Message of the Hub.
    pub error: String,
}

/// Reason why a path of the Hub cannot be a path below a folder of this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// It is empty, or has an empty part, `.` or `..`.
    #[error("has an empty part, `.` or `..`")]
    Parts,
    /// It begins with a slash.
    #[error("is absolute")]
    Absolute,
    /// It has a character that some system reads as a separator or as the end of a path.
    #[error("has the character {0:?}")]
    Character(char),
    /// A part of it, or the whole, is longer than file systems allow.
    #[error("is too long for a file system")]
    TooLong,
    /// A folder on the way is a symbolic link, or the file itself is.
    #[error("leads through the symbolic link `{0}`")]
    Link(String),
    /// A part of it is the name of both a file and a folder.
    #[error("needs `{0}` to be both a file and a folder")]
    FileAndFolder(String),
    /// Another file of the same download has the same path, or the path is kept for unfinished downloads.
    #[error("is taken")]
    Taken,
}

/// Kind of a failure of the transfer engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferFault {
    /// The storage refused the permission.
    Permission,
    /// The storage cannot be reached, or failed.
    Unavailable,
    /// The storage limits requests.
    RateLimited,
    /// The storage did not answer in time.
    TimedOut,
    /// A file or a folder of this machine failed.
    LocalIo,
    /// The transfer was cancelled.
    Cancelled,
    /// Any other failure.
    Other,
}

/// Reason why an ID token was not exchanged for a token of the Hub.
#[derive(Debug)]
pub enum ExchangeError {
    /// The client is for no repo in particular, and such a token is for one repo.
    NoRepo,
    /// The source of ID tokens gave none.
    NoIdToken(Box<dyn std::error::Error + Send + Sync>),
    /// The Hub refused the exchange.
    Refused {
        /// Address of the Hub.
        endpoint: String,
        /// Repo or bucket that the token was meant for.
        subject: TokenSubject,
        /// Answer of the Hub.
        refusal: Refusal,
        /// Claims of the ID token, by name.
        claims: Vec<(String, String)>,
    },
}

impl Error {
    /// Makes an error of an operation, such as ``create the Space `ada/app` ``.
    pub fn new(operation: impl Into<String>, cause: Cause) -> Self {
        Self { operation: operation.into(), cause: Box::new(cause) }
    }

    /// Makes the error of an answer that is not what the Hub's OpenAPI document describes.
    pub fn unexpected(operation: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(operation, Cause::Unexpected { detail: detail.into() })
    }

    /// Returns the error answer, if the Hub gave one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &*self.cause {
            Cause::Status(refusal) | Cause::WaitTooLong { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// Returns the meaning of the error answer, if the Hub gave one.
    pub fn kind(&self) -> Option<RefusalKind> {
        self.refusal().map(Refusal::kind)
    }

    /// Returns the status of the error answer, if the Hub gave one.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status.as_u16())
    }

    /// Returns true if the same request may succeed a little later.
    pub fn may_pass(&self) -> bool {
        match &*self.cause {
            Cause::Status(refusal) | Cause::WaitTooLong { refusal, .. } => refusal.is_transient(),
            Cause::Unreachable { .. } | Cause::TimedOut { .. } => true,
            Cause::Unknown { look } => look.may_pass(),
            _ => false,
        }
    }

    /// Returns true if the Hub may have carried out the request although it did not confirm it.
    pub fn is_ambiguous(&self) -> bool {
        match &*self.cause {
            Cause::Status(refusal) => {
                refusal.status.is_server_error() || refusal.status == StatusCode::REQUEST_TIMEOUT
            }
            Cause::Unreachable { .. }
            | Cause::TimedOut { .. }
            | Cause::Unexpected { .. }
            | Cause::Unknown { .. } => true,
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.operation, self.cause)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(refusal) | Self::Storage(refusal) => write!(f, "the Hub answered {refusal}"),
            Self::Unreachable { detail, attempts: 0 | 1, .. } => write!(f, "no connection: {detail}"),
            Self::Unreachable { detail, attempts, .. } => {
                write!(f, "no connection after {attempts} attempts: {detail}")
            }
            Self::TimedOut { after } => write!(f, "no answer within {} s", after.as_secs()),
            Self::WaitTooLong { wait: Some(wait), refusal } => {
                write!(f, "the Hub asks to wait {} s: {refusal}", wait.as_secs())
            }
            Self::WaitTooLong { wait: None, refusal } => write!(f, "the Hub asks to wait: {refusal}"),
            Self::Unexpected { detail } => write!(f, "unexpected answer of the Hub: {detail}"),
            Self::Unknown { look } => write!(f, "the outcome is not known: {look}"),
            Self::Content(error) => error.fmt(f),
            Self::ObjectRefused { message } => write!(f, "the Hub refuses the file: {message}"),
            Self::Transfer { detail, .. } | Self::Download { detail, .. } | Self::Setup { detail } => {
                f.write_str(detail)
            }
            Self::Corrupt { expected, found } => {
                write!(f, "the content is not the announced one: expected {expected}, found {found}")
            }
            Self::Disk(error) => error.fmt(f),
            Self::UnsafePath(fault) => write!(f, "the path {fault}"),
            Self::PublicBucket => f.write_str("the bucket is public"),
            Self::BatchFailed { sent, failed } => batch_failed(f, *sent, failed),
            Self::Stalled { after } => write!(f, "no byte moved for {} minutes", after.as_secs() / 60),
            Self::Scratch(error) => error.fmt(f),
            Self::MalformedToken => f.write_str("the token has a character that no token has"),
            Self::Exchange(error) => error.fmt(f),
        }
    }
}

/// Maximum number of failed operations that an error lists.
const LISTED_FAILURES: usize = 5;

fn batch_failed(f: &mut fmt::Formatter<'_>, sent: usize, failed: &[BatchFailure]) -> fmt::Result {
    write!(f, "the Hub refused {} of {sent} operations", failed.len())?;
    for (index, BatchFailure { path, error }) in failed.iter().take(LISTED_FAILURES).enumerate() {
        let separator = if index == 0 { ": " } else { "; " };
        write!(f, "{separator}`{}`: {}", shorten(path, 200), shorten(error, 200))?;
    }
    let more = failed.len().saturating_sub(LISTED_FAILURES);
    if more > 0 { write!(f, "; and {more} more") } else { Ok(()) }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRepo => f.write_str("an ID token is exchanged for one repo, and none was named"),
            Self::NoIdToken(error) => error.fmt(f),
            Self::Refused { refusal, .. } => write!(f, "the Hub answered {refusal}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use reqwest::header::HeaderMap;

    use super::*;

    #[test]
    fn an_error_names_the_request_id() {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "Root=1-a-b".parse().unwrap());
        let refusal =
            Refusal::read(StatusCode::FORBIDDEN, &headers, br#"{"error":"no"}"#, SystemTime::UNIX_EPOCH);
        let error = Error::new("create the Space `a/b`", Cause::Status(refusal));
        assert_eq!(
            error.to_string(),
            "cannot create the Space `a/b`: the Hub answered 403 no (request id Root=1-a-b)"
        );
    }
}
