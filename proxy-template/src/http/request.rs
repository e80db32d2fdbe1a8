//! Validation of a request's head. Pure.

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, MAX_FORWARDS, REFERER, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, request};

use crate::config::{Config, PublicHost};
use crate::http::fields::{X_FORWARDED_FOR, X_FORWARDED_PROTO, header_bytes, lists};
use crate::http::refusal::{self, Refusal};
use crate::policy::address::{is_private, parse_address};
use crate::policy::cors::Caller;
use crate::policy::target::{host_of, is_loopback_host};

/// Limit of names and values of a request together. Browsers stay below 16 KiB; servers behind the edge take 64.
pub(crate) const MAX_HEADER_BYTES: usize = 32 * 1024;
/// Limit of a path with its query. uvicorn takes 64 KiB, proxies commonly 8 to 16.
pub(crate) const MAX_TARGET_BYTES: usize = 16 * 1024;

/// Properties of a request whose head is valid.
#[derive(Debug)]
pub struct ValidRequest<'a> {
    /// The name by which the caller reached this proxy.
    pub public: Cow<'a, PublicHost>,
    /// `http` or `https`, as the caller sees it.
    pub scheme: &'static str,
    /// True for a WebSocket handshake.
    pub tunnel: bool,
    /// True if the caller takes trailers.
    pub trailers: bool,
    /// Address of the caller.
    pub client_ip: IpAddr,
}

impl ValidRequest<'_> {
    /// Returns the rest of a `Referer` after the proxy's own origin.
    pub fn own_path<'a>(&self, referer: &'a HeaderValue) -> Option<&'a str> {
        let rest = referer.to_str().ok()?.strip_prefix(self.scheme)?.strip_prefix("://")?;
        let (host, path) = rest.split_at_checked(self.public.host.len())?;
        let is_ours = host.eq_ignore_ascii_case(&self.public.host);
        (is_ours && (path.is_empty() || path.starts_with(['/', '?']))).then_some(path)
    }

    /// Returns true if the app may compare where a request comes from with where it went, to keep other pages from
    /// acting. Some apps compare `Origin` with `Host`, others with `X-Forwarded-Host`. The private host has to stay in
    /// `Host`, because the edge finds the Space by it. So a page that counts as the app's own gets the origin of that
    /// host, and `X-Forwarded-Host` is left out. Old browsers name the page in `Referer` alone.
    pub fn may_be_compared(&self, parts: &request::Parts, caller: Caller) -> bool {
        match caller {
            Caller::Own | Caller::Listed => true,
            Caller::Anyone | Caller::Foreign => false,
            Caller::NoPage => {
                !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS)
                    && parts.headers.get(REFERER).is_some_and(|referer| self.own_path(referer).is_some())
            }
        }
    }
}

/// Validates a request's head. The parser has refused bare CR, NUL, obs-fold and broken lengths before.
pub fn validate<'a>(
    parts: &request::Parts,
    config: &'a Config,
    peer: IpAddr,
) -> Result<ValidRequest<'a>, Refusal> {
    if matches!(parts.method, Method::CONNECT | Method::TRACE) {
        return Err(refusal::METHOD_REFUSED);
    }
    check_sizes(parts)?;
    let host = host(parts)?;
    check_target(&parts.uri)?;
    check_framing(parts)?;
    let tunnel = is_websocket(parts)?;
    let public = public_host(host, config)?;
    let trusted = is_private(peer);
    Ok(ValidRequest {
        scheme: scheme(&public, &parts.headers, trusted),
        public,
        tunnel,
        trailers: takes_trailers(&parts.headers),
        client_ip: client_ip(&parts.headers, peer, trusted),
    })
}

/// Returns the one `Host`. HTTP/1.1 without exactly one is refused, and so is an absolute target that names another
/// authority (RFC 9112, sections 3.2 and 3.2.2). Only HTTP/1.0 may come without; then the host is empty.
pub(crate) fn host(parts: &request::Parts) -> Result<&str, Refusal> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().map_err(|_| refusal::BAD_HOST)?,
        (None, None) if parts.version == Version::HTTP_10 => "",
        _ => return Err(refusal::BAD_HOST),
    };
    let valid = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:[]".contains(&b));
    if !valid || (host.is_empty() && parts.version != Version::HTTP_10) {
        return Err(refusal::BAD_HOST);
    }
    match parts.uri.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => Err(refusal::BAD_TARGET),
        _ => Ok(host),
    }
}

/// Refuses a target other than a path of printable ASCII, alone or behind the address of an `http` or `https` server.
/// `*`, an address without a scheme, and anything that a later server could read in two ways are refused (RFC 9112,
/// section 3.2). The parser has cut off a fragment, which no request can have.
fn check_target(uri: &Uri) -> Result<(), Refusal> {
    let form_fits = match uri.scheme_str() {
        Some(scheme) => matches!(scheme, "http" | "https"),
        None => uri.authority().is_none(),
    };
    let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
    if !form_fits || !target.starts_with('/') || !target.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(refusal::BAD_TARGET);
    }
    Ok(())
}

