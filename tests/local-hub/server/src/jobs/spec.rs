//! The body of a new Job.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::flavors;
use crate::http::answer::HubError;

/// A Job as its creator describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Spec {
    pub(crate) docker_image: Option<String>,
    pub(crate) space_id: Option<String>,
    #[serde(default)]
    pub(crate) command: Vec<String>,
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) flavor: String,
    pub(crate) timeout_seconds: Option<u64>,
    #[serde(default = "once")]
    pub(crate) attempts: u64,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) volumes: Vec<Volume>,
}

/// A folder of the Hub that the container mounts.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Volume {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) mount_path: String,
    pub(crate) revision: Option<String>,
    pub(crate) read_only: Option<bool>,
    pub(crate) path: Option<String>,
}

fn once() -> u64 {
    1
}

impl Spec {
    /// Reads the body of `POST /api/jobs/{namespace}`, and applies the rules of its schema.
    pub(crate) fn read(body: &Value) -> Result<Self, HubError> {
        let spec: Self = serde_json::from_value(body.clone())
            .map_err(|error| HubError::bad_request(format!("Invalid request body: {error}")))?;
        let refuse = |text: &str| Err(HubError::bad_request(text));
        if spec.docker_image.is_some() == spec.space_id.is_some() {
            return refuse("Exactly one of \"dockerImage\" and \"spaceId\" is required");
        }
        if flavors::find(&spec.flavor).is_none() {
            return refuse("✖ Invalid option for \"flavor\"");
        }
        if spec.command.is_empty() || spec.command.iter().any(String::is_empty) {
            return refuse("\"command\" must have at least one item, and no empty one");
        }
        if body.get("volumes").is_some() && spec.volumes.is_empty() {
            return refuse("\"volumes\" must have at least one item");
        }
        if spec.timeout_seconds == Some(0) || spec.attempts == 0 {
            return refuse("\"timeoutSeconds\" and \"attempts\" must be positive");
        }
        let is_key = |key: &String| {
            key.starts_with(|c: char| c.is_ascii_alphabetic())
                && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !spec.environment.keys().all(|key| is_key(key) && key.len() > 1)
            || !spec.secrets.keys().all(is_key)
        {
            return refuse("Invalid key of \"environment\" or \"secrets\"");
        }
        check_labels(&spec.labels)?;
        Ok(spec)
    }

    /// Returns the words that the container runs.
    pub(super) fn words(&self) -> impl Iterator<Item = &String> {
        self.command.iter().chain(&self.arguments)
    }
}

/// Applies the rules of labels.
pub(crate) fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), HubError> {
    let is_plain = |text: &String| {
        text.len() <= 100
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    if labels.iter().all(|(key, value)| !key.is_empty() && is_plain(key) && is_plain(value)) {
        Ok(())
    } else {
        Err(HubError::bad_request("Invalid key or value of \"labels\""))
    }
}
