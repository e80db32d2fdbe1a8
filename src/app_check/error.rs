//! Errors of a check: a cause as a value, and a sentence for people.

use super::status::{CheckStatus, Subject};

/// Error that ends a check.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct CheckError {
    pub failure: CheckFailure,
    /// One line. May contain text of the app, made visible and cut.
    pub detail: String,
}

/// Answer of an app that the check did not expect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    pub status: u16,
    /// The field `code` of a JSON body, such as `path_refused` of the proxy.
    pub code: Option<String>,
}

/// Cause of a check that did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckFailure {
    /// The HTTP client cannot be set up with these options.
    ClientSetup,
    /// A path that is not one of the app.
    InvalidPath,
    /// The connection broke, or the app sent no answer in time.
    Unreachable,
    /// The host accepts no connection.
    NoConnection,
    /// The host name has no address.
    UnknownHost,
    /// The timeout of the check ended one of its steps.
    TimedOut,
    /// A page has another status than the expected one.
    UnexpectedStatus {
        answer: HttpAnswer,
        /// The `health_path`, if there is one. The front page otherwise.
        path: Option<String>,
        /// The Space may be private, and the check has no token for it.
        may_be_private: bool,
    },
    /// The page does not contain `health_contains`.
    TextMissing,
    /// The Hub shows its own page in place of the app.
    HubPage,
    /// Redirects lead in circles.
    RedirectLoop,
    /// A redirect leads to another host.
    RedirectToOtherHost,
    /// The app or the Hub asks for fewer requests.
    RateLimited,
    /// The app asks for a login of its own.
    LoginRequired,
    /// The app is not a Gradio app, or its config is unreadable.
    NoGradio { answer: Option<HttpAnswer>, is_call_requested: bool },
    /// The app does not serve its API schema.
    NoApi(HttpAnswer),
    /// The config and the schema of the app are malformed or contradict each other.
    InvalidApi,
    /// Gradio is older than 4.44.
    GradioTooOld,
    /// No endpoint has a name.
    NoEndpoint,
    /// The app does not have the endpoint of `api_name`.
    EndpointUnknown { endpoints: Vec<String> },
    /// `api_name` is not given, and the check cannot choose.
    EndpointAmbiguous { endpoints: Vec<String> },
    /// The endpoint does not have an argument of this name.
    ArgumentUnknown { endpoint: String, parameters: Vec<String> },
    /// There are more arguments than parameters.
    TooManyArguments { endpoint: String, parameters: Vec<String> },
    /// An argument is given by place and by name.
    ArgumentGivenTwice,
    /// A parameter has no argument, and the check cannot make one.
    ArgumentMissing,
    /// A file of the workspace cannot be read.
    FileUnreadable,
    /// A file is too large, or outside the workspace.
    FileRejected,
    /// The parameter takes files, and the argument does not name one.
    FileNotNamed,
    /// The app refuses a request of the call.
    Refused(HttpAnswer),
    /// The answer of the app does not have the documented shape.
    InvalidAnswer,
    /// The queue of the app takes no more calls.
    QueueFull,
    /// The call waited in the queue until the timeout.
    QueueTimedOut,
    /// The call did not end before the timeout.
    CallTimedOut,
    /// The work takes longer than `max_latency`.
    TooSlow,
    /// The stream of the call broke off, and the app forgot the call.
    StreamBroken,
    /// The queue of the app reports an error.
    QueueFailed,
    /// The call ended without a result.
    NoResult,
    /// The result is larger than the check reads.
    ResultTooLarge,
    /// The app raised an error with a text.
    AppError,
    /// The app raised an exception, whose text only its run log has.
    HiddenException,
    /// The app raised the exception of the detail, which is from its run log.
    KnownException,
    /// The GPU quota of the caller is used up.
    GpuQuota,
    /// The outputs are not the expected ones.
    UnexpectedOutput,
    /// A file of the result cannot be fetched.
    OutputNotFetched(Option<HttpAnswer>),
    /// The app ended during the check.
    Stopped,
    /// The Hub does not name an address of the app. Set by callers.
    AddressUnknown,
    /// The app lacks the hardware that it needs. Set by callers.
    HardwareMissing,
    /// The app of a private Space does not open to the token of this run. Set by callers.
    ClosedToToken,
}

