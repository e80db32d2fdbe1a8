//! The report of the check, for other programs.

use serde_json::{Value, json};

use crate::app_check::{CheckStatus, Distribution};
use crate::commands::groups::check_outputs::seconds;
use crate::ops::verify::{EndedCheck, Target, VerifyReport};

/// Returns everything that is known.
pub(super) fn json(report: &VerifyReport) -> Value {
    let checks = report.checks.iter().map(|check| {
        let mut value = check.result.to_json(&check.hints);
        value["name"] = check.name.as_str().into();
        value["has_failed"] = check.has_failed.into();
        value
    });
    let error = report.failure.as_ref().map(|failure| {
        json!({ "code": failure.code.as_str(), "message": failure.message, "hints": failure.hints })
    });
    let space = match &report.target {
        Some(Target::Space(id)) => Some(id.to_string()),
        Some(Target::Url(_)) | None => None,
    };
    json!({
        "verify_status": report.status().map(CheckStatus::as_str),
        "space": space,
        "space_stage": report.space_stage.as_ref().map(|stage| stage.as_str()),
        "app_url": report.app_url,
        "checks_passed": report.passed(),
        "checks_failed": report.planned.saturating_sub(report.passed()),
        "checks": Value::from_iter(checks),
        "error": error,
    })
}

/// Returns the result of one check, for the output `results`.
pub(super) fn short(check: &EndedCheck) -> Value {
    let times = |distribution: Distribution| {
        let Distribution { min, median, p95, .. } = distribution;
        json!({ "min": seconds(min), "median": seconds(median), "p95": seconds(p95) })
    };
    json!({
        "name": check.name,
        "verify_status": check.result.status.as_str(),
        "detail": check.result.detail,
        "latency_seconds": check.result.distribution().map(times),
    })
}
