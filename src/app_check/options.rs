//! What is asked, of which app, and the answer: the types that callers see.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use serde_json::{Map, Value};
use url::Url;

use crate::action::Log;
use crate::auth::Secret;
use crate::failure::{Code, Failure, Result};

/// How far the check goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Nothing is asked of the app.
    Off,
    /// The app answers; where it is a Gradio app, its API is looked at, and called if anything in the
    /// options is about a call.
    #[default]
    Auto,
    /// The app answers and, where it is a Gradio app, its API is well formed. Nothing is called.
    Health,
    /// A call is made whatever else is set. An app that cannot be called has failed.
    Inference,
}

/// What the outputs of the call have to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Image,
    Video,
    Audio,
    /// Text that is not empty.
    Text,
    /// The call succeeds; its outputs may be anything.
    Any,
}

impl Expect {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Text => "text",
            Self::Any => "any",
        }
    }
}

/// What to check, and how long.
#[derive(Debug, Clone)]
pub struct Check {
    pub mode: Mode,
    /// A path of the app with its query, such as `/health`; `None` is the front page.
    pub health_path: Option<String>,
    /// The status that `health_path` has to answer with. The front page may answer with any 2xx.
    pub health_status: u16,
    /// Text that stands in the first 4 MB of the answer to `health_path` (or of the front page).
    pub health_contains: Option<String>,
    /// The name of the endpoint, with or without its leading slash; `None` lets the check choose.
    pub api_name: Option<String>,
    /// The arguments in the order of the schema, without states. `@path` and `{"path": "…"}` name local
    /// files where the parameter takes files.
    pub api_args: Vec<Value>,
    /// Arguments by `parameter_name`.
    pub api_kwargs: Map<String, Value>,
    /// `None` goes by what the endpoint promises to return.
    pub expect: Option<Expect>,
    /// Text that one of the text outputs holds.
    pub expect_contains: Option<String>,
    /// A pattern that one of the text outputs matches.
    pub expect_regex: Option<Regex>,
    /// The longest that the work may take, from its start to its end. Time in the queue does not count:
    /// that is made by other callers.
    pub max_latency: Option<Duration>,
    /// The time for everything: waiting for the app to answer, the queue, the call, the downloads.
    pub timeout: Duration,
    /// The folder that local files in arguments are in. What the check keeps goes to `.hf-deploy/` in it.
    pub workspace: PathBuf,
}

impl Check {
    /// The check that is made when nothing is asked for: `verify: auto`, ten minutes.
    pub fn new(workspace: impl Into<PathBuf>) -> Self {
        Self {
            mode: Mode::Auto,
            health_path: None,
            health_status: 200,
            health_contains: None,
            api_name: None,
            api_args: Vec::new(),
            api_kwargs: Map::new(),
            expect: None,
            expect_contains: None,
            expect_regex: None,
            max_latency: None,
            timeout: Duration::from_secs(600),
            workspace: workspace.into(),
        }
    }

    /// Whether anything but the default is asked for.
    pub fn asks_for_something(&self) -> bool {
        match self.mode {
            Mode::Off => false,
            Mode::Health | Mode::Inference => true,
            Mode::Auto => {
                self.health_path.is_some() || self.health_contains.is_some() || self.asks_for_a_call()
            }
        }
    }

    /// Whether it is for HTTP to judge: there is a path to answer or `verify: health`, and nothing to call.
    pub(super) fn is_about_http(&self) -> bool {
        !self.asks_for_a_call() && (self.health_path.is_some() || self.mode == Mode::Health)
    }

    /// Whether anything that was set is about a call.
    pub fn asks_for_a_call(&self) -> bool {
        match self.mode {
            Mode::Off | Mode::Health => false,
            Mode::Inference => true,
            Mode::Auto => {
                self.api_name.is_some()
                    || !self.api_args.is_empty()
                    || !self.api_kwargs.is_empty()
                    || self.expect.is_some()
                    || self.expect_contains.is_some()
                    || self.expect_regex.is_some()
                    || self.max_latency.is_some()
            }
        }
    }
}

/// What the app is made with, as far as the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppKind {
    /// It has to have `/config`.
    Gradio,
    /// Files: there is no API to call.
    Static,
    /// Anything; it may be Gradio inside.
    Docker,
    Unknown,
}

/// The app to check.
#[derive(Debug, Clone)]
pub struct App {
    /// Its address as the Hub named it, never one that was computed.
    pub url: Url,
    /// Opens a private Space. It goes as `X-HF-Authorization: Bearer …` to the origin of `url`, over TLS
    /// or on this machine, and nowhere else.
    pub token: Option<Secret>,
    pub kind: AppKind,
}

/// The result in one word: the output `verify_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// A call of the API was made, and its outputs are what was expected.
    FullInferenceSuccess,
    /// The app answers and is a Gradio app with endpoints that can be called, and none was called, because
    /// nothing asked for a call.
    FullInferenceCandidateHealthPassed,
    /// The app answers, and has no API that this check can call.
    HealthOnly,
    /// The hardware that the app needs was not granted, so there is nothing to check until somebody picks
    /// it by hand. Set by callers; the check itself never finds it.
    ManualHardwareRequired,
    /// Something outside the app is in the way of a judgement: the caller's own GPU quota, a rate limit, a
    /// full queue, a login page, a Gradio too old to be called.
    TechnicalBlocker,
    /// The app does not do what was asked.
    Failed,
}

