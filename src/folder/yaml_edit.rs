//! Edits to the top-level keys of a YAML text that leave everything else as it is.
//!
//! YAML is parsed for its meaning and edited by lines: an edit is a guess about lines, which counts only
//! when the parsed result is what was meant. So block scalars, quotes and nested maps that look like a key
//! cannot mislead it; at worst the edit is refused.

use std::ops::Range;

use serde_yaml::{Mapping, Value};

use super::front_matter::{LineEnd, YamlError, parse};

/// A front matter under edit: its text, and what it means.
#[derive(Debug, Clone)]
pub(super) struct Editor {
    text: String,
    meaning: Mapping,
    line_end: LineEnd,
}

/// No edit by lines leads to the wanted meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CannotEdit;

impl Editor {
    pub(super) fn new(yaml: &str, line_end: LineEnd) -> Result<Self, YamlError> {
        Ok(Self { text: yaml.to_owned(), meaning: parse(yaml)?, line_end })
    }

    pub(super) fn meaning(&self) -> &Mapping {
        &self.meaning
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Gives the top-level `key` the value `value`: in its place if it is there, else as the last line.
    pub(super) fn set(&mut self, key: &str, value: &Value) -> Result<(), CannotEdit> {
        let scalar = scalar(value);
        let mut meaning = self.meaning.clone();
        meaning.insert(key.into(), value.clone());
        let candidates = match self.meaning.contains_key(key) {
            true => self.rewrites(key, |line| with_value(line, &scalar)),
            false => {
                let gap = if self.text.is_empty() || self.text.ends_with('\n') {
                    ""
                } else {
                    self.line_end.as_str()
                };
                vec![format!("{}{gap}{key}: {scalar}{}", self.text, self.line_end.as_str())]
            }
        };
        self.accept(candidates, meaning)
    }

    /// Takes the top-level `key` out, with its line.
    pub(super) fn remove(&mut self, key: &str) -> Result<(), CannotEdit> {
        let mut meaning = self.meaning.clone();
        meaning.shift_remove(key);
        let candidates = self.rewrites(key, |_| Some(String::new()));
        self.accept(candidates, meaning)
    }

    /// The text as it would be if each line in turn that looks like the entry `key` were rewritten: the
    /// line alone, and the line with those that seem to continue its value.
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

    /// Takes the first candidate that means `meaning`.
    fn accept(&mut self, candidates: Vec<String>, meaning: Mapping) -> Result<(), CannotEdit> {
        let proven = candidates.into_iter().find(|text| parse(text).is_ok_and(|found| found == meaning));
        self.text = proven.ok_or(CannotEdit)?;
        self.meaning = meaning;
        Ok(())
    }
}

/// The value of the top-level `key` as it is written, when that is one line: `3.10` and not 3.1.
pub(super) fn written_value(yaml: &str, key: &str) -> Option<String> {
    let meaning = parse(yaml).ok()?;
    let value = meaning.get(key)?;
    lines(yaml)
        .filter_map(|line| key_of(&yaml[line]))
        .filter(|(found, _)| *found == key)
        .map(|(_, rest)| rest[value_range(rest)].to_owned())
        .find(|written| serde_yaml::from_str::<Value>(written).is_ok_and(|found| found == *value))
        .map(|written| written.trim_matches(['"', '\'']).to_owned())
}

/// The lines of `text`, each with its end.
fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let range = start..start + line.len();
        start = range.end;
        range
    })
}

/// The key of a line `key: …` that starts at column 0, and what follows the colon.
pub(super) fn key_of(line: &str) -> Option<(&str, &str)> {
    let (key, rest) = match line.chars().next()? {
        quote @ ('"' | '\'') => line[1..].split_once(quote)?,
        c if c.is_whitespace() || "#-?[]{},&*!|>%@`".contains(c) => return None,
        _ => {
            let colon = line.match_indices(':').map(|(at, _)| at).find(|at| ends_key(&line[at + 1..]))?;
            line.split_at(colon)
        }
    };
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix(':')?;
    ends_key(rest).then_some((key.trim_end(), rest))
}

/// Whether a colon before `rest` ends a key (YAML 1.2, 7.3.3: a colon within a plain scalar is content).
fn ends_key(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])
}

/// Where in `rest` (what follows `key:`) the value is written, without space and comment around it.
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

/// The line `key: …` with another value and the same comment and line end.
fn with_value(line: &str, value: &str) -> Option<String> {
    let (_, rest) = key_of(line)?;
    let key = &line[..line.len() - rest.len()];
    let Range { start, end } = value_range(rest);
    let space = if start == 0 { " " } else { &rest[..start] };
    let gap = if rest[end..].starts_with('#') { " " } else { "" };
    Some(format!("{key}{space}{value}{gap}{}", &rest[end..]))
}

/// How many bytes of `text` seem to continue the value of the entry before it: indented lines, and blank
/// ones between them.
fn continuation(text: &str) -> usize {
    let mut end = 0;
    for line in lines(text) {
        let content = &text[line.clone()];
        if content.trim().is_empty() {
            continue;
        }
        if !content.starts_with([' ', '\t']) {
            break;
        }
        end = line.end;
    }
    end
}

/// A value as it can stand behind `key: `: plain where no reader of YAML could take it for something else.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => quoted(text),
        other => serde_yaml::to_string(other).unwrap_or_default().trim_end().to_owned(),
    }
}

fn is_plain(text: &str) -> bool {
    // YAML 1.1 takes these for booleans, and some readers still do.
    const WORDS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
        && serde_yaml::from_str::<Value>(text).is_ok_and(|value| value == *text)
}

/// In double quotes, with an escape for whatever is neither printable ASCII nor a letter or digit: YAML
/// breaks lines at more characters than JSON does.
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

    #[test]
    fn keys_of_lines() {
        let cases = [
            ("sdk: a", Some(("sdk", " a"))),
            ("sdk:", Some(("sdk", ""))),
            ("sdk : a", Some(("sdk", " a"))),
            ("\"sdk\": a", Some(("sdk", " a"))),
            ("'sdk' :\ta", Some(("sdk", "\ta"))),
            ("a:b: c", Some(("a:b", " c"))),
            ("url: http://x", Some(("url", " http://x"))),
            (" sdk: a", None),
            ("- sdk: a", None),
            ("# sdk: a", None),
            ("sdk:a", None),
            ("{sdk: a}", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(key_of(line), expected, "{line:?}");
        }
    }

    fn edited(yaml: &str, edit: impl Fn(&mut Editor) -> Result<(), CannotEdit>) -> Option<String> {
        let mut editor = Editor::new(yaml, LineEnd::Lf).unwrap();
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
            let Ok(_) = parse(yaml) else {
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
    fn values_as_they_are_written() {
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
    fn scalars_are_plain_only_where_that_is_safe() {
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
        fn scalars_mean_what_they_say(text: String) {
            let line = format!("key: {}\n", scalar(&Value::String(text.clone())));
            let mapping = parse(&line).unwrap();
            prop_assert_eq!(mapping.get("key"), Some(&Value::String(text)));
        }

        #[test]
        fn nothing_panics(yaml in "[-a:#'\" |>\\[{\r\n]{0,40}") {
            if let Ok(mut editor) = Editor::new(&yaml, LineEnd::Lf) {
                let _ = editor.set("a", &"x".into());
                let _ = editor.remove("a");
            }
            let _ = written_value(&yaml, "a");
        }
    }
}
