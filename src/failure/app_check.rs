//! Advice on a check of a running app.

use std::time::Duration;

use super::{Code, Failure};
use crate::app_check::{
    CheckError, CheckFailure, CheckResult, CheckStatus, GPU_PLANS, Latency, Subject, listed, quoted,
};
use crate::setting::{
    API_ARGS, API_KWARGS, API_NAME, EXPECT, FAIL_ON, HEALTH_PATH, HEALTH_STATUS, HF_TOKEN, VERIFY,
};

const NO_CONNECTION: &str = "start the app before this step, and check its host and port";

/// Returns the warning about an app that accepted no connection for this time.
pub fn unconnected(error: &CheckError, time: Duration) -> String {
    format!("the app accepted no connection for {} s: {error}; {NO_CONNECTION}", time.as_secs())
}

/// Returns the failure of a run for a result that fails it, without hints.
pub fn failure(result: &CheckResult) -> Failure {
    let CheckResult { status, detail, .. } = result;
    let message = match (status, result.subject()) {
        (CheckStatus::Failed, Subject::Input | Subject::Workspace) => {
            format!("cannot check the app: {detail}")
        }
        (CheckStatus::Failed, Subject::App | Subject::Exception) => {
            format!("the app did not pass: {detail}")
        }
        _ => format!("the app did not pass, because {FAIL_ON} has `{status}`: {detail}"),
    };
    Failure::new(Code::CheckFailed, message)
}

/// Returns the hints for a result.
pub fn hints(result: &CheckResult) -> Vec<String> {
    match &result.failure {
        Some(failure) => hints_for(failure),
        None if result.status == CheckStatus::FullInferenceCandidateHealthPassed => {
            vec![format!("set {API_NAME}, {API_ARGS} or {EXPECT} to have an endpoint called")]
        }
        None => Vec::new(),
    }
}

/// Returns the line about the time that a call needs on ZeroGPU.
pub fn recommended_duration(seconds: u64) -> String {
    format!("on ZeroGPU, `@spaces.GPU(duration={seconds})` leaves room for this call")
}

/// Returns the line about the callers whose GPU quota admits calls of this duration.
pub fn admission(seconds: u64, calls: &[Latency]) -> String {
    let plans = GPU_PLANS.map(|plan| {
        let (name, largest) = (plan.name, plan.largest_duration());
        let daily = plan.daily_calls(calls).filter(|_| seconds <= largest);
        let daily = daily.map(|daily| format!(", about {daily} calls a day")).unwrap_or_default();
        format!("{name} up to {largest} s{daily}")
    });
    format!("ZeroGPU admits a call if 1.5 times its duration is left of the quota: {}", plans.join("; "))
}

fn hints_for(failure: &CheckFailure) -> Vec<String> {
    let fixed = match failure {
        CheckFailure::UnexpectedStatus { answer, path, may_be_private } => {
            return hints_for_status(answer.status, path.as_deref(), *may_be_private);
        }
        CheckFailure::EndpointUnknown { endpoints } if !endpoints.is_empty() => {
            return vec![format!("set {API_NAME} to one of its endpoints: {}", listed(endpoints))];
        }
        CheckFailure::EndpointUnknown { .. } => {
            return vec![format!("leave {API_NAME} out: the app lists no endpoint")];
        }
        CheckFailure::EndpointAmbiguous { endpoints } => {
            return vec![format!("set {API_NAME} to one of: {}", listed(endpoints))];
        }
        CheckFailure::NoEndpoint => "give the event an `api_name` in the app, or leave the call out",
        CheckFailure::ArgumentUnknown { endpoint, parameters }
        | CheckFailure::TooManyArguments { endpoint, parameters } => {
            return vec![if parameters.is_empty() {
                format!("`{endpoint}` takes no arguments")
            } else {
                format!("`{endpoint}` takes: {}", listed(parameters))
            }];
        }
        CheckFailure::ArgumentMissing => return vec![format!("give it in {API_ARGS} or {API_KWARGS}")],
        CheckFailure::FileUnreadable => {
            return vec![format!("paths in {API_ARGS} and {API_KWARGS} are relative to the workspace")];
        }
        CheckFailure::FileNotNamed => "name a file of the workspace as `@path`, or give an https address",
        CheckFailure::NoGradio { is_call_requested: true, .. } => {
            return vec![format!(
                "name the path of the Gradio app with {HEALTH_PATH}, or leave out what is about a call"
            )];
        }
        CheckFailure::NoGradio { .. } => {
            return vec![format!(
                "an app without Gradio at its root is checked with {HEALTH_PATH} or {}",
                VERIFY.with("health")
            )];
        }
        CheckFailure::NoApi(_) => {
            "Gradio cannot describe its own API: the run log of the Space has the traceback, often of a component or of pydantic"
        }
        CheckFailure::GradioTooOld => {
            return vec![format!(
                "raise `sdk_version` in the Space card, or check the app with {HEALTH_PATH}"
            )];
        }
        CheckFailure::HubPage => {
            "look at the Space's page on the Hub: it may be building, sleeping, paused or in error"
        }
        CheckFailure::RedirectToOtherHost => {
            return vec![format!("if that is right, say so with {HEALTH_PATH} and {HEALTH_STATUS}")];
        }
        CheckFailure::RateLimited => "run the check again later",
        CheckFailure::LoginRequired => {
            return vec![
                format!(
                    "the app asks for a name and a password (`launch(auth=…)`); check it without, or with {HEALTH_PATH} and {}",
                    HEALTH_STATUS.with(401)
                ),
                "a private Space may answer the same to a token that it does not accept".to_owned(),
            ];
        }
        CheckFailure::QueueTimedOut => "other calls may hold the app; give the check a longer timeout",
        CheckFailure::CallTimedOut => "give the check a longer timeout, or call the app with less work",
        CheckFailure::ResultTooLarge => "call the app with less work, or return the result as a file",
        CheckFailure::HiddenException => {
            "raise `gr.Error(\"…\")`, or launch with `show_error=True`, to see the reason here"
        }
        CheckFailure::GpuQuota => "run the check again later, or with the token of a plan with more GPU time",
        CheckFailure::ClosedToToken => {
            return vec![format!(
                "the app of a private Space may not open to a keyless token: pass {HF_TOKEN} to check it"
            )];
        }
        CheckFailure::NoConnection => NO_CONNECTION,
        CheckFailure::UnknownHost => "correct the host name of the app, or the DNS settings of this runner",
        CheckFailure::ClientSetup
        | CheckFailure::InvalidPath
        | CheckFailure::Unreachable
        | CheckFailure::TimedOut
        | CheckFailure::TextMissing
        | CheckFailure::RedirectLoop
        | CheckFailure::InvalidApi
        | CheckFailure::ArgumentGivenTwice
        | CheckFailure::FileRejected
        | CheckFailure::Refused(_)
        | CheckFailure::InvalidAnswer
        | CheckFailure::QueueFull
        | CheckFailure::TooSlow
        | CheckFailure::StreamBroken
        | CheckFailure::QueueFailed
        | CheckFailure::NoResult
        | CheckFailure::AppError
        | CheckFailure::KnownException
        | CheckFailure::UnexpectedOutput
        | CheckFailure::OutputNotFetched(_)
        | CheckFailure::Stopped
        | CheckFailure::AddressUnknown
        | CheckFailure::HardwareMissing => return Vec::new(),
    };
    vec![fixed.to_owned()]
}

