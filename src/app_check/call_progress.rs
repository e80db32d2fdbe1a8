//! The stream of a call, message by message.

use std::time::Duration;

use serde_json::Value;

use super::diff;
use super::error::{CheckError, CheckFailure};
use super::latency::Latency;
use super::observer::CheckObserver;
use super::quote::quoted;

/// Text of the Hub's errors about a caller without GPU time.
const QUOTA: [&str; 8] = [
    "gpu quota",
    "zerogpu quota",
    "zerogpu runs limit",
    "reached its gpu limit",
    "zerogpu queue timeout",
    "zerogpu credits",
    "no gpu was available",
    "no gpu is currently available",
];
/// Fewest percent between two reports of progress.
const PROGRESS_STEP: i64 = 10;

/// State of the call after a message.
#[derive(Debug)]
pub(super) enum CallStep {
    Running,
    /// A heartbeat, without news of the call.
    Heartbeat,
    Finished(Vec<Value>),
    /// The server does not know the session, so the call is lost.
    Forgotten,
    Failed(CheckError),
}

/// Facts from the messages of a call so far.
#[derive(Debug, Default)]
pub(super) struct CallProgress {
    /// From the request to the start of the work.
    started: Option<Duration>,
    /// The work, summed over its steps, because each message has the time of one step only.
    server: Duration,
    /// The last place in the queue that was reported.
    rank: Option<i64>,
    /// The worst of all places.
    rank_max: Option<i64>,
    /// The last progress that was reported, with its percentage.
    progress: Option<(String, i64)>,
    steps: Steps,
}

/// Values that a generator yielded.
#[derive(Debug, Default)]
enum Steps {
    #[default]
    None,
    /// The values after the last step.
    Values(Vec<Value>),
    /// A step was missed, or does not fit.
    Lost,
}

impl CallProgress {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn has_started(&self) -> bool {
        self.started.is_some()
    }

    pub(super) fn latency(&self, wall: Duration) -> Latency {
        // A server without a message about the start did the work at once.
        Latency { queue: self.started.unwrap_or_default(), server: self.server, wall }
    }

    /// Returns the worst place in the queue that was reported, from 0.
    pub(super) fn rank_max(&self) -> Option<i64> {
        self.rank_max
    }

    /// Returns the time from the request to the start of the work.
    pub(super) fn started(&self) -> Option<Duration> {
        self.started
    }

    /// Records that the stream was opened again, which loses the steps in between.
    pub(super) fn resume(&mut self) {
        if !matches!(self.steps, Steps::None) {
            self.steps = Steps::Lost;
        }
    }

    /// Returns the values of the last step.
    pub(super) fn last_step(&self) -> Option<&[Value]> {
        match &self.steps {
            Steps::Values(values) => Some(values),
            Steps::None | Steps::Lost => None,
        }
    }

    /// Takes the values of the last step of a generator that has not ended.
    pub(super) fn take_last_step(&mut self) -> Option<Vec<Value>> {
        match std::mem::take(&mut self.steps) {
            Steps::Values(values) => Some(values),
            Steps::None | Steps::Lost => None,
        }
    }

    /// Reads the data of one event, which came `at` this time after the request.
    pub(super) fn on_event(&mut self, data: String, at: Duration, observer: &dyn CheckObserver) -> CallStep {
        let Ok(mut message) = serde_json::from_str::<Value>(&data) else {
            return CallStep::Running;
        };
        // A result can be large, so its text is dropped before its values are read.
        drop(data);
        match message.get("msg").and_then(Value::as_str).unwrap_or_default() {
            "estimation" => self.report_rank(&message, observer),
            "process_starts" => {
                self.started.get_or_insert(at);
            }
            "progress" => self.report_progress(&message, observer),
            "log" => report_app_log(&message, observer),
            "heartbeat" => return CallStep::Heartbeat,
            "process_generating" | "process_streaming" => {
                if message.get("success") == Some(&Value::Bool(false)) {
                    return CallStep::Failed(raised(&message));
                }
                self.add(&message);
                self.take_step(&mut message);
            }
            "process_completed" => return self.complete(&mut message),
            "unexpected_error" => {
                let text = message.get("message").and_then(Value::as_str).unwrap_or_default();
                // Gradio 4.44 has no field for a lost session.
                if message.get("session_not_found") == Some(&Value::Bool(true))
                    || text.contains("Session not found")
                {
                    return CallStep::Forgotten;
                }
                let detail = format!("the app's queue failed: {}", quoted(text));
                return CallStep::Failed(CheckError::new(CheckFailure::QueueFailed, detail));
            }
            // The session has no call left, and the result is not here.
            "close_stream" => return CallStep::Forgotten,
            _ => {}
        }
        CallStep::Running
    }

