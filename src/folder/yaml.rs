//! YAML that users write: its meaning, and the lines of its keys.

use serde_yaml::{Mapping, Value};

/// Maximum number of brackets that are open at once. The parser visits all of them for each word, so that a long text
/// of brackets would take hours. It also has a limit of its own (128), but applies it at the end only.
const MAX_OPEN: usize = 1000;

/// Error of a text that is not the expected YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// Line of the YAML, counted from 1.
    pub line: u32,
    pub message: String,
}

/// Parses `key: value` pairs. A text without entries is an empty mapping.
pub fn parse_mapping(yaml: &str) -> Result<Mapping, YamlError> {
    match parse(yaml)? {
        Value::Mapping(mapping) => Ok(mapping),
        Value::Null => Ok(Mapping::new()),
        _ => Err(YamlError { line: 1, message: "it is not a list of `key: value`".to_owned() }),
    }
}

/// Parses YAML of any shape.
pub fn parse(yaml: &str) -> Result<Value, YamlError> {
    if let Some(line) = too_deep(yaml) {
        return Err(YamlError { line, message: "its lists are nested too deeply".to_owned() });
    }
    serde_yaml::from_str(yaml).map_err(|error| {
        let line = error.location().map_or(1, |place| line_in_file(yaml, place.line()));
        YamlError { line, message: without_positions(&error.to_string()) }
    })
}

/// Returns the line at which more brackets are open than in any card. Brackets in strings count too.
fn too_deep(yaml: &str) -> Option<u32> {
    let mut open = 0_usize;
    let at = yaml.bytes().position(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > MAX_OPEN
    })?;
    let breaks = yaml.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count();
    Some(u32::try_from(breaks).unwrap_or(u32::MAX).saturating_add(1))
}

/// Converts a line of the parser to a line of an editor. YAML 1.1 also breaks lines at NEL, LS and PS (section 5.4).
fn line_in_file(yaml: &str, yaml_line: usize) -> u32 {
    let mut breaks = yaml_line.saturating_sub(1);
    let mut line = 1;
    let mut chars = yaml.chars().peekable();
    while breaks > 0 {
        match chars.next() {
            None => break,
            Some('\r') if chars.peek() == Some(&'\n') => {}
            Some('\r' | '\n') => (breaks, line) = (breaks - 1, line + 1),
            Some('\u{85}' | '\u{2028}' | '\u{2029}') => breaks -= 1,
            Some(_) => {}
        }
    }
    line
}

/// Removes `at line 3 column 1`, because such lines are counted from the start of the YAML and not of the file.
fn without_positions(message: &str) -> String {
    let mut parts = message.split(" at line ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = rest.strip_prefix(" column ").unwrap_or(rest);
        text + rest.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// Returns the key of a line `key: …` that starts at column 0, and the text after the colon.
pub(in crate::folder) fn key_of(line: &str) -> Option<(&str, &str)> {
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

/// Reports whether a colon before `rest` ends a key (YAML 1.2, 7.3.3: a colon within a plain scalar is content).
fn ends_key(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])
}

/// One part of a path such as `a.b[0]`.
#[derive(Debug, PartialEq, Eq)]
enum Segment<'a> {
    Key(&'a str),
    Item(usize),
}

fn segments(path: &str) -> Vec<Segment<'_>> {
    let parts = path.split(['.', '[']).filter(|part| !part.is_empty());
    parts
        .map(|part| match part.strip_suffix(']') {
            Some(number) => number.parse().map_or(Segment::Key(part), Segment::Item),
            None => Segment::Key(part),
        })
        .collect()
}

/// A line of YAML without its indentation.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    /// Number of the line, counted from 1.
    number: u32,
    indent: usize,
    text: &'a str,
}