/// Returns the hints for a page with another status than the expected one.
fn hints_for_status(status: u16, path: Option<&str>, may_be_private: bool) -> Vec<String> {
    let no_front_page = || format!("an app without a front page needs {HEALTH_PATH}");
    let mut hints = Vec::new();
    match (status, path) {
        // The edge cannot reach the app, whose author knows no more.
        (502..=504, _) => {}
        (404, path) => {
            if may_be_private {
                hints.push("a private Space answers 404 to callers without a token".to_owned());
            }
            hints.push(match path {
                None | Some("/") => no_front_page(),
                Some(path) => {
                    format!("the app has no page at `{}`: correct {HEALTH_PATH}", quoted(path))
                }
            });
        }
        (500.., _) => hints.push("look for the exception in the run log of the Space".to_owned()),
        (_, None) => hints.push(no_front_page()),
        (_, Some(_)) => {
            hints.push(format!("correct {HEALTH_PATH} or {HEALTH_STATUS}, unless the app is at fault"));
        }
    }
    hints
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_check::HttpAnswer;

    #[test]
    fn message_names_the_subject_of_the_failure() {
        let message = |cause| failure(&CheckResult::failed(cause, "x")).message;
        assert_eq!(message(CheckFailure::AppError), "the app did not pass: x");
        assert_eq!(message(CheckFailure::ArgumentMissing), "cannot check the app: x");
        let status = "full_inference_candidate_health_passed";
        let chosen = format!("the app did not pass, because `fail_on` has `{status}`: x");
        assert_eq!(message(CheckFailure::QueueFull), chosen);
    }

    #[test]
    fn hints_follow_from_the_failure() {
        let page = |status, path: Option<&str>| CheckFailure::UnexpectedStatus {
            answer: HttpAnswer { status, code: None },
            path: path.map(str::to_owned),
            may_be_private: true,
        };
        let parameters = vec!["name".to_owned(), "loud".to_owned()];
        let no_front_page = "an app without a front page needs `health_path`";
        let cases: [(CheckFailure, &[&str]); 7] = [
            (page(404, None), &["a private Space answers 404 to callers without a token", no_front_page]),
            (page(403, None), &[no_front_page]),
            (page(403, Some("/")), &["correct `health_path` or `health_status`, unless the app is at fault"]),
            (page(500, None), &["look for the exception in the run log of the Space"]),
            (page(502, None), &[]),
            (
                CheckFailure::ArgumentUnknown { endpoint: "/greet".to_owned(), parameters },
                &["`/greet` takes: `name`, `loud`"],
            ),
            (
                CheckFailure::EndpointUnknown { endpoints: Vec::new() },
                &["leave `api_name` out: the app lists no endpoint"],
            ),
        ];
        for (cause, expected) in cases {
            assert_eq!(hints_for(&cause), expected, "{cause:?}");
        }
    }
}
