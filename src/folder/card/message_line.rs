//! Lines of README.md that messages of the Hub are about.

use super::front_matter;
use crate::folder::yaml;

/// Returns the line of `readme`, counted from 1, that a message of `POST /api/validate-yaml` is about.
///
/// A message names a key (`"colorFrom" must be one of …`, `"models[1]" must be a string`), or, if the YAML cannot be
/// parsed, a line of the front matter (`(3:7)`, `line 3`). The result is the line of the key, else of the key above
/// it, else of the start of the card. `None` for an empty README.
pub fn line_of_message(readme: &[u8], message: &str) -> Option<u32> {
    if readme.is_empty() {
        return None;
    }
    let Ok(Some(matter)) = front_matter::split(readme) else { return Some(1) };
    let lines = u32::try_from(matter.yaml.lines().count()).unwrap_or(u32::MAX);
    let line = match named_line(message) {
        Some(line) => Some(line.clamp(1, lines.max(1))),
        None => named_key(message).and_then(|key| yaml::line_of(matter.yaml, key)),
    };
    Some(line.map_or(matter.fence, |line| matter.fence.saturating_add(line)))
}

/// Returns the line that a parse error names: `(line:column)` as js-yaml writes it, or `line N`.
fn named_line(message: &str) -> Option<u32> {
    let pairs = message.split('(').skip(1).filter_map(|rest| {
        let (line, column) = rest.split_once(')')?.0.split_once(':')?;
        column.parse::<u32>().ok()?;
        line.parse().ok()
    });
    let words: Vec<_> =
        message.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let after_line = words
        .windows(2)
        .filter(|pair| pair[0].eq_ignore_ascii_case("line"))
        .filter_map(|pair| pair[1].parse().ok());
    pairs.chain(after_line).next()
}

/// Returns the first key in quotes: `a.b[0]`.
fn named_key(message: &str) -> Option<&str> {
    let quote = message.find(['"', '`'])?;
    let rest = &message[quote + 1..];
    rest.find(['"', '`']).map(|end| &rest[..end]).filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const README: &str = "\
---
# a comment
title: x
sdk: foo
tags:
- one
- 2
custom_headers:
  cross-origin-embedder-policy: x

  'cross-origin-opener-policy': y
model-index:
  - name: a
    results:
      - task:
          type: t
        metrics: []
text: |
  emoji: not here
---
emoji: nor here
";

    #[test]
    fn message_is_about_the_line_of_its_key() {
        let cases = [
            ("\"sdk\" must be one of [gradio, docker, static]", 4),
            ("\"title\" length must be at least 2", 3),
            ("\"tags[1]\" must be a string", 7),
            ("\"tags[9]\" must be a string", 5),
            ("\"custom_headers.cross-origin-opener-policy\" must be …", 11),
            ("\"custom_headers.nope\" is not allowed", 8),
            ("\"model-index[0].name\" …", 13),
            ("\"model-index[0].results[0].task.type\" …", 16),
            ("\"model-index[0].results[0].metrics\" …", 17),
            ("\"emoji\" is required", 1),
            ("`sdk` is wrong", 4),
            ("bad indentation of a mapping entry (3:7)\n\n 1 | \"sdk\": x", 4),
            ("YAML error at line 5, column 2", 6),
            ("did not find expected key at line 99", 19),
            ("something else", 1),
            ("\"", 1),
        ];
        for (message, line) in cases {
            assert_eq!(line_of_message(README.as_bytes(), message), Some(line), "{message}");
        }
    }

    #[test]
    fn lines_count_from_the_top_of_the_readme() {
        assert_eq!(line_of_message(b"", "\"sdk\""), None);
        assert_eq!(line_of_message(b"# Title\nsdk: x\n", "\"sdk\""), Some(1));
        assert_eq!(line_of_message(b"\r\n---\r\na: 1\r\nsdk: x\r\n---\r\n", "\"sdk\""), Some(4));
        assert_eq!(line_of_message(b"---\n---\n", "(7:1)"), Some(2));
    }

    proptest! {
        #[test]
        fn line_is_in_the_readme(yaml in "[-a:# \n\"]{0,60}", message in "[a\"\\[\\].0-9(): ]{0,20}") {
            let readme = format!("---\n{yaml}\n---\n");
            let line = line_of_message(readme.as_bytes(), &message).unwrap();
            prop_assert!(line as usize <= readme.lines().count());
            let line = line_of_message(yaml.as_bytes(), &message);
            prop_assert_eq!(line.is_none(), yaml.is_empty());
        }
    }
}
