//! Outputs of the check of a running app, which several commands have.

use std::time::Duration;

use crate::app_check::CheckResult;

/// Returns the outputs of a check.
pub fn check_outputs(check: Option<&CheckResult>) -> [(&'static str, String); 3] {
    let latency = check.and_then(|check| check.latency).map(|latency| seconds(latency.wall).to_string());
    let recommended = check.and_then(|check| check.recommended_duration_seconds);
    [
        ("verify_status", check.map(|check| check.status.as_str().to_owned()).unwrap_or_default()),
        ("verify_latency_seconds", latency.unwrap_or_default()),
        ("recommended_duration_seconds", recommended.map(|seconds| seconds.to_string()).unwrap_or_default()),
    ]
}

/// Converts to seconds, rounded to milliseconds.
pub(crate) fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
