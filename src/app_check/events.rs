//! What the stream of a call tells, message by message.

use std::time::Duration;

use serde_json::Value;

use super::diff;
use super::options::{Latency, Stop, Subject, quoted};
use crate::action::Log;

/// Text in an error by which the Hub says that the caller's own share of the GPUs is used up.
const QUOTA: [&str; 4] =
    ["gpu quota", "zerogpu quota", "no gpu was available", "no gpu is currently available"];
/// The fewest percent between two lines about progress.
const PROGRESS_STEP: i64 = 10;

/// Where the call is after a message.
#[derive(Debug)]
pub(super) enum Step {
    Going,
    /// Nothing but a sign that the stream is alive.
    Beat,
    Finished(Vec<Value>),
    /// The server does not know the session: the call is lost.
    Forgotten,
    Failed(Stop),
}

/// What was heard so far.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// From the request to the start of the work.
    started: Option<Duration>,
    /// The work, summed over its steps: the last step of a generator tells only its own time.
    server: Duration,
    /// The last place in the queue that was told.
    rank: Option<i64>,
    /// The last progress that was told.
    progress: Option<(String, i64)>,
    steps: Steps,
}

/// The values that a generator yielded.
#[derive(Debug, Default)]
enum Steps {
    #[default]
    None,
    /// The values after the last step.
    Values(Vec<Value>),
    /// A step was missed, or does not fit.
    Lost,
}

impl Story {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn has_started(&self) -> bool {
        self.started.is_some()
    }

    pub(super) fn latency(&self, wall: Duration) -> Latency {
        // A server that never tells of the start did the work at once.
        Latency { queue: self.started.unwrap_or_default(), server: self.server, wall }
    }

    /// Returns when the work started, counted from the request.
    pub(super) fn started(&self) -> Option<Duration> {
        self.started
    }

    /// Notes that the stream was opened again: steps in between are lost.
    pub(super) fn resume(&mut self) {
        if !matches!(self.steps, Steps::None) {
            self.steps = Steps::Lost;
        }
    }

    /// Returns the values of the last step, to be looked at.
    pub(super) fn last_step(&self) -> Option<&[Value]> {
        match &self.steps {
            Steps::Values(values) => Some(values),
            Steps::None | Steps::Lost => None,
        }
    }

    /// Returns the values of the last step of a generator that has not ended.
    pub(super) fn take_last_step(&mut self) -> Option<Vec<Value>> {
        match std::mem::take(&mut self.steps) {
            Steps::Values(values) => Some(values),
            Steps::None | Steps::Lost => None,
        }
    }

    /// Takes the data of one event, heard `at` this time after the request.
    pub(super) fn hear(&mut self, data: String, at: Duration, log: &Log) -> Step {
        let Ok(mut message) = serde_json::from_str::<Value>(&data) else {
            return Step::Going;
        };
        // A result can be large: its text goes before its values are looked at.
        drop(data);
        match message.get("msg").and_then(Value::as_str).unwrap_or_default() {
            "estimation" => self.tell_rank(&message, log),
            "process_starts" => {
                self.started.get_or_insert(at);
            }
            "progress" => self.tell_progress(&message, log),
            "log" => tell_log(&message, log),
            "heartbeat" => return Step::Beat,
            "process_generating" | "process_streaming" => {
                if message.get("success") == Some(&Value::Bool(false)) {
                    return Step::Failed(raised(&message));
                }
                self.add(&message);
                self.take_step(&mut message);
            }
            "process_completed" => return self.complete(&mut message),
            "unexpected_error" => {
                let text = message.get("message").and_then(Value::as_str).unwrap_or_default();
                // Gradio 4.44 has no field for it.
                if message.get("session_not_found") == Some(&Value::Bool(true))
                    || text.contains("Session not found")
                {
                    return Step::Forgotten;
                }
                return Step::Failed(Stop::failed(format!("the app's queue failed: {}", quoted(text))));
            }
            // The stream of a session that has no call left, without our result.
            "close_stream" => return Step::Forgotten,
            _ => {}
        }
        Step::Going
    }

