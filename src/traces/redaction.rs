//! Secrets in the lines of sessions, replaced and counted by kind.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hub::Secret;
use regex::{Captures, Regex};

use super::json_text::{Scalar, map_scalars};
use crate::folder::leaks;
use crate::redact::Redactor;

/// Number of replaced secrets by kind, which is a noun phrase.
pub type RedactionCounts = BTreeMap<&'static str, u64>;

/// Replacement of a secret, as in the log.
const MASK: &str = "***";

/// Deepest JSON text in a JSON text that is searched, such as the arguments of a call.
const MAX_DEPTH: usize = 6;

const KNOWN: &str = "a value of a secret";
const PRIVATE_KEY: &str = "a private key";

/// Treatment of e-mail addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emails {
    Keep,
    Redact,
}

/// Replaces secrets: known values in all their encodings, and what looks like a secret of a usual make.
#[derive(Debug, Clone)]
pub struct Redaction {
    known: Redactor,
    /// Known values, for numbers, which are replaced only as a whole.
    values: Vec<Secret>,
    emails: Emails,
}

/// A pattern of secrets. The group `secret` is replaced, or the whole match.
struct Rule {
    kind: &'static str,
    pattern: LazyLock<Option<Regex>>,
    /// Additional check of the secret.
    is_real: fn(&str) -> bool,
}

macro_rules! rule {
    ($kind:expr, $pattern:expr, $is_real:expr) => {
        Rule { kind: $kind, pattern: LazyLock::new(|| Regex::new($pattern).ok()), is_real: $is_real }
    };
}

/// Blocks of private keys. They come before the tokens, whose pattern ends within the block.
static KEYS: [Rule; 2] = [
    rule!(
        PRIVATE_KEY,
        r"(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
        |_| true
    ),
    // The end of the block is missing where a program cut the text.
    rule!(
        PRIVATE_KEY,
        concat!(
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----",
            r"(?:[^A-Za-z0-9+/]|\\[nrt]|(?:Proc-Type|DEK-Info|Comment|Version|Hash|Charset):[^\n\\]*){1,60}",
            r#"[A-Za-z0-9+/]{40}[A-Za-z0-9+/=\s"'`,;|\\-]*"#
        ),
        |_| true
    ),
];

/// Secrets beside those that the deploy knows.
static RULES: [Rule; 5] = [
    rule!(
        "a JSON Web Token",
        r"e(?:yJ|yA|wo|wA|w0)[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){0,2}",
        |_| true
    ),
    rule!("a bearer token", r"(?i)bearer\s+(?P<secret>[A-Za-z0-9._~+/=-]{8,})", is_no_word),
    rule!("Basic credentials", r"(?i)basic\s+(?P<secret>[A-Za-z0-9+/]{8,}={0,2})", is_user_and_password),
    rule!(
        "an AWS secret key",
        r#"(?i)secret_?access_?key["'\s:=]{1,6}(?P<secret>[A-Za-z0-9/+]{40})"#,
        |_| true
    ),
    rule!(
        "a password in an address",
        r#"[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@"'<>]*:(?P<secret>[^\s/@"'<>]+)@"#,
        |password| password != MASK
    ),
];

static EMAIL: Rule =
    rule!("an e-mail address", r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", |_| {
        true
    });

