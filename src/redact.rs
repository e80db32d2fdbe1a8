//! Replaces secrets in text.

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use hub::Secret;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use regex::bytes::Regex;
use serde_json::Value;

/// Replacement of a secret, as in the runner's own masks.
const MASK: &str = "***";

/// Minimum length of a secret that is masked, because a shorter one would mask ordinary words.
const SHORTEST: usize = 4;

/// Minimum length of a piece of base64 that is masked, because a shorter one may occur by chance.
const SHORTEST_BASE64: usize = 8;

/// Number of bytes that are searched at once.
const WINDOW: usize = 256 << 10;

/// Secrets and their encoded forms. Clones share them.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<String>>>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// Masks a secret from now on.
    pub fn register(&self, secret: &Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for value in masked_parts(secret.expose()) {
            known.push(value.to_owned());
            known.extend(forms(value));
        }
        // The longest first, because a form may be part of another one.
        known.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        known.dedup();
    }

    /// Returns the JSON value with all secrets in its texts and keys masked.
    pub fn redact_json(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.redact(&text).into_owned()),
            Value::Array(items) => items.into_iter().map(|item| self.redact_json(item)).collect(),
            Value::Object(fields) => fields
                .into_iter()
                .map(|(key, value)| (self.redact(&key).into_owned(), self.redact_json(value)))
                .collect(),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
        }
    }

    /// Returns true if a secret is in what the reader returns.
    pub fn finds_in(&self, mut from: impl Read) -> io::Result<bool> {
        let (pattern, longest) = {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let escaped: Vec<String> = known.iter().map(|secret| regex::escape(secret)).collect();
            // The longest comes first.
            (escaped.join("|"), known.first().map_or(0, String::len))
        };
        if longest == 0 {
            return Ok(false);
        }
        let pattern = Regex::new(&pattern).map_err(io::Error::other)?;
        let mut window = vec![0; WINDOW + longest];
        let mut kept = 0;
        loop {
            let read = match from.read(&mut window[kept..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            let filled = kept + read;
            if pattern.is_match(&window[..filled]) {
                return Ok(true);
            }
            if read == 0 {
                return Ok(false);
            }
            // A secret may begin at the end of what was read.
            let tail = filled.saturating_sub(longest);
            window.copy_within(tail..filled, 0);
            kept = filled - tail;
        }
    }

    /// Returns the text with all secrets masked.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redact_sparing(text, &[])
    }

    /// Returns the text with all secrets masked, and the number of places.
    pub fn redact_counted<'a>(&self, text: &'a str) -> (Cow<'a, str>, u64) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let (mut text, mut places) = (Cow::Borrowed(text), 0);
        for secret in known.iter() {
            let found = text.matches(secret.as_str()).count() as u64;
            if found > 0 {
                text = Cow::Owned(text.replace(secret.as_str(), MASK));
                places += found;
            }
        }
        (text, places)
    }

    /// Returns the text with secrets masked, except those that are part of one of the `ordinary` texts.
    pub fn redact_sparing<'a>(&self, text: &'a str, ordinary: &[String]) -> Cow<'a, str> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = Cow::Borrowed(text);
        let is_ordinary = |secret: &str| ordinary.iter().any(|text| text.contains(secret));
        for secret in known.iter().filter(|secret| !is_ordinary(secret)) {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), MASK));
            }
        }
        text
    }
}

/// Returns the parts of a secret that are masked: the value, and each of its lines.
pub(crate) fn masked_parts(secret: &str) -> Vec<&str> {
    let whole = secret.trim();
    let lines = whole.lines().map(str::trim).filter(|line| *line != whole);
    std::iter::once(whole).chain(lines).filter(|value| value.len() >= SHORTEST).collect()
}

/// Returns the value as it is encoded in URLs, JSON and headers.
fn forms(value: &str) -> Vec<String> {
    let upper = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    // Most encoders keep these (RFC 3986, unreserved characters).
    let usual = ["-", "_", ".", "~"]
        .iter()
        .fold(upper.clone(), |text, kept| text.replace(&format!("%{:02X}", kept.as_bytes()[0]), kept));
    let mut forms = vec![lower_escapes(&upper), lower_escapes(&usual), upper, usual];
    if let Ok(json) = serde_json::to_string(value) {
        forms.push(json.trim_matches('"').to_owned());
    }
    forms.push(value.escape_debug().to_string());
    for shift in 0..3 {
        forms.extend(base64_core(value, shift));
    }
    forms.retain(|form| form != value && form.len() >= SHORTEST);
    forms
}

