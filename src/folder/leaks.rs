//! Secrets in places that others can read: names of files and variables, private keys, and the usual makes of tokens.
//!
//! Pure: text in, findings out. No finding holds the secret itself.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// A secret, or what looks like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leak {
    /// Counted from 1: `None` where the name of the file says it all.
    pub line: Option<u32>,
    /// The kind of secret, as a noun phrase.
    pub kind: &'static str,
}

/// One make of tokens.
struct Make {
    kind: &'static str,
    /// Begins with letters that few other words begin with, because the scan is as fast as the search for them.
    pattern: &'static str,
    /// Judges what the pattern lets through.
    is_real: fn(&[u8]) -> bool,
}

/// The lengths are those of real tokens, so that placeholders in documents do not match.
const MAKES: &[Make] = &[
    make("a Hugging Face token", r"hf_[A-Za-z0-9]{34,40}"),
    make("a Hugging Face token", r"api_org_[A-Za-z0-9]{34}"),
    Make { kind: "an API key (`sk-…`)", pattern: r"sk-[A-Za-z0-9_-]{20,}", is_real: has_random_run },
    make("a Stripe key", r"[rs]k_live_[A-Za-z0-9]{16,}"),
    make("a GitHub token", r"gh[oprsu]_[A-Za-z0-9]{36,}"),
    make("a GitHub token", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    make("a GitLab token", r"glpat-[A-Za-z0-9_-]{20,}"),
    make("an AWS access key", r"(?:AKIA|ASIA)[A-Z2-7]{16}"),
    Make { kind: "a Slack token", pattern: r"xox[abeoprs]-[A-Za-z0-9-]{20,}", is_real: has_many_digits },
    make("a Google API key", r"AIza[A-Za-z0-9_-]{35}"),
    make("an npm token", r"npm_[A-Za-z0-9]{36}"),
    make("a PyPI token", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    make("a SendGrid key", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    make("a Groq key", r"gsk_[A-Za-z0-9]{48,56}"),
    make("a Replicate token", r"r8_[A-Za-z0-9]{37}"),
    make("an xAI key", r"xai-[A-Za-z0-9]{70,}"),
    make("an NVIDIA key", r"nvapi-[A-Za-z0-9_-]{60,}"),
    make("a LangSmith key", r"lsv2_[a-z]{2}_[0-9a-f]{32}_[0-9a-f]{10}"),
    make("a Docker Hub token", r"dckr_pat_[A-Za-z0-9_-]{27}"),
    Make {
        kind: PRIVATE_KEY,
        // The key itself belongs to it, because code and documents name the first line alone. Between the two stand line
        // ends, quotation marks and the headers of RFC 1421 only.
        pattern: concat!(
            r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
            r#"(?:[\s"'`+,;()#*/|>]|\\[nrt]|(?:Proc-Type|DEK-Info|Comment|Version|Hash|Charset):[^\n\\]{0,100}){1,60}"#,
            r"[A-Za-z0-9+/]{40}"
        ),
        is_real: is_in_one_block,
    },
];

const PRIVATE_KEY: &str = "a private key";
const CREDENTIALS: &str = "the credentials that an earlier step signed in with";

/// Findings that are named for one file.
const MAX_LEAKS: usize = 5;

const fn make(kind: &'static str, pattern: &'static str) -> Make {
    Make { kind, pattern, is_real: |_| true }
}

/// All makes, each as a group.
static TOKENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let groups: Vec<String> = MAKES.iter().map(|make| format!("({})", make.pattern)).collect();
    Regex::new(&format!("(?-u){}", groups.join("|"))).ok()
});

/// Finds the secrets in a text: the first of each kind.
pub fn in_text(text: &[u8]) -> Vec<Leak> {
    let mut leaks: Vec<Leak> = Vec::new();
    let Some(tokens) = TOKENS.as_ref() else { return leaks };
    let (mut line, mut counted) = (1, 0);
    let mut at = 0;
    while let Some(found) = tokens.captures_at(text, at) {
        let Some((make, token)) =
            MAKES.iter().enumerate().find_map(|(index, make)| Some((make, found.get(index + 1)?)))
        else {
            break;
        };
        // A block without a key may stand before a block with one.
        at = if (make.is_real)(token.as_bytes()) { token.end() } else { token.start() + 1 };
        let is_new = leaks.iter().all(|leak| leak.kind != make.kind);
        if !is_new || !stands_alone(text, token.range()) || is_placeholder(end_of(token.as_bytes())) {
            continue;
        }
        if at != token.end() {
            continue;
        }
        line += u32::try_from(text[counted..token.start()].iter().filter(|byte| **byte == b'\n').count())
            .unwrap_or(u32::MAX);
        counted = token.start();
        leaks.push(Leak { line: Some(line), kind: make.kind });
        if leaks.len() == MAX_LEAKS {
            break;
        }
    }
    leaks
}

/// Returns true if the token is a word of its own. A key goes on after the match.
fn stands_alone(text: &[u8], token: std::ops::Range<usize>) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
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
    (is_escape || !is_word(before.last())) && !is_word(text.get(token.end))
}

