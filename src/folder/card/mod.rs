//! The card of a repo: the front matter of README.md, which configures a Space.
//!
//! Keys and their meaning: hub docs, "Spaces configuration reference". Edits return a copy of the README: the file in
//! the folder stays as it is.

use serde_yaml::{Mapping, Value};

use crate::folder::yaml;

mod dataset;
mod edit;
mod error;
mod front_matter;
mod merge;
mod message_line;
mod title;
mod yaml_edit;

pub use dataset::{DatasetCard, complete_dataset};
pub use edit::{CardEdit, CardFacts, REPAIRED, complete};
pub use error::{CardError, CardFault};
pub use front_matter::repair_opening_fence;
pub use merge::keep_hub_keys;
pub use message_line::line_of_message;
pub use title::end_title;

/// Port that the Hub expects of a Docker Space whose card has no `app_port`.
pub const DEFAULT_PORT: u16 = 7860;

/// The front matter of a README.
#[derive(Debug, Clone)]
pub struct Card {
    yaml: String,
    keys: Mapping,
}

impl Card {
    /// Reads the card of a README: `None` if it has none.
    pub fn read(readme: &[u8]) -> Result<Option<Self>, CardError> {
        let Some(matter) = front_matter::split(readme)? else { return Ok(None) };
        let keys = yaml::parse_mapping(matter.yaml).map_err(|error| matter.yaml_error(error))?;
        Ok(Some(Self { yaml: matter.yaml.to_owned(), keys }))
    }

    /// Returns the value of `key`, if that is a string.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key)?.as_str()
    }

    /// Returns true if the card has `key`.
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Returns the value of `app_port`, if that is a port.
    pub fn app_port(&self) -> Option<u16> {
        let port = self.keys.get("app_port")?;
        port.as_u64().and_then(|port| port.try_into().ok()).or_else(|| port.as_str()?.parse().ok())
    }

    /// Reports whether `tags` has this tag.
    pub fn has_tag(&self, tag: &str) -> bool {
        let tags = self.keys.get("tags").and_then(Value::as_sequence);
        tags.is_some_and(|tags| tags.iter().any(|one| one.as_str() == Some(tag)))
    }

    /// Returns the value of `key` as it is written, if that is one line. A version `3.10` is a number in YAML.
    pub(super) fn written(&self, key: &str) -> Option<String> {
        yaml_edit::written_value(&self.yaml, key)
    }
}

/// Returns the `sdk` key of the front matter, if it can be read.
pub fn card_sdk(readme: &[u8]) -> Option<String> {
    Card::read(readme).ok().flatten()?.text("sdk").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_card_are_read() {
        let readme = b"---\nsdk: gradio\napp_port: '80'\npython_version: 3.10\ntags: [a, b]\n---\n";
        let card = Card::read(readme).unwrap().unwrap();
        assert_eq!((card.text("sdk"), card.text("python_version")), (Some("gradio"), None));
        assert_eq!(card.written("python_version").as_deref(), Some("3.10"));
        assert_eq!(card.app_port(), Some(80));
        assert!(card.has_tag("b") && !card.has_tag("c"));
        let error = Card::read(b"---\na: [\n---\n").unwrap_err();
        assert!(!error.fault.to_string().contains("line"), "{error}");
    }

    #[test]
    fn sdk_is_a_key_at_the_top_of_the_front_matter() {
        for (readme, expected) in [
            ("---\nsdk: static\n---\n", Some("static")),
            ("---\nx:\n  sdk: static\n---\n", None),
            ("sdk: static", None),
            ("---\nsdk: [\n---\n", None),
        ] {
            assert_eq!(card_sdk(readme.as_bytes()).as_deref(), expected, "{readme:?}");
        }
    }
}