impl CheckError {
    pub(super) fn new(failure: CheckFailure, detail: impl Into<String>) -> Self {
        Self { failure, detail: detail.into() }
    }

    /// Puts the subject of the error in front of its sentence.
    #[must_use]
    pub(super) fn within(self, subject: &str) -> Self {
        Self { detail: format!("`{subject}`: {}", self.detail), ..self }
    }
}

/// Returns true for statuses that the Hub's edge sends while it cannot reach the app.
pub(super) fn is_edge_status(status: u16) -> bool {
    matches!(status, 502..=504)
}

impl CheckFailure {
    /// Returns the status of a check that ends for this cause.
    pub fn status(&self) -> CheckStatus {
        match self {
            // The limits of the caller, and of this check.
            Self::RateLimited | Self::QueueFull | Self::GpuQuota | Self::ResultTooLarge => {
                CheckStatus::FullInferenceCandidateHealthPassed
            }
            Self::ClientSetup
            | Self::LoginRequired
            | Self::GradioTooOld
            | Self::AddressUnknown
            | Self::ClosedToToken => CheckStatus::HealthOnly,
            Self::HardwareMissing => CheckStatus::ManualHardwareRequired,
            _ => CheckStatus::Failed,
        }
    }

    /// Returns the subject of the failure.
    pub fn subject(&self) -> Subject {
        match self {
            Self::NoEndpoint
            | Self::EndpointUnknown { .. }
            | Self::EndpointAmbiguous { .. }
            | Self::ArgumentUnknown { .. }
            | Self::TooManyArguments { .. }
            | Self::ArgumentGivenTwice
            | Self::ArgumentMissing => Subject::Input,
            Self::FileUnreadable | Self::FileRejected | Self::FileNotNamed => Subject::Workspace,
            Self::HiddenException | Self::KnownException => Subject::Exception,
            Self::UnexpectedStatus { answer, .. }
                if answer.status >= 500 && !is_edge_status(answer.status) =>
            {
                Subject::Exception
            }
            _ => Subject::App,
        }
    }

    /// Returns the HTTP answer behind the failure, if there is one.
    pub fn answer(&self) -> Option<&HttpAnswer> {
        match self {
            Self::UnexpectedStatus { answer, .. } | Self::NoApi(answer) | Self::Refused(answer) => {
                Some(answer)
            }
            Self::NoGradio { answer, .. } | Self::OutputNotFetched(answer) => answer.as_ref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_subject_follow_from_the_failure() {
        let page = |status| CheckFailure::UnexpectedStatus {
            answer: HttpAnswer { status, code: None },
            path: None,
            may_be_private: false,
        };
        for (failure, status, subject) in [
            (page(404), CheckStatus::Failed, Subject::App),
            (page(500), CheckStatus::Failed, Subject::Exception),
            (page(503), CheckStatus::Failed, Subject::App),
            (CheckFailure::ArgumentMissing, CheckStatus::Failed, Subject::Input),
            (CheckFailure::FileRejected, CheckStatus::Failed, Subject::Workspace),
            (CheckFailure::GpuQuota, CheckStatus::FullInferenceCandidateHealthPassed, Subject::App),
            (CheckFailure::LoginRequired, CheckStatus::HealthOnly, Subject::App),
            (CheckFailure::HardwareMissing, CheckStatus::ManualHardwareRequired, Subject::App),
        ] {
            assert_eq!((failure.status(), failure.subject()), (status, subject), "{failure:?}");
        }
    }
}
