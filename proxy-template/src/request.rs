//! From the head of a caller's request to the head of the upstream's, or to a refusal. Pure.

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, MAX_FORWARDS, ORIGIN,
    REFERER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, request};

use crate::config::{Config, PassAuthorization, PublicHost};
use crate::cors::Caller;
use crate::credentials::{bearer, carries_hub_token, is_signed, without_sign, without_space_cookie};
use crate::headers::{Rule, announced, rule, shadows};
use crate::refusal::{self, Refusal};
use crate::secret::Secret;
use crate::target::{Target, host_of, is_loopback_host};

/// Names and values of a request together. Browsers stay below 16 KiB, servers behind the edge take 64.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;
/// A path with its query. uvicorn takes 64 KiB, proxies commonly 8 to 16.
pub const MAX_TARGET_BYTES: usize = 16 * 1024;

/// The header in which Spaces take a token without showing it to the app.
pub static X_HF_AUTHORIZATION: HeaderName = HeaderName::from_static("x-hf-authorization");
/// The header of a caller's key.
pub static X_PROXY_KEY: HeaderName = HeaderName::from_static("x-proxy-key");
/// The id by which one request is found in logs.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static HTTP: HeaderValue = HeaderValue::from_static("http");
static HTTPS: HeaderValue = HeaderValue::from_static("https");
static IDENTITY: HeaderValue = HeaderValue::from_static("identity");
static TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
static CONNECTION_TE: HeaderValue = HeaderValue::from_static("te");
static CONNECTION_UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
static WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
static CHUNKED: HeaderValue = HeaderValue::from_static("chunked");

/// The header that carries the token, and `Bearer <token>`.
#[derive(Debug, Clone, Copy)]
pub struct Credential<'a> {
    /// `X-HF-Authorization` rather than `Authorization`.
    pub hf_header: bool,
    /// The value, marked as sensitive.
    pub value: &'a HeaderValue,
}

/// What a request is, once its head was found sound.
#[derive(Debug)]
pub struct Sound<'a> {
    /// The name by which this proxy was reached.
    pub public: Cow<'a, PublicHost>,
    /// `http` or `https`, as the caller sees it.
    pub scheme: &'static str,
    /// Whether it is a WebSocket handshake.
    pub tunnel: bool,
    /// Whether the caller takes trailers.
    pub trailers: bool,
    /// Whose request it is.
    pub client_ip: IpAddr,
}

/// What the upstream's request needs beside the caller's.
#[derive(Debug)]
pub struct Passage<'a> {
    /// Where it goes.
    pub target: &'a Target,
    /// What opens the target.
    pub credential: Credential<'a>,
    /// What becomes of the caller's own `Authorization`.
    pub pass_authorization: PassAuthorization,
    /// The key of this proxy, which is nothing for the app.
    pub api_key: Option<&'a Secret>,
    /// Whether the visitor's quota is spent.
    pub visitor_quota: bool,
    /// What the request's `Origin` is.
    pub caller: Caller,
    /// True when the app sees its own host only, without `X-Forwarded-Host`.
    pub one_host: bool,
    /// This proxy's entry in `Via`.
    pub via: &'a HeaderValue,
    /// The id of the request.
    pub request_id: &'a HeaderValue,
    /// Whether the answer is to come unpacked, since it is rewritten.
    pub identity: bool,
    /// Whether the body's length is known to be missing, so that it goes in chunks.
    pub chunked: bool,
}

/// Judges a request's head. The parser has refused bare CR, NUL, obs-fold and broken lengths before.
pub fn check<'a>(parts: &request::Parts, config: &'a Config, peer: IpAddr) -> Result<Sound<'a>, Refusal> {
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
    Ok(Sound {
        scheme: scheme(&public, &parts.headers, trusted),
        public,
        tunnel,
        trailers: takes_trailers(&parts.headers),
        client_ip: client_ip(&parts.headers, peer, trusted),
    })
}

