//! Workflow commands: lines on stdout that the runner executes.
//!
//! The rules are GitHub's docs, "Workflow commands for GitHub Actions"; the escapes are those of
//! `@actions/core`'s `command.ts` and of the runner's `ActionCommand.cs`. Each function returns one line
//! without its newline.

use crate::text::{log_lines, plain};

/// Maximum length of the message of an annotation, in bytes: half the limit of the Checks API.
const MAX_MESSAGE: usize = 32 * 1024;

/// Severity of an annotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Error,
    Warning,
    Notice,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

/// A message that GitHub shows on the page of the run, and at a line of a file if it names one.
#[derive(Debug, Clone, Copy)]
pub struct Annotation<'a> {
    pub level: Level,
    pub title: Option<&'a str>,
    /// Path relative to the root of the checkout.
    pub file: Option<&'a str>,
    /// Line, counted from 1.
    pub line: Option<u32>,
    /// Column, counted from 1.
    pub col: Option<u32>,
    /// Text of one or more lines.
    pub message: &'a str,
}

impl<'a> Annotation<'a> {
    pub fn new(level: Level, message: &'a str) -> Self {
        Self { level, title: None, file: None, line: None, col: None, message }
    }
}

/// Escapes the text after a command.
pub fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes the value of a property, because it also ends at a `,` or a `:`.
pub fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Returns `::error file=…,line=…,title=…::message`.
pub fn annotation(annotation: &Annotation<'_>) -> String {
    let Annotation { level, title, file, line, col, message } = *annotation;
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let properties = [
        ("file", file.map(plain)),
        ("line", number(line)),
        ("col", number(col)),
        ("title", title.map(plain)),
    ];
    let properties: Vec<String> = properties
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", escape_property(&value?))))
        .collect();
    let gap = if properties.is_empty() { "" } else { " " };
    format!("::{}{gap}{}::{}", level.as_str(), properties.join(","), escape_data(&shown(message)))
}

/// Returns a message with hidden characters made visible, cut to [`MAX_MESSAGE`].
fn shown(message: &str) -> String {
    let mut shown = String::new();
    for line in log_lines(message) {
        if shown.len() + line.len() > MAX_MESSAGE {
            shown.push_str("\n…");
            break;
        }
        if !shown.is_empty() {
            shown.push('\n');
        }
        shown.push_str(&line);
    }
    shown
}

/// `::debug::`: shown when the run has step debug logging switched on.
pub fn debug(text: &str) -> String {
    format!("::debug::{}", escape_data(&shown(text)))
}

/// Returns `::group::`: the lines until [`end_group`] can be folded.
pub fn group(title: &str) -> String {
    format!("::group::{}", escape_data(&plain(title)))
}

pub fn end_group() -> String {
    "::endgroup::".to_owned()
}

/// Returns `::add-mask::` lines: the runner masks the value in the log from now on. Print these lines for the runner
/// only, because they have the value.
///
/// Each line of a longer value is masked too, because the runner masks line by line. Lines as short as `}` are not, because
/// they would mask ordinary text.
pub fn add_mask(secret: &str) -> Vec<String> {
    crate::redact::masked_parts(secret)
        .into_iter()
        .map(|value| format!("::add-mask::{}", escape_data(value)))
        .collect()
}

/// Returns `::stop-commands::`: the runner only prints the lines until [`resume_commands`] with the same token, which must
/// be new and random (`text::random_token`).
pub fn stop_commands(token: &str) -> String {
    format!("::stop-commands::{token}")
}

pub fn resume_commands(token: &str) -> String {
    format!("::{token}::")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parses a line as the runner does (`TryParseV2` in ActionCommand.cs).
    fn parse(line: &str) -> (String, Vec<(String, String)>, String) {
        let rest = line.trim_start().strip_prefix("::").expect("a command");
        let (info, data) = rest.split_once("::").expect("an end of the command");
        let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
        let property = |text: &str| {
            let text = text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":");
            text.replace("%2C", ",").replace("%25", "%")
        };
        let properties = properties
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), property(value)))
            .collect();
        let data = data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
        (name.to_owned(), properties, data)
    }

    #[test]
    fn annotations() {
        let full = Annotation {
            title: Some("a: b, c"),
            file: Some("src/x,y.md"),
            line: Some(3),
            col: Some(7),
            ..Annotation::new(Level::Warning, "100% of it\nis wrong")
        };
        assert_eq!(
            annotation(&full),
            "::warning file=src/x%2Cy.md,line=3,col=7,title=a%3A b%2C c::100%25 of it%0Ais wrong"
        );
        assert_eq!(annotation(&Annotation::new(Level::Error, "a: b, c")), "::error::a: b, c");
    }

    #[test]
    fn masks_cover_each_line() {
        assert_eq!(
            add_mask("hf_a%b\n}\n line two \n"),
            ["::add-mask::hf_a%25b%0A}%0A line two", "::add-mask::hf_a%25b", "::add-mask::line two"]
        );
        assert_eq!(add_mask("hf_abc"), ["::add-mask::hf_abc"]);
        assert!(add_mask(" \n").is_empty());
    }

    #[test]
    fn long_messages_are_cut() {
        let message = "x".repeat(3000) + "\n";
        assert!(annotation(&Annotation::new(Level::Error, &message.repeat(100))).len() < MAX_MESSAGE + 100);
    }

    proptest! {
        #[test]
        fn escaped_text_is_one_line_and_is_read_back(text in any::<String>()) {
            for escaped in [escape_data(&text), escape_property(&text)] {
                prop_assert!(!escaped.contains(['\n', '\r']));
            }
            prop_assert!(!escape_property(&text).contains([':', ',']));
            prop_assert_eq!(parse(&format!("::x::{}", escape_data(&text))).2, text.as_str());
            let property = parse(&format!("::x a={}::", escape_property(&text))).1.remove(0).1;
            prop_assert_eq!(property, text);
        }

        #[test]
        fn an_annotation_is_one_command(title in any::<String>(), file in any::<String>(), message in any::<String>()) {
            let made = annotation(&Annotation {
                title: Some(&title),
                file: Some(&file),
                ..Annotation::new(Level::Error, &message)
            });
            prop_assert!(!made.contains(['\n', '\r']));
            let (name, properties, _) = parse(&made);
            prop_assert_eq!(name, "error");
            prop_assert_eq!(properties, [
                ("file".to_owned(), plain(&file)),
                ("title".to_owned(), plain(&title)),
            ]);
        }
    }
}
