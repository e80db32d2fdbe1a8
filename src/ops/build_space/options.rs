//! The options of a Space that is made from a model.

use std::path::PathBuf;
use std::time::Duration;

use crate::app_check::{Check, CheckStatus, FailOn};
use crate::ops::deploy::options::Provenance;
use hub::{RepoName, Secret, Visibility};
use url::Url;

use super::recommend::ModelQuestion;

/// A Space for one model.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    /// The model, and the wishes about template and hardware.
    pub question: ModelQuestion,
    /// `None`: the user of the token, and the name of the model.
    pub space: Option<RepoName>,
    pub mode: BuildMode,
    /// Visibility of a new Space.
    pub visibility: Visibility,
    /// Changes an existing Space to `visibility` as well.
    pub visibility_given: bool,
    /// Writes to a Space that this action made for another model.
    pub overwrite: bool,
    /// Recommends and generates, and changes nothing on the Hub.
    pub dry_run: bool,
    /// Longest wait for the Space and its check.
    pub timeout: Duration,
    /// Check of the app. Its call is that of the model's examples, unless it names another.
    pub check: Check,
    /// Results that fail the run: `None` decides by the mode.
    pub fail_on: Option<FailOn>,
    /// The workflow run, for messages of commits.
    pub provenance: Provenance,
    /// PEM file with trusted root certificates.
    pub tls_roots: Option<PathBuf>,
    /// Lets an agent edit the files before they are deployed.
    pub agent: Option<AgentOptions>,
}

/// The agent that edits the files of the template, in a Job.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// Model of the agent at Inference Providers, maybe with a policy or a provider: `namespace/name:cheapest`.
    pub model: String,
    /// Token that calls the model.
    pub token: Secret,
    /// Time for the agent.
    pub timeout: Duration,
    /// Largest cost of the Job and the model together, in US dollars.
    pub max_cost: f64,
    /// Name of the hardware of the Job.
    pub hardware: String,
    /// Address of the router of Inference Providers, without `/v1`.
    pub inference_endpoint: Url,
}

/// Demand on the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildMode {
    /// A call must return the promised type.
    FullInferenceGated,
    /// The same, and an app that only answers is accepted.
    FullInferenceAttempt,
    /// A page about the model, which loads nothing.
    SafeScaffold,
}

impl BuildMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullInferenceGated => "full-inference-gated",
            Self::FullInferenceAttempt => "full-inference-attempt",
            Self::SafeScaffold => "safe-scaffold",
        }
    }
}

impl BuildOptions {
    /// Returns the results that fail the run. `is_static` is true for a page without an API to call.
    pub(super) fn fail_on(&self, is_static: bool) -> FailOn {
        if let Some(fail_on) = &self.fail_on {
            return fail_on.clone();
        }
        let mut statuses =
            vec![CheckStatus::Failed, CheckStatus::TechnicalBlocker, CheckStatus::ManualHardwareRequired];
        if self.mode == BuildMode::FullInferenceGated && !is_static {
            statuses.push(CheckStatus::HealthOnly);
        }
        FailOn(statuses)
    }
}
