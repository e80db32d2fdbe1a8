//! The options of a deploy, apart from where they come from.

use std::path::PathBuf;
use std::time::Duration;

use crate::app_check::{Check, FailOn, Mode};
use crate::folder::card::DatasetCard;
use crate::ops::space::{HardwareOptions, SettingsOptions, Variable};
use hub::{RepoName, RepoPath, RepoType, Revision, SpaceSdk, Visibility};

/// A deploy of one folder to one repo.
#[derive(Debug, Clone)]
pub struct DeployOptions {
    /// Without a namespace, the repo belongs to the token's user.
    pub repo: RepoName,
    pub repo_type: RepoType,
    /// `None`: the card or the files decide.
    pub space_sdk: Option<SpaceSdk>,
    /// Visibility of a new repo.
    pub visibility: Visibility,
    /// Changes an existing repo to `visibility` as well.
    pub visibility_given: bool,
    /// True if `private: false` stands alone, which may be meant as a wish to publish.
    pub private_is_false: bool,
    pub origin: Origin,
    /// `Some` for the preview of a pull request.
    pub preview: Option<PreviewCopy>,
    /// Mark in the files of a Space. One that exists without it is never written to.
    pub file_mark: Option<FileMark>,
    /// Reaction to files that hold a secret: `None` decides by their readers.
    pub secrets_in_files: Option<SecretsInFiles>,
    /// Absolute where the checkout is known, else relative to the working directory.
    pub source_dir: PathBuf,
    /// Root of the checkout that `source_dir` is part of.
    pub workspace: Option<PathBuf>,
    /// `None` is the root of the repo.
    pub path_in_repo: Option<RepoPath>,
    /// File in which digests of files are kept from run to run.
    pub cache_path: Option<PathBuf>,
    /// Patterns in gitignore syntax; an empty list includes everything.
    pub include: Vec<String>,
    /// Patterns in gitignore syntax.
    pub exclude: Vec<String>,
    /// Leaves out files that are not meant to be deployed, such as `node_modules/`.
    pub default_excludes: bool,
    pub prune: Prune,
    /// Limit of deletions; `None` is no limit.
    pub max_deletes: Option<DeleteLimit>,
    pub revision: Revision,
    pub create_pr: bool,
    /// May have more than one line.
    pub commit_message: Option<String>,
    pub commit_description: Option<String>,
    /// Source of the files, for the commit message.
    pub provenance: Provenance,
    pub commit_limits: CommitLimits,
    pub dry_run: bool,
    /// Options that only Spaces have; all of them are off for a model or a dataset.
    pub space: SpaceOptions,
    /// True if a public proxy Space is deployed in front of this one.
    pub has_proxy: bool,
    /// PEM file with trusted root certificates.
    pub tls_roots: Option<PathBuf>,
    /// Files about the rows of a dataset.
    pub dataset: Option<DatasetFiles>,
}

/// Files about the rows of a dataset, which the uploaded copy gets.
#[derive(Debug, Clone)]
pub struct DatasetFiles {
    pub card: DatasetCard,
    /// Leaves a README.md that is there as it is.
    pub keeps_readme: bool,
    /// Facts about the configuration, for metadata.json.
    pub metadata: serde_json::Value,
}

impl DeployOptions {
    /// Returns false for a proposal, and for a branch that no Space runs: visitors meet the same app as before.
    pub fn affects_live_branch(&self) -> bool {
        !self.create_pr && (self.repo_type != RepoType::Space || self.revision.is_main())
    }

    /// Returns true if this deploy deletes files that the source no longer has.
    pub fn prunes(&self) -> bool {
        match self.prune {
            Prune::Always | Prune::Named(_) => true,
            Prune::Never => false,
            Prune::Auto => self.repo_type == RepoType::Space,
        }
    }
}

/// A Space that is a copy of another one, for a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewCopy {
    /// Variable of the Space that names the pull request. A Space without it is never written to.
    pub mark: Variable,
    /// Name of the other Space: the title of a card that has none.
    pub title: String,
    /// End of the title of the card.
    pub title_end: String,
}

