//! From the head of the upstream's answer to the head of the caller's, or to a refusal. Pure.

use std::borrow::Cow;

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, response};
use memchr::memmem::Finder;

use crate::credentials::{is_signed, without_sign};
use crate::headers::is_from_edge;
use crate::refusal::{self, Refusal};
use crate::request::{header_bytes, lists, nominated};
use crate::target::Target;

/// Names and values of an answer together; above it something is wrong with the app.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Trailers that are named to the caller when the app names none: an HTTP/1.1 sender cannot name them later, and
/// whatever is not named may be dropped (RFC 9110, section 6.5.1).
static COMMON_TRAILERS: HeaderValue = HeaderValue::from_static(
    "content-digest, content-md5, digest, etag, expires, grpc-message, grpc-status, grpc-status-details-bin, \
     repr-digest, server-timing, x-checksum, x-trailer",
);
static CONNECTION_UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
static WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// What is never to leave: the secrets of this proxy, ready to be searched for.
#[derive(Debug)]
pub struct Guarded {
    finders: Vec<Needle>,
}

/// A secret in the form of a search. Its `Debug` shows nothing.
struct Needle(Finder<'static>);

impl Needle {
    /// Most of what is looked through is too short to hold it, and known not to by that alone.
    fn is_in(&self, bytes: &[u8]) -> bool {
        bytes.len() >= self.0.needle().len() && self.0.find(bytes).is_some()
    }
}

impl std::fmt::Debug for Needle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Guarded {
    /// Guards each of `secrets`.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let needle = |secret: &str| Needle(Finder::new(secret.as_bytes()).into_owned());
        Self { finders: secrets.into_iter().map(needle).collect() }
    }

    /// Whether `bytes` hold one of them.
    pub fn holds(&self, bytes: &[u8]) -> bool {
        self.finders.iter().any(|needle| needle.is_in(bytes))
    }
}

/// What the answer needs to know of its request and of this proxy.
#[derive(Debug)]
pub struct Passage<'a> {
    /// The method of the request.
    pub method: &'a Method,
    /// Where the answer comes from.
    pub target: &'a Target,
    /// Scheme of this proxy, as the caller sees it.
    pub public_scheme: &'a str,
    /// Host of this proxy, as the caller sees it.
    pub public_host: &'a str,
    /// What must not leave.
    pub guarded: &'a Guarded,
    /// Whether the caller takes trailers.
    pub trailers: bool,
    /// Whether the visitor's own quota tokens may come back.
    pub visitor_quota: bool,
    /// Whether bodies are rewritten.
    pub rewrite: bool,
}

/// How the body goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyPlan {
    /// There is none, whatever `Content-Length` says of it.
    None,
    /// As it is.
    Pass,
    /// With the upstream's address replaced.
    Rewrite,
}

