//! The YAML block at the top of a README.

use super::error::{CardError, CardFault};
use crate::folder::yaml::{YamlError, key_of, parse_mapping};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A README, split at the fences of its front matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrontMatter<'a> {
    /// Text before the YAML: the opening fence, and white space before it.
    pub(super) head: &'a [u8],
    pub(super) yaml: &'a str,
    /// Closing fence and body.
    pub(super) tail: &'a [u8],
    /// Line of the opening fence, counted from 1.
    pub(super) fence: u32,
    /// Line break of the README.
    pub(super) line_end: &'static str,
}

impl FrontMatter<'_> {
    /// Converts an error of the YAML to one of README.md.
    pub(super) fn yaml_error(&self, error: YamlError) -> CardError {
        CardFault::NotYaml(error.message).at(self.fence.saturating_add(error.line))
    }
}

/// Returns the line break after the first line of `text`.
pub(super) fn line_end(text: &[u8]) -> &'static str {
    match text.split_inclusive(|byte| *byte == b'\n').next() {
        Some(line) if line.ends_with(b"\r\n") => "\r\n",
        _ => "\n",
    }
}

/// Removes the byte order mark that some editors put at the start of a UTF-8 file.
pub(super) fn without_bom(readme: &[u8]) -> &[u8] {
    readme.strip_prefix(BOM).unwrap_or(readme)
}

/// Finds the front matter as the Hub does, by `huggingface_hub`'s `REGEX_YAML_BLOCK` (`repocard.py`):
/// `^(\s*---(?:\r\n|\r|\n))([\S\s]*?)((?:\r\n|\r|\n)---[ \t]*(\r\n|\n|$))`.
///
/// White space may precede the opening fence, and blanks may follow the closing one. Unlike the Hub, this also finds an
/// empty block. A first `---` without a closing fence is a rule of Markdown, unless a key follows it.
pub(super) fn split(readme: &[u8]) -> Result<Option<FrontMatter<'_>>, CardError> {
    if readme.starts_with(b"\xff\xfe") || readme.starts_with(b"\xfe\xff") {
        return Err(CardFault::Utf16.at(1));
    }
    let start = readme.len() - without_bom(readme).trim_ascii_start().len();
    let fence = line_number(&readme[..start]);
    let Some(after) = readme[start..].strip_prefix(b"---") else { return Ok(None) };
    let Some(line_break) = line_break(after) else { return Ok(None) };
    let yaml_start = start + 3 + line_break;
    let Some(length) = closing_fence(&readme[yaml_start..]) else {
        let is_card = has_key_first(&readme[yaml_start..]);
        return if is_card { Err(CardFault::NotClosed.at(fence)) } else { Ok(None) };
    };
    let yaml_end = yaml_start + length;
    let yaml = str::from_utf8(&readme[yaml_start..yaml_end]).map_err(|error| {
        let line = line_number(&readme[..yaml_start + error.valid_up_to()]);
        CardFault::NotUtf8.at(line)
    })?;
    let (head, tail) = (&readme[..yaml_start], &readme[yaml_end..]);
    Ok(Some(FrontMatter { head, yaml, tail, fence, line_end: line_end(&readme[start..]) }))
}

/// Removes the blanks after the opening fence, which hide the metadata from the Hub. `None` if the README has no such
/// blanks, or no metadata.
pub fn repair_opening_fence(readme: &[u8]) -> Option<Vec<u8>> {
    let start = readme.len() - without_bom(readme).trim_ascii_start().len();
    let after = readme[start..].strip_prefix(b"---")?;
    let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\x0b' | b'\x0c')).count();
    if blanks == 0 || line_break(&after[blanks..]).is_none() {
        return None;
    }
    let repaired = [&readme[..start + 3], &after[blanks..]].concat();
    let has_keys = match split(&repaired) {
        Ok(Some(matter)) => parse_mapping(matter.yaml)
            .map_or_else(|_| has_key_first(matter.yaml.as_bytes()), |keys| !keys.is_empty()),
        Ok(None) => false,
        // A card with an error, which is reported with its line later.
        Err(_) => true,
    };
    has_keys.then_some(repaired)
}

