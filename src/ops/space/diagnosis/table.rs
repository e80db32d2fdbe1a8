//! The table of causes, as it is written in `causes.yaml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hub::LogKind;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;

/// The table, read once. A test proves that the text can be parsed, and that each pattern compiles.
pub(super) static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_yaml::from_str(include_str!("causes.yaml")).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) causes: Vec<CauseRow>,
    /// Import name → package name.
    pub(super) packages: BTreeMap<String, String>,
    /// Beginning of a library's file name → Debian package.
    pub(super) libraries: BTreeMap<String, String>,
    /// Names of popular packages.
    pub(super) popular: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CauseRow {
    pub(super) name: String,
    #[serde(default)]
    pub(super) from: Option<TextOrigin>,
    #[serde(rename = "match")]
    pub(super) patterns: Vec<Pattern>,
    #[serde(default)]
    pub(super) unless: Option<Pattern>,
    pub(super) cause: String,
    pub(super) fix: Vec<String>,
    #[serde(default)]
    pub(super) at: Option<At>,
    #[serde(default)]
    pub(super) weak: bool,
}

/// The text to which a row is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TextOrigin {
    Hub,
    Build,
    Run,
}

/// The place of an annotation. All fields are templates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct At {
    pub(super) file: String,
    #[serde(default)]
    pub(super) line: String,
    #[serde(default)]
    pub(super) find: String,
}

/// A regular expression of the table.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pattern(pub(super) Regex);

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        RegexBuilder::new(&text).case_insensitive(true).multi_line(true).build().map(Self)
    }
}

impl CauseRow {
    /// Returns true if the row applies to the log of this kind.
    pub(super) fn reads(&self, kind: LogKind) -> bool {
        match self.from {
            None => true,
            Some(TextOrigin::Hub) => false,
            Some(TextOrigin::Build) => kind == LogKind::Build,
            Some(TextOrigin::Run) => kind == LogKind::Run,
        }
    }
}