/// Makes the caller's head from the upstream's.
pub fn client_head(
    upstream: response::Parts,
    passage: &Passage<'_>,
) -> Result<(response::Parts, BodyPlan), Refusal> {
    check(&upstream)?;
    // Made anew, so that neither the reason phrase nor anything else that rides along passes unseen.
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = upstream.status;
    let chunked = upstream.headers.contains_key(TRANSFER_ENCODING);
    let announces = passage.trailers && chunked;
    scrub(upstream.headers, passage, chunked, announces, &mut parts.headers)?;
    if parts.status == StatusCode::NO_CONTENT {
        // It has none by its status, and must not claim one (RFC 9110, section 8.6).
        parts.headers.remove(CONTENT_LENGTH);
    }
    let plan = body_plan(&parts, passage);
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

/// Makes the head that switches to WebSocket. The upstream must have switched by itself and to nothing else
/// (RFC 9110, section 15.2.2; RFC 6455, section 4.1).
pub fn switching_head(upstream: response::Parts, passage: &Passage<'_>) -> Result<response::Parts, Refusal> {
    check(&upstream)?;
    let one = upstream.headers.get_all(UPGRADE).iter().count() == 1;
    let same =
        upstream.headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !one || !same || !lists(&upstream.headers, &CONNECTION, "upgrade") {
        return Err(refusal::UPSTREAM_INVALID);
    }
    let (mut parts, ()) = http::Response::new(()).into_parts();
    parts.status = StatusCode::SWITCHING_PROTOCOLS;
    scrub(upstream.headers, passage, false, false, &mut parts.headers)?;
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.insert(CONNECTION, CONNECTION_UPGRADE.clone());
    parts.headers.insert(UPGRADE, WEBSOCKET.clone());
    Ok(parts)
}

/// Removes from trailers what must not be in them (RFC 9110, section 6.5.1), and what holds a secret.
pub fn clean_trailers(trailers: HeaderMap, guarded: &Guarded, visitor_quota: bool) -> HeaderMap {
    let mut out = HeaderMap::with_capacity(trailers.len());
    let mut last = None;
    for (name, value) in trailers {
        last = name.or(last);
        let Some(name) = &last else { continue };
        let harmless = matches!(rule(name.as_str(), visitor_quota), Rule::Keep) && *name != CONTENT_LENGTH;
        if harmless && !guarded.holds(value.as_bytes()) && !guarded.holds(name.as_str().as_bytes()) {
            out.append(name.clone(), value);
        }
    }
    out
}

/// What no correct app sends: headers without measure, two lengths, a body in a coding other than `chunked`, which was
/// not asked for (RFC 9112, sections 6.1 and 6.3), or a demand that we authenticate to a proxy. The parser reads by the
/// last coding alone, so that `gzip, chunked` would be passed on unpacked by half.
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

/// Carries each header over by the table, and drops what holds a secret. A length beside a transfer coding is void
/// (RFC 9112, section 6.3).
fn scrub(
    headers: HeaderMap,
    passage: &Passage<'_>,
    chunked: bool,
    announces: bool,
    out: &mut HeaderMap,
) -> Result<(), Refusal> {
    out.reserve(headers.len() + 6);
    let nominated: Vec<Vec<u8>> = nominated(&headers).into_iter().map(<[u8]>::to_vec).collect();
    let mut last = None;
    for (name, value) in headers {
        last = name.or(last);
        let Some(name) = &last else { continue };
        if nominated.iter().any(|other| other.eq_ignore_ascii_case(name.as_str().as_bytes())) {
            continue;
        }
        let value = match rule(name.as_str(), passage.visitor_quota) {
            Rule::Drop => continue,
            Rule::Keep => value,
            Rule::Length if chunked => continue,
            Rule::Length => value,
            Rule::Trailer if !announces => continue,
            Rule::Trailer => value,
            Rule::Link => match without_canonical(&value) {
                Some(value) => value,
                None => continue,
            },
            Rule::Location => map_location(&value, passage).unwrap_or(value),
            Rule::Refresh => map_refresh(&value, passage).unwrap_or(value),
            Rule::SetCookie => match map_cookie(value, passage.target) {
                Some(value) => value,
                None => continue,
            },
        };
        if passage.guarded.holds(value.as_bytes()) || passage.guarded.holds(name.as_str().as_bytes()) {
            match rule(name.as_str(), true) {
                // Without these the answer would be another one.
                Rule::Location | Rule::Refresh | Rule::SetCookie => return Err(refusal::UPSTREAM_LEAK),
                _ => continue,
            }
        }
        out.append(name.clone(), value);
    }
    Ok(())
}

enum Rule {
    Keep,
    Drop,
    Length,
    Trailer,
    Link,
    Location,
    Refresh,
    SetCookie,
}

/// The table of response headers. What belongs to one hop ends here (RFC 9110, section 7.6.1). So does every name that
/// only a request has: Gradio answers a `Range` with a copy of all that it was asked with, and what the platform put
/// there names inner addresses. CORS is ours, so the app's word on it is dropped, but for what it wants to be read.
fn rule(name: &str, visitor_quota: bool) -> Rule {
    match name {
        "content-length" => Rule::Length,
        "trailer" => Rule::Trailer,
        "link" => Rule::Link,
        "location" | "content-location" => Rule::Location,
        "refresh" => Rule::Refresh,
        "set-cookie" => Rule::SetCookie,
        "connection" | "keep-alive" | "te" | "transfer-encoding" | "upgrade" | "http2-settings"
        // Only a request has these.
        | "authorization" | "x-hf-authorization" | "x-proxy-key" | "cookie" | "cookie2" | "forwarded" | "host"
        | "user-agent" | "accept" | "accept-encoding" | "accept-language" | "accept-charset" | "range" | "expect"
        | "from" | "max-forwards" | "referer" | "origin" | "dnt" | "upgrade-insecure-requests" | "via"
        | "x-requested-with" | "x-real-ip" | "x-direct-url" | "x-ip-token" | "x-request-id"
        | "sec-websocket-key" | "sec-gpc" => Rule::Drop,
        "access-control-expose-headers" => Rule::Keep,
        _ if name.starts_with("x-zerogpu-") && visitor_quota => Rule::Keep,
        _ if ["proxy-", "access-control-", "x-amzn-", "if-", "sec-fetch-", "sec-ch-", "x-zerogpu-"]
            .iter()
            .any(|prefix| name.starts_with(prefix)) =>
        {
            Rule::Drop
        }
        _ if is_from_edge(name) => Rule::Drop,
        _ => Rule::Keep,
    }
}

/// What becomes of the body. HEAD, 204 and 304 have none, though `Content-Length` may say how long it were
/// (RFC 9110, sections 8.6 and 15.4.5).
fn body_plan(parts: &response::Parts, passage: &Passage<'_>) -> BodyPlan {
    if *passage.method == Method::HEAD
        || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    {
        return BodyPlan::None;
    }
    let plain = parts.headers.get(CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    if passage.rewrite && plain && parts.status != StatusCode::PARTIAL_CONTENT && is_text(&parts.headers) {
        return BodyPlan::Rewrite;
    }
    BodyPlan::Pass
}

/// The types in which apps write absolute addresses of themselves.
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

/// The media type without its parameters.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    Some(value.split(';').next().unwrap_or_default().trim())
}

/// A rewritten body is no longer the one that a strong tag names (RFC 9110, section 8.8.1).
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

/// A value as text. What is not ASCII must not hide the rest, so each of its bytes is a character.
fn as_text(value: &HeaderValue) -> Cow<'_, str> {
    match value.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|b| char::from(*b)).collect()),
    }
}