/// Returns the length of the line break at the start of `text`.
fn line_break(text: &[u8]) -> Option<usize> {
    match text {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

/// Finds the closing fence: at the start of a line, and with only blanks after it.
fn closing_fence(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        if let Some(after) = text[at..].strip_prefix(b"---") {
            let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            if matches!(&after[blanks..], [] | [b'\n', ..] | [b'\r', b'\n', ..]) {
                return Some(at);
            }
        }
        let end = at + text[at..].iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
        at = end + line_break(&text[end..])?;
    }
}

/// Returns the line, counted from 1, of the byte after `before`.
fn line_number(before: &[u8]) -> u32 {
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(breaks).unwrap_or(u32::MAX).saturating_add(1)
}

/// Reports whether the first line that is not blank is `key: …`.
fn has_key_first(text: &[u8]) -> bool {
    let line = text.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    str::from_utf8(line).is_ok_and(|line| {
        key_of(line)
            .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matter(readme: &str) -> Option<(&str, u32)> {
        split(readme.as_bytes()).unwrap().map(|matter| (matter.yaml, matter.fence))
    }

    #[test]
    fn front_matter_is_found_as_the_hub_finds_it() {
        let cases = [
            ("---\na: 1\n---\nbody", Some(("a: 1\n", 1))),
            ("---\r\na: 1\r\n---\r\nbody", Some(("a: 1\r\n", 1))),
            ("\u{feff}---\na: 1\n---", Some(("a: 1\n", 1))),
            ("\n\n---\na: 1\n---\n", Some(("a: 1\n", 3))),
            ("---\na: |\n  ---\n---\t \n", Some(("a: |\n  ---\n", 1))),
            ("  ---\na: 1\n---", Some(("a: 1\n", 1))),
            ("---\ra: 1\r---", Some(("a: 1\r", 1))),
            ("--- \na: 1\n---\n", None),
            ("---\t\na: 1\n---\n", None),
            ("---   \r\na: 1\r\n---\r\n", None),
            ("---\n---\n", Some(("", 1))),
            ("---\na: 1\n----\n---\n", Some(("a: 1\n----\n", 1))),
            ("", None),
            ("# Title\n---\na: 1\n---\n", None),
            ("---\n\nA rule, and no key: or so\n", None),
            ("---", None),
            ("----\na: 1\n---\n", None),
        ];
        for (readme, expected) in cases {
            assert_eq!(matter(readme), expected, "{readme:?}");
        }
        let faults: [(&[u8], u32); 4] = [
            (b"---\nsdk: x\n# Title\n", 1),
            (b"\n---\na: 1\nb: \xff\n---\n", 4),
            (b"\xff\xfe-\0", 1),
            (b"\n---\n\na:\n", 2),
        ];
        for (readme, line) in faults {
            assert_eq!(split(readme).unwrap_err().line, line, "{readme:?}");
        }
    }

    #[test]
    fn blanks_after_the_opening_fence_are_removed() {
        let repaired = |readme: &str| {
            repair_opening_fence(readme.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        for (readme, expected) in [
            ("--- \ntitle: t\n---\n", "---\ntitle: t\n---\n"),
            ("---\t\ntitle: t\n---\nbody", "---\ntitle: t\n---\nbody"),
            ("---   \r\ntitle: t\r\n---\r\n", "---\r\ntitle: t\r\n---\r\n"),
            ("\n--- \n# c\ntitle: t\n---\n", "\n---\n# c\ntitle: t\n---\n"),
            ("--- \ntitle: [\n---\n", "---\ntitle: [\n---\n"),
            ("--- \ntitle: t\n", "---\ntitle: t\n"),
        ] {
            assert_eq!(repaired(readme).as_deref(), Some(expected), "{readme:?}");
        }
        for readme in [
            "---\ntitle: t\n---\n",
            "--- \n\nA rule\n",
            "--- \nText\n---\n",
            "--- x\na: 1\n---\n",
            "# Title\n",
            "",
            "---",
        ] {
            assert_eq!(repaired(readme), None, "{readme:?}");
        }
    }

    proptest! {
        #[test]
        fn parts_make_up_the_readme(bytes: Vec<u8>, yaml in "[-a:#'\" |>\\[{\r\n]{0,40}") {
            for readme in [bytes, format!("---\n{yaml}\n---\n").into_bytes()] {
                if let Ok(Some(matter)) = split(&readme) {
                    let joined = [matter.head, matter.yaml.as_bytes(), matter.tail].concat();
                    prop_assert_eq!(joined, readme);
                }
            }
        }

        #[test]
        fn repaired_readme_needs_no_repair(body in "[-a: \t\r\n]{0,20}", blanks in "[ \t]{0,3}") {
            let readme = format!("---{blanks}\n{body}\n---\n");
            if let Some(repaired) = repair_opening_fence(readme.as_bytes()) {
                prop_assert_eq!(repair_opening_fence(&repaired), None);
                prop_assert_eq!(repaired.len(), readme.len() - blanks.len());
            }
        }
    }
}
