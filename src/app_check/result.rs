//! The result of a check.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::call_facts::CallFacts;
use super::error::{CheckError, CheckFailure};
use super::latency::{Distribution, Latency};
use super::quote::quoted;
use super::status::{CheckStatus, Subject};

/// Result of a check.
#[derive(Debug, Clone)]
pub struct CheckResult {
    pub status: CheckStatus,
    /// The cause, unless the app passed.
    pub failure: Option<CheckFailure>,
    /// One line. May contain text of the app, made visible and cut: escape it where it is printed.
    pub detail: String,
    /// Times of the calls that ended, in their order.
    pub calls: Vec<Latency>,
    /// For `@spaces.GPU(duration=…)`. Only if a call succeeded.
    pub recommended_duration_seconds: Option<u64>,
    /// The endpoint that was called, with its leading slash.
    pub endpoint: Option<String>,
    /// Facts about the calls, for the run bundle.
    pub facts: Box<CallFacts>,
    /// Summaries of the outputs of the call, for the report.
    pub outputs: Vec<Value>,
    /// The kept files, below `.hf-deploy/` in the workspace.
    pub artifacts: Vec<PathBuf>,
}

impl CheckResult {
    /// Returns the result of an app that passed as far as `status` says.
    pub fn passed(status: CheckStatus, detail: impl Into<String>) -> Self {
        Self {
            status,
            failure: None,
            detail: detail.into(),
            calls: Vec::new(),
            recommended_duration_seconds: None,
            endpoint: None,
            facts: Box::default(),
            outputs: Vec::new(),
            artifacts: Vec::new(),
        }
    }

    /// Returns the result of an app that did not pass.
    pub fn failed(failure: CheckFailure, detail: impl Into<String>) -> Self {
        Self { failure: Some(failure.clone()), ..Self::passed(failure.status(), detail) }
    }

    /// Returns the times of the call, if one ended: of several, those of the last one.
    pub fn latency(&self) -> Option<Latency> {
        self.calls.last().copied()
    }

    /// Returns the distribution of the times of the calls, if one ended.
    pub fn distribution(&self) -> Option<Distribution> {
        Distribution::of(&self.calls)
    }

    /// Returns true if something else than the app prevented a judgement.
    pub fn is_unjudged(&self) -> bool {
        self.failure.is_some() && self.status != CheckStatus::Failed
    }

    /// Returns the subject of the failure, or the app.
    pub fn subject(&self) -> Subject {
        self.failure.as_ref().map_or(Subject::App, CheckFailure::subject)
    }

    /// Replaces the cause, which the caller knows better, and with it the status.
    pub fn reclassify(&mut self, failure: CheckFailure) {
        self.status = failure.status();
        self.failure = Some(failure);
    }

    /// Names the exception that the run log has.
    pub fn name_exception(&mut self, exception: &str) {
        let exception = quoted(exception);
        self.detail = match &self.endpoint {
            Some(endpoint) => format!("`{endpoint}`: the app raised {exception}"),
            None => format!("{}; the app raised {exception}", self.detail),
        };
        self.reclassify(CheckFailure::KnownException);
    }

    /// Returns the report for `result.json` and for other programs, with `hints` for the user.
    pub fn to_json(&self, hints: &[String]) -> Value {
        let seconds = |latency: Latency| {
            json!({
                "queue": latency.queue.as_secs_f64(),
                "server": latency.server.as_secs_f64(),
                "wall": latency.wall.as_secs_f64(),
            })
        };
        let runs = |distribution: Distribution| {
            let Distribution { calls, min, median, p95 } = distribution;
            let [min, median, p95] = [min, median, p95].map(|part| part.as_secs_f64());
            json!({ "calls": calls, "min": min, "median": median, "p95": p95 })
        };
        json!({
            "verify_status": self.status.as_str(),
            "detail": self.detail,
            "hints": hints,
            "endpoint": self.endpoint,
            "latency_seconds": self.latency().map(seconds),
            "runs_seconds": self.distribution().map(runs),
            "recommended_duration_seconds": self.recommended_duration_seconds,
            "outputs": self.outputs,
        })
    }
}

impl From<CheckError> for CheckResult {
    fn from(error: CheckError) -> Self {
        Self::failed(error.failure, error.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_exception_replaces_the_cause() {
        let mut result = CheckResult::failed(CheckFailure::HiddenException, "the app raised an exception");
        result.endpoint = Some("/run".to_owned());
        result.name_exception("`KeyError`");
        assert_eq!(result.detail, "`/run`: the app raised `KeyError`");
        assert_eq!((result.status, result.subject()), (CheckStatus::Failed, Subject::Exception));
    }
}