/// The one `Host`. HTTP/1.1 without exactly one is refused, and so is an absolute target that names another authority
/// (RFC 9112, sections 3.2 and 3.2.2). Only HTTP/1.0 may come without; then it is empty.
pub fn host(parts: &request::Parts) -> Result<&str, Refusal> {
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

/// Whether the target is a path of printable ASCII, alone or behind the address of an `http` or `https` server: neither
/// `*`, nor an address without a scheme, nor anything that a later server could read in two ways (RFC 9112, section 3.2).
/// The parser has cut off a fragment, which no request can have.
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

/// A request has one length: exactly one `Transfer-Encoding: chunked`, or exactly one plain `Content-Length`
/// (RFC 9112, section 6.3; RFC 9110, section 8.6). Equal lengths are one by the time they come here, and one beside
/// `chunked` is gone, since the parser mends both and ends the connection after the latter; that there is one length does
/// not hang on that. An expectation other than `100-continue` cannot be met (RFC 9110, section 10.1.1).
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

/// What the headers take on the wire.
pub fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// Whether this is a WebSocket handshake (RFC 6455, section 4.1). An upgrade with a body is refused, since its end
/// could be read as bytes of the new protocol; upgrades to anything else are ignored (RFC 9110, section 7.8).
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

/// The configured name that was asked for. Another one is not served here (RFC 9110, section 15.5.20).
fn public_host<'a>(host: &str, config: &'a Config) -> Result<Cow<'a, PublicHost>, Refusal> {
    if let Some(known) = config.public_hosts.iter().find(|known| known.host.eq_ignore_ascii_case(host)) {
        return Ok(Cow::Borrowed(known));
    }
    match config.public_hosts.first() {
        // HTTP/1.0 without a Host: there is no other name that could be meant.
        Some(first) if host.is_empty() => Ok(Cow::Borrowed(first)),
        Some(_) => Err(refusal::WRONG_HOST),
        None => {
            let host = host.to_ascii_lowercase();
            let header = HeaderValue::from_str(&host).map_err(|_| refusal::BAD_HOST)?;
            Ok(Cow::Owned(PublicHost { host, header }))
        }
    }
}

/// What the caller's browser shows. Spaces are https only; loopback is not, unless the hop before says so.
fn scheme(public: &PublicHost, headers: &HeaderMap, trusted: bool) -> &'static str {
    let told = || trusted && headers.get(&X_FORWARDED_PROTO).is_some_and(|proto| proto == "https");
    if is_loopback_host(host_of(&public.host)) && !told() { "http" } else { "https" }
}

/// The caller's address: the last entry of `X-Forwarded-For`, which the hop before us wrote; those before it are the
/// caller's own words. A peer outside of private networks is no such hop, and so is the caller itself.
pub fn client_ip(headers: &HeaderMap, peer: IpAddr, trusted: bool) -> IpAddr {
    if !trusted {
        return peer.to_canonical();
    }
    let last = headers.get_all(&X_FORWARDED_FOR).iter().next_back();
    let entry = last.and_then(|value| value.to_str().ok()).and_then(|value| value.rsplit(',').next());
    entry.and_then(|entry| parse_address(entry.trim())).unwrap_or(peer).to_canonical()
}

/// An address, which may have a port behind it.
fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
}

/// Whether an address belongs to the platform's inner network, where the edge is.
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // 100.64.0.0/10 is what clouds number their nodes with (RFC 6598).
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Whether the caller said `TE: trailers` (RFC 9110, section 10.1.4).
fn takes_trailers(headers: &HeaderMap) -> bool {
    headers.contains_key(TE) && lists(headers, &TE, "trailers")
}

/// Makes the upstream's head. The caller's stays as it is, so that a retry can make it again. A loop is refused
/// (RFC 9110, section 7.6.3).
pub fn upstream_head(
    caller: &request::Parts,
    sound: &Sound<'_>,
    passage: &Passage<'_>,
) -> Result<request::Parts, Refusal> {
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = caller.method.clone();
    parts.version = Version::HTTP_11;
    parts.uri = upstream_target(&caller.uri)?;
    parts.headers.reserve(caller.headers.len() + 12);
    let nominated = nominated(&caller.headers);
    for (name, value) in &caller.headers {
        if !nominated.is_empty()
            && nominated.iter().any(|other| other.eq_ignore_ascii_case(name.as_str().as_bytes()))
        {
            continue;
        }
        if shadows(name.as_str(), &caller.headers) {
            continue;
        }
        carry(name, value, sound, passage, &nominated, &mut parts.headers)?;
    }
    if caller.method == Method::OPTIONS
        && let Some(left) = max_forwards(&parts.headers)
    {
        parts.headers.insert(MAX_FORWARDS, HeaderValue::from(left.saturating_sub(1)));
    }
    inject(sound, passage, &mut parts.headers);
    Ok(parts)
}

