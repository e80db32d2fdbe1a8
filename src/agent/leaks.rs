//! Secrets in a text of the agent.

use std::collections::BTreeSet;

use crate::folder::leaks;
use crate::redact::Redactor;
use crate::traces::{Emails, Redaction, RedactionCounts};

/// Kind of a secret that the run knows.
const OF_RUN: &str = "a secret of this run";

/// A secret in a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leak {
    /// Line, counted from 1. `None` for a secret on several lines.
    pub(super) line: Option<usize>,
    /// Kind of secret, as a noun phrase.
    pub(super) kind: &'static str,
}

/// Finds the secrets that the run knows, in any of their encoded forms, and everything that looks like a secret.
pub(super) fn find(text: &str, known: &Redactor) -> Vec<Leak> {
    let makes = Redaction::new(&[], Emails::Keep);
    let mut found = BTreeSet::new();
    for (number, line) in text.lines().enumerate() {
        let line_number = Some(number + 1);
        if known.redact(line) != line {
            found.insert(Leak { line: line_number, kind: OF_RUN });
            continue;
        }
        let mut counts = RedactionCounts::new();
        makes.redacted_text(line, &mut counts);
        found.extend(counts.into_keys().map(|kind| Leak { line: line_number, kind }));
    }
    if !found.iter().any(|leak| leak.kind == OF_RUN) && known.redact(text) != text {
        found.insert(Leak { line: None, kind: OF_RUN });
    }
    // A private key has several lines.
    for leak in leaks::in_text(text.as_bytes()) {
        let line = leak.line.and_then(|line| usize::try_from(line).ok());
        found.insert(Leak { line, kind: leak.kind });
    }
    found.into_iter().collect()
}

/// Returns the text without secrets.
pub(super) fn without(text: &str, known: &Redactor) -> String {
    let text = known.redact(text).into_owned();
    let makes = Redaction::new(&[], Emails::Keep);
    makes.redacted_text(&text, &mut RedactionCounts::new()).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use hub::Secret;

    use super::*;

    /// Letters and digits without a pattern. Tokens are made at run time, so that no scanner reports this file.
    const RANDOM: &str = "q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKiBtXo6CnWzQrSyEjFhGlDaPmIuO1T0";

    #[test]
    fn secrets_are_found_with_their_lines() {
        let secret = format!("hf_{}", &RANDOM[40..]);
        let known = Redactor::default();
        known.register(&Secret::new(secret.clone()));
        let encoded = STANDARD.encode(&secret);
        let key = format!("-----BEGIN PRIVATE KEY-----\n{RANDOM}\n-----END PRIVATE KEY-----");
        for (text, line, kind) in [
            (format!("a\nTOKEN = \"{secret}\"\n"), Some(2), OF_RUN),
            (format!("t = decode('{encoded}')"), Some(1), OF_RUN),
            (format!("\n\nx = 'hf_{}'", &RANDOM[..34]), Some(3), "a Hugging Face token"),
            (format!("k = 'ghp_{}'", &RANDOM[..36]), Some(1), "a GitHub token"),
            (format!("h = 'Bearer {}'", &RANDOM[..24]), Some(1), "a bearer token"),
            (format!("x\n{key}"), Some(2), "a private key"),
        ] {
            assert_eq!(find(&text, &known), [Leak { line, kind }], "{text}");
            let clean = without(&text, &known);
            assert!(
                !clean.contains(&secret) && !clean.contains(&encoded) && !clean.contains(RANDOM),
                "{clean}"
            );
        }
        let ordinary =
            "headers = {\"Authorization\": f\"Bearer {os.environ['HF_TOKEN']}\"}  # ada@example.com";
        assert_eq!((find(ordinary, &known), without(ordinary, &known)), (Vec::new(), ordinary.to_owned()));
    }
}
