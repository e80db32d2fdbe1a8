//! The result of a check in the form of the run bundle: `tests/test_result.json`.

use serde_json::{Value, json};

use super::call_facts::CallFacts;
use super::error::CheckFailure;
use super::latency::Latency;
use super::options::Expect;
use super::result::CheckResult;
use super::status::CheckStatus;

impl CheckResult {
    /// Returns the content of `test_result.json`. The files that the app returned are in `folder` of the bundle.
    pub fn test_result(&self, folder: &str) -> Value {
        let CallFacts { gradio_version, protocol, args, expected, .. } = &*self.facts;
        // The outputs and the failure are those of the last call, which is missing if it did not end.
        let has_last = self.is_matched().is_some();
        let (ended, last) = match self.calls.split_last() {
            Some((last, ended)) if has_last => (ended, Some(last)),
            _ => (&self.calls[..], None),
        };
        let mut calls: Vec<Value> = ended.iter().map(|latency| self.call(Some(latency), None)).collect();
        if self.endpoint.is_some() && (last.is_some() || self.failure.is_some()) {
            calls.push(self.call(last, Some(folder)));
        }
        json!({
            "endpoint": self.endpoint,
            "gradio_version": gradio_version,
            "protocol": protocol,
            "args": args,
            "calls": calls,
            "expected": expected.map(Expect::as_str),
            "matched": self.is_matched(),
            "recommended_duration": self.recommended_duration_seconds,
            "quota": (self.failure == Some(CheckFailure::GpuQuota)).then_some("exceeded"),
        })
    }

    /// Returns true if the outputs of the last call were the expected ones: `None` if there were none to compare.
    fn is_matched(&self) -> Option<bool> {
        match &self.failure {
            None => (self.status == CheckStatus::FullInferenceSuccess).then_some(true),
            Some(CheckFailure::UnexpectedOutput | CheckFailure::OutputNotFetched(_)) => Some(false),
            // The outputs were as they should be, and late.
            Some(CheckFailure::TooSlow) if !self.outputs.is_empty() => Some(true),
            Some(_) => None,
        }
    }

    /// Returns one call. The last one has a folder, and with it the outputs and the failure.
    fn call(&self, latency: Option<&Latency>, folder: Option<&str>) -> Value {
        let failure = self.failure.as_ref().filter(|_| folder.is_some());
        let outputs = latency.and(folder).map_or(&[][..], |_| &self.outputs);
        let files = outputs.iter().filter_map(|output| output["files"].as_array()).flatten();
        let artifacts = files.filter_map(|file| {
            let name = file["kept_as"].as_str()?;
            Some(json!({
                "path": format!("{}/{name}", folder?),
                "mime": file["mime"],
                "bytes": file["bytes"],
                "sha256": file["sha256"],
            }))
        });
        json!({
            "ok": failure.is_none(),
            "wall_s": latency.map(|latency| latency.wall.as_secs_f64()),
            "server_s": latency.map(|latency| latency.server.as_secs_f64()),
            "queue_s": latency.map(|latency| latency.queue.as_secs_f64()),
            "rank_max": self.facts.rank_max,
            "output_types": outputs.iter().map(|output| &output["component"]).collect::<Vec<_>>(),
            "artifacts": artifacts.collect::<Vec<_>>(),
            "error": failure.map(|failure| {
                json!({ "class": class(failure), "title": null, "message": self.detail })
            }),
        })
    }
}

/// Returns the class of a failure in a word.
fn class(failure: &CheckFailure) -> &'static str {
    match failure {
        CheckFailure::GpuQuota => "quota",
        CheckFailure::RateLimited => "rate_limit",
        CheckFailure::QueueFull | CheckFailure::QueueTimedOut | CheckFailure::QueueFailed => "queue",
        CheckFailure::LoginRequired | CheckFailure::ClosedToToken => "login",
        CheckFailure::TimedOut | CheckFailure::CallTimedOut | CheckFailure::TooSlow => "timeout",
        CheckFailure::AppError => "app_error",
        CheckFailure::HiddenException | CheckFailure::KnownException => "exception",
        CheckFailure::UnexpectedOutput | CheckFailure::OutputNotFetched(_) | CheckFailure::NoResult => {
            "output"
        }
        CheckFailure::Stopped => "stopped",
        CheckFailure::HardwareMissing => "hardware",
        CheckFailure::Unreachable
        | CheckFailure::NoConnection
        | CheckFailure::UnknownHost
        | CheckFailure::StreamBroken
        | CheckFailure::HubPage => "connection",
        CheckFailure::NoEndpoint
        | CheckFailure::EndpointUnknown { .. }
        | CheckFailure::EndpointAmbiguous { .. }
        | CheckFailure::ArgumentUnknown { .. }
        | CheckFailure::TooManyArguments { .. }
        | CheckFailure::ArgumentGivenTwice
        | CheckFailure::ArgumentMissing
        | CheckFailure::FileUnreadable
        | CheckFailure::FileRejected
        | CheckFailure::FileNotNamed => "input",
        _ => "app",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn result(status: CheckStatus, failure: Option<CheckFailure>) -> CheckResult {
        let file = json!({"kept_as": "output-1.png", "mime": "image/png", "bytes": 70, "sha256": "ab"});
        let latency = Latency { wall: Duration::from_millis(1500), ..Latency::default() };
        CheckResult {
            failure,
            calls: vec![latency, latency],
            endpoint: Some("/draw".to_owned()),
            facts: Box::new(CallFacts {
                expected: Some(Expect::Image),
                rank_max: Some(2),
                ..CallFacts::default()
            }),
            outputs: vec![json!({"component": "Image", "files": [file, {"kept_as": null}]})],
            ..CheckResult::passed(status, "the detail")
        }
    }

    #[test]
    fn last_call_has_the_outputs() {
        let value = result(CheckStatus::FullInferenceSuccess, None).test_result("tests/artifacts");
        assert_eq!((&value["matched"], &value["expected"]), (&json!(true), &json!("image")));
        let [first, last] = &value["calls"].as_array().unwrap()[..] else { panic!("{value}") };
        assert_eq!((&first["ok"], &first["artifacts"]), (&json!(true), &json!([])));
        assert_eq!((&last["wall_s"], &last["rank_max"]), (&json!(1.5), &json!(2)));
        assert_eq!(last["output_types"], json!(["Image"]));
        let path = "tests/artifacts/output-1.png";
        let kept = json!([{"path": path, "mime": "image/png", "bytes": 70, "sha256": "ab"}]);
        assert_eq!(last["artifacts"], kept);
    }

    #[test]
    fn call_without_a_result_has_an_error_and_no_times() {
        let value = result(CheckStatus::Failed, Some(CheckFailure::AppError)).test_result("tests/artifacts");
        let calls = value["calls"].as_array().unwrap();
        assert_eq!(calls.len(), 3, "two calls ended, and the third one failed");
        assert_eq!((&calls[2]["ok"], &calls[2]["wall_s"]), (&json!(false), &Value::Null));
        assert_eq!(calls[2]["error"], json!({"class": "app_error", "title": null, "message": "the detail"}));
        assert_eq!(value["matched"], Value::Null);

        let unmatched = result(CheckStatus::Failed, Some(CheckFailure::UnexpectedOutput)).test_result("t");
        assert_eq!((&unmatched["matched"], unmatched["calls"].as_array().unwrap().len()), (&json!(false), 2));
        let uncalled = CheckResult::passed(CheckStatus::HealthOnly, "fine").test_result("t");
        assert_eq!((&uncalled["calls"], &uncalled["matched"]), (&json!([]), &Value::Null));
    }
}
