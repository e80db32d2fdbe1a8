//! Variables that should be secrets.

use super::tokens::{has_random_run, in_text};

/// Returns the reason why a variable should not be public, as the end of a sentence. The name decides, or the value.
pub fn in_variable(key: &str, value: &str) -> Option<&'static str> {
    if is_secret_name(key) && !is_harmless(key, value) {
        return Some("has the name of a secret");
    }
    if has_password(value) {
        return Some("holds an address with a password");
    }
    (!in_text(value.as_bytes()).is_empty()).then_some("holds what looks like a token")
}

/// Returns true if the last word of a name is that of a secret, unlike `MAX_TOKENS` and `TOKENIZER`. Some keys are public
/// by their name, or mark a position in a text or a table.
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
    /// Words of names whose values a build writes into the public page.
    const BUNDLED: &[&str] = &["PUBLIC", "PUBLISHABLE", "ANON", "VITE"];
    /// Words before the last one in names of values that are not secret.
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

/// Returns true for a key or a token, which may be public. A password never is.
fn is_key_or_token(last: &str) -> bool {
    last.ends_with("KEY") || last.ends_with("TOKEN")
}

/// Returns true for a switch such as `USE_TOKEN=true`, a small number, or no value.
pub fn is_harmless(key: &str, value: &str) -> bool {
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn word_before_the_last_one_makes_a_key_public() {
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
    fn secrets_are_found_by_name_or_value() {
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
        assert!(in_variable("PLAIN", &format!("hf_{}", "q7Zk2VbN9xTfLw4RcYg8HsJd5MpAeU3vKi")).is_some());
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

    proptest! {
        #[test]
        fn password_in_an_address_is_found(key in "[A-Z]{1,12}", user in "[a-z]{1,8}", password in "[a-z0-9]{1,8}") {
            let address = format!("postgres://{user}:{password}@db.example/app");
            prop_assert!(in_variable(&key, &address).is_some());
            let address = format!("postgres://{user}@db.example/app");
            prop_assert!(is_secret_name(&key) || in_variable(&key, &address).is_none());
        }
    }
}