/// Returns false for one word, as in "bearer authentication".
fn is_no_word(text: &str) -> bool {
    let text = text.trim_end_matches('.');
    let tail = text.get(1..).unwrap_or_default();
    !(text.bytes().all(|byte| byte.is_ascii_alphabetic())
        && tail.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn is_user_and_password(text: &str) -> bool {
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.is_some_and(|text| text.contains(':'))
}

impl Redaction {
    /// Returns the redaction of these known values, and of everything that looks like a secret.
    pub fn new(secrets: &[Secret], emails: Emails) -> Self {
        let known = Redactor::default();
        secrets.iter().for_each(|secret| known.register(secret));
        Self { known, values: secrets.to_vec(), emails }
    }

    /// Returns the redaction of all secrets that `known` has, and of everything that looks like a secret.
    pub fn of_run(known: Redactor, emails: Emails) -> Self {
        Self { known, values: Vec::new(), emails }
    }

    /// Replaces the secrets in a line of JSON, and adds them to `counts`. Other bytes stay as they are.
    pub(super) fn redact_json<'a>(&self, json: &'a str, counts: &mut RedactionCounts) -> Cow<'a, str> {
        match self.redacted_json(json, 0, counts) {
            Some(redacted) => Cow::Owned(redacted),
            None => Cow::Borrowed(json),
        }
    }

    fn redacted_json(&self, json: &str, depth: usize, counts: &mut RedactionCounts) -> Option<String> {
        map_scalars(json, |scalar| match scalar {
            Scalar::Text(text) => self.redacted_string(text, depth, counts),
            // A part of a number is no secret.
            Scalar::Number(number) => {
                let is_secret = self.values.iter().any(|value| value.expose().trim() == number);
                is_secret.then(|| {
                    *counts.entry(KNOWN).or_default() += 1;
                    MASK.to_owned()
                })
            }
        })
    }

    /// Returns the text without its secrets, if it has any.
    fn redacted_string(&self, text: &str, depth: usize, counts: &mut RedactionCounts) -> Option<String> {
        // A secret in JSON in a text may be written with other escapes.
        let nested = if depth < MAX_DEPTH && is_json(text) {
            self.redacted_json(text, depth + 1, counts)
        } else {
            None
        };
        let redacted = self.redacted_text(nested.as_deref().unwrap_or(text), counts);
        redacted.or(nested)
    }

    /// Returns a whole file of text without its secrets, if it has any. JSON is searched as JSON too.
    pub fn redacted_file(&self, text: &str, counts: &mut RedactionCounts) -> Option<String> {
        self.redacted_string(text, 0, counts)
    }

    /// Returns the text without its secrets, if it has any.
    pub fn redacted_text(&self, text: &str, counts: &mut RedactionCounts) -> Option<String> {
        let (known, number) = self.known.redact_counted(text);
        if number > 0 {
            *counts.entry(KNOWN).or_default() += number;
        }
        let mut text = known;
        for rule in &KEYS {
            text = rule.apply(text, counts);
        }
        text = without_tokens(text, counts);
        for rule in &RULES {
            text = rule.apply(text, counts);
        }
        if self.emails == Emails::Redact {
            text = EMAIL.apply(text, counts);
        }
        match text {
            Cow::Owned(redacted) => Some(redacted),
            Cow::Borrowed(_) => None,
        }
    }
}

impl Rule {
    fn apply<'a>(&self, text: Cow<'a, str>, counts: &mut RedactionCounts) -> Cow<'a, str> {
        let Some(pattern) = self.pattern.as_ref().filter(|pattern| pattern.is_match(&text)) else {
            return text;
        };
        let mut number = 0;
        let replaced = pattern.replace_all(&text, |found: &Captures<'_>| {
            let Some(whole) = found.get(0) else { return String::new() };
            let secret = found.name("secret").unwrap_or(whole);
            if !(self.is_real)(secret.as_str()) || secret.as_str() == MASK {
                return whole.as_str().to_owned();
            }
            number += 1;
            let (before, after) = (&text[whole.start()..secret.start()], &text[secret.end()..whole.end()]);
            format!("{before}{MASK}{after}")
        });
        let replaced = replaced.into_owned();
        if number == 0 {
            return text;
        }
        *counts.entry(self.kind).or_default() += number;
        Cow::Owned(replaced)
    }
}

/// Replaces the tokens of well-known services.
fn without_tokens<'a>(text: Cow<'a, str>, counts: &mut RedactionCounts) -> Cow<'a, str> {
    let places = leaks::token_ranges(text.as_bytes());
    if places.is_empty() {
        return text;
    }
    let (mut redacted, mut copied) = (String::with_capacity(text.len()), 0);
    for (place, kind) in places {
        redacted.push_str(&text[copied..place.start]);
        redacted.push_str(MASK);
        copied = place.end;
        *counts.entry(kind).or_default() += 1;
    }
    redacted.push_str(&text[copied..]);
    Cow::Owned(redacted)
}

