//! Failures as users see them: the only table of error codes and exit codes.

pub mod account;
pub mod agent;
pub mod app_check;
pub mod bucket;
pub mod build_space;
pub mod bundle;
pub mod cancelled;
pub mod cleanup;
pub mod dataset;
pub mod deploy;
pub mod deploy_log;
pub mod folder;
pub mod hardware;
mod hub;
pub mod inference;
pub mod job;
pub mod model;
pub mod preview;
pub mod proxy;
pub mod rights;
pub mod space;
pub mod space_operation;
mod token_page;
pub mod verify;

use std::fmt;

/// The family of a failure, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// An input or the source folder is not right: nothing was touched.
    Input,
    /// The token is missing or refused, or may not do this, or the plan does not cover it.
    Auth,
    /// The Hub did not answer, or asks to wait longer than a run can.
    Unavailable,
    /// Another writer changed the repo.
    Conflict,
    /// It took longer than it was allowed to.
    Timeout,
    /// The deploy itself failed.
    Deploy,
    /// A fault of this action.
    Bug,
    /// The run was cancelled.
    Cancelled,
}

impl FailureKind {
    /// Returns the exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Deploy => 1,
            Self::Input => 2,
            Self::Auth => 3,
            Self::Unavailable => 4,
            Self::Conflict => 5,
            Self::Timeout => 6,
            Self::Bug => 70,
            Self::Cancelled => 130,
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident;)*) => {
        /// A stable name for one way to fail: the output `error_code`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code there is, in the order of the table.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// Returns the code as users see it, in snake_case.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Returns the family that the code belongs to.
            pub fn kind(self) -> FailureKind {
                match self { $(Self::$name => FailureKind::$kind,)* }
            }
        }
    };
}

codes! {
    /// One or more inputs are missing, malformed or at odds with each other.
    InvalidInput = "invalid_input", Input;
    /// `source_dir` does not exist, is not a folder, or holds nothing to deploy.
    SourceMissing = "source_missing", Input;
    /// A file of the source cannot be read.
    SourceUnreadable = "source_unreadable", Input;
    /// A file is a Git LFS pointer where its content should be.
    LfsPointer = "lfs_pointer", Input;
    /// A symbolic link leads out of the source folder, or to nothing.
    LinkOutsideSource = "link_outside_source", Input;
    /// A file name or path that the Hub refuses.
    InvalidPath = "invalid_path", Input;
    /// More or larger files than the Hub takes.
    SourceTooLarge = "source_too_large", Input;
    /// The metadata block of README.md is refused by the Hub, or cannot be read.
    InvalidCard = "invalid_card", Input;
    /// A file of a dataset is not right: a row, a type, its encoding.
    InvalidDataset = "invalid_dataset", Input;
    /// The deploy would delete more than `max_deletes` allows.
    TooManyDeletes = "too_many_deletes", Input;
    /// A file that holds a secret would become public.
    SecretsInFiles = "secrets_in_files", Input;
    /// A new variable would have the name of a secret that the Space has, or the other way round.
    SettingsCollision = "settings_collision", Input;
    /// A bucket that would get private content is public.
    PublicBucket = "public_bucket", Input;
    /// There is no token.
    TokenMissing = "token_missing", Auth;
    /// GitHub gives the job no identity token.
    IdTokenUnavailable = "id_token_unavailable", Auth;
    /// The Hub has no trusted publisher for this job and this repo.
    KeylessRefused = "keyless_refused", Auth;
    /// The Hub does not know the token.
    TokenInvalid = "token_invalid", Auth;
    /// The token is known, and may not do this.
    PermissionDenied = "permission_denied", Auth;
    /// The plan of the namespace does not cover this.
    PaymentRequired = "payment_required", Auth;
    /// The Hub grants none of the hardware, and `require_hardware` is true.
    HardwareRefused = "hardware_refused", Auth;
    /// The repo does not exist, or the token cannot see it.
    RepoNotFound = "repo_not_found", Auth;
    /// No provider has the model, or it does something else.
    ModelNotSupported = "model_not_supported", Input;
    /// The branch does not exist.
    RevisionNotFound = "revision_not_found", Input;
    /// The Hub asks to wait longer than this run may.
    RateLimited = "rate_limited", Unavailable;
    /// The Hub cannot be reached, or keeps failing.
    HubUnavailable = "hub_unavailable", Unavailable;
    /// GitHub cannot be reached, keeps failing, or asks for a long wait.
    GithubUnavailable = "github_unavailable", Unavailable;
    /// Another writer changed the branch repeatedly.
    Conflict = "conflict", Conflict;
    /// A Space with the name of the proxy is there, and this action did not make it.
    ProxyNameTaken = "proxy_name_taken", Conflict;
    /// A Space with the name of a preview is there, and is not that of this pull request.
    PreviewNameTaken = "preview_name_taken", Conflict;
    /// A Space of the wanted name is there, and is not one that this action made for the model.
    SpaceNameTaken = "space_name_taken", Conflict;
    /// The Hub did not answer in time.
    Timeout = "timeout", Timeout;
    /// A file changed while it was being uploaded.
    SourceChanged = "source_changed", Deploy;
    /// A large file did not reach the storage.
    UploadFailed = "upload_failed", Deploy;
    /// A file of the Hub was not downloaded, or its content is not the announced one.
    DownloadFailed = "download_failed", Deploy;
    /// The Hub refused the request for a reason of its own.
    HubRefused = "hub_refused", Deploy;
    /// The Space did not build.
    SpaceBuildFailed = "space_build_failed", Deploy;
    /// The Space was built, and its app ended.
    SpaceCrashed = "space_crashed", Deploy;
    /// The card, the variables or the secrets of the Space contradict each other.
    SpaceMisconfigured = "space_misconfigured", Deploy;
    /// The Space has no app file.
    SpaceWithoutApp = "space_without_app", Deploy;
    /// The Space was not running in time.
    SpaceNotReady = "space_not_ready", Timeout;
    /// The app runs, and does not do what was asked of it.
    CheckFailed = "check_failed", Deploy;
    /// No Space can be made for the model, for a reason in the model itself.
    TechnicalBlocker = "technical_blocker", Deploy;
    /// The Hub grants a Space no hardware for its model, so that a person has to choose it.
    ManualHardwareRequired = "manual_hardware_required", Deploy;
    /// The files that an agent returned break rules.
    AgentRefused = "agent_refused", Deploy;
    /// The agent did not finish its work.
    AgentFailed = "agent_failed", Deploy;
    /// The next request could cost more than is allowed.
    CostLimitReached = "cost_limit_reached", Deploy;
    /// A commit of another writer came before ours was running.
    Overtaken = "overtaken", Conflict;
    /// A Job may cost more than `max_cost`.
    CostExceeded = "cost_exceeded", Input;
    /// The Job does not exist, or the token cannot see it.
    JobNotFound = "job_not_found", Auth;
    /// The command of the Job failed.
    JobFailed = "job_failed", Deploy;
    /// The Job ended before its command started.
    JobNotStarted = "job_not_started", Deploy;
    /// The time of the Job was over.
    JobTimeout = "job_timeout", Timeout;
    /// Another user, another run or the Hub cancelled the Job.
    JobCancelled = "job_cancelled", Deploy;
    /// The Job was deleted.
    JobDeleted = "job_deleted", Deploy;
    /// This machine failed: a full disk, no memory.
    LocalIo = "local_io", Deploy;
    /// A fault of this action.
    Internal = "internal_error", Bug;
    /// The run was cancelled by a signal.
    Cancelled = "cancelled", Cancelled;
}