/// Returns the part of a match that holds the secret: the first line of a private key may be an example's.
fn end_of(token: &[u8]) -> &[u8] {
    if token.starts_with(b"-----BEGIN") { &token[token.len().saturating_sub(40)..] } else { token }
}

/// Returns true if a token is made up, for a document or a test.
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

/// Returns true for a long run of letters and digits, unlike the words of a CSS class such as `sk-estimator-doc-link`.
fn has_random_run(token: &[u8]) -> bool {
    token.split(|byte| !byte.is_ascii_alphanumeric()).any(|run| {
        run.len() >= 16 && run.iter().any(u8::is_ascii_digit) && run.iter().any(u8::is_ascii_alphabetic)
    })
}

fn has_many_digits(token: &[u8]) -> bool {
    token.iter().filter(|byte| byte.is_ascii_digit()).count() >= 8
}

/// Returns true if the key does not end before its content.
fn is_in_one_block(key: &[u8]) -> bool {
    !key.windows(8).any(|part| part == b"-----END")
}

/// Returns the kind of secret that a file holds by its name.
pub fn in_file_name(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name {
        "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ecdsa_sk" | "id_ed25519" | "id_ed25519_sk" => {
            Some(PRIVATE_KEY)
        }
        ".netrc" | "_netrc" | ".git-credentials" => Some("a file of passwords"),
        "application_default_credentials.json" => Some(CREDENTIALS),
        "secrets.toml" if path.ends_with(".streamlit/secrets.toml") => Some("a file of secrets of Streamlit"),
        _ if name.starts_with("gha-creds-") && name.ends_with(".json") => Some(CREDENTIALS),
        _ => is_env_file(name).then_some("a file of environment variables"),
    }
}

/// Returns true for `.env`, `.env.local`, `.envrc`; not for templates such as `.env.example`, nor for `.environment`.
fn is_env_file(name: &str) -> bool {
    const TEMPLATES: &[&str] =
        &["example", "sample", "template", "tpl", "dist", "default", "defaults", "schema", "ts", "md"];
    let name = name.to_ascii_lowercase();
    let Some(rest) = name.strip_prefix(".env") else { return false };
    let is_template = rest.split(['.', '-', '_']).any(|part| TEMPLATES.contains(&part));
    (rest.is_empty() || rest == "rc" || rest.starts_with(['.', '-', '_'])) && !is_template
}

/// Returns the reason why a variable should not be public, as the end of a sentence. Its name decides, or its value.
pub fn in_variable(key: &str, value: &str) -> Option<&'static str> {
    if is_secret_name(key) && !is_harmless(key, value) {
        return Some("has the name of a secret");
    }
    if has_password(value) {
        return Some("holds an address with a password");
    }
    (!in_text(value.as_bytes()).is_empty()).then_some("holds what looks like a token")
}

