//! Tokens of well-known services, and private keys, in text.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::{Leak, PRIVATE_KEY};

/// Pattern of one kind of tokens.
struct TokenPattern {
    kind: &'static str,
    /// Regular expression. It starts with letters that are rare at the start of a word, because the search for them
    /// decides how fast the scan is.
    pattern: &'static str,
    /// Additional check of a match.
    is_real: fn(&[u8]) -> bool,
}

/// Patterns of tokens. Lengths are those of real tokens, so that placeholders in documents do not match.
const PATTERNS: &[TokenPattern] = &[
    pattern("a Hugging Face token", r"hf_[A-Za-z0-9]{34,40}"),
    pattern("a Hugging Face token", r"api_org_[A-Za-z0-9]{34}"),
    TokenPattern {
        kind: "an API key (`sk-…`)", pattern: r"sk-[A-Za-z0-9_-]{20,}", is_real: has_random_run
    },
    pattern("a Stripe key", r"[rs]k_live_[A-Za-z0-9]{16,}"),
    pattern("a GitHub token", r"gh[oprsu]_[A-Za-z0-9]{36,}"),
    pattern("a GitHub token", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    pattern("a GitLab token", r"glpat-[A-Za-z0-9_-]{20,}"),
    pattern("an AWS access key", r"(?:AKIA|ASIA)[A-Z2-7]{16}"),
    TokenPattern {
        kind: "a Slack token",
        pattern: r"xox[abeoprs]-[A-Za-z0-9-]{20,}",
        is_real: has_many_digits,
    },
    pattern("a Google API key", r"AIza[A-Za-z0-9_-]{35}"),
    pattern("an npm token", r"npm_[A-Za-z0-9]{36}"),
    pattern("a PyPI token", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    pattern("a SendGrid key", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    pattern("a Groq key", r"gsk_[A-Za-z0-9]{48,56}"),
    pattern("a Replicate token", r"r8_[A-Za-z0-9]{37}"),
    pattern("an xAI key", r"xai-[A-Za-z0-9]{70,}"),
    pattern("an NVIDIA key", r"nvapi-[A-Za-z0-9_-]{60,}"),
    pattern("a LangSmith key", r"lsv2_[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}"),
    pattern("a Docker Hub token", r"dckr_pat_[A-Za-z0-9_-]{27}"),
    TokenPattern {
        kind: PRIVATE_KEY,
        // The pattern includes a part of the key, because code and documents often have the first line alone. Between
        // the two there are only line breaks, quotation marks and the headers of RFC 1421.
        pattern: concat!(
            r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
            r#"(?:[\s"'`+,;()#*/|>]|\\[nrt]|(?:Proc-Type|DEK-Info|Comment|Version|Hash|Charset):[^\n\\]{0,100}){1,60}"#,
            r"[A-Za-z0-9+/]{40}"
        ),
        is_real: is_in_one_block,
    },
];

/// Maximum number of leaks that are returned for one text.
const MAX_LEAKS: usize = 5;

const fn pattern(kind: &'static str, pattern: &'static str) -> TokenPattern {
    TokenPattern { kind, pattern, is_real: |_| true }
}

/// All patterns, each as a group.
static TOKENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let groups: Vec<String> = PATTERNS.iter().map(|one| format!("({})", one.pattern)).collect();
    Regex::new(&format!("(?-u){}", groups.join("|"))).ok()
});

/// Finds the secrets in a text: the first of each kind.
pub fn in_text(text: &[u8]) -> Vec<Leak> {
    let mut leaks: Vec<Leak> = Vec::new();
    let Some(tokens) = TOKENS.as_ref() else { return leaks };
    let (mut line, mut counted) = (1, 0);
    let mut at = 0;
    while let Some(found) = tokens.captures_at(text, at) {
        let Some((pattern, token)) =
            PATTERNS.iter().enumerate().find_map(|(index, one)| Some((one, found.get(index + 1)?)))
        else {
            break;
        };
        // A block with a key may follow a block without one.
        at = if (pattern.is_real)(token.as_bytes()) { token.end() } else { token.start() + 1 };
        let is_new = leaks.iter().all(|leak| leak.kind != pattern.kind);
        if !is_new || !is_word(text, token.range()) || is_placeholder(end_of(token.as_bytes())) {
            continue;
        }
        if at != token.end() {
            continue;
        }
        line += u32::try_from(text[counted..token.start()].iter().filter(|byte| **byte == b'\n').count())
            .unwrap_or(u32::MAX);
        counted = token.start();
        leaks.push(Leak { line: Some(line), kind: pattern.kind });
        if leaks.len() == MAX_LEAKS {
            break;
        }
    }
    leaks
}

/// Returns the places of all tokens in a text, with their kinds, to be masked. It takes more for a token than
/// [`in_text`]: anything may stand next to it, and it may look like a placeholder.
pub fn token_ranges(text: &[u8]) -> Vec<(std::ops::Range<usize>, &'static str)> {
    let mut ranges = Vec::new();
    let Some(tokens) = TOKENS.as_ref() else { return ranges };
    let mut at = 0;
    while let Some(found) = tokens.captures_at(text, at) {
        let Some((pattern, token)) =
            PATTERNS.iter().enumerate().find_map(|(index, one)| Some((one, found.get(index + 1)?)))
        else {
            break;
        };
        at = token.start() + 1;
        if (pattern.is_real)(token.as_bytes()) {
            at = token.end();
            ranges.push((token.range(), pattern.kind));
        }
    }
    ranges
}

/// Returns true if no letter or digit is next to the token. A private key may continue after the match.
fn is_word(text: &[u8], token: std::ops::Range<usize>) -> bool {
    let is_letter =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if text[token.start] == b'-' {
        return true;
    }
    let before = &text[..token.start];
    // In JSON, code and addresses, the letter before the token may belong to an escape: `\n`, `%3D`.
    let is_escape = match before {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., b'%', first, second] => first.is_ascii_hexdigit() && second.is_ascii_hexdigit(),
        _ => false,
    };
    (is_escape || !is_letter(before.last())) && !is_letter(text.get(token.end))
}

