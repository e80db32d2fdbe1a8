//! Facts of a run of a Job, for outputs and summary.

use hub::{Job, JobDurations, JobId, JobStage};

use super::price::Price;
use crate::failure::{Code, Failure};
use crate::run_bundle::JobFacts;

/// Number of log lines that the summary of a failure shows.
pub(super) const SHOWN_LINES: usize = 60;

/// Result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Succeeded,
    Failed,
    Cancelled,
    /// The Job was left running.
    Running,
}

impl Status {
    /// Returns the word of the output `status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
        }
    }
}

/// A Job that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPlace {
    pub namespace: String,
    pub id: JobId,
    /// Its page.
    pub url: String,
}

/// Facts of a run of a Job.
#[derive(Debug, Default)]
pub struct JobReport {
    pub job: Option<JobPlace>,
    pub stage: Option<JobStage>,
    /// Message of the Hub about the stage.
    pub message: Option<String>,
    /// Exit code of the script.
    pub exit_code: Option<i32>,
    pub flavor: Option<String>,
    pub price: Option<Price>,
    pub durations: JobDurations,
    /// Number of attempts that failed, and that the Job may have.
    pub failed_attempts: u32,
    pub attempts: u32,
    /// Path of the log, relative to the workspace.
    pub log_path: Option<String>,
    /// Folder with the output, relative to the workspace.
    pub output_dir: Option<String>,
    /// Number of its files.
    pub output_files: Option<usize>,
    /// Last lines of the log.
    pub last_lines: Vec<String>,
    has_started: bool,
    pub(super) is_left_running: bool,
    /// The Job goes on if the run ends early.
    pub is_only_watched: bool,
    pub(super) has_succeeded: bool,
    pub failure: Option<Failure>,
}

impl JobReport {
    /// Takes the state of the Job as the Hub reports it.
    pub(super) fn observe(&mut self, job: &Job) {
        self.stage = Some(job.status.stage.clone());
        self.message.clone_from(&job.status.message);
        self.durations = job.durations;
        self.failed_attempts = job.status.failure_count.unwrap_or_default() as u32;
        self.attempts = job.retry.unwrap_or_default() as u32 + 1;
        self.has_started = job.started_at.is_some();
        self.flavor = Some(job.flavor.clone());
    }

    /// Returns the Job for the state of the run.
    pub fn facts(&self) -> Option<JobFacts> {
        self.job.as_ref().map(|job| JobFacts {
            id: Some(job.id.to_string()),
            url: Some(job.url.clone()),
            stage: self.stage.as_ref().map(|stage| stage.as_str().to_owned()),
        })
    }

    pub fn status(&self) -> Status {
        match &self.failure {
            Some(failure) if failure.code == Code::Cancelled => Status::Cancelled,
            Some(_) => Status::Failed,
            None if self.has_succeeded => Status::Succeeded,
            None if self.is_left_running => Status::Running,
            None => Status::Failed,
        }
    }

    /// Returns the estimated cost in US dollars: the minutes that were begun, at the price of the hardware.
    pub fn cost(&self) -> Option<f64> {
        self.stage.as_ref()?;
        // The Hub rounds down, and a minute begins with the first moment.
        let first = if self.has_started { 1.0 } else { 0.0 };
        let seconds = self.durations.running_secs.unwrap_or_default().max(first);
        Some(self.price?.of_seconds(seconds))
    }
}