impl Word {
    /// The word as users see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullInferenceSuccess => "full_inference_success",
            Self::FullInferenceCandidateHealthPassed => "full_inference_candidate_health_passed",
            Self::HealthOnly => "health_only",
            Self::ManualHardwareRequired => "manual_hardware_required",
            Self::TechnicalBlocker => "technical_blocker",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where the time of a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latency {
    /// From the request to the start of the work.
    pub queue: Duration,
    /// The work, as the app measured it: the sum over all steps of a generator.
    pub server: Duration,
    /// From the request to the last event.
    pub wall: Duration,
}

/// The subject of a verdict, which decides how a failure is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Subject {
    #[default]
    App,
    /// The inputs of the check, such as an endpoint that the app does not have.
    Input,
    /// A file of the workspace that the inputs name. The app has no part in it.
    Workspace,
    /// An exception of the app, whose text only the run log has.
    Exception,
}

/// How the check ended.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub word: Word,
    pub subject: Subject,
    /// One line. It may hold text of the app, made visible and cut: escape it where it is printed.
    pub detail: String,
    /// One thing each that the user can do next.
    pub hints: Vec<String>,
    /// Only when a call ended.
    pub latency: Option<Latency>,
    /// For `@spaces.GPU(duration=…)`: 1.4 times the time of the work, rounded up, and at least 10. Only
    /// when a call succeeded.
    pub recommended_duration_seconds: Option<u64>,
    /// The endpoint that was called, with its leading slash.
    pub endpoint: Option<String>,
    /// The files that were kept, below `.hf-deploy/` in the workspace.
    pub artifacts: Vec<PathBuf>,
}

impl Verdict {
    /// A verdict with nothing but its word and its reason.
    pub fn of(word: Word, detail: impl Into<String>) -> Self {
        Self {
            word,
            subject: Subject::App,
            detail: detail.into(),
            hints: Vec::new(),
            latency: None,
            recommended_duration_seconds: None,
            endpoint: None,
            artifacts: Vec::new(),
        }
    }

    /// Names the exception that the run log has, in place of the advice where to look for it.
    pub fn name_exception(&mut self, exception: &str) {
        let exception = quoted(exception);
        self.detail = match &self.endpoint {
            Some(endpoint) => format!("`{endpoint}`: the app raised {exception}"),
            None => format!("{}; the app raised {exception}", self.detail),
        };
        self.hints.clear();
    }

    /// Writes the verdict to the log, and makes the failure of it, where it is one. What is in the way of a
    /// judgement is a warning.
    ///
    /// # Errors
    ///
    /// `check_failed`: the app does not do what was asked.
    pub fn conclude(&self, log: &Log) -> Result<()> {
        let subject =
            self.endpoint.as_ref().map(|name| format!(" of `{}`", quoted(name))).unwrap_or_default();
        match self.word {
            Word::Failed => {
                let message = match self.subject {
                    Subject::Input | Subject::Workspace => format!("cannot check the app: {}", self.detail),
                    Subject::App | Subject::Exception => format!("the app did not pass: {}", self.detail),
                };
                let failure = Failure::new(Code::CheckFailed, message);
                return Err(self.hints.iter().fold(failure, |failure, hint| failure.hint(hint.clone())));
            }
            Word::TechnicalBlocker | Word::ManualHardwareRequired => {
                log.warning(&format!("the app could not be judged ({}): {}", self.word, self.detail));
                self.hints.iter().for_each(|hint| log.info(hint));
            }
            _ => log.info(&format!("the check{subject} ended in {}: {}", self.word, self.detail)),
        }
        if let Some(latency) = &self.latency {
            log.info(&format!("latency: {latency}"));
        }
        if let Some(seconds) = self.recommended_duration_seconds {
            log.info(&format!("on ZeroGPU, `@spaces.GPU(duration={seconds})` leaves room for this call"));
        }
        Ok(())
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [queue, server, wall] = [self.queue, self.server, self.wall].map(|part| part.as_secs_f64());
        write!(f, "{wall:.2} s in all, {queue:.2} s in the queue, {server:.2} s of work")
    }
}

/// Why a check ends before its end.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) word: Word,
    pub(super) subject: Subject,
    pub(super) detail: String,
    pub(super) hints: Vec<String>,
}

impl Stop {
    /// The app does not do what was asked.
    pub(super) fn failed(detail: impl Into<String>) -> Self {
        Self { word: Word::Failed, subject: Subject::App, detail: detail.into(), hints: Vec::new() }
    }

    /// Something outside the app is in the way.
    pub(super) fn blocked(detail: impl Into<String>) -> Self {
        Self { word: Word::TechnicalBlocker, ..Self::failed(detail) }
    }

    #[must_use]
    pub(super) fn about(self, subject: Subject) -> Self {
        Self { subject, ..self }
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// Text of the app on one line, cut, for a sentence of ours.
pub(super) fn quoted(text: &str) -> String {
    excerpt(text, 400)
}

/// The same, of at most so many characters.
pub(super) fn excerpt(text: &str, most: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    crate::text::plain(&crate::target::shorten(&text, most))
}
