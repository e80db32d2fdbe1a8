//! The head of the answer to the caller, made from the app's. Pure.

use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, response};

use crate::http::fields::{CONNECTION_UPGRADE, WEBSOCKET, header_bytes, lists, media_type, nominated};
use crate::http::refusal::{self, Refusal};
use crate::http::request_headers::is_from_edge;
use crate::http::response_values::{Addresses, map_cookie, map_location, map_refresh, without_canonical};
use crate::http::secret_scan::SecretScanner;

/// Limit of names and values of an answer together. An app that sends more is broken.
pub(crate) const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Trailers that are announced to the caller when the app announces none, because an HTTP/1.1 sender cannot announce them
/// later, and trailers without an announcement may be dropped (RFC 9110, section 6.5.1).
static COMMON_TRAILERS: HeaderValue = HeaderValue::from_static(
    "content-digest, content-md5, digest, etag, expires, grpc-message, grpc-status, grpc-status-details-bin, \
     repr-digest, server-timing, x-checksum, x-trailer",
);

/// Properties of the request and of this proxy that decide about an answer.
#[derive(Debug)]
pub struct ResponseSettings<'a> {
    /// The method of the request.
    pub method: &'a Method,
    /// The address of the app, and the one in its place.
    pub addresses: Addresses<'a>,
    /// Secrets that must not leave.
    pub secrets: &'a SecretScanner,
    /// True if the caller takes trailers.
    pub trailers: bool,
    /// True if the visitor's own quota tokens may come back.
    pub visitor_quota: bool,
    /// True if addresses in bodies are rewritten.
    pub rewrite: bool,
}

/// Treatment of the body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyPlan {
    /// There is no body, even if `Content-Length` has a number.
    None,
    /// Passed on unchanged.
    Pass,
    /// Passed on with the target's address replaced.
    Rewrite,
}

/// Makes the caller's head from the app's.
pub fn client_head(
    upstream: response::Parts,
    settings: &ResponseSettings<'_>,
) -> Result<(response::Parts, BodyPlan), Refusal> {
    check(&upstream)?;
    // Made anew, so that neither the reason phrase nor an extension passes without a check.
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = upstream.status;
    let chunked = upstream.headers.contains_key(TRANSFER_ENCODING);
    let announces = settings.trailers && chunked;
    parts.headers = clean_headers(upstream.headers, settings, chunked, announces)?;
    if parts.status == StatusCode::NO_CONTENT {
        // This status has no body, and must not claim a length (RFC 9110, section 8.6).
        parts.headers.remove(CONTENT_LENGTH);
    }
    let plan = body_plan(&parts, settings);
    match plan {
        BodyPlan::Rewrite => {
            for name in ["content-md5", "digest", "content-digest", "repr-digest", "accept-ranges"] {
                parts.headers.remove(name);
            }
            parts.headers.remove(CONTENT_LENGTH);
            weaken_etag(&mut parts.headers);
        }
        BodyPlan::Pass if announces && !parts.headers.contains_key(TRAILER) => {
            parts.headers.insert(TRAILER, COMMON_TRAILERS.clone());
        }
        _ => {}
    }
    Ok((parts, plan))
}

/// Makes the head that switches to WebSocket. The app must have switched by itself and to nothing else
/// (RFC 9110, section 15.2.2; RFC 6455, section 4.1).
pub fn switching_head(
    upstream: response::Parts,
    settings: &ResponseSettings<'_>,
) -> Result<response::Parts, Refusal> {
    check(&upstream)?;
    let one = upstream.headers.get_all(UPGRADE).iter().count() == 1;
    let same =
        upstream.headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !one || !same || !lists(&upstream.headers, &CONNECTION, "upgrade") {
        return Err(refusal::UPSTREAM_INVALID);
    }
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::SWITCHING_PROTOCOLS;
    parts.headers = clean_headers(upstream.headers, settings, false, false)?;
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONNECTION, CONNECTION_UPGRADE.clone());
    parts.headers.insert(UPGRADE, WEBSOCKET.clone());
    Ok(parts)
}

/// Removes trailers that must not be there (RFC 9110, section 6.5.1), and those that hold a secret.
pub fn clean_trailers(trailers: HeaderMap, secrets: &SecretScanner, visitor_quota: bool) -> HeaderMap {
    let mut out = HeaderMap::with_capacity(trailers.len());
    let mut last = None;
    for (name, value) in trailers {
        last = name.or(last);
        let Some(name) = &last else { continue };
        let harmless =
            matches!(rule(name.as_str(), visitor_quota), ResponseRule::Keep) && *name != CONTENT_LENGTH;
        if harmless && !secrets.finds_in(value.as_bytes()) && !secrets.finds_in(name.as_str().as_bytes()) {
            out.append(name.clone(), value);
        }
    }
    out
}

/// Refuses an answer that no correct app sends: headers above the limit, two lengths, a body in a coding other than
/// `chunked`, because no other was asked for (RFC 9112, sections 6.1 and 6.3), or a demand for proxy authentication. The
/// parser reads by the last coding alone, so that it would decode only half of `gzip, chunked`.
fn check(upstream: &response::Parts) -> Result<(), Refusal> {
    let mut codings = upstream.headers.get_all(TRANSFER_ENCODING).iter();
    let framed = match codings.next() {
        Some(coding) => coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none(),
        None => {
            let mut lengths = upstream.headers.get_all(CONTENT_LENGTH).iter();
            let plain = lengths.next().is_none_or(|length| length.as_bytes().iter().all(u8::is_ascii_digit));
            plain && lengths.next().is_none()
        }
    };
    let too_large = header_bytes(&upstream.headers) > MAX_HEADER_BYTES;
    if !framed || too_large || upstream.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        return Err(refusal::UPSTREAM_INVALID);
    }
    Ok(())
}