/// Mark in the files of a Space for a model: a tag of its card, and a record of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMark {
    pub tag: &'static str,
    /// Path of the record, a JSON object with the field `model`.
    pub record: &'static str,
    /// Model that the Space is for.
    pub model: String,
    /// Writes to a marked Space of another model as well.
    pub overwrite: bool,
}

/// Author of the deployed folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A person, who can act on warnings about it.
    Checkout,
    /// This program, from its template of a proxy. The log names only what is of interest about a proxy.
    Proxy,
    /// This program, from a template for a model.
    Model,
}

/// The commit on GitHub and the workflow run behind a deploy. All of it is missing on a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Provenance {
    /// `owner/name` of the GitHub repository.
    pub repository: Option<String>,
    /// The commit, in hexadecimal.
    pub sha: Option<String>,
    /// The page of the commit.
    pub commit_url: Option<String>,
    /// The page of the workflow run.
    pub run_url: Option<String>,
}

/// Deletion of files that the source no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// On for Spaces, which mirror the source; off for models and datasets, which have other writers.
    Auto,
    Always,
    Never,
    /// Only files of these names, in the root of the repo.
    Named(&'static [&'static str]),
}

/// Reaction to a file or a variable that looks like a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretsInFiles {
    Error,
    Warn,
    Ignore,
}

/// Limits of one commit. A deploy that is larger is put together in a pull request first.
///
/// The Hub publishes no number. Its official client has never more than 1,000 files and 100 MB of small files in one
/// commit, to stay below the minute after which the Hub's gateway gives up (`_upload_pipeline.py` of
/// `huggingface_hub`); where the Hub refuses a commit as too large (413), it is halved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommitLimits {
    /// Files that are written or deleted.
    pub files: usize,
    /// Bytes of small files, which travel with the commit itself. Large files do not count: they are in the storage.
    pub bytes: u64,
}

impl Default for CommitLimits {
    fn default() -> Self {
        Self { files: 1000, bytes: 100_000_000 }
    }
}

/// Limit of the files that a deploy may delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteLimit {
    Files(usize),
    /// Percentage of the existing files, from 0 to 100.
    Percent(usize),
}

impl DeleteLimit {
    /// Returns true if that many of the existing files may be deleted.
    pub fn allows(self, deleted: usize, there: usize) -> bool {
        match self {
            Self::Files(most) => deleted <= most,
            Self::Percent(most) => deleted.saturating_mul(100) <= there.saturating_mul(most),
        }
    }
}

impl std::fmt::Display for DeleteLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Files(most) => write!(f, "{most}"),
            Self::Percent(most) => write!(f, "{most}%"),
        }
    }
}

/// Options of a Space beside its files.
#[derive(Debug, Clone)]
pub struct SpaceOptions {
    pub settings: SettingsOptions,
    pub hardware: HardwareOptions,
    /// Longest wait for the Space; `None` does not wait.
    pub wait: Option<Duration>,
    /// Check of the running app. It runs only after a wait.
    pub check: Check,
    /// Results of the check that fail the deploy.
    pub fail_on: FailOn,
    pub on_failure: OnFailure,
    pub leave_open: LeaveOpen,
}

impl SpaceOptions {
    /// Returns the options of a repo that does not run.
    pub fn off(workspace: PathBuf) -> Self {
        Self {
            settings: SettingsOptions::default(),
            hardware: HardwareOptions::default(),
            wait: None,
            check: Check { mode: Mode::Off, ..Check::new(workspace) },
            fail_on: FailOn::default(),
            on_failure: OnFailure::Keep,
            leave_open: LeaveOpen::Never,
        }
    }
}

/// Reaction to a Space that does not come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    Keep,
    Rollback,
}

/// Spaces that a failure leaves in dev mode, to be looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveOpen {
    Never,
    /// A private Space without a public proxy. Visitors of any other Space would meet the failed app for days.
    IfPrivate {
        /// Other runs of the workflow deploy previews, which the option is also for.
        has_previews: bool,
    },
    /// The preview of a pull request, also a public one.
    Preview,
}