/// Returns true for a JSON object, list or text, whose escapes hide their content.
fn is_json(text: &str) -> bool {
    let text = text.trim();
    let looks_like = (text.starts_with('{') && text.ends_with('}'))
        || (text.starts_with('[') && text.ends_with(']'))
        || (text.len() > 2 && text.starts_with('"') && text.ends_with('"'));
    looks_like && text.contains('\\') && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// Letters and digits without a pattern. Tokens are made at run time, so that no scanner reports this file.
    const RANDOM: &str =
        "q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKiBtXo6CnWzQrSyEjFhGlDaPmIuO1T0q7Zk2VbN9xTfLw4RcYg8HsJd5Mp";

    fn planted() -> Vec<(&'static str, String, String)> {
        let token = |prefix: &str, length: usize| format!("{prefix}{}", &RANDOM[..length]);
        let jwt = format!("eyJhbGciOi{}.eyJzdWIi{}.{}", &RANDOM[..12], &RANDOM[..20], &RANDOM[..30]);
        let basic = STANDARD.encode(format!("ada:{}", &RANDOM[..12]));
        let body: String = RANDOM.repeat(3);
        let of_make = |kind: &'static str, token: String| (kind, token.clone(), token);
        vec![
            of_make("a Hugging Face token", token("hf_", 34)),
            of_make("a GitHub token", token("ghp_", 36)),
            of_make("an API key (`sk-…`)", token("sk-ant-api03-", 80)),
            of_make("an AWS access key", "AKIAQ7ZK2VBN4XTFLW5R".to_owned()),
            of_make("a Google API key", token("AIza", 35)),
            of_make("a JSON Web Token", jwt),
            ("a bearer token", format!("Authorization: Bearer {}", &RANDOM[..24]), RANDOM[..24].to_owned()),
            ("Basic credentials", format!("Authorization: basic {basic}"), basic.clone()),
            (
                "an AWS secret key",
                format!("aws_secret_access_key = {}", &RANDOM[..40]),
                RANDOM[..40].to_owned(),
            ),
            (
                "a password in an address",
                "postgres://ada:hunter2secret@db.example/app".to_owned(),
                "hunter2secret".to_owned(),
            ),
            (
                PRIVATE_KEY,
                format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"),
                body.clone(),
            ),
            (PRIVATE_KEY, format!("-----BEGIN PRIVATE KEY-----\n{body}"), body),
            of_make(KNOWN, "a value \"with\" quotes\\and more".to_owned()),
            of_make("an e-mail address", "ada.lovelace+x@example.co.uk".to_owned()),
        ]
    }

    fn redaction() -> Redaction {
        let secrets = [Secret::new("a value \"with\" quotes\\and more"), Secret::new("4711")];
        Redaction::new(&secrets, Emails::Redact)
    }

    /// Returns the texts of a JSON value, and of JSON in them.
    fn texts(value: &Value) -> String {
        match value {
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                Ok(nested @ (Value::Object(_) | Value::Array(_) | Value::String(_))) => {
                    format!("{text}\n{}", texts(&nested))
                }
                _ => format!("{text}\n"),
            },
            Value::Array(items) => items.iter().map(texts).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| format!("{key}\n{}", texts(value))).collect()
            }
            other => format!("{other}\n"),
        }
    }

    #[test]
    fn every_pattern_is_valid() {
        for rule in KEYS.iter().chain(&RULES).chain([&EMAIL]) {
            assert!(rule.pattern.is_some(), "{}", rule.kind);
        }
    }

    #[test]
    fn each_kind_is_replaced_and_counted() {
        for (kind, text, secret) in planted() {
            let mut counts = RedactionCounts::new();
            let line = json!({ "text": format!("see {text} there") }).to_string();
            let redacted = redaction().redact_json(&line, &mut counts).into_owned();
            assert!(
                !texts(&serde_json::from_str(&redacted).unwrap()).contains(&secret),
                "{kind}: {redacted}"
            );
            assert_eq!(counts, RedactionCounts::from([(kind, 1)]), "{redacted}");
        }
    }

    #[test]
    fn ordinary_text_stays_byte_by_byte() {
        for line in [
            r#"{"a": "bearer authentication is required, Bearer Token", "n": 1.50e3, "x":"\u00e9"}"#,
            r#"{"a":"a task-oriented-dialogue-with-a-long-name-and-more, basic understanding"}"#,
            r#"{"a":"https://example.com/a:b@c and https://example.com:8080/x", "b":"eyes.of.the"}"#,
            r#"{"pin":47110,"text":"-----BEGIN PRIVATE KEY----- is the first line of a key"}"#,
        ] {
            let mut counts = RedactionCounts::new();
            let redaction = Redaction::new(&[], Emails::Keep);
            assert!(matches!(redaction.redact_json(line, &mut counts), Cow::Borrowed(_)), "{line}");
            assert!(counts.is_empty(), "{line}: {counts:?}");
        }
    }

    #[test]
    fn e_mail_addresses_stay_unless_asked_for() {
        let line = r#"{"a":"write to ada@example.com"}"#;
        let redacted =
            |emails| Redaction::new(&[], emails).redact_json(line, &mut RedactionCounts::new()).into_owned();
        assert_eq!(redacted(Emails::Keep), line);
        assert_eq!(redacted(Emails::Redact), r#"{"a":"write to ***"}"#);
    }

    #[test]
    fn a_known_number_is_replaced_as_a_whole() {
        let mut counts = RedactionCounts::new();
        let redacted = redaction().redact_json(r#"{"pin":4711,"time":47110}"#, &mut counts).into_owned();
        assert_eq!(redacted, r#"{"pin":"***","time":47110}"#);
    }

    proptest! {
        /// A secret in any text, in JSON at any depth, also in JSON in a text and with escapes.
        #[test]
        fn no_planted_secret_is_left(
            kind in 0..14_usize,
            before in "[ -~é\\n]{0,20}",
            after in "[ -~é\\n]{0,20}",
            depth in 0..4_usize,
            is_escaped: bool,
            is_key: bool,
        ) {
            let (_, text, secret) = planted().remove(kind);
            // A word before a scheme or an address is a part of it.
            let mut value = json!(format!("{before} {text} {after}"));
            for _ in 0..depth {
                value = json!(json!({ "arguments": value }).to_string());
            }
            let line = if is_key {
                json!({ value.as_str().unwrap(): 1 }).to_string()
            } else {
                json!({ "type": "message", "message": [value] }).to_string()
            };
            let line = if is_escaped { escaped(&line) } else { line };
            let mut counts = RedactionCounts::new();
            let redacted = redaction().redact_json(&line, &mut counts).into_owned();
            let read: Value = serde_json::from_str(&redacted).unwrap();
            prop_assert!(!redacted.contains(&secret), "{redacted}");
            prop_assert!(!texts(&read).contains(&secret), "{redacted}");
            prop_assert!(counts.values().sum::<u64>() >= 1);
        }

        #[test]
        fn redacted_json_is_json(text in "\\PC{0,60}", number: i64) {
            let line = json!({ "a": [text, number], "b": null }).to_string();
            let mut counts = RedactionCounts::new();
            let redacted = redaction().redact_json(&line, &mut counts).into_owned();
            prop_assert!(serde_json::from_str::<Value>(&redacted).is_ok());
        }
    }

    /// Writes each letter of the texts as an escape.
    fn escaped(json: &str) -> String {
        let mut is_in_escape = false;
        json.chars()
            .map(|letter| {
                let was_in_escape = is_in_escape;
                is_in_escape = letter == '\\' && !was_in_escape;
                match letter {
                    'h' | 'g' | 's' | 'A' | 'e' | '4' if !was_in_escape => {
                        format!("\\u{:04x}", letter as u32)
                    }
                    other => other.to_string(),
                }
            })
            .collect()
    }
}
