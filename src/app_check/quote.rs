//! Text of an app, for sentences of this module.

use hub::shorten;

use crate::text::plain;

/// Longest quotation, in characters.
const MAX_QUOTED: usize = 400;
/// The most names in a list.
const MAX_LISTED: usize = 12;

/// Returns text of the app on one line, cut to the length of a sentence.
pub fn quoted(text: &str) -> String {
    excerpt(text, MAX_QUOTED)
}

/// Returns text of the app on one line of at most `max` characters.
pub(super) fn excerpt(text: &str, max: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    plain(&shorten(&text, max))
}

/// Returns a list of the first names, for a sentence.
pub fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let shown = names.iter().take(MAX_LISTED);
    let mut text: Vec<String> = shown.map(|name| format!("`{}`", quoted(name.as_ref()))).collect();
    if names.len() > MAX_LISTED {
        text.push(format!("and {} more", names.len() - MAX_LISTED));
    }
    text.join(", ")
}