/// Over how many servers a request may still go (RFC 9110, section 7.6.2). It has no meaning but for OPTIONS, as TRACE is
/// refused; what is no number is passed on as it is.
pub fn max_forwards(headers: &HeaderMap) -> Option<u64> {
    headers.get(MAX_FORWARDS)?.to_str().ok()?.parse().ok()
}

/// What stays, what goes, and what changes: one decision for each header.
fn carry(
    name: &HeaderName,
    value: &HeaderValue,
    sound: &Sound<'_>,
    passage: &Passage<'_>,
    nominated: &[&[u8]],
    out: &mut HeaderMap,
) -> Result<(), Refusal> {
    match rule(name.as_str()) {
        Rule::Drop => return Ok(()),
        Rule::Keep => {}
        Rule::Authorization => {
            if !passes_authorization(value, passage) {
                return Ok(());
            }
        }
        Rule::Cookie => {
            if let Some(value) = without_space_cookie(value) {
                out.append(COOKIE, value);
            }
            return Ok(());
        }
        Rule::Origin => {
            if passage.caller.counts_as_own() {
                out.append(ORIGIN, passage.target.origin_by(sound.scheme).clone());
                return Ok(());
            }
        }
        Rule::Referer => {
            if let Some(value) = map_referer(value, sound, passage.target) {
                out.append(REFERER, value);
                return Ok(());
            }
        }
        Rule::AcceptEncoding => {
            if passage.identity {
                return Ok(());
            }
        }
        Rule::Quota => {
            if !passage.visitor_quota {
                return Ok(());
            }
        }
        Rule::WebSocket => {
            if !sound.tunnel {
                return Ok(());
            }
        }
        Rule::Trailer => {
            if let Some(value) = passage.chunked.then(|| announced(value, nominated)).flatten() {
                out.append(TRAILER, value);
            }
            return Ok(());
        }
        Rule::Via => {
            if memchr::memmem::find(value.as_bytes(), pseudonym(passage.via)).is_some() {
                return Err(refusal::LOOP);
            }
        }
    }
    out.append(name.clone(), value.clone());
    Ok(())
}

/// The name in `1.1 name`.
fn pseudonym(via: &HeaderValue) -> &[u8] {
    via.as_bytes().get(4..).unwrap_or_default()
}

fn inject(sound: &Sound<'_>, passage: &Passage<'_>, out: &mut HeaderMap) {
    out.insert(HOST, passage.target.host_header.clone());
    let credential = passage.credential;
    let carrier = if credential.hf_header { X_HF_AUTHORIZATION.clone() } else { AUTHORIZATION };
    out.insert(carrier, credential.value.clone());
    // Exactly one of each: apps read the first entry, and Gradio's page server the whole value.
    if !passage.one_host && !sound.public.host.is_empty() {
        out.insert(X_FORWARDED_HOST.clone(), sound.public.header.clone());
    }
    out.insert(X_FORWARDED_PROTO.clone(), if sound.scheme == "https" { HTTPS.clone() } else { HTTP.clone() });
    if let Ok(address) = HeaderValue::from_str(&sound.client_ip.to_string()) {
        out.insert(X_FORWARDED_FOR.clone(), address);
    }
    out.insert(X_REQUEST_ID.clone(), passage.request_id.clone());
    out.append(VIA, passage.via.clone());
    if passage.identity {
        out.insert(ACCEPT_ENCODING, IDENTITY.clone());
    }
    if passage.chunked {
        out.insert(TRANSFER_ENCODING, CHUNKED.clone());
    }
    if sound.tunnel {
        out.insert(CONNECTION, CONNECTION_UPGRADE.clone());
        out.insert(UPGRADE, WEBSOCKET.clone());
    } else if sound.trailers {
        out.insert(TE, TRAILERS.clone());
        out.insert(CONNECTION, CONNECTION_TE.clone());
    }
}

