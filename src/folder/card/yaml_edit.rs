//! Edits of top-level keys of a YAML text that leave all other bytes as they are.
//!
//! An edit tries changes of lines, and accepts the first one whose parsed result has the wanted meaning. Block scalars,
//! quotes and nested maps that look like a key therefore cannot damage the text: at worst the edit is refused.

use std::ops::Range;

use serde_yaml::{Mapping, Value};

use crate::folder::yaml::{YamlError, key_of, parse_mapping};

/// Editor of a front matter.
#[derive(Debug, Clone)]
pub(super) struct Editor {
    text: String,
    meaning: Mapping,
    /// Line break of the text.
    line_end: &'static str,
}

/// Error of an edit that no change of lines can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CannotEdit;

impl Editor {
    pub(super) fn new(yaml: &str, line_end: &'static str) -> Result<Self, YamlError> {
        Ok(Self { text: yaml.to_owned(), meaning: parse_mapping(yaml)?, line_end })
    }

    pub(super) fn meaning(&self) -> &Mapping {
        &self.meaning
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Sets the top-level `key`: in its line if it exists, else as the last line.
    pub(super) fn set(&mut self, key: &str, value: &Value) -> Result<(), CannotEdit> {
        let scalar = scalar(value);
        let mut meaning = self.meaning.clone();
        meaning.insert(key.into(), value.clone());
        let candidates = if self.meaning.contains_key(key) {
            self.rewrites(key, |line| with_value(line, &scalar))
        } else {
            let gap = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { self.line_end };
            vec![format!("{}{gap}{key}: {scalar}{}", self.text, self.line_end)]
        };
        self.accept(candidates, meaning)
    }

    /// Sets the top-level `key` to a list or a mapping: in its place if it exists, else as the last lines.
    pub(super) fn set_block(&mut self, key: &str, value: &Value) -> Result<(), CannotEdit> {
        let entry = Mapping::from_iter([(Value::from(key), value.clone())]);
        let block = serde_yaml::to_string(&entry).map_err(|_| CannotEdit)?.replace('\n', self.line_end);
        let mut meaning = self.meaning.clone();
        meaning.insert(key.into(), value.clone());
        let candidates = if self.meaning.contains_key(key) {
            self.rewrites(key, |_| Some(block.clone()))
        } else {
            let gap = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { self.line_end };
            vec![format!("{}{gap}{block}", self.text)]
        };
        self.accept(candidates, meaning)
    }

    /// Removes the top-level `key` with its line.
    pub(super) fn remove(&mut self, key: &str) -> Result<(), CannotEdit> {
        let mut meaning = self.meaning.clone();
        meaning.shift_remove(key);
        let candidates = self.rewrites(key, |_| Some(String::new()));
        self.accept(candidates, meaning)
    }

    /// Returns two candidates for each line that looks like the entry `key`: one with that line rewritten, and one with
    /// the lines that seem to continue its value replaced too.
    fn rewrites(&self, key: &str, rewrite: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let mut candidates = Vec::new();
        for line in lines(&self.text) {
            if key_of(&self.text[line.clone()]).is_none_or(|(found, _)| found != key) {
                continue;
            }
            let Some(new) = rewrite(&self.text[line.clone()]) else { continue };
            let entry_end = line.end + continuation(&self.text[line.end..]);
            for end in [line.end, entry_end] {
                candidates.push(format!("{}{new}{}", &self.text[..line.start], &self.text[end..]));
            }
        }
        candidates
    }

    /// Accepts the first candidate with the wanted meaning.
    fn accept(&mut self, candidates: Vec<String>, meaning: Mapping) -> Result<(), CannotEdit> {
        let proven =
            candidates.into_iter().find(|text| parse_mapping(text).is_ok_and(|found| found == meaning));
        self.text = proven.ok_or(CannotEdit)?;
        self.meaning = meaning;
        Ok(())
    }
}

/// Returns the value of the top-level `key` as it is written, if that is one line: `3.10` and not 3.1.
pub(super) fn written_value(yaml: &str, key: &str) -> Option<String> {
    let meaning = parse_mapping(yaml).ok()?;
    let value = meaning.get(key)?;
    lines(yaml)
        .filter_map(|line| key_of(&yaml[line]))
        .filter(|(found, _)| *found == key)
        .map(|(_, rest)| rest[value_range(rest)].to_owned())
        .find(|written| serde_yaml::from_str::<Value>(written).is_ok_and(|found| found == *value))
        .map(|written| written.trim_matches(['"', '\'']).to_owned())
}

/// Returns the ranges of the lines of `text`, with their line breaks.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let range = start..start + line.len();
        start = range.end;
        range
    })
}

