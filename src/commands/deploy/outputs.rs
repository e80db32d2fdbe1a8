//! The outputs of the deploy action: the report, as values for later steps.

use std::time::Duration;

use super::super::groups::check_outputs::{check_outputs, seconds};
use crate::action::journal::Timing;
use crate::ops::deploy::DeployReport;
use crate::ops::deploy::plan::Action;
use crate::ops::space::HardwareStatus;
use hub::Stage;

/// Returns every output with its value. An output without a value is empty.
pub fn outputs(report: &DeployReport, timings: &[Timing]) -> Vec<(&'static str, String)> {
    let plan = report.plan.as_ref();
    let count = |action| plan.map(|plan| plan.count(action).to_string()).unwrap_or_default();
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let sent = plan.map(|_| report.bytes_uploaded.to_string()).unwrap_or_default();
    let pull_request = report.pull_request_url();
    let error_code = report.failure.as_ref().map(|failure| failure.code.as_str());
    let (proxy, proxy_url) = report.proxy_space().unzip();
    let [status, latency, recommended] = check_outputs(report.check.as_ref());
    vec![
        ("repo_id", report.repo.as_ref().map(|repo| repo.id.to_string()).unwrap_or_default()),
        ("repo_url", report.repo_url().unwrap_or_default()),
        ("space_url", text(report.space_url.as_deref())),
        ("proxy_enabled", proxy.is_some().to_string()),
        ("proxy_repo_id", proxy.map(|repo| repo.id.to_string()).unwrap_or_default()),
        ("proxy_url", text(proxy_url)),
        ("status", report.status().as_str().to_owned()),
        ("commit_sha", text(report.commit_sha())),
        ("commit_url", report.commit_url().unwrap_or_default()),
        ("pull_request_url", pull_request.unwrap_or_default()),
        ("files_added", count(Action::Add)),
        ("files_updated", count(Action::Update)),
        ("files_deleted", count(Action::Delete)),
        ("files_unchanged", plan.map(|plan| plan.unchanged.to_string()).unwrap_or_default()),
        ("bytes_uploaded", sent),
        ("space_hardware", text(report.space_hardware.as_deref())),
        ("hardware_status", text(report.hardware_status.map(HardwareStatus::as_str))),
        ("space_stage", text(report.space_stage.as_ref().map(Stage::as_str))),
        status,
        latency,
        recommended,
        ("rollback_commit_sha", text(report.rollback_commit.as_deref())),
        ("timings", timings_json(timings)),
        ("auth", report.auth.to_owned()),
        ("error_code", text(error_code)),
    ]
}

/// Returns true for an output that holds only words and numbers of this program.
pub fn is_own_word(output: &str) -> bool {
    output.starts_with("files_")
        || output.starts_with("verify_")
        || matches!(
            output,
            "proxy_enabled"
                | "status"
                | "bytes_uploaded"
                | "hardware_status"
                | "recommended_duration_seconds"
                | "timings"
                | "auth"
                | "error_code"
        )
}

/// Renders the phases as a JSON object of seconds: `{"plan":0.412,"commit":1.5}`.
fn timings_json(timings: &[Timing]) -> String {
    let mut sums = serde_json::Map::new();
    for Timing { name, taken } in timings {
        let before = sums.get(*name).and_then(serde_json::Value::as_f64).unwrap_or_default();
        sums.insert((*name).to_owned(), seconds(*taken + Duration::from_secs_f64(before)).into());
    }
    if sums.is_empty() { String::new() } else { serde_json::Value::from(sums).to_string() }
}
