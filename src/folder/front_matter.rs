//! The YAML block at the top of a README: where it is, and what it means.

use serde_yaml::{Mapping, Value};

use super::card::CardError;
use super::yaml_edit::key_of;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// A README, cut at the fences of its front matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FrontMatter<'a> {
    /// Up to the first line of YAML: the opening fence, and what may stand before it.
    pub(super) head: &'a [u8],
    pub(super) yaml: &'a str,
    /// The closing fence and the body.
    pub(super) tail: &'a [u8],
    /// The line of the opening fence, counted from 1.
    pub(super) fence: u32,
    pub(super) line_end: LineEnd,
}

/// How the lines of a file end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    Lf,
    CrLf,
}

impl LineEnd {
    /// As the first line of `text` ends.
    pub(super) fn of(text: &[u8]) -> Self {
        match text.split_inclusive(|byte| *byte == b'\n').next() {
            Some(line) if line.ends_with(b"\r\n") => Self::CrLf,
            _ => Self::Lf,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
        }
    }
}

/// Without the mark that some editors put at the start of a UTF-8 file.
pub(super) fn without_bom(readme: &[u8]) -> &[u8] {
    readme.strip_prefix(BOM).unwrap_or(readme)
}

/// Finds the front matter as the Hub does, by `huggingface_hub`'s `REGEX_YAML_BLOCK` (`repocard.py`):
/// `^(\s*---(?:\r\n|\r|\n))([\S\s]*?)((?:\r\n|\r|\n)---[ \t]*(\r\n|\n|$))`.
///
/// White space may stand before the opening fence, and blanks after the closing one only. In one thing this is milder:
/// an empty block is found too, which gets keys or is no card. A first `---` that nothing closes is a rule of Markdown,
/// unless a key follows it.
pub(super) fn split(readme: &[u8]) -> Result<Option<FrontMatter<'_>>, CardError> {
    if readme.starts_with(b"\xff\xfe") || readme.starts_with(b"\xfe\xff") {
        return Err(CardError::new(1, "README.md is UTF-16; the Hub reads UTF-8 only"));
    }
    let start = readme.len() - without_bom(readme).trim_ascii_start().len();
    let fence = line_number(&readme[..start]);
    let Some(after) = readme[start..].strip_prefix(b"---") else { return Ok(None) };
    let Some(line_break) = line_break(after) else { return Ok(None) };
    let yaml_start = start + 3 + line_break;
    let Some(length) = closing_fence(&readme[yaml_start..]) else {
        return match has_key_first(&readme[yaml_start..]) {
            true => Err(CardError::new(fence, "the metadata block is not closed by a line `---`")),
            false => Ok(None),
        };
    };
    let yaml_end = yaml_start + length;
    let yaml = str::from_utf8(&readme[yaml_start..yaml_end]).map_err(|error| {
        let line = line_number(&readme[..yaml_start + error.valid_up_to()]);
        CardError::new(line, "the metadata block is not UTF-8")
    })?;
    let (head, tail) = (&readme[..yaml_start], &readme[yaml_end..]);
    Ok(Some(FrontMatter { head, yaml, tail, fence, line_end: LineEnd::of(&readme[start..]) }))
}

/// The README without the blanks after its opening fence, if only they hide its metadata from the Hub.
pub(super) fn without_blanks_after_fence(readme: &[u8]) -> Option<Vec<u8>> {
    let start = readme.len() - without_bom(readme).trim_ascii_start().len();
    let after = readme[start..].strip_prefix(b"---")?;
    let blanks = after.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\x0b' | b'\x0c')).count();
    if blanks == 0 || line_break(&after[blanks..]).is_none() {
        return None;
    }
    let mended = [&readme[..start + 3], &after[blanks..]].concat();
    let holds_keys = match split(&mended) {
        Ok(Some(matter)) => {
            parse(matter.yaml).map_or_else(|_| has_key_first(matter.yaml.as_bytes()), |keys| !keys.is_empty())
        }
        Ok(None) => false,
        // A card all the same, whose fault has a line.
        Err(_) => true,
    };
    holds_keys.then_some(mended)
}

/// The length of the line break that `text` begins with.
fn line_break(text: &[u8]) -> Option<usize> {
    match text {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

/// Finds the closing fence: at the start of a line, and followed by blanks only.
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

/// The line, counted from 1, on which the byte after `before` stands.
fn line_number(before: &[u8]) -> u32 {
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(breaks).unwrap_or(u32::MAX).saturating_add(1)
}

/// Whether the first line that is not blank is `key: …`.
fn has_key_first(text: &[u8]) -> bool {
    let line = text.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    str::from_utf8(line).is_ok_and(|line| {
        key_of(line)
            .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)))
    })
}

