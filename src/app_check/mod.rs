//! The check of a running app: an address in, a result out.
//!
//! It knows nothing of the deploy, so that it runs after a deploy and alone. It makes a real call to a Gradio app
//! (4.44, 5.x and 6.x) and judges the outputs.
//!
//! All text of the app is data: the caller escapes it where it is printed, long text is cut, and it never names a file
//! or a host for the check to use.

mod answer;
mod api;
mod arguments;
mod artifacts;
mod call_facts;
mod call_progress;
mod client;
mod connection;
mod diff;
mod error;
mod fetch;
mod file_shapes;
mod files;
#[cfg(test)]
pub(crate) mod fuzzing;
mod gradio;
mod health;
mod latency;
mod media;
mod observer;
mod options;
mod outputs;
mod places;
mod queue;
mod quote;
mod result;
mod runs;
mod sample_files;
mod session;
mod status;
mod test_result;
mod upload;
mod values;

use std::time::Duration;

use tokio::time::Instant;

pub use call_facts::CallFacts;
pub use error::{CheckError, CheckFailure, HttpAnswer};
pub use latency::{Distribution, GPU_PLANS, GpuPlan, Latency};
pub use observer::CheckObserver;
pub use options::{App, AppKind, Check, Expect, Mode};
pub use quote::{listed, quoted};
pub use result::CheckResult;
pub use status::{CheckStatus, FailOn, Subject};

use artifacts::Artifacts;
use client::AppClient;
use gradio::CallRecord;
use session::{Session, within};

/// The name of the report below `.hf-deploy/`.
const REPORT: &str = "result.json";
/// Deadline of a timeout that is too long for the clock.
const FAR_FUTURE: Duration = Duration::from_secs(86_400);

/// A check of one app.
///
/// Writes to `.hf-deploy/` in the workspace, or to a folder below it: `api_schema.json` of a Gradio app, and `output-N.*` for the files of a
/// call. The caller adds `result.json` with [`AppCheck::keep_report`].
#[derive(Debug)]
pub struct AppCheck<'a> {
    app: &'a App,
    check: &'a Check,
    observer: &'a dyn CheckObserver,
    artifacts: Artifacts<'a>,
}

impl<'a> AppCheck<'a> {
    /// Prepares a check.
    pub fn new(app: &'a App, check: &'a Check, observer: &'a dyn CheckObserver) -> Self {
        Self { app, check, observer, artifacts: Artifacts::open(&check.workspace, check.number, observer) }
    }

    /// Checks the app. Every error is part of the result.
    ///
    /// The check fails as soon as `ended` returns a reason, because the app may stop during the check.
    pub async fn run(&self, ended: impl Future<Output = String>) -> CheckResult {
        let mut record = CallRecord::default();
        let judged = tokio::select! {
            biased;
            judged = self.judge(&mut record) => judged,
            reason = ended => Err(CheckError::new(CheckFailure::Stopped, quoted(&reason))),
        };
        let mut result = judged.unwrap_or_else(CheckResult::from);
        if result.status == CheckStatus::FullInferenceSuccess {
            result.recommended_duration_seconds = latency::recommended_duration_seconds(&record.calls);
        }
        result.endpoint = record.endpoint;
        result.calls = record.calls;
        result.facts = Box::new(record.facts);
        result.outputs = record.outputs;
        result.artifacts = self.artifacts.kept();
        result
    }

    /// Writes `result.json`, with `hints` for the user.
    pub fn keep_report(&self, result: &mut CheckResult, hints: &[String]) {
        self.artifacts.keep_json(REPORT, &result.to_json(hints));
        result.artifacts = self.artifacts.kept();
    }

    async fn judge(&self, record: &mut CallRecord) -> Result<CheckResult, CheckError> {
        let Self { app, check, observer, artifacts } = self;
        let now = Instant::now();
        let deadline = now.checked_add(check.timeout).unwrap_or(now + FAR_FUTURE);
        let client = AppClient::new(app)?;
        if app.token.is_some() && !client.has_token() {
            observer.warning("the token is not sent: the app's address is not https");
        }
        let mut session =
            Session { client, api_prefix: String::new(), check, deadline, observer: *observer, artifacts };
        let landed = health::wait(&session).await?;
        session.client = session.client.moved(&landed);
        let is_call_requested = check.requests_call();
        if is_call_requested {
            observer.info("the app answers");
        }
        let gradio = match app.kind {
            AppKind::Static => None,
            _ => within(deadline, "read the app's API", gradio::find(&session, app.kind)).await?,
        };
        if let Some(gradio) = &gradio {
            record.facts = gradio.facts();
        }
        match gradio {
            Some(gradio) if is_call_requested => runs::call(&gradio, check.runs, record).await,
            Some(gradio) => Ok(gradio.uncalled()),
            None if is_call_requested => {
                let detail = "a call is asked for, and the app is no Gradio app";
                Err(CheckError::new(CheckFailure::NoGradio { answer: None, is_call_requested }, detail))
            }
            None => {
                let detail = match app.kind {
                    AppKind::Gradio => "the app answers; no Gradio app was found at its front page",
                    _ => "the app answers",
                };
                Ok(CheckResult::passed(CheckStatus::HealthOnly, detail))
            }
        }
    }
}