/// Returns the part of a match that has the secret, because the first line of a private key may be from an example.
fn end_of(token: &[u8]) -> &[u8] {
    if token.starts_with(b"-----BEGIN") { &token[token.len().saturating_sub(40)..] } else { token }
}

/// Returns true if a token is a placeholder in a document or a test.
fn is_placeholder(token: &[u8]) -> bool {
    const WORDS: &[&str] = &[
        "example",
        "xxxx",
        "your",
        "placeholder",
        "replace",
        "dummy",
        "redacted",
        "changeme",
        "insert",
        "sample",
        "0123456789",
        "1234567890",
        "abcdefghij",
    ];
    let text = String::from_utf8_lossy(token).to_ascii_lowercase();
    let distinct: std::collections::HashSet<char> = text.chars().collect();
    distinct.len() < 10 || WORDS.iter().any(|word| text.contains(word))
}

/// Returns true if a token has a long run of letters and digits, unlike a CSS class such as `sk-estimator-doc-link`.
pub(super) fn has_random_run(token: &[u8]) -> bool {
    token.split(|byte| !byte.is_ascii_alphanumeric()).any(|run| {
        run.len() >= 16 && run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_alphabetic)
    })
}

fn has_many_digits(token: &[u8]) -> bool {
    token.iter().filter(|byte| byte.is_ascii_digit()).count() >= 8
}

