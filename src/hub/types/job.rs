//! Ids, labels and stages of Jobs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::{ParseError, bail_parse, shorten};

/// Length of a bad value in a parse error, in characters.
const SHOWN: usize = 60;
/// Longest id, because it becomes a part of addresses.
const MAX_ID: usize = 64;
/// Longest key and longest value of a label (`POST /api/jobs/{namespace}`, `labels`).
const MAX_LABEL: usize = 100;

/// Id of a Job, such as `6877f1d2c0ffee0000000001`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct JobId(String);

impl JobId {
    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for JobId {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl FromStr for JobId {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if text.is_empty() || text.len() > MAX_ID || !is_plain {
            bail_parse!("must be the id of a Job, not `{}`", shorten(text, SHOWN));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A Job as a user names it: its id, `namespace/id`, or the address of its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobName {
    /// Namespace; `None` if the text has none.
    pub namespace: Option<String>,
    /// Id of the Job.
    pub id: JobId,
}

impl FromStr for JobName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let path = match text.split_once("/jobs/") {
            Some((host, path)) if host.starts_with("http://") || host.starts_with("https://") => {
                path.trim_end_matches('/')
            }
            _ => text,
        };
        match path.split_once('/') {
            None => Ok(Self { namespace: None, id: path.parse()? }),
            Some((namespace, id)) => Ok(Self { namespace: Some(job_namespace(namespace)?), id: id.parse()? }),
        }
    }
}

/// Checks the namespace of a Job: a user, an organization, or the id of a resource group.
///
/// # Errors
///
/// A character that no namespace has.
pub fn job_namespace(text: &str) -> Result<String, ParseError> {
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    let is_dots = text.bytes().all(|byte| byte == b'.');
    if text.is_empty() || text.len() > 96 || !is_plain || is_dots {
        bail_parse!("must be a user or an organization, not `{}`", shorten(text, SHOWN));
    }
    Ok(text.to_owned())
}

/// State of a Job (`status.stage`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum JobStage {
    /// The Job waits for hardware, or its image is pulled.
    Scheduling,
    /// The command runs.
    Running,
    /// The command ended with success.
    Completed,
    /// The Job was cancelled.
    Canceled,
    /// The command failed, ran too long, or could not be started.
    Error,
    /// The Job was deleted.
    Deleted,
    /// A stage that this crate does not know.
    Other(String),
}

const STAGES: &[(&str, JobStage)] = &[
    ("SCHEDULING", JobStage::Scheduling),
    ("RUNNING", JobStage::Running),
    ("COMPLETED", JobStage::Completed),
    ("CANCELED", JobStage::Canceled),
    ("ERROR", JobStage::Error),
    ("DELETED", JobStage::Deleted),
];

impl From<String> for JobStage {
    fn from(text: String) -> Self {
        let known = STAGES.iter().find(|(name, _)| *name == text);
        known.map_or(Self::Other(text), |(_, stage)| stage.clone())
    }
}

impl JobStage {
    /// Returns the Hub's name of the stage.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(text) => text,
            known => STAGES.iter().find(|(_, stage)| stage == known).map_or("", |(name, _)| name),
        }
    }

    /// Returns true if the Job has ended. An unknown stage is not an end.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Canceled | Self::Error | Self::Deleted)
    }
}

/// Checks the key of a label.
///
/// # Errors
///
/// A key that the contract does not allow.
pub fn label_key(text: &str) -> Result<&str, ParseError> {
    if text.is_empty() || text.len() > MAX_LABEL || !text.bytes().all(is_label_byte) {
        bail_parse!(
            "must have labels with names of up to {MAX_LABEL} letters, digits, `.`, `_` and `-`, not `{}`",
            shorten(text, SHOWN)
        );
    }
    Ok(text)
}

/// Checks the value of a label.
///
/// # Errors
///
/// A value that the contract does not allow.
pub fn label_value(text: &str) -> Result<&str, ParseError> {
    if text.len() > MAX_LABEL || !text.bytes().all(is_label_byte) {
        bail_parse!(
            "must have labels with values of up to {MAX_LABEL} letters, digits, `.`, `_` and `-`, not `{}`",
            shorten(text, SHOWN)
        );
    }
    Ok(text)
}

/// Returns a text in the characters and the length of a label. Each other character becomes `.`.
pub fn to_label_value(text: &str) -> String {
    let clean = |c: char| if c.is_ascii() && is_label_byte(c as u8) { c } else { '.' };
    text.chars().map(clean).take(MAX_LABEL).collect()
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_named_in_three_ways() {
        let parsed = |text: &str| {
            let name: JobName = text.parse().unwrap();
            (name.namespace, name.id.as_str().to_owned())
        };
        let ada = Some("ada".to_owned());
        assert_eq!(parsed("6877f1d2"), (None, "6877f1d2".to_owned()));
        assert_eq!(parsed("ada/6877f1d2"), (ada.clone(), "6877f1d2".to_owned()));
        assert_eq!(parsed("https://huggingface.co/jobs/ada/6877f1d2/"), (ada, "6877f1d2".to_owned()));
        for text in ["", "a/b/c", "ada/", "/x", "../x", "a b", "ada/68?7", "https://huggingface.co/ada/x"] {
            assert!(text.parse::<JobName>().is_err(), "{text}");
        }
    }

    #[test]
    fn stages_end_or_do_not() {
        for (name, is_final) in [
            ("SCHEDULING", false),
            ("RUNNING", false),
            ("COMPLETED", true),
            ("CANCELED", true),
            ("ERROR", true),
        ] {
            let stage = JobStage::from(name.to_owned());
            assert_eq!((stage.as_str(), stage.is_final()), (name, is_final));
            assert!(!matches!(stage, JobStage::Other(_)));
        }
        let unknown = JobStage::from("UPDATING".to_owned());
        assert_eq!((unknown.as_str(), unknown.is_final()), ("UPDATING", false));
    }

    #[test]
    fn labels_keep_to_the_contract() {
        assert_eq!(to_label_value("octo/hello wörld"), "octo.hello.w.rld");
        assert_eq!(to_label_value(&"x".repeat(200)).len(), MAX_LABEL);
        assert!(label_key("gh-repo").is_ok() && label_value("").is_ok());
        assert!(label_key("").is_err() && label_key("a/b").is_err() && label_value("a b").is_err());
        assert!(label_value(&"x".repeat(MAX_LABEL + 1)).is_err());
    }
}