/// Copies each header by the table, and drops those that hold a secret. A length beside a transfer coding is void
/// (RFC 9112, section 6.3).
fn clean_headers(
    headers: HeaderMap,
    settings: &ResponseSettings<'_>,
    chunked: bool,
    announces: bool,
) -> Result<HeaderMap, Refusal> {
    let mut out = HeaderMap::with_capacity(headers.len() + 6);
    let nominated: Vec<Vec<u8>> = nominated(&headers).into_iter().map(<[u8]>::to_vec).collect();
    let mut last = None;
    for (name, value) in headers {
        last = name.or(last);
        let Some(name) = &last else { continue };
        if nominated.iter().any(|other| other.eq_ignore_ascii_case(name.as_str().as_bytes())) {
            continue;
        }
        let value = match rule(name.as_str(), settings.visitor_quota) {
            ResponseRule::Drop => continue,
            ResponseRule::Keep => value,
            ResponseRule::Length if chunked => continue,
            ResponseRule::Length => value,
            ResponseRule::Trailer if !announces => continue,
            ResponseRule::Trailer => value,
            ResponseRule::Link => match without_canonical(&value) {
                Some(value) => value,
                None => continue,
            },
            ResponseRule::Location => map_location(&value, &settings.addresses).unwrap_or(value),
            ResponseRule::Refresh => map_refresh(&value, &settings.addresses).unwrap_or(value),
            ResponseRule::SetCookie => match map_cookie(value, settings.addresses.target) {
                Some(value) => value,
                None => continue,
            },
        };
        if settings.secrets.finds_in(value.as_bytes()) || settings.secrets.finds_in(name.as_str().as_bytes())
        {
            match rule(name.as_str(), true) {
                // Not dropped, because the answer would mean something else without these.
                ResponseRule::Location | ResponseRule::Refresh | ResponseRule::SetCookie => {
                    return Err(refusal::UPSTREAM_LEAK);
                }
                _ => continue,
            }
        }
        out.append(name.clone(), value);
    }
    Ok(out)
}

enum ResponseRule {
    Keep,
    Drop,
    Length,
    Trailer,
    Link,
    Location,
    Refresh,
    SetCookie,
}

/// Returns the treatment of a header of an answer. Headers of one hop end here (RFC 9110, section 7.6.1). Names that only
/// a request has end here too, because Gradio answers a `Range` with a copy of the request's headers, in which the
/// platform names inner addresses. The proxy decides about CORS, so the app's own headers for it are dropped, except for
/// the list of headers that pages may read.
fn rule(name: &str, visitor_quota: bool) -> ResponseRule {
    match name {
        "content-length" => ResponseRule::Length,
        "trailer" => ResponseRule::Trailer,
        "link" => ResponseRule::Link,
        "location" | "content-location" => ResponseRule::Location,
        "refresh" => ResponseRule::Refresh,
        "set-cookie" => ResponseRule::SetCookie,
        "connection" | "keep-alive" | "te" | "transfer-encoding" | "upgrade" | "http2-settings"
        // Only a request has these.
        | "authorization" | "x-hf-authorization" | "x-proxy-key" | "cookie" | "cookie2" | "forwarded" | "host"
        | "user-agent" | "accept" | "accept-encoding" | "accept-language" | "accept-charset" | "range" | "expect"
        | "from" | "max-forwards" | "referer" | "origin" | "dnt" | "upgrade-insecure-requests" | "via"
        | "x-requested-with" | "x-real-ip" | "x-direct-url" | "x-ip-token" | "x-request-id"
        | "sec-websocket-key" | "sec-gpc" => ResponseRule::Drop,
        "access-control-expose-headers" => ResponseRule::Keep,
        _ if name.starts_with("x-zerogpu-") && visitor_quota => ResponseRule::Keep,
        _ if ["proxy-", "access-control-", "x-amzn-", "if-", "sec-fetch-", "sec-ch-", "x-zerogpu-"]
            .iter()
            .any(|prefix| name.starts_with(prefix)) =>
        {
            ResponseRule::Drop
        }
        _ if is_from_edge(name) => ResponseRule::Drop,
        _ => ResponseRule::Keep,
    }
}

/// Returns the treatment of the body. Answers to HEAD, 204 and 304 have none, although `Content-Length` may have the
/// length that it would have (RFC 9110, sections 8.6 and 15.4.5).
fn body_plan(parts: &response::Parts, settings: &ResponseSettings<'_>) -> BodyPlan {
    if *settings.method == Method::HEAD
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        return BodyPlan::None;
    }
    let plain = parts.headers.get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    if settings.rewrite && plain && parts.status != StatusCode::PARTIAL_CONTENT && is_text(&parts.headers) {
        return BodyPlan::Rewrite;
    }
    BodyPlan::Pass
}

/// Returns true for the media types in which apps write absolute addresses of themselves.
fn is_text(headers: &HeaderMap) -> bool {
    let Some(kind) = media_type(headers) else { return false };
    [
        "application/json",
        "text/html",
        "text/event-stream",
        "application/vnd.apple.mpegurl",
        "application/x-mpegurl",
        "text/javascript",
        "application/javascript",
    ]
    .iter()
    .any(|known| kind.eq_ignore_ascii_case(known))
}

/// Makes a strong tag weak, because it does not name the rewritten body (RFC 9110, section 8.8.1).
fn weaken_etag(headers: &mut HeaderMap) {
    if let Some(tag) = headers.get(ETAG)
        && !tag.as_bytes().starts_with(b"W/")
    {
        let weak = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat());
        match weak {
            Ok(weak) => drop(headers.insert(ETAG, weak)),
            Err(_) => drop(headers.remove(ETAG)),
        }
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