/// Returns true if the block of the key does not end before the key.
fn is_in_one_block(key: &[u8]) -> bool {
    !key.windows(8).any(|part| part == b"-----END")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns a token. It is assembled at run time, so that no scanner reports this file.
    fn token(prefix: &str, length: usize) -> String {
        let random =
            "q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKiBtXo6CnWzQrSyEjFhGlDaPmIuO1T0q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU";
        format!("{prefix}{}", &random[..length])
    }

    fn kinds(text: &str) -> Vec<(u32, &'static str)> {
        in_text(text.as_bytes()).into_iter().map(|leak| (leak.line.unwrap(), leak.kind)).collect()
    }

    fn key(first: &str, body: &str) -> String {
        format!("-----BEGIN {first}PRIVATE KEY-----{body}")
    }

    #[test]
    fn tokens_of_real_lengths_are_found_with_their_lines() {
        for (text, kind) in [
            (token("hf_", 34), "a Hugging Face token"),
            (token("sk-", 48), "an API key (`sk-…`)"),
            (token("sk-proj-", 80), "an API key (`sk-…`)"),
            (token("sk-ant-api03-", 90), "an API key (`sk-…`)"),
            (token("ghp_", 36), "a GitHub token"),
            (format!("{}_{}", token("github_pat_", 22), token("", 59)), "a GitHub token"),
            (format!("AKIA{}", "Q7ZK2VBN4XTFLW5R"), "an AWS access key"),
            (format!("xoxb-{}-{}", "123412341234", token("", 24)), "a Slack token"),
            (token("AIza", 35), "a Google API key"),
            (token("npm_", 36), "an npm token"),
            (token("gsk_", 52), "a Groq key"),
            (token("r8_", 37), "a Replicate token"),
        ] {
            for around in
                [text.clone(), format!("KEY=\"{text}\""), format!("x = '{text}';"), format!("({text})")]
            {
                assert_eq!(kinds(&format!("a\nb\n{around}\n")), [(3, kind)], "{kind}");
            }
        }
        let two = format!("{}\n\n{}\n{}", token("hf_", 34), token("AIza", 35), token("hf_", 34));
        assert_eq!(kinds(&two), [(1, "a Hugging Face token"), (3, "a Google API key")]);
    }

    #[test]
    fn key_after_an_example_without_one_is_found() {
        let example = format!("{}\n...\n-----END PRIVATE KEY-----\n", key("", ""));
        let real = key("RSA ", &format!("\n{}\n", token("", 64)));
        assert_eq!(kinds(&format!("{example}{real}")), [(4, "a private key")]);
        assert_eq!(kinds(&example), []);
    }

    #[test]
    fn first_line_of_a_key_alone_is_not_found() {
        let commit = "q7zk2vbn9xtflw4rcyg8hsjd5mpaeu3vkibtxo6c";
        for text in [
            format!("BEGIN = '{}'\nCOMMIT = '{commit}'", key("", "")),
            format!("<!-- {} --> see {commit}", key("", "")),
        ] {
            assert_eq!(kinds(&text), [], "{text}");
        }
        let example = format!("H = \"{}\"  # for example\n", key("", ""));
        assert_eq!(
            kinds(&format!("{example}{}", key("", &format!("\n{}", token("", 64))))),
            [(2, "a private key")]
        );
        let json = format!("\"private_key\": \"{}", key("", &format!("\\n{}", token("", 64))));
        assert_eq!(kinds(&json), [(1, "a private key")]);
        let headers = "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0F\n\n";
        assert_eq!(kinds(&key("RSA ", &format!("{headers}{}", token("", 64)))).len(), 1);
    }

    #[test]
    fn token_after_an_escape_is_found() {
        for before in ["\"a\\n", "\\t", "key%3D"] {
            assert_eq!(kinds(&format!("{before}{}", token("hf_", 34))).len(), 1, "{before}");
        }
        assert_eq!(kinds(&format!("than{}", token("hf_", 34))), []);
    }

    #[test]
    fn placeholders_and_other_words_are_not_found() {
        for text in [
            "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
            "hf_your_token_here, hf_..., HF_TOKEN, hf_token".to_owned(),
            "hf_YourTokenGoesRightHereAndNowhereElse".to_owned(),
            "hf_transfer hf_hub_download_with_a_very_long_name_indeed".to_owned(),
            "sk-proj-1 sk-... sk-your-key-goes-here-and-nowhere-else".to_owned(),
            "class=\"sk-estimator-doc-link-label-of-the-fitted-transformer\"".to_owned(),
            "a task-oriented-dialogue-with-a-long-name-1234567890123456a".to_owned(),
            format!("AKIA{}", "IOSFODNN7EXAMPLE"),
            format!("AIzaSy{}", "X".repeat(33)),
            "xoxb-your-token, xoxb-not-a-real-token-at-all".to_owned(),
            format!("x{}", token("hf_", 34)),
            token("hf_", 60),
            key("", ""),
            key("RSA ", "\n...\n-----END RSA PRIVATE KEY-----\n"),
            format!(
                "{}\n{}",
                key("", "\nMIIE...\n-----END PRIVATE KEY-----"),
                "sha512: aGVsbG8gd29ybGQgaGVsbG8gd29ybGQgaGVsbG8gd29ybGQ"
            ),
            "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAq7Zk2VbN9xTf\n"
                .to_owned(),
        ] {
            assert_eq!(kinds(&text), [], "{text}");
        }
    }

    #[test]
    fn private_keys_are_found_in_files_and_in_code() {
        let body = token("MII", 61);
        for text in [
            key("", &format!("\n{body}\n")),
            key("RSA ", &format!("\r\n{body}\r\n")),
            key("OPENSSH ", &format!("\n{body}\n")),
            key("RSA ", &format!("\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n{body}\n")),
            format!("{{\"private_key\": \"{}\"}}", key("", &format!("\\n{body}\\n"))),
            format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: x\n\n{body}\n"),
        ] {
            assert_eq!(kinds(&format!("\n{text}")), [(2, "a private key")], "{text}");
        }
    }

    proptest! {
        #[test]
        fn token_is_found_in_its_line_of_any_text(before in "[a-z \n]{0,40}", after in "[ \n][a-z \n]{0,40}") {
            let line = 1 + before.matches('\n').count();
            let text = format!("{before} {}{after}", token("hf_", 34));
            prop_assert_eq!(kinds(&text), [(u32::try_from(line).unwrap(), "a Hugging Face token")]);
        }

        #[test]
        fn lines_are_within_the_text(text: Vec<u8>) {
            let lines = text.iter().filter(|byte| **byte == b'\n').count() + 1;
            for leak in in_text(&text) {
                prop_assert!(leak.line.is_some_and(|line| line as usize <= lines));
            }
        }
    }
}
