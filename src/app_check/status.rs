//! The words that a check ends in.

use std::fmt;

/// The result in one word: the output `verify_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// A call of the API returned the expected outputs.
    FullInferenceSuccess,
    /// The app is a Gradio app with endpoints, and no option requested a call. Or a limit of the caller prevented the
    /// call: the GPU quota, a rate limit, a full queue.
    FullInferenceCandidateHealthPassed,
    /// The app answers, and has no API that this check can call. Or a login page, or a Gradio that is too old, stands in
    /// front of it.
    HealthOnly,
    /// The Hub did not grant the hardware that the app needs. Set by callers, never by the check itself.
    ManualHardwareRequired,
    /// A model cannot become a Space. No check of an app ends in it.
    TechnicalBlocker,
    /// The app does not do what was requested.
    Failed,
}

impl CheckStatus {
    /// All words, from the best one.
    pub const ALL: [Self; 6] = [
        Self::FullInferenceSuccess,
        Self::FullInferenceCandidateHealthPassed,
        Self::HealthOnly,
        Self::ManualHardwareRequired,
        Self::TechnicalBlocker,
        Self::Failed,
    ];

    /// Returns the distance from a proof that the app does what it is for. The status of several checks is the worst one.
    pub fn rank(self) -> usize {
        Self::ALL.iter().position(|status| *status == self).unwrap_or(Self::ALL.len())
    }

    /// Returns the word that users see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullInferenceSuccess => "full_inference_success",
            Self::FullInferenceCandidateHealthPassed => "full_inference_candidate_health_passed",
            Self::HealthOnly => "health_only",
            Self::ManualHardwareRequired => "manual_hardware_required",
            Self::TechnicalBlocker => "technical_blocker",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for CheckStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Statuses that fail a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailOn(pub Vec<CheckStatus>);

impl Default for FailOn {
    fn default() -> Self {
        Self(vec![CheckStatus::Failed])
    }
}

impl FailOn {
    pub fn covers(&self, status: CheckStatus) -> bool {
        self.0.contains(&status)
    }
}

/// Subject of a failure. Decides how a failure is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    App,
    /// An option of the check, such as an endpoint that the app does not have.
    Input,
    /// A file of the workspace that an argument names. The app has no part in it.
    Workspace,
    /// An exception of the app, whose text only the run log has.
    Exception,
}
