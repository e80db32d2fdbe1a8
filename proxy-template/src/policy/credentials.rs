//! Credentials in requests and answers, found so that they go no further than they should.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use http::HeaderValue;
use percent_encoding::percent_decode_str;

/// Base64 without padding, which ignores bits after the last byte.
const LENIENT_BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));

/// Returns the token of `Bearer <token>`.
pub(crate) fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| rest.trim_ascii())
}

/// Returns true if a caller's `Authorization` holds a token of Hugging Face: as Bearer token, or as either half of Basic.
/// Clients that are logged in send it to every Space.
pub(crate) fn carries_hub_token(value: &HeaderValue) -> bool {
    let is_token = |text: &[u8]| text.starts_with(b"hf_") || text.starts_with(b"api_org_");
    let bytes = value.as_bytes().trim_ascii();
    let (scheme, rest) =
        bytes.iter().position(|b| *b == b' ').map_or((&b""[..], bytes), |at| bytes.split_at(at));
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"basic") {
        let decoded = decode_base64(rest);
        // Searched in the bare text too, because a caller may have forgotten to encode it.
        return is_token(rest) || decoded.splitn(2, |b| *b == b':').any(is_token);
    }
    is_token(rest)
}

/// Decodes base64 of either alphabet, and skips each byte that is not a digit of it.
fn decode_base64(text: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| match byte {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'+' | b'/' => Some(*byte),
        _ => byte.is_ascii_alphanumeric().then_some(*byte),
    };
    let mut digits: Vec<u8> = text.iter().filter_map(digit).collect();
    if digits.len() % 4 == 1 {
        // Dropped, because six bits are not a byte.
        digits.pop();
    }
    LENIENT_BASE64.decode(digits).unwrap_or_default()
}

/// Returns a `Cookie` without `spaces-jwt`, because that is a credential for a Space and not for the app. `None` means that
/// nothing is left.
pub(crate) fn without_space_cookie(value: &HeaderValue) -> Option<HeaderValue> {
    let bytes = value.as_bytes();
    if memchr::memmem::find(bytes, b"spaces-jwt").is_none() {
        return Some(value.clone());
    }
    let kept: Vec<&[u8]> = bytes
        .split(|b| *b == b';')
        .map(<[u8]>::trim_ascii)
        .filter(|pair| !names_space_cookie(pair.split(|b| *b == b'=').next().unwrap_or_default()))
        .collect();
    if kept.is_empty() {
        return None;
    }
    HeaderValue::from_bytes(&kept.join(&b"; "[..])).ok()
}

/// Returns true for `spaces-jwt`, alone or between bytes that a name cannot have (RFC 6265, section 4.1.1), because some
/// apps trim more than spaces.
fn names_space_cookie(name: &[u8]) -> bool {
    let is_of_name = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    let mut words = name.split(|b| !is_of_name(b)).filter(|word| !word.is_empty());
    words.next() == Some(b"spaces-jwt".as_slice()) && words.next().is_none()
}

/// Returns `path?query` without the parameter `__sign`.
pub(crate) fn without_sign(path: &str, query: &str) -> String {
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_sign(pair)).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

/// Returns true if a query holds the parameter `__sign`.
pub(crate) fn is_signed(query: &str) -> bool {
    (query.contains("sign") || query.contains('%')) && query.split('&').any(is_sign)
}

/// Returns true for a query parameter `__sign`, in any spelling that decodes to it (RFC 3986, section 2.1).
fn is_sign(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default();
    name == "__sign" || (name.contains('%') && percent_decode_str(name).eq(*b"__sign"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        for (text, want) in [
            ("dXNlcjpoZl94", &b"user:hf_x"[..]),
            ("YQ==", b"a"),
            ("YQ", b"a"),
            // Bits after the last byte.
            ("YR==", b"a"),
            // A lone digit at the end, and digits after the padding.
            ("dXNlc", b"use"),
            ("dXNlcg==d", b"user\x07"),
            ("d X=N\nl!cjpoZl94", b"user:hf_x"),
            ("-_-_", b"\xfb\xff\xbf"),
            ("+/+/", b"\xfb\xff\xbf"),
            ("", b""),
        ] {
            assert_eq!(decode_base64(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn tokens_of_the_hub_are_found() {
        for (value, want) in [
            ("Bearer hf_x", true),
            ("bearer   hf_x ", true),
            ("hf_x", true),
            ("Bearer api_org_x", true),
            ("Basic dXNlcjpoZl94", true),
            ("Basic aGZfeDo=", true),
            ("Basic YWRhOnB3", false),
            ("Bearer x.hf_x", false),
            ("", false),
        ] {
            assert_eq!(carries_hub_token(&HeaderValue::from_static(value)), want, "{value}");
        }
    }
}