/// Refuses a request without exactly one length: one `Transfer-Encoding: chunked`, or one plain `Content-Length`
/// (RFC 9112, section 6.3; RFC 9110, section 8.6). The parser merges equal lengths, and drops a length beside `chunked`
/// and ends the connection later; this check does not rely on that. An expectation other than `100-continue` cannot be
/// met (RFC 9110, section 10.1.1).
fn check_framing(parts: &request::Parts) -> Result<(), Refusal> {
    let headers = &parts.headers;
    if let Some(coding) = single(headers, &TRANSFER_ENCODING, refusal::BAD_FRAMING)? {
        let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
        if !chunked || parts.version == Version::HTTP_10 || headers.contains_key(CONTENT_LENGTH) {
            return Err(refusal::BAD_FRAMING);
        }
    }
    if let Some(length) = single(headers, &CONTENT_LENGTH, refusal::BAD_FRAMING)?
        && (length.is_empty() || !length.as_bytes().iter().all(u8::is_ascii_digit))
    {
        return Err(refusal::BAD_FRAMING);
    }
    if let Some(expectation) = single(headers, &EXPECT, refusal::BAD_EXPECTATION)?
        && !expectation.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(refusal::BAD_EXPECTATION);
    }
    Ok(())
}

fn check_sizes(parts: &request::Parts) -> Result<(), Refusal> {
    if parts.uri.path_and_query().map_or(0, |target| target.as_str().len()) > MAX_TARGET_BYTES {
        return Err(refusal::TARGET_TOO_LONG);
    }
    if header_bytes(&parts.headers) > MAX_HEADER_BYTES {
        return Err(refusal::HEADERS_TOO_LARGE);
    }
    Ok(())
}

/// Returns the value of a header that may be there once.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    refusal: Refusal,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(refusal),
    }
}

/// Returns true for a WebSocket handshake (RFC 6455, section 4.1). An upgrade with a body is refused, because the end of
/// the body could be read as bytes of the new protocol. Upgrades to anything else are ignored (RFC 9110, section 7.8).
fn is_websocket(parts: &request::Parts) -> Result<bool, Refusal> {
    let headers = &parts.headers;
    if parts.version != Version::HTTP_11 || !headers.contains_key(UPGRADE) {
        return Ok(false);
    }
    if !lists(headers, &UPGRADE, "websocket") || !lists(headers, &CONNECTION, "upgrade") {
        return Ok(false);
    }
    let body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes().iter().any(|b| *b != b'0'));
    if body || parts.method != Method::GET {
        return Err(refusal::BAD_UPGRADE);
    }
    Ok(true)
}

/// Returns the configured name that was asked for. Any other is refused (RFC 9110, section 15.5.20).
fn public_host<'a>(host: &str, config: &'a Config) -> Result<Cow<'a, PublicHost>, Refusal> {
    if let Some(known) = config.public_hosts.iter().find(|known| known.host.eq_ignore_ascii_case(host)) {
        return Ok(Cow::Borrowed(known));
    }
    match config.public_hosts.first() {
        // HTTP/1.0 without a Host can mean no other name.
        Some(first) if host.is_empty() => Ok(Cow::Borrowed(first)),
        Some(_) => Err(refusal::WRONG_HOST),
        None => {
            let host = host.to_ascii_lowercase();
            let header = HeaderValue::from_str(&host).map_err(|_| refusal::BAD_HOST)?;
            Ok(Cow::Owned(PublicHost { host, header }))
        }
    }
}

/// Returns the scheme that the caller's browser shows. Spaces are https only; loopback is http, unless the hop before
/// says otherwise.
fn scheme(public: &PublicHost, headers: &HeaderMap, trusted: bool) -> &'static str {
    let is_forwarded_https =
        || trusted && headers.get(&X_FORWARDED_PROTO).is_some_and(|proto| proto == "https");
    if is_loopback_host(host_of(&public.host)) && !is_forwarded_https() { "http" } else { "https" }
}

/// Returns the caller's address: the last entry of `X-Forwarded-For`, because the hop before this proxy wrote it. The
/// entries before it are the caller's own. A peer outside of private networks is the caller itself.
fn client_ip(headers: &HeaderMap, peer: IpAddr, trusted: bool) -> IpAddr {
    if !trusted {
        return peer.to_canonical();
    }
    let last = headers.get_all(&X_FORWARDED_FOR).iter().next_back();
    let entry = last.and_then(|value| value.to_str().ok()).and_then(|value| value.rsplit(',').next());
    entry.and_then(|entry| parse_address(entry.trim())).unwrap_or(peer).to_canonical()
}

/// Returns true if the caller sent `TE: trailers` (RFC 9110, section 10.1.4).
fn takes_trailers(headers: &HeaderMap) -> bool {
    headers.contains_key(TE) && lists(headers, &TE, "trailers")
}

/// Returns the number of servers that a request may still pass (RFC 9110, section 7.6.2). It matters for OPTIONS only,
/// because TRACE is refused. A value that is not a number is ignored.
pub(crate) fn max_forwards(headers: &HeaderMap) -> Option<u64> {
    headers.get(MAX_FORWARDS)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