/// The names in `Connection`, which end with this hop (RFC 9110, section 7.6.1). All its lines count, and a byte that
/// is no text spoils its own entry only.
pub fn nominated(headers: &HeaderMap) -> Vec<&[u8]> {
    headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
        // These are no names of headers that could still be here; what frames the body or asks for a protocol is
        // decided by us alone.
        .filter(|name| {
            !["", "close", "keep-alive", "upgrade", "te", "content-length", "host"]
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        })
        .collect()
}

/// Whether a list header holds `token`, compared without case.
pub fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        value.as_bytes().split(|b| *b == b',').any(|entry| {
            // A parameter, such as the weight in `trailers;q=1`, is no part of the token.
            let entry = entry.split(|b| *b == b';').next().unwrap_or_default();
            entry.trim_ascii().eq_ignore_ascii_case(token.as_bytes())
        })
    })
}

/// The one value of a header that may be there once.
fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    fault: Refusal,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(fault),
    }
}

fn passes_authorization(value: &HeaderValue, passage: &Passage<'_>) -> bool {
    if !passage.credential.hf_header {
        return false;
    }
    if passage.api_key.is_some_and(|key| bearer(value).is_some_and(|token| key.matches(token))) {
        return false;
    }
    match passage.pass_authorization {
        PassAuthorization::Always => true,
        PassAuthorization::Never => false,
        PassAuthorization::Auto => !carries_hub_token(value),
    }
}

/// Returns true when the app may compare where a request comes from with where it went, to keep other pages from
/// acting: some compare `Origin` with `Host`, others with `X-Forwarded-Host`. The private host has to stay in `Host`, since the edge
/// finds the Space by it. So a page that counts as the app's own gets the origin of that host, and `X-Forwarded-Host`
/// is left out. Old browsers name the page in `Referer` alone.
pub fn may_be_compared(parts: &request::Parts, sound: &Sound<'_>, caller: Caller) -> bool {
    match caller {
        Caller::Own | Caller::Listed => true,
        Caller::Anyone | Caller::Foreign => false,
        Caller::NoPage => {
            !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS)
                && parts.headers.get(REFERER).is_some_and(|referer| own_path(referer, sound).is_some())
        }
    }
}

/// Returns the rest after our own origin in a `Referer`.
fn own_path<'a>(referer: &'a HeaderValue, sound: &Sound<'_>) -> Option<&'a str> {
    let rest = referer.to_str().ok()?.strip_prefix(sound.scheme)?.strip_prefix("://")?;
    let (host, path) = rest.split_at_checked(sound.public.host.len())?;
    let is_ours = host.eq_ignore_ascii_case(&sound.public.host);
    (is_ours && (path.is_empty() || path.starts_with(['/', '?']))).then_some(path)
}

/// `Referer` with the upstream's origin in place of ours, as frameworks compare it with their host.
fn map_referer(value: &HeaderValue, sound: &Sound<'_>, target: &Target) -> Option<HeaderValue> {
    let path = own_path(value, sound)?;
    let origin = target.origin_by(sound.scheme).to_str().ok()?;
    HeaderValue::from_str(&format!("{origin}{path}")).ok()
}

/// Path and query, byte for byte, but for the parameter `__sign`: that one is a credential.
fn upstream_target(uri: &Uri) -> Result<Uri, Refusal> {
    let query = uri.query().unwrap_or_default();
    let signed = is_signed(query);
    if uri.authority().is_none() && !signed {
        return Ok(uri.clone());
    }
    let path = match uri.path() {
        "" => "/",
        path => path,
    };
    let target = if signed {
        without_sign(path, query)
    } else if uri.query().is_some() {
        format!("{path}?{query}")
    } else {
        path.to_owned()
    };
    let target = PathAndQuery::try_from(target).map_err(|_| refusal::BAD_TARGET)?;
    Ok(Uri::from(target))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
