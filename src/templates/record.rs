//! The marks by which a Space is recognised as one of these.

use serde::{Deserialize, Serialize};

use super::input::Editor;

/// Tag in the card of each Space that was rendered here.
pub const OWNERSHIP_TAG: &str = "generated-by-hf-deploy";
/// File with the facts of the last rendering.
pub const RECORD_FILE: &str = ".hf-factory.json";

/// The content of [`RECORD_FILE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub schema: u32,
    /// Id of the model.
    pub model: String,
    /// Commit of the model.
    pub sha: String,
    /// Name of the template.
    pub template: String,
    /// Version of hf-deploy.
    pub version: String,
    pub generator: String,
    /// Author of the files, if an agent edited them: `agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builder: Option<String>,
    /// Model of that agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_model: Option<String>,
    /// Package and version of that agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_package: Option<String>,
}

impl Record {
    /// Returns the record of a rendering by this version.
    pub(super) fn new(model: &str, sha: &str, template: &str) -> Self {
        Self {
            schema: 1,
            model: model.to_owned(),
            sha: sha.to_owned(),
            template: template.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generator: "hf-deploy".to_owned(),
            builder: None,
            agent_model: None,
            agent_package: None,
        }
    }

    /// Names the agent that edits the files.
    pub(super) fn edited_by(self, editor: &Editor) -> Self {
        Self {
            builder: Some("agent".to_owned()),
            agent_model: Some(editor.model.clone()),
            agent_package: Some(editor.package.clone()),
            ..self
        }
    }

    /// Reads a record. `None` if the file is another one.
    pub fn read(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().filter(|record: &Self| record.generator == "hf-deploy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_read_back_and_others_are_not() {
        let record = Record::new("acme/m", "abc", "chat");
        let editor = Editor { model: "a/b".to_owned(), package: "pi@1".to_owned() };
        let edited = record.clone().edited_by(&editor);
        assert!(!serde_json::to_string(&record).unwrap().contains("agent"));
        for record in [record, edited] {
            assert_eq!(Record::read(&serde_json::to_vec(&record).unwrap()), Some(record));
        }
        for other in [
            "",
            "{}",
            "[1]",
            r#"{"schema":1,"model":"a","sha":"","template":"","version":"1","generator":"x"}"#,
        ] {
            assert_eq!(Record::read(other.as_bytes()), None, "{other}");
        }
    }
}
