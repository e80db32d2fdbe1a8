//! Tokens as users write them, and names in their place.

use hub::{Secret, shorten};

use super::parse::{Parsed, SHOWN, refuse};
use super::place::InputPlace;

/// Usual names of secrets that hold a token. In small letters, they are no tokens either.
const USUAL_NAMES: &[&str] =
    &["hf_token", "hf_read_token", "hf_write_token", "hf_api_token", "huggingface_token", "token"];

/// Returns the name of the variable or secret that a text stands for, as in `HF_TOKEN`, `$HF_TOKEN` or
/// `${{ secrets.HF_TOKEN }}`. The runner puts values in the place of names in the last form only.
pub(crate) fn named_variable(text: &str) -> Option<&str> {
    let bare = text.trim_matches(|c: char| c.is_whitespace() || "${}()%".contains(c));
    let scopes = ["secrets.", "env.", "env:", "vars.", "inputs."];
    let name = scopes.iter().find_map(|scope| bare.strip_prefix(scope)).unwrap_or(bare);
    let is_marked = name.len() < text.trim().len();
    let is_upper = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_usual = USUAL_NAMES.iter().any(|usual| usual.eq_ignore_ascii_case(name));
    (is_usual || is_plain_name(name) && (is_marked || is_upper)).then_some(name)
}

/// Returns true for a name that cannot be a token with a stray character beside it, because the fault repeats the name.
fn is_plain_name(name: &str) -> bool {
    let has = |of_kind: fn(&u8) -> bool| name.as_bytes().iter().any(of_kind);
    let is_word =
        |word: &str| word.len() <= 11 || word.len() <= 20 && !word.bytes().any(|byte| byte.is_ascii_digit());
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !(has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase))
        && name.split('_').all(is_word)
}

/// Parses a token that fits into a header. The refusals never repeat it.
pub(crate) fn token(text: &str, place: InputPlace) -> Parsed<Secret> {
    if let Some(name) = named_variable(text) {
        let advice = match place {
            InputPlace::Workflow => format!(": write `${{{{ secrets.{} }}}}`", name.to_uppercase()),
            InputPlace::CommandLine => String::new(),
        };
        return refuse(format!("holds the text `{}` in place of a token{advice}", shorten(text, SHOWN)));
    }
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        return refuse("has quotation marks around it: paste the token alone");
    }
    if text.chars().any(char::is_whitespace) {
        return refuse("holds more than one word: copy the token again, without a space or a line break");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse("holds a character that no token has: copy the token again");
    }
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_one_word() {
        assert_eq!(token("hf_abc", InputPlace::Workflow).unwrap().expose(), "hf_abc");
        for bad in ["hf_a hf_b", "hf_\nab", "hf_ü", "hf_a\u{7}"] {
            let refusal = token(bad, InputPlace::Workflow).unwrap_err().0;
            assert!(!refusal.contains("hf_"), "{refusal}");
        }
    }

    #[test]
    fn name_in_the_place_of_a_token_is_recognised() {
        for (text, name) in [
            ("HF_TOKEN", "HF_TOKEN"),
            ("hf_token", "HF_TOKEN"),
            ("$HF_TOKEN", "HF_TOKEN"),
            ("${HF_TOKEN}", "HF_TOKEN"),
            ("%HF_TOKEN%", "HF_TOKEN"),
            ("$env:HF_TOKEN", "HF_TOKEN"),
            ("${{ secrets.HF_TOKEN }}", "HF_TOKEN"),
            ("secrets.HF_READ", "HF_READ"),
            ("$my_token", "MY_TOKEN"),
            ("TOKEN", "TOKEN"),
        ] {
            assert_eq!(
                token(text, InputPlace::Workflow).unwrap_err().0,
                format!("holds the text `{text}` in place of a token: write `${{{{ secrets.{name} }}}}`")
            );
        }
        for real in [
            "hf_abc",
            "hf_AbCdEfGhIjKlMnOpQrStUvWxYz",
            "api_org_abc",
            "hf_jwt_eyJh.bGci",
            // A stray character beside a token does not make it a name, which the message would repeat.
            "hf_AbCdEfGhIjKlMnOpQrStUvWxYz}",
            "$hf_AbCdEfGhIjKlMnOpQrStUvWxYz",
            "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
            "A1B2C3D4E5F60718293A4B5C6D7E8F90}",
        ] {
            assert_eq!(token(real, InputPlace::Workflow).unwrap().expose(), real);
        }
    }
}
