//! The options of a call of Inference Providers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hub::RepoId;
use regex::Regex;
use serde_json::{Map, Value};

use crate::workspace::FOLDER;

/// Options of a run.
#[derive(Debug, Clone)]
pub struct InferenceOptions {
    pub operation: Operation,
    pub model: RepoId,
    /// The inputs, in their order. There is at least one, and their ids differ.
    pub items: Vec<Item>,
    /// Parameters of the model, as its provider names them.
    pub params: Map<String, Value>,
    /// Largest number of tokens of an answer.
    pub max_tokens: Option<u32>,
    pub routing: Routing,
    /// Prints the text of the only input as it comes.
    pub stream: bool,
    pub expectations: Expectations,
    /// Cost in US dollars at which no further input is started.
    pub max_cost: Option<f64>,
    /// Number of inputs at the same time.
    pub concurrency: usize,
    pub results: ResultsPath,
}

/// Kind of work of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Generate,
    Embed,
    Classify,
}

impl Operation {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Embed => "embed",
            Self::Classify => "classify",
        }
    }
}

/// An input.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Name in the results.
    pub id: String,
    /// A text, or for a chat a list of messages.
    pub input: Value,
}

/// Choice of the provider of a chat model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routing {
    Fastest,
    Cheapest,
    /// The first one in the order of the user's settings.
    Preferred,
    Provider(String),
}

/// Properties that a result must have.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    /// Text that the answer contains.
    pub contains: Option<String>,
    /// Pattern that the answer matches.
    pub regex: Option<Regex>,
    /// Label with the highest score.
    pub label: Option<String>,
    pub max_latency: Option<Duration>,
}

/// The file of the results.
#[derive(Debug, Clone)]
pub enum ResultsPath {
    /// A file of the user. Results that it has stay, and their inputs are not sent again.
    Named(PathBuf),
    /// The file of this program in a workspace, which each run starts anew.
    Own(PathBuf),
}

/// Name of the file of this program.
pub(super) const OWN_RESULTS: &str = "inference.jsonl";

impl ResultsPath {
    /// Returns the path of the file.
    pub fn path(&self) -> PathBuf {
        match self {
            Self::Named(path) => path.clone(),
            Self::Own(workspace) if workspace == Path::new(".") => Path::new(FOLDER).join(OWN_RESULTS),
            Self::Own(workspace) => workspace.join(FOLDER).join(OWN_RESULTS),
        }
    }
}

impl Routing {
    /// Returns the end of the model's name in a request. Without one, the router chooses the fastest provider.
    pub(super) fn suffix(&self) -> String {
        match self {
            Self::Fastest => String::new(),
            Self::Cheapest => ":cheapest".to_owned(),
            Self::Preferred => ":preferred".to_owned(),
            Self::Provider(name) => format!(":{name}"),
        }
    }
}

impl Expectations {
    /// Returns true if a result may differ from what is expected.
    pub fn are_set(&self) -> bool {
        self.contains.is_some() || self.regex.is_some() || self.label.is_some() || self.max_latency.is_some()
    }
}
