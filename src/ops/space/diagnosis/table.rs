//! The table of causes: its rows, and the text that a match makes of them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use hub::LogKind;
use regex::{Captures, Regex, RegexBuilder};
use serde::Deserialize;

use super::names;

/// The table, read once. A test proves that the text can be parsed, and that each pattern compiles.
pub(super) static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_yaml::from_str(include_str!("causes.yaml")).unwrap_or_default());

/// Longest text of a match that becomes part of a sentence, in characters.
const MAX_VALUE: usize = 160;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) causes: Vec<Row>,
    /// Import name → package name.
    pub(super) packages: BTreeMap<String, String>,
    /// Beginning of a library's file name → Debian package.
    pub(super) libraries: BTreeMap<String, String>,
    /// Names of packages that are often asked for.
    pub(super) popular: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) name: String,
    #[serde(default)]
    pub(super) from: Option<From>,
    #[serde(rename = "match")]
    pub(super) patterns: Vec<Pattern>,
    #[serde(default)]
    unless: Option<Pattern>,
    cause: String,
    fix: Vec<String>,
    #[serde(default)]
    at: Option<At>,
    #[serde(default)]
    pub(super) weak: bool,
}

/// The only text in which a row is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum From {
    Hub,
    Build,
    Run,
}

/// The place of an annotation. All fields are templates.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct At {
    file: String,
    #[serde(default)]
    line: String,
    #[serde(default)]
    find: String,
}

/// A regular expression of the table.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pattern(Regex);

impl TryFrom<String> for Pattern {
    type Error = regex::Error;

    fn try_from(text: String) -> Result<Self, regex::Error> {
        RegexBuilder::new(&text).case_insensitive(true).multi_line(true).build().map(Self)
    }
}

/// A row that describes a text.
pub(super) struct Found<'a> {
    row: &'a Row,
    captures: Captures<'a>,
}

impl Row {
    /// Looks for the row in a text.
    pub(super) fn find<'a>(&'a self, text: &'a str) -> Option<Found<'a>> {
        let spared = |captures: &Captures<'_>| {
            let whole = captures.get(0).map_or("", |whole| whole.as_str());
            self.unless.as_ref().is_some_and(|unless| unless.0.is_match(whole))
        };
        let captures = self
            .patterns
            .iter()
            .find_map(|pattern| pattern.0.captures_iter(text).find(|captures| !spared(captures)))?;
        Some(Found { row: self, captures })
    }

    /// Returns whether the row is looked for in the log of this kind.
    pub(super) fn reads(&self, kind: LogKind) -> bool {
        match self.from {
            None => true,
            Some(From::Hub) => false,
            Some(From::Build) => kind == LogKind::Build,
            Some(From::Run) => kind == LogKind::Run,
        }
    }
}

impl Found<'_> {
    pub(super) fn name(&self) -> &str {
        &self.row.name
    }

    pub(super) fn cause(&self, traceback: &str) -> String {
        self.fill(&self.row.cause).replace("{traceback}", traceback)
    }

    pub(super) fn fixes(&self) -> Vec<String> {
        self.row.fix.iter().map(|fix| self.fill(fix)).collect()
    }

    /// The file, the line and the text of the row's own place.
    pub(super) fn place(&self) -> Option<(String, Option<u32>, Option<String>)> {
        let at = self.row.at.as_ref()?;
        let file = self.fill(&at.file);
        let find = Some(self.fill(&at.find)).filter(|find| !find.is_empty());
        (!file.is_empty()).then(|| (file, self.fill(&at.line).parse().ok(), find))
    }

    /// Puts the groups of the match in the place of `{name}` and `{name:filter}`.
    fn fill(&self, template: &str) -> String {
        let mut filled = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                filled.push('{');
                rest = after;
                continue;
            };
            match name {
                "traceback" => filled.push_str("{traceback}"),
                _ => filled.push_str(&self.value(name)),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, name: &str) -> String {
        let (name, filter) = name.split_once(':').unwrap_or((name, ""));
        let group = |name: &str| self.captures.name(name).map_or("", |group| group.as_str()).trim();
        let value = group(name);
        match filter {
            "package" => names::package_of_import(value),
            "meant" => {
                names::meant(value).map(|name| format!(": did you mean `{name}`?")).unwrap_or_default()
            }
            "nearest" => names::nearest(value, group("version")),
            "debian" => names::debian_package(value),
            "package_of" => names::leading_name(value),
            "upper" => short(&value.to_uppercase()),
            "base" => short(value.rsplit('/').next().unwrap_or(value)),
            _ => short(value),
        }
    }
}

/// One line of bounded length, without backticks, because it is shown between two of them.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'");
    match line.char_indices().nth(MAX_VALUE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
