//! Parse errors, and text cut to a length.

/// Reason why a text is not a value of the wanted type, meant to stand behind `input: `.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

macro_rules! bail_parse {
    ($($arg:tt)*) => { return Err($crate::types::text::ParseError(format!($($arg)*))) };
}
pub(crate) use bail_parse;

/// Returns the first `max` characters of a text, with an ellipsis where something was cut.
pub fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