/// Returns true if the last word of a name is that of a secret. `MAX_TOKENS` and `TOKENIZER` end otherwise, and some keys are
/// public by their name, or mark a place in a text or a table.
fn is_secret_name(key: &str) -> bool {
    const ENDS: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE"];
    const JOINED: &[&str] = &[
        "APIKEY",
        "ACCESSKEY",
        "SECRETKEY",
        "PRIVATEKEY",
        "AUTHTOKEN",
        "ACCESSTOKEN",
        "DBPASSWORD",
        "PGPASSWORD",
    ];
    /// Words of names whose values a build writes into the page, which everybody can read.
    const BUNDLED: &[&str] = &["PUBLIC", "PUBLISHABLE", "ANON", "VITE"];
    /// Words right before the end of a name that is no secret's.
    const OPEN: &[&str] = &[
        "SITE",
        "PRIMARY",
        "FOREIGN",
        "SORT",
        "PARTITION",
        "CACHE",
        "PAD",
        "EOS",
        "BOS",
        "UNK",
        "CLS",
        "SEP",
        "MASK",
        "STOP",
        "SPECIAL",
        "IMAGE",
    ];
    let upper = key.to_ascii_uppercase();
    let words: Vec<&str> = upper.split('_').filter(|word| !word.is_empty()).collect();
    let Some((last, before)) = words.split_last() else { return false };
    let is_secret = ENDS.contains(last) || JOINED.contains(last);
    let is_open = before.last().is_some_and(|word| OPEN.contains(word))
        || before.iter().any(|word| BUNDLED.contains(word))
        || before.starts_with(&["REACT", "APP"]);
    is_secret && !(is_key_or_token(last) && is_open)
}

/// A password is never meant for others; a key or a token may be.
fn is_key_or_token(last: &str) -> bool {
    last.ends_with("KEY") || last.ends_with("TOKEN")
}

/// Returns true for a switch, a small number or no value, as in `USE_TOKEN=true`.
fn is_harmless(key: &str, value: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "none", "null", "auto"];
    let is_markup =
        value.starts_with('<') && value.ends_with('>') || value.starts_with('[') && value.ends_with(']');
    // As in `LABEL_KEY=label`.
    let is_word = key.split('_').any(|word| word.eq_ignore_ascii_case(value));
    let is_path = value.rsplit_once('/').is_some_and(|(_, name)| name.contains('.'))
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte))
        && value.len() <= 60
        && !has_random_run(value.as_bytes());
    value.is_empty()
        || WORDS.iter().any(|word| value.eq_ignore_ascii_case(word))
        || (value.len() <= 3 && value.bytes().all(|byte| byte.is_ascii_digit()))
        || is_key_or_token(&key.to_ascii_uppercase()) && (is_markup || is_word || is_path)
}