/// Returns the range of the value in `rest`, the text after `key:`, without white space and comment.
fn value_range(rest: &str) -> Range<usize> {
    let start = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let value = &rest[start..];
    let length = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].find(quote).map_or(value.len(), |end| end + 2),
        Some('#') if start > 0 => 0,
        _ => value.find(" #").or_else(|| value.find("\t#")).unwrap_or(value.len()),
    };
    start..start + value[..length].trim_end().len()
}

/// Returns the line `key: …` with another value, and the same comment and line break.
fn with_value(line: &str, value: &str) -> Option<String> {
    let (_, rest) = key_of(line)?;
    let key = &line[..line.len() - rest.len()];
    let Range { start, end } = value_range(rest);
    let space = if start == 0 { " " } else { &rest[..start] };
    let gap = if rest[end..].starts_with('#') { " " } else { "" };
    Some(format!("{key}{space}{value}{gap}{}", &rest[end..]))
}

/// Returns the number of bytes of `text` that seem to continue the value of the entry before it: indented lines, items
/// of a list, and blank lines between them.
fn continuation(text: &str) -> usize {
    let mut end = 0;
    for line in lines(text) {
        let content = &text[line.clone()];
        if content.trim().is_empty() {
            continue;
        }
        let is_item = content.starts_with("- ") || content.trim_end() == "-";
        if !is_item && !content.starts_with([' ', '\t']) {
            break;
        }
        end = line.end;
    }
    end
}

/// Formats a value for the place after `key: `: plain if every reader of YAML takes it for the same value.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => quoted(text),
        other => serde_yaml::to_string(other).unwrap_or_default().trim_end().to_owned(),
    }
}

fn is_plain(text: &str) -> bool {
    // Some readers take these for booleans, as in YAML 1.1.
    const WORDS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && serde_yaml::from_str::<Value>(text).is_ok_and(|value| value == *text)
}

