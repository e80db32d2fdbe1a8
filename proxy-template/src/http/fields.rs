//! Names of headers, and readers of header fields that requests and answers have in common.

use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header in which Spaces take a token without showing it to the app.
pub(crate) static X_HF_AUTHORIZATION: HeaderName = HeaderName::from_static("x-hf-authorization");
/// The header of a caller's key.
pub(crate) static X_PROXY_KEY: HeaderName = HeaderName::from_static("x-proxy-key");
/// The id by which one request is found in logs.
pub(crate) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The mark of the app's own answers, set by the edge of Spaces.
pub(crate) static X_PROXIED_HOST: HeaderName = HeaderName::from_static("x-proxied-host");
pub(crate) static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Value of `Connection` in a handshake.
pub(crate) static CONNECTION_UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
/// Value of `Upgrade` in a handshake.
pub(crate) static WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Returns the bytes that the headers take on the wire.
pub(crate) fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Returns the names in `Connection`, which end with this hop (RFC 9110, section 7.6.1). All lines of it count, and a
/// byte that is not text spoils its own entry only.
pub(crate) fn nominated(headers: &HeaderMap) -> Vec<&[u8]> {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        // Skipped, because the proxy alone decides about the framing and the protocol.
        .filter(|name| {
            !["", "close", "keep-alive", "upgrade", "te", "content-length", "host"]
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        })
        .collect()
}

/// Returns true if a list header holds `token`, compared without case.
pub(crate) fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        value.as_bytes().split(|b| *b == b',').any(|entry| {
            // A parameter, such as the weight in `trailers;q=1`, is not part of the token.
            let entry = entry.split(|b| *b == b';').next().unwrap_or_default();
            entry.trim_ascii().eq_ignore_ascii_case(token.as_bytes())
        })
    })
}

/// Returns the media type without its parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}
