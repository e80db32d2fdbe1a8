//! The options of a verification.

use std::path::PathBuf;
use std::time::Duration;

use hub::RepoId;
use url::Url;

use crate::app_check::{Check, FailOn};
use crate::ops::bundle_bucket::BundleBucket;

/// Options of a verification.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    pub target: Target,
    /// The checks, in their order. There is at least one.
    pub checks: Vec<NamedCheck>,
    /// Time for everything: the wait for the Space, and all checks.
    pub timeout: Duration,
    /// Results that fail the run.
    pub fail_on: FailOn,
    /// Id of the run whose bundle gets the result, such as one that waited for hardware.
    pub completes: Option<String>,
    /// Bucket that may have the bundle of that run.
    pub bundle_bucket: Option<BundleBucket>,
    /// The file for the results in the form of JUnit.
    pub junit_path: Option<PathBuf>,
}

/// App to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Space(RepoId),
    Url(Url),
}

/// One of the checks.
#[derive(Debug, Clone)]
pub struct NamedCheck {
    /// Name in the reports, on one line.
    pub name: String,
    /// Its timeout is what is left of the time for everything.
    pub check: Check,
    /// Its place in the file of the checks, if there is one.
    pub place: Option<CheckPlace>,
}

/// Place of a check in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckPlace {
    /// Path of the file as the user wrote it.
    pub file: String,
    /// Line of the check, counted from 1.
    pub line: u32,
}
