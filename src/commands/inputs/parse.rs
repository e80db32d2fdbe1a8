//! Parsers of single values that several groups share. A refusal goes on from the name of the input.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hf_proxy::units::{self, UnitError};
use hub::{ParseError, shorten, suggest};

use super::declaration::Input;

pub(crate) type Parsed<T> = Result<T, ParseError>;

/// Length of a bad value that a message repeats, in characters.
pub(crate) const SHOWN: usize = 120;

pub(crate) fn refuse<T>(sentence: impl Into<String>) -> Parsed<T> {
    Err(ParseError(sentence.into()))
}

/// Parses the declared default of an input that has one.
pub(crate) fn default<T, E>(input: &Input, parse: impl Fn(&str) -> Result<T, E>) -> T {
    let value = input.default.value().and_then(|text| parse(text).ok());
    #[expect(clippy::expect_used, reason = "each run parses the default, also one that does not need it")]
    value.expect("a declared default is valid")
}

/// Parses a boolean of the YAML 1.2 core schema, as in `@actions/core`'s `getBooleanInput`.
pub(crate) fn boolean(text: &str) -> Parsed<bool> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _ => refuse(format!(
            "must be `true` or `false` (also `True`, `TRUE`, `False`, `FALSE`), not `{}`{}",
            shorten(text, SHOWN),
            meant_boolean(text)
        )),
    }
}

/// Parses one of the words of an input.
pub(crate) fn choice<T>(input: &Input, text: &str, value: impl FnOnce(&str) -> Option<T>) -> Parsed<T> {
    value(text).map_or_else(|| suggest::one_of(input.choices(), text), Ok)
}

/// Returns the end of a refusal: the boolean that a word of older YAML, or a misspelt one, stands for.
fn meant_boolean(text: &str) -> String {
    let word = text.to_lowercase();
    let meant = match word.as_str() {
        "yes" | "y" | "on" | "1" => Some("true"),
        "no" | "n" | "off" | "0" => Some("false"),
        word => suggest::closest(word, ["true", "false"]),
    };
    meant.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or_default()
}

/// Parses a path of this machine.
pub(crate) fn path(text: &str) -> Parsed<PathBuf> {
    Ok(PathBuf::from(text))
}

/// Returns a path in the workspace, as short as the user wrote it.
pub(crate) fn below(workspace: &Path, path: PathBuf) -> PathBuf {
    if workspace == Path::new(".") { path } else { workspace.join(path) }
}

/// Refuses a value that is not like the example.
pub(crate) fn not_like<T>(example: &str, text: &str) -> Parsed<T> {
    refuse(format!("must be {example}, not `{}`", shorten(text, SHOWN)))
}

/// Parses a time of at least a second.
pub(crate) fn duration(text: &str) -> Parsed<Duration> {
    match units::parse_duration(text) {
        Ok(duration) if duration >= Duration::from_secs(1) => Ok(duration),
        _ => not_like(UnitError::DURATION.form(), text),
    }
}

/// Parses a size of at least a byte.
pub(crate) fn size(text: &str) -> Parsed<u64> {
    match units::parse_size(text) {
        Ok(bytes) if bytes > 0 => Ok(bytes),
        _ => not_like(UnitError::SIZE.form(), text),
    }
}

/// Parses an amount of US dollars above zero.
pub(crate) fn dollars(text: &str) -> Parsed<f64> {
    let number = text.strip_prefix('$').unwrap_or(text);
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    match number.parse::<f64>() {
        Ok(dollars) if is_plain && dollars > 0.0 => Ok(dollars),
        _ => not_like("an amount of US dollars, like `0.60`", text),
    }
}

/// Returns the patterns of a list, without empty lines and `#` comments. A `\` at the end of a line keeps the blank
/// behind it, as in `.gitignore`.
pub(crate) fn patterns(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| {
            let line = line.trim_start();
            match line.trim_end() {
                kept if kept.ends_with('\\') => {
                    let blank = line[kept.len()..].chars().next().map_or(0, char::len_utf8);
                    &line[..kept.len() + blank]
                }
                kept => kept,
            }
        })
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boolean_takes_the_words_of_yaml_1_2() {
        for (text, value) in
            [("true", true), ("True", true), ("TRUE", true), ("false", false), ("FALSE", false)]
        {
            assert_eq!(boolean(text), Ok(value));
        }
        for text in ["ture", "yes", "no", "on", "1", "0", "tRUE", "", "null"] {
            assert!(boolean(text).unwrap_err().0.contains("`True`"), "{text}");
        }
    }

    #[test]
    fn lists_lose_comments_and_empty_lines() {
        let text = "# models\n  *.pt  \r\n\n\\#odd\n!keep.pt\nends in blank\\ \n\t";
        assert_eq!(patterns(text), ["*.pt", "\\#odd", "!keep.pt", "ends in blank\\ "]);
        assert!(patterns("\n # only a comment\n").is_empty());
        assert_eq!(patterns("a\\ \u{3000}"), ["a\\ "]);
        assert_eq!(patterns("a\\\u{a0}\nb\\"), ["a\\\u{a0}", "b\\"]);
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("100MB", 100_000_000),
            ("512 kB", 512_000),
            ("1.5GB", 1_500_000_000),
            ("64KiB", 65_536),
            ("7", 7),
        ] {
            assert_eq!(size(text).ok(), Some(bytes), "{text}");
        }
        for text in ["", "0", "0MB", "MB", "1.5", "-1", "1 XB", "18446744073709551615GB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