    fn complete(&mut self, message: &mut Value) -> Step {
        if message.get("success") != Some(&Value::Bool(true)) {
            return Step::Failed(raised(message));
        }
        self.add(message);
        match message.pointer_mut("/output/data").map(Value::take) {
            Some(Value::Array(data)) => Step::Finished(data),
            _ => Step::Failed(Stop::failed("the app ended the call without a result")),
        }
    }

    /// Keeps the values of a step. The first step carries whole values, the others differences; the last message of the
    /// call carries whole values again.
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

    /// Adds the time of a step. On an error the same field is how long its message shows, and is not read.
    fn add(&mut self, message: &Value) {
        let seconds = message.pointer("/output/duration").and_then(Value::as_f64).unwrap_or_default();
        let taken = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.server = self.server.saturating_add(taken);
    }

    fn tell_rank(&mut self, message: &Value, log: &Log) {
        let Some(rank) = message.get("rank").and_then(Value::as_i64) else { return };
        if self.rank.replace(rank) == Some(rank) {
            return;
        }
        let place = rank.saturating_add(1);
        let size = message.get("queue_size").and_then(Value::as_i64).unwrap_or(place);
        let eta = message.get("rank_eta").and_then(Value::as_f64);
        let eta = eta.map(|eta| format!(", about {eta:.0} s")).unwrap_or_default();
        log.info(&format!("in the queue: place {place} of {size}{eta}"));
    }

    fn tell_progress(&mut self, message: &Value, log: &Log) {
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
        // From a share between 0 and 1; anything else is cut to fit.
        let percent = share.map_or(-1, |share| (share * 100.0).round().clamp(0.0, 100.0) as i64);
        let name = quoted(unit.get("desc").and_then(Value::as_str).unwrap_or("working"));
        if let Some((last, told)) = &self.progress
            && *last == name
            && (percent - told).abs() < PROGRESS_STEP
        {
            return;
        }
        let shown = if percent < 0 { String::new() } else { format!(" {percent} %") };
        log.info(&format!("progress: {name}{shown}"));
        self.progress = Some((name, percent));
    }
}

/// What `gr.Info` and `gr.Warning` say.
fn tell_log(message: &Value, log: &Log) {
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    log.untrusted(&format!("app {}: {}\n", quoted(text("level")), quoted(text("log"))));
}

