//! Options of a Job.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hub::{BucketId, JobImage, JobName, Secret, Volume};

use crate::folder::SourceOptions;

/// Label with the id of the run that created a Job, by which a lost answer is found again.
pub const RUN_LABEL: &str = "hf-deploy-run";

/// Number of hexadecimal digits that keep the Jobs of a namespace apart.
const DIGITS: usize = 12;

/// Id of a run that has a Job, unique in its namespace: letters, digits and `-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunId(String);

impl RunId {
    /// Makes the id for the Job of a run, whose own id is `run`. That one is short, and all Jobs of a namespace share a
    /// bucket and a list.
    pub fn of_run(run: &str) -> Self {
        Self(format!("{run}-{}", &crate::text::random_token()[..DIGITS]))
    }

    /// Takes the id that the label of a Job has, if it is one.
    pub fn from_label(text: &str) -> Option<Self> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (!text.is_empty() && text.len() <= 100 && is_plain).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Work of a Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// A shell script, in a wrapper that reports its exit code.
    Script(String),
    /// A Python script, which `uv` runs with the packages of its metadata.
    Python(PythonScript),
    /// A command with its arguments, as it is.
    Command(Vec<String>),
}

/// A Python script for `uv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PythonScript {
    pub text: String,
    /// Name of its file.
    pub name: String,
    /// Path of the file in the folder that is sent, if it is there. It is run there, next to its modules.
    pub path_in_checkout: Option<String>,
    /// Version of Python; `None` for the one that the metadata or the image has.
    pub python: Option<String>,
}

/// A Job to create.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub run: RunId,
    pub work: Work,
    pub image: JobImage,
    /// Name of the hardware.
    pub flavor: String,
    /// Longest time of an attempt.
    pub timeout: Duration,
    pub attempts: u32,
    pub environment: BTreeMap<String, String>,
    pub secrets: BTreeMap<String, Secret>,
    pub volumes: Vec<Volume>,
    pub labels: BTreeMap<String, String>,
    /// Largest cost in US dollars.
    pub max_cost: Option<f64>,
    /// `None` for a Job without a checkout and without output.
    pub artifacts: Option<ArtifactOptions>,
}

/// Options of the checkout and the output, which travel through a bucket.
#[derive(Debug, Clone)]
pub struct ArtifactOptions {
    /// Private bucket; `None` is the one of the official command line.
    pub bucket: Option<BucketId>,
    /// Folder to send; `None` sends nothing.
    pub checkout: Option<SourceOptions>,
    /// Leaves the output in the bucket.
    pub keep_output: bool,
    /// False if the folder of the output on this machine is gone after the run.
    pub output_stays_here: bool,
}

/// Job of a run.
#[derive(Debug, Clone)]
pub enum Target {
    New(Box<NewJob>),
    /// A Job of another step or workflow.
    Existing(ExistingJob),
}

/// A Job of another step or workflow.
#[derive(Debug, Clone)]
pub struct ExistingJob {
    pub name: JobName,
    /// Leaves its output in the bucket.
    pub keep_output: bool,
}

/// Options of a run of a Job.
#[derive(Debug, Clone)]
pub struct JobOptions {
    /// Owner of the Job; `None` is the user of the token.
    pub namespace: Option<String>,
    pub target: Target,
    /// False to leave the Job running.
    pub is_waited_for: bool,
    /// False to let the Job go on if this run ends early.
    pub is_cancelled_with_run: bool,
    /// Root of the checkout, where the log and the output are kept.
    pub workspace: PathBuf,
    /// File for the TLS roots of hf-xet, if the image has none.
    pub tls_roots: Option<PathBuf>,
}
