//! The outputs of the check.

use std::time::Duration;

use crate::app_check::Distribution;
use crate::commands::groups::check_outputs::{
    RECOMMENDED_DURATION_SECONDS, VERIFY_LATENCY_SECONDS, VERIFY_STATUS, seconds,
};
use crate::commands::outputs::{ERROR_CODE, Output, error_code, outputs};
use crate::ops::verify::VerifyReport;

use super::json;

outputs! {
    pub(super), (report: &VerifyReport, _timings),
    VERIFY_STATUS => report.status().map(|status| status.as_str().to_owned()).unwrap_or_default();
    ERROR_CODE => error_code(report.failure.as_ref());
    Output::own_word(
        "checks_passed",
        "Number of checks that did not fail the run.",
    ) => report.passed().to_string();
    Output::own_word(
        "checks_failed",
        "Number of checks that failed, or did not run.",
    ) => report.planned.saturating_sub(report.passed()).to_string();
    VERIFY_LATENCY_SECONDS => longest(report, |times| times.median);
    Output::own_word(
        "latency_min_seconds",
        "Shortest time of a call with `runs`, in seconds. Empty without a call.",
    ) => longest(report, |times| times.min);
    Output::own_word(
        "latency_p95_seconds",
        "Time that at most one in twenty calls exceeds, in seconds. Empty without a call.",
    ) => longest(report, |times| times.p95);
    RECOMMENDED_DURATION_SECONDS => recommended_duration(report);
    Output::text(
        "results",
        "Results of the checks, as a JSON list of objects with `name`, `verify_status`, `detail` and `latency_seconds`.",
    ) => results(report);
    Output::text(
        "app_url",
        "Address of the checked app.",
    ) => report.app_url.as_ref().map(ToString::to_string).unwrap_or_default();
    Output::text(
        "space_stage",
        "Last stage of the Space, such as `RUNNING`. Empty for an app that is no Space.",
    ) => report.space_stage.as_ref().map(|stage| stage.as_str().to_owned()).unwrap_or_default();
    Output::text(
        "junit_path",
        "File with the results in the form of JUnit. Empty without `junit_path`.",
    ) => report.junit_path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
}

/// Returns a time of the check whose calls took the longest.
fn longest(report: &VerifyReport, time: fn(Distribution) -> Duration) -> String {
    let distributions = report.checks.iter().filter_map(|check| check.result.distribution());
    let slowest = distributions.max_by_key(|distribution| distribution.median);
    slowest.map(|distribution| seconds(time(distribution)).to_string()).unwrap_or_default()
}

fn recommended_duration(report: &VerifyReport) -> String {
    let all = report.checks.iter().filter_map(|check| check.result.recommended_duration_seconds);
    all.max().map(|seconds| seconds.to_string()).unwrap_or_default()
}

fn results(report: &VerifyReport) -> String {
    if report.checks.is_empty() {
        return String::new();
    }
    serde_json::Value::from_iter(report.checks.iter().map(json::short)).to_string()
}
