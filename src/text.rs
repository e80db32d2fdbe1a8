//! Pure text helpers: text from outside made safe to print, and numbers and lists for messages.

use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::time::Duration;

/// The longest line of a log, in bytes; a Space's build log may hold lines of megabytes.
const MAX_LINE: usize = 4096;

/// Number of names that a message lists.
pub(crate) const MAX_NAMES: usize = 10;

/// Returns a text on one line: line breaks, control characters, escape sequences and invisible characters are
/// written as Rust writes them (`\n`, `\u{1b}`), and a long text is cut.
pub(crate) fn plain(text: &str) -> String {
    visible(text, MAX_LINE, Whitespace::Escaped)
}

/// Returns a text as lines for a log, none of which the runner takes for a command. Keeps tabs.
pub(crate) fn log_lines(text: &str) -> impl Iterator<Item = String> {
    text.split_terminator('\n').flat_map(|line| {
        // A carriage return starts the line again, as progress bars do: each state is a line here.
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.split('\r').map(|line| harmless(visible(line, MAX_LINE, Whitespace::Tabs)))
    })
}

/// Returns a text without the control sequences that colour it and move the cursor (ECMA-48, 5.4: `ESC [ … m`).
///
/// Hide secrets after this, because a sequence in the middle of a secret would keep it from being found.
pub(crate) fn without_colors(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        kept.push_str(&rest[..at]);
        let sequence = &rest[at + 2..];
        let end = sequence
            .find(|c| !matches!(c, ' '..='?'))
            .filter(|end| matches!(sequence.as_bytes().get(*end), Some(b'@'..=b'~')));
        match end {
            Some(end) => rest = &sequence[end + 1..],
            None => {
                kept.push_str(&rest[at..at + 2]);
                rest = sequence;
            }
        }
    }
    kept.push_str(rest);
    kept
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Whitespace {
    /// Everything becomes one line.
    Escaped,
    /// Tabs are kept.
    Tabs,
}

