//! Markdown for the job summary, in which text from outside is literal. Section numbers are those of the GitHub
//! Flavored Markdown Spec 0.29.

use crate::text::plain;

/// Characters that mean something somewhere in a line: emphasis, code, links, HTML, entities, tables,
/// strikethrough, math.
const SPECIAL: &[char] = &['\\', '`', '*', '_', '[', ']', '<', '>', '&', '|', '~', '$', '!', '#'];

/// Renders a sentence of this program in one line. Text in backticks becomes code, and the rest is literal.
pub fn text(sentence: &str) -> String {
    sentence_with(sentence, code)
}

/// Renders a sentence as [`text`] does, for a cell of a table.
pub fn cell(sentence: &str) -> String {
    sentence_with(sentence, cell_code)
}

/// Renders code in a line. The fence is longer than any run of backticks inside (6.3, code spans).
pub fn code(text: &str) -> String {
    let text = plain(text);
    if text.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    // A space is taken off both ends if both have one, which keeps a backtick at an end from the fence.
    let spaced = text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']);
    let pad = if spaced { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Renders code in a cell of a table, where a pipe is escaped even inside code (4.10, tables).
pub fn cell_code(text: &str) -> String {
    code(text).replace('|', "\\|")
}

/// Renders a link, which a cell can hold too. For addresses other than `http` and `https`, it renders only the label.
pub fn link(label: &str, url: &str) -> String {
    let label = literal(&plain(label));
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return label;
    }
    format!("[{label}]({})", link_target(url))
}

/// Renders a block of literal text. The fence is longer than any run of backticks inside (4.5, fenced code blocks).
pub fn fenced(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(plain_keeping_tabs).collect();
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    format!("{fence}text\n{body}{fence}\n")
}

fn plain_keeping_tabs(line: &str) -> String {
    line.split('\t').map(plain).collect::<Vec<_>>().join("\t")
}

fn sentence_with(sentence: &str, code: impl Fn(&str) -> String) -> String {
    let sentence = plain(sentence.trim());
    let mut parts: Vec<&str> = sentence.split('`').collect();
    // An odd backtick has no partner: what follows it is text.
    let rest = parts.len().is_multiple_of(2).then(|| parts.pop()).flatten();
    let mut made = String::with_capacity(sentence.len() + 16);
    for (index, part) in parts.into_iter().enumerate() {
        match index % 2 {
            0 => made.push_str(&literal(part)),
            _ => made.push_str(&code(part)),
        }
    }
    if let Some(rest) = rest {
        made.push_str("\\`");
        made.push_str(&literal(rest));
    }
    block_safe(made)
}

/// Escapes each character that has a meaning in Markdown (6.1, backslash escapes). Addresses stay addresses.
fn literal(text: &str) -> String {
    let mut made = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(start) = rest.find("https://") {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !is_of_address(c)).unwrap_or(from.len());
        let address = from[..end].trim_end_matches(['.', ',', ':', '?']);
        escape(before, &mut made);
        if address.contains(SPECIAL) {
            // An escape would become part of the address.
            made.push_str(&format!("<{address}>"));
        } else {
            made.push_str(address);
        }
        rest = &from[address.len()..];
    }
    escape(rest, &mut made);
    made
}

fn escape(text: &str, made: &mut String) {
    for c in text.chars() {
        if SPECIAL.contains(&c) {
            made.push('\\');
        }
        made.push(c);
    }
}

/// Returns true for a character that an address may hold, of those that do not end a link.
fn is_of_address(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?&=%#+".contains(c)
}

/// Escapes the start of a line that would make a list, a rule or a heading (5.2, 4.1, 4.3).
fn block_safe(line: String) -> String {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    match line.as_bytes().get(digits) {
        Some(b'.' | b')') if digits > 0 => format!("{}\\{}", &line[..digits], &line[digits..]),
        Some(b'-' | b'+' | b'=') if digits == 0 => format!("\\{line}"),
        _ => line,
    }
}