/// Converts percent-escapes to lower-case digits.
fn lower_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let mut lowered = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        lowered.push('%');
        lowered.push_str(&digits.to_lowercase());
        lowered.push_str(rest);
    }
    lowered
}

/// Returns the part of the base64 of a text that depends on `value` only. `value` is in the text, `shift` bytes after a
/// multiple of three, as in `Basic` credentials (`user:token`).
fn base64_core(value: &str, shift: usize) -> Vec<String> {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(value.as_bytes());
    let skipped = [0, 2, 3][shift];
    let whole = bytes.len() * 8 / 6;
    [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
        .into_iter()
        .filter_map(|encoded| Some(encoded.get(skipped..whole)?.to_owned()))
        .filter(|core| core.len() >= SHORTEST_BASE64)
        .collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn redactor(secret: &str) -> Redactor {
        let redactor = Redactor::default();
        redactor.register(&Secret::new(secret));
        redactor
    }

    #[test]
    fn encoded_secrets_are_masked() {
        let secret = "hf_s/e+c\"r~é t";
        let redactor = redactor(secret);
        for text in [
            "token hf_s/e+c\"r~é t.".to_owned(),
            "?t=hf_s%2Fe%2Bc%22r~%C3%A9%20t&x".to_owned(),
            "?t=hf_s%2fe%2bc%22r~%c3%a9%20t&x".to_owned(),
            "?t=hf%5Fs%2Fe%2Bc%22r%7E%C3%A9%20t".to_owned(),
            serde_json::to_string(secret).unwrap(),
            format!("{secret:?}"),
        ] {
            let redacted = redactor.redact(&text);
            assert!(redacted.contains("***") && !redacted.contains("hf"), "{redacted}");
        }
    }

    #[test]
    fn each_line_of_a_secret_is_masked() {
        let redactor = redactor("-----BEGIN\nabcdefgh\n}\n");
        assert_eq!(redactor.redact("x abcdefgh } -----BEGIN"), "x *** } ***");
        assert_eq!(redactor.redact("nothing"), "nothing");
    }

    #[test]
    fn texts_and_keys_of_json_are_masked_and_numbers_stay() {
        let redactor = redactor("4711");
        let value = serde_json::json!({ "a4711": ["x4711", 4711, true, null] });
        assert_eq!(redactor.redact_json(value), serde_json::json!({ "a***": ["x***", 4711, true, null] }));
    }

    #[test]
    fn secret_is_found_wherever_it_is_in_a_file() {
        let secret = "hf_q7Zk2VbN9xTfLw4R";
        let redactor = redactor(secret);
        for at in [0, 1, WINDOW - 5, WINDOW, WINDOW + 10, 2 * WINDOW + 7] {
            let mut bytes = vec![0xff; 3 * WINDOW];
            bytes[at..at + secret.len()].copy_from_slice(secret.as_bytes());
            assert!(redactor.finds_in(&bytes[..]).unwrap(), "{at}");
        }
        assert!(!redactor.finds_in(&vec![0xff; 3 * WINDOW][..]).unwrap());
        assert!(!Redactor::default().finds_in(secret.as_bytes()).unwrap());
    }

    #[test]
    fn empty_secret_masks_nothing() {
        assert_eq!(redactor("").redact("abc"), "abc");
        assert_eq!(redactor("abc").redact("abc"), "abc");
    }

    proptest! {
        #[test]
        fn masked_text_has_no_secret(secret in "\\PC{4,12}", before in "\\PC{0,8}", after in "\\PC{0,8}") {
            prop_assume!(secret.trim() == secret && secret.len() >= SHORTEST && !MASK.contains(&secret));
            let redacted = redactor(&secret).redact(&format!("{before}{secret}{after}{secret}")).into_owned();
            prop_assert!(!redacted.contains(&secret) || secret.contains('*'), "{redacted}");
        }

        #[test]
        fn base64_is_masked_at_any_position(before in "[ -~]{0,7}", after in "[ -~]{0,7}") {
            let encoded = STANDARD.encode(format!("{before}hf_abcdefghijklmnop{after}"));
            let redacted = redactor("hf_abcdefghijklmnop").redact(&encoded).into_owned();
            prop_assert!(redacted.contains("***"), "{redacted}");
        }
    }
}
