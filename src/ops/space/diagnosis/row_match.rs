//! A row of the table that matches a text, and the sentences that it makes of the match.

use regex::Captures;

use super::names;
use super::table::CauseRow;

/// Longest text of a match that becomes part of a sentence, in characters.
const MAX_VALUE: usize = 160;

/// A row that describes a text.
pub(super) struct RowMatch<'a> {
    row: &'a CauseRow,
    captures: Captures<'a>,
}

impl<'a> RowMatch<'a> {
    /// Looks for a row in a text.
    pub(super) fn find(row: &'a CauseRow, text: &'a str) -> Option<Self> {
        let is_excluded = |captures: &Captures<'_>| {
            let whole = captures.get(0).map_or("", |whole| whole.as_str());
            row.unless.as_ref().is_some_and(|unless| unless.0.is_match(whole))
        };
        let captures = row
            .patterns
            .iter()
            .find_map(|pattern| pattern.0.captures_iter(text).find(|captures| !is_excluded(captures)))?;
        Some(Self { row, captures })
    }
}

impl RowMatch<'_> {
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

    /// Replaces `{name}` and `{name:filter}` by the groups of the match.
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

/// Returns one line of bounded length without backticks, because it is shown between two of them.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "'");
    match line.char_indices().nth(MAX_VALUE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}