/// Returns the line of the key at a path such as `a.b[0]`, or of the deepest part of it that exists. Lines are counted
/// from 1. Blocks only: an entry in brackets has the line of the brackets.
pub fn line_of(yaml: &str, path: &str) -> Option<u32> {
    let mut lines: Vec<Line<'_>> = yaml
        .lines()
        .zip(1..)
        .map(|(line, number)| {
            let text = line.trim_start_matches(' ');
            Line { number, indent: line.len() - text.len(), text }
        })
        .filter(|line| !line.text.trim().is_empty() && !line.text.starts_with('#'))
        .collect();
    let mut found = None;
    for segment in segments(path) {
        let Some((line, below)) = enter(&lines, &segment) else { break };
        found = Some(line);
        lines = below;
    }
    found
}

/// Returns the line of `segment` among `lines`, and the lines below it.
fn enter<'a>(lines: &[Line<'a>], segment: &Segment<'_>) -> Option<(u32, Vec<Line<'a>>)> {
    let indent = lines.iter().map(|line| line.indent).min()?;
    let is_item = |line: &Line<'_>| line.text == "-" || line.text.starts_with("- ");
    let at = match segment {
        Segment::Key(key) => lines.iter().position(|line| {
            line.indent == indent && key_of(line.text).is_some_and(|(found, _)| found == *key)
        })?,
        Segment::Item(index) => {
            let mut items = (0..lines.len()).filter(|at| lines[*at].indent == indent && is_item(&lines[*at]));
            items.nth(*index)?
        }
    };
    let mut below = Vec::new();
    if let Segment::Item(_) = segment {
        // The text after the dash belongs to the item.
        let text = lines[at].text[1..].trim_start();
        if !text.is_empty() {
            below.push(Line { indent: indent + lines[at].text.len() - text.len(), text, ..lines[at] });
        }
    }
    // The items of a key may have the indentation of the key (YAML 1.2, 8.2.2).
    let belongs =
        |line: &&Line<'_>| line.indent > indent || matches!(segment, Segment::Key(_)) && is_item(line);
    below.extend(lines[at + 1..].iter().take_while(belongs));
    Some((lines[at].number, below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_found_at_column_0() {
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

    #[test]
    fn lines_are_counted_as_editors_do() {
        assert_eq!(line_in_file("a\r\nb\u{2028}c\u{85}d\ne", 5), 3);
        assert_eq!(line_in_file("a\r\nb\u{2028}c\u{85}d\ne", 4), 2);
        assert_eq!(line_in_file("a\rb\n", 3), 3);
        assert_eq!(line_in_file("a", 9), 1);
        assert_eq!(parse("a: \u{2028}\u{2028}\u{2028}x: y: z\n").unwrap_err().line, 1);
        assert_eq!(parse_mapping("- a").unwrap_err().line, 1);
    }

    #[test]
    fn keys_of_entries_have_lines() {
        let yaml =
            "# calls\n- name: a\n  args: [1]\n\n- {name: b, nam: c}\n-\n  name: d\n  kwargs:\n    x: 1\n";
        for (path, line) in [
            ("[0]", Some(2)),
            ("[0].name", Some(2)),
            ("[0].args", Some(3)),
            ("[1].nam", Some(5)),
            ("[2].name", Some(7)),
            ("[2].kwargs.x", Some(9)),
            ("[2].nothing", Some(6)),
            ("[7]", None),
        ] {
            assert_eq!(line_of(yaml, path), line, "{path}");
        }
    }

    /// Without the limit, this would take minutes.
    #[test]
    fn deep_nesting_is_refused() {
        let deep = |open: &str| parse_mapping(&format!("a: 1\nb: {}", open.repeat(1 << 19))).unwrap_err();
        for open in ["[", "{", "[{"] {
            let error = deep(open);
            assert_eq!((error.line, error.message.as_str()), (2, "its lists are nested too deeply"));
        }
        let wide = format!("tags: [{}]\n", "[a],".repeat(5000));
        assert_eq!(parse_mapping(&wide).unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn error_line_is_in_the_text(yaml in "[-a:#'\" |>\\[{\r\n]{0,40}") {
            if let Err(error) = parse(&yaml) {
                let breaks = yaml.split(['\r', '\n']).count();
                prop_assert!(error.line >= 1 && error.line as usize <= breaks, "{error:?}");
            }
        }
    }
}