/// Returns true for `postgres://user:password@host/db`.
fn has_password(value: &str) -> bool {
    let Ok(url) = value.parse::<url::Url>() else { return false };
    url.has_host() && url.password().is_some_and(|password| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Put together here, so that no scanner takes this file for a leak.
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
    fn a_key_behind_an_example_without_one_is_found() {
        let example = format!("{}\n...\n-----END PRIVATE KEY-----\n", key("", ""));
        let real = key("RSA ", &format!("\n{}\n", token("", 64)));
        assert_eq!(kinds(&format!("{example}{real}")), [(4, "a private key")]);
        assert_eq!(kinds(&example), []);
    }

    #[test]
    fn names_of_keys_in_code_are_no_keys() {
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
    fn the_word_before_the_end_of_a_name_decides() {
        for (key, value) in [
            ("IMAGE_API_KEY", "9f8e7d6c5b4a39281706"),
            ("SITE_PASSWORD", "hunter2"),
            ("RECAPTCHA_SITE_SECRET", "6Lx0"),
            ("CACHE_REDIS_PASSWORD", "redis"),
            ("LABEL_KEY", "a1b2c3d4"),
        ] {
            assert!(in_variable(key, value).is_some(), "{key}");
        }
        for (key, value) in [
            ("RECAPTCHA_SITE_KEY", "6Lx0"),
            ("NEXT_PUBLIC_MAPS_API_KEY", "6Lx0"),
            ("VITE_FIREBASE_API_KEY", "6Lx0"),
            ("REACT_APP_MAPS_KEY", "6Lx0"),
            ("END_TOKEN", "</s>"),
            ("START_TOKEN", "[BOS]"),
            ("TEXT_KEY", "text"),
            ("S3_KEY", "models/x.bin"),
        ] {
            assert_eq!(in_variable(key, value), None, "{key}");
        }
    }

    #[test]
    fn templates_of_environment_files_pass() {
        for name in [".env.dist", ".env.EXAMPLE", ".env.tpl", ".env.schema", ".env.defaults", ".env.d.ts"] {
            assert_eq!(in_file_name(name), None, "{name}");
        }
        for name in [".env", ".ENV", ".env.local", ".env.production", ".envrc"] {
            assert!(in_file_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_token_behind_an_escape_is_found() {
        for before in ["\"a\\n", "\\t", "key%3D"] {
            assert_eq!(kinds(&format!("{before}{}", token("hf_", 34))).len(), 1, "{before}");
        }
        assert_eq!(kinds(&format!("than{}", token("hf_", 34))), []);
    }

    #[test]
    fn credentials_are_known_by_the_name_of_their_file() {
        for path in
            ["application_default_credentials.json", "app/.streamlit/secrets.toml", "a/.env", "id_rsa"]
        {
            assert!(in_file_name(path).is_some(), "{path}");
        }
        for path in ["secrets.toml", ".streamlit/config.toml", ".env.example", "id_rsa.pub"] {
            assert_eq!(in_file_name(path), None, "{path}");
        }
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

    #[test]
    fn files_that_hold_secrets_by_their_names() {
        for path in [
            ".env",
            "a/.env",
            ".env.local",
            ".env.production",
            ".env-prod",
            ".envrc",
            "id_rsa",
            "keys/id_ed25519",
            "gha-creds-0123456789abcdef.json",
            ".netrc",
            ".git-credentials",
        ] {
            assert!(in_file_name(path).is_some(), "{path}");
        }
        for path in [
            ".env.example",
            ".env.sample",
            ".env.template",
            ".env.local.example",
            ".environment",
            ".env/bin/python",
            "env",
            "id_rsa.pub",
            "gha-creds.json",
            "app.env.py",
            "environment.yml",
        ] {
            assert_eq!(in_file_name(path), None, "{path}");
        }
    }

    #[test]
    fn variables_that_should_be_secrets() {
        for (key, value) in [
            ("OPENAI_API_KEY", "sk-proj-1"),
            ("api_key", "abc"),
            ("KEY", "abc"),
            ("APIKEY", "abc"),
            ("HF_TOKEN", "anything"),
            ("CLIENT_SECRET", "x"),
            ("DB_PASSWORD", "1234"),
            ("PGPASSWORD", "hunter2"),
            ("DATABASE_URL", "postgres://ada:hunter2@db.example/app"),
        ] {
            assert!(in_variable(key, value).is_some(), "{key}");
        }
        assert!(in_variable("PLAIN", &token("hf_", 34)).is_some());
        for (key, value) in [
            ("TOKENIZER", "bert"),
            ("MAX_TOKENS", "4096"),
            ("MAX_NEW_TOKENS", "512"),
            ("PUBLIC_KEY", "abc"),
            ("NEXT_PUBLIC_API_KEY", "abc"),
            ("STRIPE_PUBLISHABLE_KEY", "pk_live_1"),
            ("EOS_TOKEN", "</s>"),
            ("PRIMARY_KEY", "id"),
            ("MONKEY", "yes please"),
            ("KEYBOARD", "de"),
            ("USE_TOKEN", "true"),
            ("REQUIRE_PASSWORD", "False"),
            ("NUM_KEY", "10"),
            ("API_KEY", ""),
            ("SECRET_NAME", "my-secret"),
            ("URL", "https://example.com/a:b@c"),
            ("URL", "https://ada@example.com/"),
        ] {
            assert_eq!(in_variable(key, value), None, "{key}");
        }
    }

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_panics(text: Vec<u8>, key in "\\PC{0,12}", value in "\\PC{0,20}") {
            in_text(&text);
            in_file_name(&value);
            in_variable(&key, &value);
        }
    }
}
