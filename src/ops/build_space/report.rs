//! The report of a Space that is made from a model: facts for outputs, summary and run bundle.

use std::time::Duration;

use crate::agent::{AgentBlocker, JobResult};
use crate::app_check::CheckStatus;
use crate::failure::{Code, Failure};
use crate::model::{Analysis, Severity};
use crate::ops::deploy::DeployReport;
use crate::ops::deploy::report::Status;
use crate::ops::job::report::JobReport;

/// Facts about a run.
#[derive(Debug, Default)]
pub struct BuildReport {
    /// Model as the run names it.
    pub model: String,
    /// Address of the Hub without a trailing slash.
    pub endpoint: String,
    pub is_dry_run: bool,
    /// Recommendation and obstacles, once the model was looked at.
    pub analysis: Option<Analysis>,
    /// Name of the template of the files.
    pub template: Option<&'static str>,
    /// Paths of the generated files.
    pub files: Vec<String>,
    /// The verdict, once there is one.
    pub gate: Option<Gate>,
    /// The agent that edited the files.
    pub agent: AgentReport,
    /// The deploy of the files.
    pub deploy: DeployReport,
    pub took: Option<Duration>,
    pub failure: Option<Failure>,
}

/// Facts about the agent.
#[derive(Debug, Default)]
pub struct AgentReport {
    /// Its model, once its Job was to start.
    pub model: Option<String>,
    pub job: JobReport,
    /// Result of its Job.
    pub result: Option<JobResult>,
    /// Bucket and folder with its sessions.
    pub sessions: Option<String>,
    /// Obstacles that it found.
    pub blockers: Vec<AgentBlocker>,
}

impl AgentReport {
    /// Returns the cost of its Job and its model so far, in US dollars. `None` without any known price.
    pub fn cost(&self) -> Option<f64> {
        let of_model = self.result.as_ref().and_then(|result| result.cost_usd);
        match (self.job.cost(), of_model) {
            (None, None) => None,
            (job, model) => Some(job.unwrap_or_default() + model.unwrap_or_default()),
        }
    }

    /// Returns the obstacles that keep the model from becoming a Space.
    pub fn obstacles(&self) -> impl Iterator<Item = &AgentBlocker> {
        self.blockers.iter().filter(|blocker| blocker.severity == Severity::Blocker)
    }
}

/// The verdict about the Space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    pub status: CheckStatus,
    /// Sentences, the most important one first.
    pub reasons: Vec<String>,
}

impl BuildReport {
    /// Returns the end of the run in one word.
    pub fn status(&self) -> Status {
        match &self.failure {
            Some(failure) if failure.code == Code::Cancelled => Status::Cancelled,
            Some(_) => Status::Failed,
            None if self.is_dry_run => Status::DryRun,
            // Nothing was written: the model cannot become a Space, or the Hub grants no hardware.
            None if self.deploy.status.is_none() => Status::Skipped,
            None => self.deploy.status(),
        }
    }
}
