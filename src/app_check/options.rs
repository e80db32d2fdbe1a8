//! The app to check, and the options of the check.

use std::path::PathBuf;
use std::time::Duration;

use regex::Regex;
use serde_json::{Map, Value};
use url::Url;

use hub::Secret;

/// Depth of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Sends no request to the app.
    Off,
    /// Expects an answer of the app. Reads the API of a Gradio app, and calls it if an option is about a call.
    #[default]
    Auto,
    /// Expects an answer of the app and, of a Gradio app, a well-formed API. Makes no call.
    Health,
    /// Always makes a call. An app that cannot be called has failed.
    Inference,
}

/// Content that the outputs of the call must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Image,
    Video,
    Audio,
    /// Text that is not empty.
    Text,
    /// Any output of a call that succeeds.
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

/// Options of a check.
#[derive(Debug, Clone)]
pub struct Check {
    pub mode: Mode,
    /// A path of the app with its query, such as `/health`; `None` is the front page.
    pub health_path: Option<String>,
    /// Expected status of `health_path`. The front page may answer with any 2xx.
    pub health_status: u16,
    /// Text expected in the first 4 MB of the answer to `health_path` (or of the front page).
    pub health_contains: Option<String>,
    /// The name of the endpoint, with or without its leading slash. `None` lets the check choose.
    pub api_name: Option<String>,
    /// The arguments in the order of the schema, without states. `@path` and `{"path": "…"}` name local
    /// files where the parameter takes files.
    pub api_args: Vec<Value>,
    /// Arguments by `parameter_name`.
    pub api_kwargs: Map<String, Value>,
    /// `None` expects the content that the endpoint promises to return.
    pub expect: Option<Expect>,
    /// Text that one of the text outputs holds.
    pub expect_contains: Option<String>,
    /// A pattern that one of the text outputs matches.
    pub expect_regex: Option<Regex>,
    /// Longest time that the work may take, from its start to its end. Time in the queue does not count, because
    /// other callers cause it.
    pub max_latency: Option<Duration>,
    /// Time for everything: waiting for the app to answer, the queue, the call, the downloads.
    pub timeout: Duration,
    /// Number of calls, one after the other. At least one is made.
    pub runs: u32,
    /// The folder of local files in arguments. The check keeps its own files in `.hf-deploy/` below it.
    pub workspace: PathBuf,
    /// Position among several checks of a run, from 1: its files are in `.hf-deploy/check-N/` then.
    pub number: Option<usize>,
}

impl Check {
    /// Returns the default check: mode `auto`, ten minutes.
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
            runs: 1,
            workspace: workspace.into(),
            number: None,
        }
    }

    /// Returns true if an option differs from the default check.
    pub fn is_customized(&self) -> bool {
        match self.mode {
            Mode::Off => false,
            Mode::Health | Mode::Inference => true,
            Mode::Auto => {
                self.health_path.is_some() || self.health_contains.is_some() || self.requests_call()
            }
        }
    }

    /// Returns true if HTTP alone decides: a path or mode `health` is given, and no call is requested.
    pub(super) fn is_about_http(&self) -> bool {
        !self.requests_call() && (self.health_path.is_some() || self.mode == Mode::Health)
    }

    /// Returns true if an option is about a call.
    pub fn requests_call(&self) -> bool {
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

/// The kind of the app, as far as the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppKind {
    /// Must have `/config`.
    Gradio,
    /// Files, without an API to call.
    Static,
    /// Any server; it may be a Gradio app.
    Docker,
    Unknown,
}

/// The app to check.
#[derive(Debug, Clone)]
pub struct App {
    /// Its address as the Hub gives it, never a computed one.
    pub url: Url,
    /// Opens a private Space. The client sends it as `X-HF-Authorization: Bearer …` to the origin of `url`, over TLS
    /// or on this machine, and nowhere else.
    pub token: Option<Secret>,
    pub kind: AppKind,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_options_request_a_call() {
        let check = Check::new(".");
        assert!(!check.requests_call());
        assert!(!Check { health_path: Some("/x".into()), ..check.clone() }.requests_call());
        assert!(Check { expect: Some(Expect::Any), ..check.clone() }.requests_call());
        assert!(Check { mode: Mode::Inference, ..check.clone() }.requests_call());
        assert!(!Check { mode: Mode::Health, api_name: Some("x".into()), ..check.clone() }.requests_call());
        assert!(!check.is_customized());
        assert!(Check { health_path: Some("/x".into()), ..check.clone() }.is_customized());
        assert!(!Check { mode: Mode::Off, api_name: Some("x".into()), ..check.clone() }.is_customized());
        let by_path = Check { health_path: Some("/x".into()), ..check.clone() };
        assert!(by_path.is_about_http() && Check { mode: Mode::Health, ..check.clone() }.is_about_http());
        assert!(!check.is_about_http() && !Check { api_name: Some("x".into()), ..by_path }.is_about_http());
    }
}