/// Encodes the characters of an address that would end the link or its cell.
fn link_target(url: &str) -> String {
    let mut target = String::with_capacity(url.len());
    for c in url.chars() {
        match c {
            '(' | ')' | '<' | '>' | '[' | ']' | '|' | '\\' | '"' | '\'' | '`' | '*' | '$' | ' ' => {
                target.push_str(&format!("%{:02X}", u32::from(c)));
            }
            c if c.is_control()
                || c.is_whitespace()
                || plain(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8() =>
            {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    target.push_str(&format!("%{byte:02X}"));
                }
            }
            c => target.push(c),
        }
    }
    target
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sentences() {
        for (sentence, made) in [
            ("set `repo_type: space` now", "set `repo_type: space` now"),
            ("<b> & **x** | [y](z) ![i](j)", "\\<b\\> \\& \\*\\*x\\*\\* \\| \\[y\\](z) \\!\\[i\\](j)"),
            ("an odd ` tick", "an odd \\` tick"),
            ("- item", "\\- item"),
            ("12. item", "12\\. item"),
            ("# head\nline", "\\# head\\\\nline"),
            ("see https://huggingface.co/settings/tokens", "see https://huggingface.co/settings/tokens"),
            ("at https://hub.example/new?a=b&c_d=e, now", "at <https://hub.example/new?a=b&c_d=e>, now"),
            ("a_b https://a.example/x|y", "a\\_b https://a.example/x\\|y"),
            ("a `` b", "a  b"),
        ] {
            assert_eq!(text(sentence), made);
        }
        assert_eq!(cell("a|b `c|d`"), "a\\|b `c\\|d`");
    }

    #[test]
    fn code_spans() {
        for (raw, made) in [
            ("a", "`a`"),
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("``x", "``` ``x ```"),
            (" a ", "`  a  `"),
            ("a\nb", "`a\\nb`"),
            ("", ""),
        ] {
            assert_eq!(code(raw), made);
        }
        assert_eq!(cell_code("a|b\\|c"), "`a\\|b\\\\|c`");
    }

    #[test]
    fn links() {
        assert_eq!(
            link("a]b|c", "https://x.example/a(b)|c d"),
            "[a\\]b\\|c](https://x.example/a%28b%29%7Cc%20d)"
        );
        assert_eq!(link("x", "javascript:alert(1)"), "x");
        assert_eq!(link("x", "https://x.example/ü\u{202e}"), "[x](https://x.example/ü%E2%80%AE)");
    }

    #[test]
    fn blocks() {
        assert_eq!(fenced("a\n\tb\r\n"), "```text\na\n\tb\n```\n");
        assert_eq!(fenced("````\nx"), "`````text\n````\nx\n`````\n");
        assert_eq!(fenced("\u{1b}[0m"), "```text\n\\u{1b}[0m\n```\n");
    }

    proptest! {
        #[test]
        fn cells_stay_cells(raw in "([|`\\\\*<>\n\r\\[\\]()]|\\PC){0,30}", url in "https://[|()\\[\\]<> \\\\`a-z\n]{0,20}") {
            for made in [cell(&raw), cell_code(&raw), link(&raw, &url)] {
                prop_assert!(!made.contains(['\n', '\r']), "{made:?}");
                for (at, _) in made.match_indices('|') {
                    prop_assert!(at > 0 && made.as_bytes()[at - 1] == b'\\', "{made:?}");
                }
            }
        }

        #[test]
        fn code_ends_at_its_fence(raw in "[`a ]{1,20}") {
            let made = code(&raw);
            let fence = made.len() - made.trim_start_matches('`').len();
            // The opening run is the fence, so no other run before the end may be as long.
            let inner = &made[fence..made.len() - fence];
            prop_assert!(!inner.starts_with('`') && !inner.ends_with('`'), "{made:?}");
            prop_assert!(inner.split(|c| c != '`').all(|run| run.len() != fence), "{made:?}");
        }

        #[test]
        fn blocks_end_at_their_fence(raw in "(`{1,6}|~~~|\n|\r| |\\PC){0,30}") {
            let made = fenced(&raw);
            let fence = made.strip_suffix('\n').unwrap().rsplit('\n').next().unwrap();
            prop_assert!(fence.len() >= 3 && fence.bytes().all(|byte| byte == b'`'));
            let ends = made.lines().skip(1).filter(|line| line.trim().starts_with(fence)).count();
            prop_assert_eq!(ends, 1, "{:?}", made);
        }

        #[test]
        fn html_and_links_are_literal(raw in "[<>\\[\\]()!a`]{0,30}") {
            let made = text(&raw);
            let mut outside = String::new();
            let mut rest = made.as_str();
            // Takes the code spans out: what is left must be escaped.
            while let Some(at) = find_unescaped_tick(rest) {
                outside.push_str(&rest[..at]);
                let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
                let after = &rest[at + run..];
                let end = after.find(&"`".repeat(run)).expect("a closed span");
                rest = &after[end + run..];
            }
            outside.push_str(rest);
            for (at, _) in outside.match_indices(['<', '>', '[', ']']) {
                prop_assert!(at > 0 && outside.as_bytes()[at - 1] == b'\\', "{made:?}");
            }
        }
    }

    fn find_unescaped_tick(text: &str) -> Option<usize> {
        text.match_indices('`').map(|(at, _)| at).find(|at| !text[..*at].ends_with('\\'))
    }
}