    fn complete(&mut self, message: &mut Value) -> CallStep {
        if message.get("success") != Some(&Value::Bool(true)) {
            return CallStep::Failed(raised(message));
        }
        self.add(message);
        match message.pointer_mut("/output/data").map(Value::take) {
            Some(Value::Array(data)) => CallStep::Finished(data),
            _ => {
                let detail = "the app ended the call without a result";
                CallStep::Failed(CheckError::new(CheckFailure::NoResult, detail))
            }
        }
    }

    /// Keeps the values of a step. The first step has whole values, the others have differences, and the last message of
    /// the call has whole values again.
    fn take_step(&mut self, message: &mut Value) {
        let Some(Value::Array(data)) = message.pointer_mut("/output/data").map(Value::take) else { return };
        self.steps = match std::mem::take(&mut self.steps) {
            Steps::None => Steps::Values(data),
            Steps::Values(values) if values.len() == data.len() => {
                let changed = values.into_iter().zip(&data).map(|(value, edits)| diff::apply(value, edits));
                changed.collect::<Option<_>>().map_or(Steps::Lost, Steps::Values)
            }
            _ => Steps::Lost,
        };
    }

    /// Adds the time of a step. Not for errors, where the same field is the time that the message is visible.
    fn add(&mut self, message: &Value) {
        let seconds = message.pointer("/output/duration").and_then(Value::as_f64).unwrap_or_default();
        let taken = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.server = self.server.saturating_add(taken);
    }

    fn report_rank(&mut self, message: &Value, observer: &dyn CheckObserver) {
        let Some(rank) = message.get("rank").and_then(Value::as_i64) else { return };
        self.rank_max = self.rank_max.max(Some(rank));
        if self.rank.replace(rank) == Some(rank) {
            return;
        }
        let place = rank.saturating_add(1);
        let size = message.get("queue_size").and_then(Value::as_i64).unwrap_or(place);
        let eta = message.get("rank_eta").and_then(Value::as_f64);
        let eta = eta.map(|eta| format!(", about {eta:.0} s")).unwrap_or_default();
        observer.info(&format!("in the queue: place {place} of {size}{eta}"));
    }

    fn report_progress(&mut self, message: &Value, observer: &dyn CheckObserver) {
        let Some(unit) = message.get("progress_data").and_then(Value::as_array).and_then(|all| all.last())
        else {
            return;
        };
        let number = |name: &str| unit.get(name).and_then(Value::as_f64);
        let share = match (number("progress"), number("index"), number("length")) {
            (Some(share), _, _) => Some(share),
            (None, Some(index), Some(length)) if length > 0.0 => Some(index / length),
            _ => None,
        };
        // A share is between 0 and 1. Other numbers are clamped.
        let percent = share.map_or(-1, |share| (share * 100.0).round().clamp(0.0, 100.0) as i64);
        let name = quoted(unit.get("desc").and_then(Value::as_str).unwrap_or("working"));
        if let Some((last, reported)) = &self.progress
            && *last == name
            && (percent - reported).abs() < PROGRESS_STEP
        {
            return;
        }
        let shown = if percent < 0 { String::new() } else { format!(" {percent} %") };
        observer.info(&format!("progress: {name}{shown}"));
        self.progress = Some((name, percent));
    }
}

/// Reports a message of `gr.Info` or `gr.Warning`.
fn report_app_log(message: &Value, observer: &dyn CheckObserver) {
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    observer.untrusted(&format!("app {}: {}\n", quoted(text("level")), quoted(text("log"))));
}