fn visible(text: &str, limit: usize, whitespace: Whitespace) -> String {
    let mut shown = String::with_capacity(text.len().min(limit + 32));
    let mut previous = None;
    for (at, c) in text.char_indices() {
        if shown.len() >= limit {
            let _ = write!(shown, "… {} more bytes", text.len() - at);
            return shown;
        }
        match c {
            '\t' if whitespace == Whitespace::Tabs => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if is_hidden(c) || (is_joiner(c) && !joins(previous)) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
        previous = Some(c);
    }
    shown
}

/// Returns true for characters that a reader does not see, or that move visible text: controls, separators, marks
/// of writing direction, blanks of no width, tags, and the soft hyphen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns true for invisible characters that emoji and some scripts need.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// Returns true if a joiner joins anything after this character. After ASCII it does not: there it could only hide
/// a command from this action, while the runner still sees it because its string comparison skips joiners.
fn joins(previous: Option<char>) -> bool {
    previous.is_some_and(|c| !c.is_ascii() && !c.is_whitespace() && !is_joiner(c) && !is_hidden(c))
        || previous.is_some_and(|c| matches!(c, '\u{fe0f}'))
}

/// Returns a line that the runner prints and does not execute.
///
/// `actions/runner` (ActionCommand.cs) takes `::name …::` for a command after any white space at the start
/// of a line, and the older `##[name …]` anywhere in it.
fn harmless(line: String) -> String {
    let line = match line.trim_start().strip_prefix("::") {
        Some(rest) => {
            let indent = line.len() - line.trim_start().len();
            format!("{}\\u{{3a}}:{rest}", &line[..indent])
        }
        None => line,
    };
    if line.contains("##[") { line.replace("##[", "#\\u{23}[") } else { line }
}

/// Returns a word that no other process can predict: an end mark for output values, or the id of a session.
///
/// The standard library keys its hasher with the randomness of the operating system. 128 bits of it are enough here,
/// and need no further dependency.
pub(crate) fn random_token() -> String {
    let half = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

/// Returns a name in backticks, or escaped in double quotes if it has characters that could be misread.
pub(crate) fn quoted(name: &str) -> String {
    if name.contains(|c: char| c.is_control() || c == '`') {
        format!("{name:?}")
    } else {
        format!("`{name}`")
    }
}

/// Returns a path as [`quoted`] does. The empty path is `.`.
pub(crate) fn quoted_path(path: &Path) -> String {
    match path.to_str() {
        Some("") => "`.`".to_owned(),
        Some(text) => quoted(text),
        None => format!("{path:?}"),
    }
}

/// Returns each name as [`quoted`] does.
pub(crate) fn quoted_all(names: &[String]) -> Vec<String> {
    names.iter().map(|name| quoted(name)).collect()
}

/// Returns a number with its noun: `1 file`, `2 files`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Joins the first ten names: `a, b and 3 more`.
pub(crate) fn name_some(names: &[String]) -> String {
    let listed = names[..names.len().min(MAX_NAMES)].join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

/// Formats a number of bytes in powers of 1000 with at most one decimal: `12.3 MB`.
pub(crate) fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit = 1000_u128;
    let mut name = UNITS[0];
    for next in &UNITS[1..] {
        // In tenths and rounded, so that 999,950 bytes are 1 MB and not 1000 kB.
        if (u128::from(bytes) * 10 + unit / 2) / unit < 10_000 {
            break;
        }
        unit *= 1000;
        name = next;
    }
    let tenths = (u128::from(bytes) * 10 + unit / 2) / unit;
    match tenths % 10 {
        0 => format!("{} {name}", tenths / 10),
        decimal => format!("{}.{decimal} {name}", tenths / 10),
    }
}

/// Formats a duration with at most two units: `4.2 s`, `2 h 1 min`.
pub(crate) fn human_duration(took: Duration) -> String {
    let seconds = took.as_secs();
    match seconds {
        0..60 => format!("{}.{} s", seconds, took.subsec_millis() / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str) -> Vec<String> {
        log_lines(text).collect()
    }

    #[test]
    fn hidden_characters_are_shown() {
        assert_eq!(
            plain("a\u{1b}[31mb\u{202e}c\r\n\td\u{200b}"),
            "a\\u{1b}[31mb\\u{202e}c\\r\\n\\td\\u{200b}"
        );
        assert_eq!(plain("größer 日本 👩‍💻 ❤️‍🔥"), "größer 日本 👩‍💻 ❤️‍🔥");
        assert_eq!(plain("#\u{fe0f}"), "#\\u{fe0f}");
    }

    #[test]
    fn colors_are_dropped_and_other_sequences_stay() {
        for (text, plain) in [
            ("\u{1b}[1;31mERROR\u{1b}[0m: no", "ERROR: no"),
            ("\u{1b}[2K\u{1b}[?25hdone\u{1b}[", "done\u{1b}["),
            ("a\u{1b}[31", "a\u{1b}[31"),
            ("\u{1b}[\u{1b}[0mx", "\u{1b}[x"),
            ("\u{1b}[3ü", "\u{1b}[3ü"),
            ("\u{1b}]8;;x", "\u{1b}]8;;x"),
        ] {
            assert_eq!(without_colors(text), plain, "{text:?}");
        }
    }

    #[test]
    fn long_lines_are_cut() {
        let text = "ü".repeat(10_000);
        let shown = plain(&text);
        assert!(shown.ends_with("ü… 15904 more bytes"), "{}", &shown[shown.len() - 40..]);
        assert!(shown.len() < MAX_LINE + 40);
    }

    #[test]
    fn lines_are_split_where_a_terminal_would() {
        assert_eq!(lines("a\r\n\tb\n\nc\rd\n"), ["a", "\tb", "", "c", "d"]);
        assert_eq!(lines(""), Vec::<String>::new());
    }

    #[test]
    fn commands_in_text_are_not_carried_out() {
        assert_eq!(lines("::error::x"), ["\\u{3a}:error::x"]);
        assert_eq!(lines(" \u{3000}::error::x"), [" \u{3000}\\u{3a}:error::x"]);
        assert_eq!(lines("\u{feff}::error::x"), ["\\u{feff}::error::x"]);
        assert_eq!(lines(":\u{200d}:error::x"), [":\\u{200d}:error::x"]);
        assert_eq!(lines("file ###[error]x"), ["file ##\\u{23}[error]x"]);
        assert_eq!(lines("a::b::c"), ["a::b::c"]);
    }

    #[test]
    fn long_lists_are_cut() {
        let names = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(name_some(&names(2)), "0, 1");
        assert_eq!(name_some(&names(10)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9");
        assert_eq!(name_some(&names(12)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more");
    }

    #[test]
    fn names_that_could_be_misread_are_escaped() {
        for (name, expected) in [("a b/ü", "`a b/ü`"), ("a\nb", "\"a\\nb\""), ("a`b", "\"a`b\"")] {
            assert_eq!(quoted(name), expected);
            assert_eq!(quoted_path(Path::new(name)), expected);
        }
        assert_eq!(quoted_path(Path::new("")), "`.`");
        assert_eq!((count(1, "file"), count(0, "path")), ("1 file".to_owned(), "0 paths".to_owned()));
    }

    #[test]
    fn human_bytes_has_at_most_one_decimal() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1049, "1 kB"),
            (1050, "1.1 kB"),
            (12_345_678, "12.3 MB"),
            (200_000_000, "200 MB"),
            (999_949, "999.9 kB"),
            (999_950, "1 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(human_bytes(bytes), text);
        }
    }

    #[test]
    fn human_duration_has_at_most_two_units() {
        for (millis, text) in
            [(0, "0.0 s"), (4_250, "4.2 s"), (61_000, "1 min 1 s"), (7_260_000, "2 h 1 min")]
        {
            assert_eq!(human_duration(Duration::from_millis(millis)), text);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_a_command(text in "([:#\\[\\] \\t\r\n\u{200d}\u{feff}\u{3000}a-z]|\\PC){0,40}") {
            for line in log_lines(&text) {
                prop_assert!(!line.trim_start().starts_with("::"), "{line:?}");
                prop_assert!(!line.contains("##["), "{line:?}");
                prop_assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
            }
        }

        #[test]
        fn plain_text_is_one_line(text in any::<String>()) {
            let shown = plain(&text);
            prop_assert!(!shown.chars().any(|c| c.is_control() || is_hidden(c)), "{shown:?}");
        }
    }
}