/// The error that ended a call. Gradio hides the text of an exception that is no `gr.Error`, unless the app
/// was launched with `show_error=True`.
fn raised(message: &Value) -> Stop {
    let output = |name: &str| message.pointer(&format!("/output/{name}")).and_then(Value::as_str);
    let title = output("title").or_else(|| message.get("title").and_then(Value::as_str)).unwrap_or("Error");
    let Some(text) = output("error").filter(|text| !text.trim().is_empty()) else {
        return Stop::failed("the app raised an exception; the traceback is in the Space's run log")
            .about(Subject::Exception)
            .hint("raise `gr.Error(\"…\")`, or launch with `show_error=True`, to see the reason here");
    };
    let lower = text.to_lowercase();
    if QUOTA.iter().any(|words| lower.contains(words)) {
        return Stop::blocked(format!("the caller's GPU quota is used up: {}", quoted(text)))
            .hint("run the check again later, or with the token of a plan with more GPU time");
    }
    let title = if title == "Error" { String::new() } else { format!(" ({})", quoted(title)) };
    Stop::failed(format!("the app raised an error{title}: {}", quoted(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::action::Mode;
    use crate::app_check::Word;

    fn hear(story: &mut Story, message: Value) -> Step {
        let log = Log::new(Mode::Plain, Box::new(std::io::sink()));
        story.hear(message.to_string(), Duration::from_secs(3), &log)
    }

    fn failed(message: Value) -> (Word, String) {
        match hear(&mut Story::new(), message) {
            Step::Failed(stop) => (stop.word, stop.detail),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_time_of_a_generator_is_the_sum_of_its_steps() {
        let mut story = Story::new();
        hear(&mut story, json!({"msg": "estimation", "rank": 0, "queue_size": 1, "rank_eta": 0.5}));
        hear(&mut story, json!({"msg": "process_starts", "eta": 0.5}));
        for _ in 0..4 {
            hear(
                &mut story,
                json!({"msg": "process_generating", "success": true, "output": {"duration": 0.5}}),
            );
        }
        let end =
            json!({"msg": "process_completed", "success": true, "output": {"data": ["x"], "duration": 0.25}});
        assert!(matches!(hear(&mut story, end), Step::Finished(data) if data == [json!("x")]));
        let latency = story.latency(Duration::from_secs(9));
        assert_eq!(latency.queue, Duration::from_secs(3));
        assert_eq!(latency.server, Duration::from_millis(2250));
        assert_eq!(latency.wall, Duration::from_secs(9));
    }

    #[test]
    fn the_last_step_of_a_generator_is_known_before_its_end() {
        let step =
            |data: Value| json!({"msg": "process_generating", "success": true, "output": {"data": data}});
        let mut story = Story::new();
        assert_eq!(story.take_last_step(), None);
        hear(&mut story, step(json!(["step 1", null])));
        hear(&mut story, step(json!([[["replace", [], "step 2"]], []])));
        assert_eq!(story.take_last_step(), Some(vec![json!("step 2"), Value::Null]));
        // After a break in the stream, differences have nothing to build on.
        hear(&mut story, step(json!(["step 1"])));
        story.resume();
        hear(&mut story, step(json!([[["append", [], "!"]]])));
        assert_eq!(story.take_last_step(), None);
    }

    #[test]
    fn errors_in_all_their_shapes() {
        let completed =
            |output: Value| json!({"msg": "process_completed", "success": false, "output": output});
        assert_eq!(
            failed(completed(json!({"error": "no\n cats", "title": "Error", "duration": 10}))),
            (Word::Failed, "the app raised an error: no cats".into())
        );
        assert_eq!(
            failed(completed(json!({"error": "no", "title": "Oops"}))),
            (Word::Failed, "the app raised an error (Oops): no".into())
        );
        let (word, detail) = failed(completed(json!({"error": null})));
        assert_eq!(word, Word::Failed);
        assert!(detail.contains("run log"), "{detail}");
        let quota = "You have exceeded your GPU quota (60s requested vs. 56s left)";
        assert_eq!(failed(completed(json!({"error": quota}))).0, Word::TechnicalBlocker);
        let unexpected = json!({"msg": "unexpected_error", "message": "boom"});
        assert_eq!(failed(unexpected).1, "the app's queue failed: boom");
    }

    #[test]
    fn numbers_beyond_all_measure_end_nothing() {
        let mut story = Story::new();
        for _ in 0..3 {
            hear(
                &mut story,
                json!({"msg": "process_generating", "success": true, "output": {"duration": 1.8e19}}),
            );
            hear(&mut story, json!({"msg": "estimation", "rank": i64::MAX}));
        }
        assert_eq!(story.latency(Duration::ZERO).server, Duration::MAX);
    }

    #[test]
    fn a_lost_session_is_no_failure_of_the_app() {
        let lost = json!({"msg": "unexpected_error", "message": "x", "session_not_found": true});
        assert!(matches!(hear(&mut Story::new(), lost), Step::Forgotten));
        let lost = json!({"msg": "unexpected_error", "message": "404: Session not found.", "success": false});
        assert!(matches!(hear(&mut Story::new(), lost), Step::Forgotten));
        assert!(matches!(hear(&mut Story::new(), json!({"msg": "close_stream"})), Step::Forgotten));
        assert!(matches!(hear(&mut Story::new(), json!({"msg": "heartbeat"})), Step::Beat));
        assert!(matches!(hear(&mut Story::new(), json!([1])), Step::Going));
    }
}
