//! The words that a check ends in.

use std::fmt;

/// The result in one word: the output `verify_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// A call of the API returned the expected outputs.
    FullInferenceSuccess,
    /// The app is a Gradio app with endpoints, and no option requested a call.
    FullInferenceCandidateHealthPassed,
    /// The app answers, and has no API that this check can call.
    HealthOnly,
    /// The Hub did not grant the hardware that the app needs. Set by callers, never by the check itself.
    ManualHardwareRequired,
    /// Something outside the app prevents a judgement: the GPU quota of the caller, a rate limit, a full queue, a
    /// login page, a Gradio that is too old.
    TechnicalBlocker,
    /// The app does not do what was requested.
    Failed,
}

impl CheckStatus {
    /// Returns the distance from a proof that the app does what it is for. The status of several checks is the worst one.
    pub fn rank(self) -> u8 {
        match self {
            Self::FullInferenceSuccess => 0,
            Self::FullInferenceCandidateHealthPassed => 1,
            Self::HealthOnly => 2,
            Self::ManualHardwareRequired => 3,
            Self::TechnicalBlocker => 4,
            Self::Failed => 5,
        }
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
