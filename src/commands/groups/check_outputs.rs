//! Outputs of the check of a running app, which several commands have.

use std::time::Duration;

use crate::app_check::CheckResult;
use crate::commands::outputs::Output;

pub(crate) const VERIFY_STATUS: Output = Output::own_word(
    "verify_status",
    "Result of the app check in one word, such as `full_inference_success`. Empty without a check.",
);
pub(crate) const VERIFY_LATENCY_SECONDS: Output = Output::own_word(
    "verify_latency_seconds",
    "Time of the call of the check, from the request to the last event. Empty without a call.",
);
pub(crate) const RECOMMENDED_DURATION_SECONDS: Output = Output::own_word(
    "recommended_duration_seconds",
    "Safe value for `@spaces.GPU(duration=…)`, from the call of the check. Empty without a successful call.",
);

pub(crate) fn status(check: Option<&CheckResult>) -> String {
    check.map(|check| check.status.as_str().to_owned()).unwrap_or_default()
}

pub(crate) fn latency(check: Option<&CheckResult>) -> String {
    let distribution = check.and_then(CheckResult::distribution);
    distribution.map(|distribution| seconds(distribution.median).to_string()).unwrap_or_default()
}

pub(crate) fn recommended_duration(check: Option<&CheckResult>) -> String {
    let recommended = check.and_then(|check| check.recommended_duration_seconds);
    recommended.map(|seconds| seconds.to_string()).unwrap_or_default()
}

/// Converts to seconds, rounded to milliseconds.
pub(crate) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
