//! The check of a running app as a step of a run: with the log of the run, and with advice.

use std::time::Duration;

use crate::action::{Log, markdown};
use crate::app_check::{App, AppCheck, Check, CheckError, CheckObserver, CheckResult, CheckStatus, FailOn};
use crate::failure::{Result, app_check as advice};
use crate::run_bundle::{BundleContent, BundleFile};
use crate::setting::FAIL_ON;

/// Name of the schema of a Gradio app.
const API_SCHEMA: &str = "api_schema.json";
/// Beginning of the names of files that the app returned.
const OUTPUT: &str = "output-";

impl CheckObserver for Log {
    fn info(&self, text: &str) {
        Log::info(self, text);
    }

    fn warning(&self, text: &str) {
        Log::warning(self, text);
    }

    fn unconnected(&self, error: &CheckError, time: Duration) {
        Log::warning(self, &advice::unconnected(error, time));
    }

    fn untrusted(&self, text: &str) {
        Log::untrusted(self, text);
    }

    fn redact(&self, text: &str) -> String {
        Log::redact(self, text)
    }
}

/// Checks an app, and keeps `result.json`.
#[must_use]
pub async fn check_app(app: &App, check: &Check, log: &Log) -> CheckResult {
    check_app_until(app, check, log, std::future::pending()).await
}

/// Checks an app that may stop meanwhile: the check fails for the reason that `ended` returns.
#[must_use]
pub async fn check_app_until(
    app: &App,
    check: &Check,
    log: &Log,
    ended: impl Future<Output = String>,
) -> CheckResult {
    let run = AppCheck::new(app, check, log);
    let mut result = run.run(ended).await;
    let hints = advice::hints(&result);
    run.keep_report(&mut result, &hints);
    result
}

/// Returns the files of a check for the run bundle, in `folder`: the result, the schema of the API, and the files that the
/// app returned.
pub fn bundle_files(result: &CheckResult, folder: &str) -> Vec<BundleFile> {
    let file = |name: &str, content| BundleFile { path: format!("{folder}/{name}"), content };
    let kept = result.artifacts.iter().filter_map(|path| {
        let content = BundleContent::File(path.clone());
        match path.file_name()?.to_str()? {
            API_SCHEMA => Some(file(API_SCHEMA, content)),
            name if name.starts_with(OUTPUT) => Some(file(&format!("artifacts/{name}"), content)),
            _ => None,
        }
    });
    let test_result = result.test_result(&format!("{folder}/artifacts"));
    kept.chain([file("test_result.json", BundleContent::Json(test_result))]).collect()
}

/// Describes a result in Markdown that is safe in a cell. The code word stands last. `detail` is that of the result, as
/// Markdown; a failed check does without.
pub fn describe(result: &CheckResult, detail: &str) -> String {
    let words = match result.status {
        CheckStatus::Failed if detail.is_empty() => "❌ the app did not pass".to_owned(),
        CheckStatus::Failed => format!("❌ the app did not pass: {detail}"),
        CheckStatus::ManualHardwareRequired => format!("⚠️ not checked: {detail}"),
        _ if result.is_unjudged() => format!("⚠️ could not be judged: {detail}"),
        _ => format!("✅ {detail}"),
    };
    format!("{words} ({})", markdown::cell_code(result.status.as_str()))
}

/// Logs a result with its hints. A result without a judgement is a warning.
///
/// # Errors
///
/// `check_failed`: `fail_on` has the status of the result. Nothing is logged then.
pub fn conclude(result: &CheckResult, hints: Vec<String>, fail_on: &FailOn, log: &Log) -> Result<()> {
    if fail_on.covers(result.status) {
        let failure = advice::failure(result);
        return Err(hints.into_iter().fold(failure, |failure, hint| failure.hint(hint)));
    }
    let hints = hints.iter().map(|hint| format!("hint: {hint}"));
    match result.failure {
        Some(_) => {
            let end = match result.status {
                CheckStatus::Failed => format!("did not pass, and {FAIL_ON} accepts that"),
                _ => "could not be judged".to_owned(),
            };
            log.warning(&format!("the app {end}: {} ({})", result.detail, result.status));
        }
        None => log.info(&result.detail),
    }
    hints.for_each(|hint| log.info(&hint));
    match result.distribution() {
        Some(distribution) if distribution.calls > 1 => log.info(&format!("latency: {distribution}")),
        // The detail of a call that succeeded has its times.
        _ if result.status == CheckStatus::FullInferenceSuccess => {}
        _ => {
            if let Some(latency) = result.latency() {
                log.info(&format!("the call took {latency}"));
            }
        }
    }
    if let Some(seconds) = result.recommended_duration_seconds {
        log.info(&advice::recommended_duration(seconds));
        if result.calls.len() > 1 {
            log.info(&advice::admission(seconds, &result.calls));
        }
    }
    Ok(())
}