/// Formats a text in double quotes. Characters other than printable ASCII, letters and digits are escaped, because
/// YAML breaks lines at more characters than JSON does.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ if c.is_alphanumeric() => quoted.push(c),
            _ => quoted.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edited(yaml: &str, edit: impl Fn(&mut Editor) -> Result<(), CannotEdit>) -> Option<String> {
        let mut editor = Editor::new(yaml, "\n").unwrap();
        edit(&mut editor).ok().map(|()| editor.text)
    }

    #[test]
    fn values_are_set_in_place() {
        let cases = [
            ("sdk: a\n", Some("sdk: new\n")),
            ("sdk:   a  # why\r\nb: 1\n", Some("sdk:   new  # why\r\nb: 1\n")),
            ("\"sdk\": 'a#b'#\n", Some("\"sdk\": new #\n")),
            ("sdk: 'a' # b\n", Some("sdk: new # b\n")),
            ("sdk: \"a # b\"\n", Some("sdk: new\n")),
            ("sdk:\nb: 1\n", Some("sdk: new\nb: 1\n")),
            ("sdk: # later\n", Some("sdk: new # later\n")),
            ("sdk:\n  a\nb: 1\n", Some("sdk: new\nb: 1\n")),
            ("sdk: >-\n  a\n\n  b\n\n# c\n", Some("sdk: new\n\n# c\n")),
            ("t: |\n  sdk: x\nm:\n  sdk: y\nsdk: a\n", Some("t: |\n  sdk: x\nm:\n  sdk: y\nsdk: new\n")),
            ("t: \"x\nsdk: y\"\nsdk: a", Some("t: \"x\nsdk: y\"\nsdk: new")),
            ("sdk: &x a\nb: *x\n", None),
            ("{sdk: a}\n", None),
            ("b: 1\n# end\n", Some("b: 1\n# end\nsdk: new\n")),
            ("t: |+\n  x\n\n", Some("t: |+\n  x\n\nsdk: new\n")),
            ("", Some("sdk: new\n")),
            ("{b: 1}\n", None),
            ("b: [1,\n2]\n", Some("b: [1,\n2]\nsdk: new\n")),
        ];
        for (yaml, expected) in cases {
            let Ok(_) = parse_mapping(yaml) else {
                assert_eq!(expected, None, "{yaml:?} is no YAML");
                continue;
            };
            assert_eq!(
                edited(yaml, |editor| editor.set("sdk", &"new".into())).as_deref(),
                expected,
                "{yaml:?}"
            );
        }
    }

    #[test]
    fn blocks_are_set_in_place() {
        let list: Value = serde_yaml::from_str("[{a: x, b: [y]}]").unwrap();
        let block = "k:\n- a: x\n  b:\n  - y\n";
        for (yaml, expected) in [
            ("", Some(block.to_owned())),
            ("b: 1", Some(format!("b: 1\n{block}"))),
            ("k:\n- old\n- older\nb: 1 # c\n", Some(format!("{block}b: 1 # c\n"))),
            ("k: [old]\nb: 1\n", Some(format!("{block}b: 1\n"))),
            ("k:\n  - old\n  -\n    x: 1\n", Some(block.to_owned())),
            ("{b: 1}\n", None),
        ] {
            assert_eq!(edited(yaml, |editor| editor.set_block("k", &list)), expected, "{yaml:?}");
        }
    }

    #[test]
    fn entries_are_removed_with_their_lines() {
        let cases = [
            ("a: 1\nsdk: x # y\nb: 2\n", Some("a: 1\nb: 2\n")),
            ("sdk: x\n", Some("")),
            ("sdk:\n  - a\n  - b\nb: 2\n", Some("b: 2\n")),
            ("b: |\n  sdk: x\nsdk: |\n  b: 1\n", Some("b: |\n  sdk: x\n")),
            ("{sdk: x, b: 1}", None),
        ];
        for (yaml, expected) in cases {
            assert_eq!(edited(yaml, |editor| editor.remove("sdk")).as_deref(), expected, "{yaml:?}");
        }
    }

    #[test]
    fn written_value_is_one_line() {
        let cases = [
            ("v: 3.10\n", Some("3.10")),
            ("v: \"3.10\" # c\n", Some("3.10")),
            ("t: |\n  v: 1\nv: '1.20'", Some("1.20")),
            ("v:\n  1.2\n", None),
            ("v: [\n", None),
            ("m:\n  v: 1\n", None),
        ];
        for (yaml, expected) in cases {
            assert_eq!(written_value(yaml, "v").as_deref(), expected, "{yaml:?}");
        }
    }

    #[test]
    fn ambiguous_scalars_are_quoted() {
        let plain = ["app.py", "my-app", "src/streamlit_app.py", "a.b"];
        for text in plain {
            assert_eq!(scalar(&text.into()), text);
        }
        for text in [
            "1.0", "true", "null", "No", "y", "~", "", "a: b", "# a", "a b", "-", "0x1f", "é", "a\"\\b",
            "1e3",
        ] {
            assert!(scalar(&text.into()).starts_with('"'), "{text}");
        }
        assert_eq!(scalar(&7860.into()), "7860");
    }

    proptest! {
        #[test]
        fn scalar_is_parsed_to_its_value(text: String) {
            let line = format!("key: {}\n", scalar(&Value::String(text.clone())));
            let mapping = parse_mapping(&line).unwrap();
            prop_assert_eq!(mapping.get("key"), Some(&Value::String(text)));
        }

        #[test]
        fn edit_sets_the_key_and_keeps_the_others(yaml in "[-ab:#'\" |>\\[{\r\n]{0,40}") {
            let Ok(before) = parse_mapping(&yaml) else { return Ok(()) };
            let mut editor = Editor::new(&yaml, "\n").unwrap();
            if editor.set("a", &"x".into()).is_ok() {
                prop_assert_eq!(written_value(editor.text(), "a"), Some("x".to_owned()));
            }
            if editor.remove("a").is_ok() {
                let mut without = before;
                without.shift_remove("a");
                prop_assert_eq!(parse_mapping(editor.text()).unwrap(), without);
            }
        }
    }
}