/// Returns the error that ended a call. Gradio hides the text of an exception other than `gr.Error`, unless the app was
/// launched with `show_error=True`.
fn raised(message: &Value) -> CheckError {
    let output = |name: &str| message.pointer(&format!("/output/{name}")).and_then(Value::as_str);
    let title = output("title").or_else(|| message.get("title").and_then(Value::as_str)).unwrap_or("Error");
    let Some(text) = output("error").filter(|text| !text.trim().is_empty()) else {
        let detail = "the app raised an exception; the traceback is in the Space's run log";
        return CheckError::new(CheckFailure::HiddenException, detail);
    };
    let lower = text.to_lowercase();
    if QUOTA.iter().any(|words| lower.contains(words)) {
        let detail = format!("the caller's GPU quota is used up: {}", quoted(text));
        return CheckError::new(CheckFailure::GpuQuota, detail);
    }
    let title = if title == "Error" { String::new() } else { format!(" ({})", quoted(title)) };
    CheckError::new(CheckFailure::AppError, format!("the app raised an error{title}: {}", quoted(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app_check::observer::tests::TestObserver;

    fn read(progress: &mut CallProgress, message: Value) -> CallStep {
        progress.on_event(message.to_string(), Duration::from_secs(3), &TestObserver::default())
    }

    fn failed(message: Value) -> (CheckFailure, String) {
        match read(&mut CallProgress::new(), message) {
            CallStep::Failed(error) => (error.failure, error.detail),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn generator_time_is_the_sum_of_its_steps() {
        let mut progress = CallProgress::new();
        read(&mut progress, json!({"msg": "estimation", "rank": 0, "queue_size": 1, "rank_eta": 0.5}));
        read(&mut progress, json!({"msg": "process_starts", "eta": 0.5}));
        for _ in 0..4 {
            read(
                &mut progress,
                json!({"msg": "process_generating", "success": true, "output": {"duration": 0.5}}),
            );
        }
        let end =
            json!({"msg": "process_completed", "success": true, "output": {"data": ["x"], "duration": 0.25}});
        assert!(matches!(read(&mut progress, end), CallStep::Finished(data) if data == [json!("x")]));
        let latency = progress.latency(Duration::from_secs(9));
        assert_eq!(latency.queue, Duration::from_secs(3));
        assert_eq!(latency.server, Duration::from_millis(2250));
        assert_eq!(latency.wall, Duration::from_secs(9));
        assert_eq!(progress.rank_max(), Some(0));
    }

    #[test]
    fn last_step_of_a_generator_is_known_before_its_end() {
        let step =
            |data: Value| json!({"msg": "process_generating", "success": true, "output": {"data": data}});
        let mut progress = CallProgress::new();
        assert_eq!(progress.take_last_step(), None);
        read(&mut progress, step(json!(["step 1", null])));
        read(&mut progress, step(json!([[["replace", [], "step 2"]], []])));
        assert_eq!(progress.take_last_step(), Some(vec![json!("step 2"), Value::Null]));
        // After a break in the stream, differences do not apply to any value.
        read(&mut progress, step(json!(["step 1"])));
        progress.resume();
        read(&mut progress, step(json!([[["append", [], "!"]]])));
        assert_eq!(progress.take_last_step(), None);
    }

    #[test]
    fn errors_are_read_in_all_shapes() {
        let completed =
            |output: Value| json!({"msg": "process_completed", "success": false, "output": output});
        assert_eq!(
            failed(completed(json!({"error": "no\n cats", "title": "Error", "duration": 10}))),
            (CheckFailure::AppError, "the app raised an error: no cats".into())
        );
        assert_eq!(
            failed(completed(json!({"error": "no", "title": "Oops"}))),
            (CheckFailure::AppError, "the app raised an error (Oops): no".into())
        );
        let (failure, detail) = failed(completed(json!({"error": null})));
        assert_eq!(failure, CheckFailure::HiddenException);
        assert!(detail.contains("run log"), "{detail}");
        for quota in [
            "You have exceeded your GPU quota (60s requested vs. 56s left)",
            "You have exceeded your free ZeroGPU quota (90s requested vs. 40s left). Try again in 3:12:05.",
            "You have exceeded your ZeroGPU runs limit.",
            "Space app has reached its GPU limit.",
            "You have too many ZeroGPU credits allocated to running tasks.",
        ] {
            assert_eq!(failed(completed(json!({ "error": quota }))).0, CheckFailure::GpuQuota, "{quota}");
        }
        let unexpected = json!({"msg": "unexpected_error", "message": "boom"});
        assert_eq!(failed(unexpected).1, "the app's queue failed: boom");
    }

    #[test]
    fn huge_numbers_do_not_panic() {
        let mut progress = CallProgress::new();
        for _ in 0..3 {
            read(
                &mut progress,
                json!({"msg": "process_generating", "success": true, "output": {"duration": 1.8e19}}),
            );
            read(&mut progress, json!({"msg": "estimation", "rank": i64::MAX}));
        }
        assert_eq!(progress.latency(Duration::ZERO).server, Duration::MAX);
    }

    #[test]
    fn lost_session_is_not_a_failure() {
        let lost = json!({"msg": "unexpected_error", "message": "x", "session_not_found": true});
        assert!(matches!(read(&mut CallProgress::new(), lost), CallStep::Forgotten));
        let lost = json!({"msg": "unexpected_error", "message": "404: Session not found.", "success": false});
        assert!(matches!(read(&mut CallProgress::new(), lost), CallStep::Forgotten));
        assert!(matches!(
            read(&mut CallProgress::new(), json!({"msg": "close_stream"})),
            CallStep::Forgotten
        ));
        assert!(matches!(read(&mut CallProgress::new(), json!({"msg": "heartbeat"})), CallStep::Heartbeat));
        assert!(matches!(read(&mut CallProgress::new(), json!([1])), CallStep::Running));
    }
}