/// The way back.
fn as_value(text: &str) -> Option<HeaderValue> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

/// `Link` without the entries by which the edge names the private Space. `None` when nothing is left.
fn without_canonical(value: &HeaderValue) -> Option<HeaderValue> {
    let text = as_text(value);
    if !text.contains("canonical") {
        return Some(value.clone());
    }
    let (mut kept, mut from, mut inside) = (vec![], 0, false);
    let ends = text.char_indices().chain([(text.len(), ',')]);
    for (at, c) in ends {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            ',' if !inside || at == text.len() => {
                let entry = text[from..at].trim();
                let names_space = entry.contains("canonical") && entry.contains("/spaces/");
                if !names_space && !entry.is_empty() {
                    kept.push(entry);
                }
                from = (at + 1).min(text.len());
            }
            _ => {}
        }
    }
    if kept.is_empty() { None } else { as_value(&kept.join(", ")) }
}

/// An address of the upstream as one of ours: only when its authority is the upstream's exactly. `None` leaves it.
fn map_location(value: &HeaderValue, passage: &Passage<'_>) -> Option<HeaderValue> {
    as_value(&map_url(&as_text(value), passage)?)
}

/// `Refresh: 5; url=…` with the address mapped.
fn map_refresh(value: &HeaderValue, passage: &Passage<'_>) -> Option<HeaderValue> {
    let text = as_text(value);
    let at = text.to_ascii_lowercase().find("url=")? + 4;
    let (head, url) = text.split_at(at);
    as_value(&format!("{head}{}", map_url(url.trim(), passage)?))
}

fn map_url(url: &str, passage: &Passage<'_>) -> Option<String> {
    let query = url.split('#').next().unwrap_or_default().split_once('?').map_or("", |(_, query)| query);
    // The signed form of an address is a credential for a day.
    let signed = is_signed(query);
    let mapped = match own_path(url, passage.target) {
        Some(path) => format!("{}://{}{path}", passage.public_scheme, passage.public_host),
        None if signed => url.to_owned(),
        None => return None,
    };
    if !signed {
        return Some(mapped);
    }
    let (rest, fragment) = mapped.split_once('#').map_or((mapped.as_str(), None), |(r, f)| (r, Some(f)));
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let clean = without_sign(path, query);
    Some(fragment.map_or(clean.clone(), |fragment| format!("{clean}#{fragment}")))
}

/// What follows the authority, when that is the upstream's.
fn own_path<'a>(url: &'a str, target: &Target) -> Option<&'a str> {
    let lower = url.get(..8).unwrap_or(url).to_ascii_lowercase();
    let (scheme_end, standard) = if lower.starts_with("https://") {
        (8, 443)
    } else if lower.starts_with("http://") {
        (7, 80)
    } else if lower.starts_with("//") {
        (2, target.port)
    } else {
        return None;
    };
    let rest = &url[scheme_end..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest[..end].to_ascii_lowercase();
    let host = crate::target::host_of(&authority);
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(standard);
    // An app behind TLS often writes `http://` with its own host: that is the same place.
    let same_port = port == target.port || (target.tls && port == 80);
    (host == target.host && same_port && !authority.contains('@')).then(|| &rest[end..])
}

/// A cookie of the app, bound to our host. One for the upstream's host or all Spaces would be refused by browsers or,
/// worse, kept for strangers; `spaces-jwt` opens the private Space for a day and never passes.
fn map_cookie(value: HeaderValue, target: &Target) -> Option<HeaderValue> {
    let bytes = value.as_bytes();
    let name = bytes.split(|b| matches!(b, b'=' | b';')).next().unwrap_or_default().trim_ascii();
    if name.eq_ignore_ascii_case(b"spaces-jwt") {
        return None;
    }
    let ours = |attribute: &[u8]| {
        let Some((name, domain)) = attribute.iter().position(|b| *b == b'=').map(|at| attribute.split_at(at))
        else {
            return false;
        };
        let domain =
            String::from_utf8_lossy(&domain[1..]).trim().trim_start_matches('.').to_ascii_lowercase();
        let covers =
            target.host == domain || target.host.ends_with(&format!(".{domain}")) || domain == "hf.space";
        name.trim_ascii().eq_ignore_ascii_case(b"domain") && covers
    };
    if !bytes.split(|b| *b == b';').skip(1).any(ours) {
        return Some(value);
    }
    let kept: Vec<&[u8]> = bytes
        .split(|b| *b == b';')
        .enumerate()
        .filter(|(at, attribute)| *at == 0 || !ours(attribute))
        .map(|(_, attribute)| attribute)
        .collect();
    HeaderValue::from_bytes(&kept.join(&b';')).ok()
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