/// How many brackets may be open at once. The parser looks at each of them with each word, so that a page of nothing
/// else would keep it busy for hours; it gives up at a depth of 128 in any case, but only at the end.
const MAX_OPEN: usize = 1000;

/// The meaning of a front matter. One without any entry is an empty mapping.
pub(super) fn parse(yaml: &str) -> Result<Mapping, YamlError> {
    if let Some(line) = too_deep(yaml) {
        return Err(YamlError { line, message: "its lists are nested too deeply".to_owned() });
    }
    match serde_yaml::from_str(yaml) {
        Ok(Value::Mapping(mapping)) => Ok(mapping),
        Ok(Value::Null) => Ok(Mapping::new()),
        Ok(_) => Err(YamlError { line: 1, message: "it is not a list of `key: value`".to_owned() }),
        Err(error) => {
            let line = error.location().map_or(1, |place| line_in_file(yaml, place.line()));
            Err(YamlError { line, message: without_places(&error.to_string()) })
        }
    }
}

/// The line at which more brackets are open than any card has. Those in texts count as well: it is a bound, no parser.
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

/// A line as editors count it: YAML 1.1 breaks lines at NEL, LS and PS too (section 5.4).
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

/// Without `at line 3 column 1`: these lines are counted from the start of the YAML, not of the file.
fn without_places(message: &str) -> String {
    let mut parts = message.split(" at line ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        let rest = rest.strip_prefix(" column ").unwrap_or(rest);
        told + rest.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}

/// Why a front matter is no mapping; the line is counted from 1 at its first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct YamlError {
    pub(super) line: u32,
    pub(super) message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_editors_do() {
        assert_eq!(line_in_file("a\r\nb\u{2028}c\u{85}d\ne", 5), 3);
        assert_eq!(line_in_file("a\r\nb\u{2028}c\u{85}d\ne", 4), 2);
        assert_eq!(line_in_file("a\rb\n", 3), 3);
        assert_eq!(line_in_file("a", 9), 1);
        assert_eq!(parse("a: \u{2028}\u{2028}\u{2028}x: y: z\n").unwrap_err().line, 1);
    }

    /// Unbounded, they would take minutes.
    #[test]
    fn brackets_without_end_are_no_card() {
        let deep = |open: &str| parse(&format!("a: 1\nb: {}", open.repeat(1 << 19))).unwrap_err();
        for open in ["[", "{", "[{"] {
            let error = deep(open);
            assert_eq!((error.line, error.message.as_str()), (2, "its lists are nested too deeply"));
        }
        let wide = format!("tags: [{}]\n", "[a],".repeat(5000));
        assert_eq!(parse(&wide).unwrap().len(), 1);
    }

    use proptest::prelude::*;

    fn matter(readme: &str) -> Option<(&str, u32)> {
        split(readme.as_bytes()).unwrap().map(|matter| (matter.yaml, matter.fence))
    }

    #[test]
    fn where_a_front_matter_is() {
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
    fn blanks_after_the_opening_fence_are_taken_out() {
        let mended = |readme: &str| {
            without_blanks_after_fence(readme.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        for (readme, expected) in [
            ("--- \ntitle: t\n---\n", "---\ntitle: t\n---\n"),
            ("---\t\ntitle: t\n---\nbody", "---\ntitle: t\n---\nbody"),
            ("---   \r\ntitle: t\r\n---\r\n", "---\r\ntitle: t\r\n---\r\n"),
            ("\n--- \n# c\ntitle: t\n---\n", "\n---\n# c\ntitle: t\n---\n"),
            ("--- \ntitle: [\n---\n", "---\ntitle: [\n---\n"),
            ("--- \ntitle: t\n", "---\ntitle: t\n"),
        ] {
            assert_eq!(mended(readme).as_deref(), Some(expected), "{readme:?}");
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
            assert_eq!(mended(readme), None, "{readme:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(readme: Vec<u8>, yaml in "[-a:#'\" |>\\[{\r\n]{0,40}") {
            let _ = split(&readme);
            let _ = without_blanks_after_fence(&readme);
            let _ = split(format!("---\n{yaml}\n---\n").as_bytes());
            let _ = parse(&yaml);
        }
    }
}
