//! The texts and numbers of a JSON document, replaced in place: all other bytes stay as they are.

/// A text or a number of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    /// A string or a key, decoded.
    Text(&'a str),
    /// As it is written.
    Number(&'a str),
}

/// Replaces each scalar for which `change` returns another text. A number that changes becomes a string. `json` must be
/// valid.
pub(super) fn map_scalars(
    json: &str,
    mut change: impl FnMut(Scalar<'_>) -> Option<String>,
) -> Option<String> {
    let bytes = json.as_bytes();
    let (mut mapped, mut copied, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        let start = at;
        let new = match bytes[at] {
            b'"' => {
                at = end_of_string(bytes, at);
                let literal = &json[start..at];
                let text = decoded(literal);
                change(Scalar::Text(&text))
            }
            b'-' | b'0'..=b'9' => {
                while at < bytes.len() && matches!(bytes[at], b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
                {
                    at += 1;
                }
                change(Scalar::Number(&json[start..at]))
            }
            _ => {
                at += 1;
                continue;
            }
        };
        if let Some(new) = new {
            mapped.push_str(&json[copied..start]);
            mapped.push_str(&serde_json::Value::from(new).to_string());
            copied = at;
        }
    }
    if copied == 0 {
        return None;
    }
    mapped.push_str(&json[copied..]);
    Some(mapped)
}

/// Returns the end of the string that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Returns the text of a string. Half of a surrogate pair, which some programs write, stands for no character.
fn decoded(literal: &str) -> String {
    serde_json::from_str(literal).unwrap_or_else(|_| {
        let (mut text, mut rest) = (String::new(), literal.trim_matches('"'));
        while let Some(at) = rest.find('\\') {
            text.push_str(&rest[..at]);
            let length = if rest[at..].starts_with("\\u") { 6 } else { 2 };
            let escape = rest.get(at..at + length).unwrap_or(&rest[at..]);
            let single: Option<String> = serde_json::from_str(&format!("\"{escape}\"")).ok();
            text.push_str(single.as_deref().unwrap_or("\u{fffd}"));
            rest = rest.get(at + length..).unwrap_or_default();
        }
        text.push_str(rest);
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shouted(json: &str) -> Option<String> {
        map_scalars(json, |scalar| match scalar {
            Scalar::Text(text) if text.contains("bad") => Some(text.replace("bad", "***")),
            Scalar::Text(_) | Scalar::Number(_) => None,
        })
    }

    #[test]
    fn only_changed_texts_are_written_anew() {
        assert_eq!(shouted(r#"{"a": 1.50, "b":"good\u0021"}"#), None);
        assert_eq!(
            shouted(r#"{"b": 1e5 , "bad":"a\n\u0062ad", "b":[ "x\"bad\"" ]}"#).as_deref(),
            Some(r#"{"b": 1e5 , "***":"a\n***", "b":[ "x\"***\"" ]}"#)
        );
        assert_eq!(shouted(r#"["\ud800 bad \/"]"#).as_deref(), Some("[\"\u{fffd} *** /\"]"));
    }

    #[test]
    fn a_number_that_changes_is_a_text() {
        let mapped = map_scalars(r#"{"pin":4711,"n":47110}"#, |scalar| {
            (scalar == Scalar::Number("4711")).then(|| "***".to_owned())
        });
        assert_eq!(mapped.as_deref(), Some(r#"{"pin":"***","n":47110}"#));
    }

    proptest! {
        #[test]
        fn every_text_is_seen_once(texts in proptest::collection::vec("\\PC{0,12}", 0..8)) {
            let json = serde_json::to_string(&texts).unwrap();
            let mut seen = Vec::new();
            let mapped = map_scalars(&json, |scalar| {
                let (Scalar::Text(text) | Scalar::Number(text)) = scalar;
                seen.push(text.to_owned());
                Some(text.to_owned())
            });
            prop_assert_eq!(&seen, &texts);
            let again: Vec<String> = serde_json::from_str(mapped.as_deref().unwrap_or(&json)).unwrap();
            prop_assert_eq!(again, texts);
        }

        #[test]
        fn no_input_is_too_odd(json in "[\"\\\\a-u0-9 ]{0,20}") {
            map_scalars(&json, |_| Some(String::new()));
        }
    }
}
