//! The calls of a check: one, or several for the distribution of their times.

use super::error::CheckError;
use super::gradio::{CallRecord, GradioApp};
use super::latency::Distribution;
use super::result::CheckResult;
use super::status::CheckStatus;

/// Calls an endpoint as often as the check wants. Stops at the first call that does not pass.
pub(super) async fn call(
    gradio: &GradioApp<'_>,
    runs: u32,
    record: &mut CallRecord,
) -> Result<CheckResult, CheckError> {
    let passed = |detail: String| CheckResult::passed(CheckStatus::FullInferenceSuccess, detail);
    let detail = gradio.call(record).await?;
    if runs <= 1 {
        return Ok(passed(detail));
    }
    let observer = gradio.observer();
    observer.info(&format!("run 1 of {runs}: {detail}"));
    for run in 2..=runs {
        match gradio.call(record).await {
            Ok(detail) => observer.info(&format!("run {run} of {runs}: {detail}")),
            Err(error) if error.failure.status() == CheckStatus::Failed => {
                let detail = format!("run {run} of {runs}: {}", error.detail);
                return Err(CheckError { detail, ..error });
            }
            // A quota or a full queue ends the measurement. The app has proved itself by then.
            Err(error) => {
                let detail = &error.detail;
                observer.warning(&format!("run {run} of {runs} could not be measured: {detail}"));
                break;
            }
        }
    }
    Ok(match Distribution::of(&record.calls) {
        Some(distribution) => {
            let endpoint = record.endpoint.as_deref().unwrap_or_default();
            passed(format!("`{endpoint}` answered in {distribution}"))
        }
        None => passed(detail),
    })
}
