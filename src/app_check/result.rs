//! The result of a check.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::error::{CheckError, CheckFailure};
use super::quote::quoted;
use super::status::{CheckStatus, Subject};

/// Times of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// From the request to the start of the work.
    pub queue: Duration,
    /// The work, as the app measured it: the sum over all steps of a generator.
    pub server: Duration,
    /// From the request to the last event.
    pub wall: Duration,
}

impl Latency {
    /// Returns the argument of `@spaces.GPU(duration=…)` that leaves room for this call, in seconds: 1.4 times the work,
    /// rounded up, and at least 10.
    pub(super) fn recommended_duration_seconds(self) -> u64 {
        // Whole milliseconds, because 1.4 times a number of seconds is not exact in floating point.
        let milliseconds = u64::try_from(self.server.as_millis()).unwrap_or(u64::MAX / 14);
        (milliseconds.saturating_mul(14)).div_ceil(10_000).max(10)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [queue, server, wall] = [self.queue, self.server, self.wall].map(|part| part.as_secs_f64());
        write!(f, "{wall:.2} s in all, {queue:.2} s in the queue, {server:.2} s of work")
    }
}

/// Result of a check.
#[derive(Debug, Clone)]
pub struct CheckResult {
    pub status: CheckStatus,
    /// The cause, unless the app passed.
    pub failure: Option<CheckFailure>,
    /// One line. May contain text of the app, made visible and cut: escape it where it is printed.
    pub detail: String,
    /// Only if a call ended.
    pub latency: Option<Latency>,
    /// For `@spaces.GPU(duration=…)`. Only if a call succeeded.
    pub recommended_duration_seconds: Option<u64>,
    /// The endpoint that was called, with its leading slash.
    pub endpoint: Option<String>,
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
            latency: None,
            recommended_duration_seconds: None,
            endpoint: None,
            outputs: Vec::new(),
            artifacts: Vec::new(),
        }
    }

    /// Returns the result of an app that did not pass.
    pub fn failed(failure: CheckFailure, detail: impl Into<String>) -> Self {
        Self { failure: Some(failure.clone()), ..Self::passed(failure.status(), detail) }
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

    /// Returns the report for `result.json`, with `hints` for the user.
    pub(super) fn to_json(&self, hints: &[String]) -> Value {
        let seconds = |latency: Latency| {
            json!({
                "queue": latency.queue.as_secs_f64(),
                "server": latency.server.as_secs_f64(),
                "wall": latency.wall.as_secs_f64(),
            })
        };
        json!({
            "verify_status": self.status.as_str(),
            "detail": self.detail,
            "hints": hints,
            "endpoint": self.endpoint,
            "latency_seconds": self.latency.map(seconds),
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
    fn recommended_duration_has_room() {
        let of = |milliseconds| {
            let server = Duration::from_millis(milliseconds);
            Latency { server, ..Latency::default() }.recommended_duration_seconds()
        };
        assert_eq!((of(0), of(7_000), of(10_000), of(10_001), of(60_000)), (10, 10, 14, 15, 84));
    }

    #[test]
    fn named_exception_replaces_the_cause() {
        let mut result = CheckResult::failed(CheckFailure::HiddenException, "the app raised an exception");
        result.endpoint = Some("/run".to_owned());
        result.name_exception("`KeyError`");
        assert_eq!(result.detail, "`/run`: the app raised `KeyError`");
        assert_eq!((result.status, result.subject()), (CheckStatus::Failed, Subject::Exception));
    }
}