/// A place in a file of the source, for an annotation on the workflow run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// The path relative to the root of the GitHub checkout.
    pub file: String,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The fault at this place.
    pub message: String,
}

/// Address of the explanation of an error code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpAddress(pub String);

/// Failure of a run, as the log, the summary and the outputs describe it.
///
/// `message` is one sentence in lower case that names the operation and the object. Each hint is one
/// thing that the user can do next. Neither holds a token.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub message: String,
    pub hints: Vec<String>,
    pub places: Vec<SourceLocation>,
    /// It was found in the source before anything was written, so that nothing was touched.
    pub is_early: bool,
    /// The end of the log of the Space that failed. It may hold secrets, as any text from outside.
    pub log_lines: Vec<String>,
    /// Address of the explanation of the code, in the version that runs.
    pub help: Option<Box<HelpAddress>>,
    /// The chain of causes, for the log.
    pub source: Option<anyhow::Error>,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hints: Vec::new(),
            places: Vec::new(),
            is_early: false,
            log_lines: Vec::new(),
            help: None,
            source: None,
        }
    }

    /// Marks a failure whose cause is in the source, and that came before any write.
    #[must_use]
    pub fn before_any_write(mut self) -> Self {
        self.is_early = true;
        self
    }

    /// Returns the exit code of a run that ends with this failure.
    pub fn exit_code(&self) -> u8 {
        match self.code.kind() {
            FailureKind::Deploy if self.is_early => FailureKind::Input.exit_code(),
            kind => kind.exit_code(),
        }
    }

    /// Adds one thing that the user can do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the end of the log that shows the failure.
    #[must_use]
    pub fn with_log(mut self, lines: Vec<String>) -> Self {
        self.log_lines = lines;
        self
    }

    /// Adds the error that led here.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds places in files of the source.
    #[must_use]
    pub fn at(mut self, places: impl IntoIterator<Item = SourceLocation>) -> Self {
        self.places.extend(places);
        self
    }

    /// Returns the causes, outermost first, one line each.
    pub fn causes(&self) -> Vec<String> {
        self.source.iter().flat_map(|error| error.chain().map(|cause| cause.to_string())).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The result of everything that can end a run.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_snake_case() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            let text = code.as_str();
            assert!(seen.insert(text), "`{text}` stands twice");
            assert!(text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "`{text}`");
        }
    }

    #[test]
    fn the_exit_code_says_whether_anything_was_touched() {
        let without_app = || Failure::new(Code::SpaceWithoutApp, "no app");
        assert_eq!((without_app().exit_code(), without_app().before_any_write().exit_code()), (1, 2));
        assert_eq!(Failure::new(Code::TokenInvalid, "x").before_any_write().exit_code(), 3);
    }

    #[test]
    fn causes_are_listed_outermost_first() {
        let inner = std::io::Error::other("disk on fire");
        let failure = Failure::new(Code::LocalIo, "cannot read `a`")
            .caused_by(anyhow::Error::new(inner).context("reading block 3"));
        assert_eq!(failure.causes(), ["reading block 3", "disk on fire"]);
    }
}
