//! Invariants of each outgoing request, for any request of a caller.
//!
//! They are written anew, without the rules of the crate.

use std::net::IpAddr;
use std::sync::LazyLock;

use hf_proxy::config::{Config, PassAuthorization};
use hf_proxy::internals::{Credential, RequestSettings, outgoing_head, validate};
use http::{HeaderValue, Method, Uri, Version, request};

use super::heads::{Text, entries, holds, values};

const TOKEN: &str = "hf_T0pS3cretT0kenOfThisTest";
const KEY: &str = "key-of-this-proxy-0123456789";
const TARGET: &str = "ada-demo.hf.space";
const VIA: &str = "1.1 hf-proxy-0badcafe";
const ID: &str = "0123456789abcdef";

/// Headers that never reach the app: they end with this hop, carry a credential, or could deceive the app.
const GONE: &[&str] = &[
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "http2-settings",
    "expect",
    "proxy",
    "forwarded",
    "x-proxy-key",
    "x-real-ip",
    "x-http-method-override",
    "x-gradio-server",
    "x-direct-url",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-proxied-host",
];
/// Headers that the proxy sets itself.
const OURS: &[&str] = &[
    "host",
    "authorization",
    "x-hf-authorization",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
    "via",
    "accept-encoding",
    "transfer-encoding",
    "connection",
    "upgrade",
    "te",
];

static CONFIGS: LazyLock<Vec<Config>> = LazyLock::new(|| {
    let read = |number: usize| {
        Config::read(|name| {
            let value = match name {
                "TARGET_URL" => "https://ada-demo.hf.space",
                "TARGET_TOKEN" => TOKEN,
                "PROXY_API_KEY" => KEY,
                "SPACE_HOST" if number & 1 == 1 => "me.hf.space",
                "ALLOW_ORIGINS" if number & 2 == 2 => "https://page.example",
                _ => return None,
            };
            Some(value.to_owned())
        })
    };
    (0..4).map(|number| read(number).unwrap()).collect()
});

/// Runs one input through the rules. Panics when an invariant is broken.
pub(crate) fn check(data: &[u8]) {
    let text = Text::read(data);
    let [method, target, version] = text.start[..] else { return };
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method), Uri::try_from(target)) else { return };
    let (mut caller, ()) = http::Request::new(()).into_parts();
    (caller.method, caller.uri) = (method, uri);
    caller.version = if version == b"HTTP/1.0" { Version::HTTP_10 } else { Version::HTTP_11 };
    caller.headers = text.headers.clone();

    let config = &CONFIGS[(text.flags & 3) as usize];
    let peer: IpAddr = if text.on(2) { [10, 0, 0, 1] } else { [203, 0, 113, 9] }.into();
    let request = match validate(&caller, config, peer) {
        Ok(request) => request,
        Err(refusal) => return assert!((400..=505).contains(&refusal.status), "{refusal:?}"),
    };
    is_valid(&caller);
    let token = config.token.bearer().unwrap();
    let chunked = caller.headers.contains_key("transfer-encoding");
    let settings = RequestSettings {
        target: &config.target,
        credential: Credential { hf_header: text.on(3), value: &token },
        pass_authorization: match text.flags >> 4 & 3 {
            0 => PassAuthorization::Always,
            1 => PassAuthorization::Never,
            _ => PassAuthorization::Auto,
        },
        api_key: config.api_key.as_ref().filter(|_| text.on(6)),
        visitor_quota: text.on(7),
        caller: config.cors.caller(&caller.headers, request.scheme, &request.public.host),
        one_host: text.on(9),
        via: &HeaderValue::from_static(VIA),
        request_id: &HeaderValue::from_static(ID),
        identity: text.on(8),
        chunked,
    };
    match outgoing_head(&caller, &request, &settings) {
        Ok(made) => {
            let passed = values(&caller.headers, "via").iter().any(|value| holds(value, VIA));
            let dropped = entries(&caller.headers, "connection").iter().any(|entry| entry == "via");
            assert!(!passed || dropped, "a loop");
            target_is_ours(&caller, &made);
            only_our_credentials(&made, &settings);
            nothing_of_the_hop(&caller, &made, request.tunnel, settings.visitor_quota);
            one_length(&caller, &made);
            our_word(&made, request.client_ip, settings.one_host);
        }
        Err(refusal) => assert!((400..=508).contains(&refusal.status), "{refusal:?}"),
    }
}

/// RFC 9112, sections 3.2 and 6.3.
fn is_valid(caller: &request::Parts) {
    assert!(!matches!(caller.method, Method::CONNECT | Method::TRACE));
    let hosts = values(&caller.headers, "host");
    assert!(hosts.len() == 1 || (hosts.is_empty() && caller.version == Version::HTTP_10), "{hosts:?}");
    let form_fits = match caller.uri.scheme_str() {
        Some(scheme) => ["http", "https"].contains(&scheme),
        None => caller.uri.authority().is_none(),
    };
    assert!(form_fits, "{:?}", caller.uri);
    if let (Some(authority), Some(host)) = (caller.uri.authority(), hosts.first()) {
        assert!(authority.as_str().as_bytes().eq_ignore_ascii_case(host), "{authority} {host:?}");
    }
    let (lengths, codings) =
        (values(&caller.headers, "content-length"), values(&caller.headers, "transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "{lengths:?} {codings:?}");
    assert!(lengths.iter().all(|length| !length.is_empty() && length.iter().all(u8::is_ascii_digit)));
    assert!(codings.iter().all(|coding| coding.eq_ignore_ascii_case(b"chunked")));
}

/// Method, path and query come from the caller, and the authority does not.
fn target_is_ours(caller: &request::Parts, made: &request::Parts) {
    assert_eq!((&made.method, made.version), (&caller.method, Version::HTTP_11));
    assert!(made.uri.authority().is_none() && made.uri.scheme().is_none(), "{:?}", made.uri);
    assert!(made.uri.path().starts_with('/'), "{:?}", made.uri);
    assert_eq!(made.uri.path(), if caller.uri.path().is_empty() { "/" } else { caller.uri.path() });
    let names = |uri: &Uri| -> Vec<String> {
        let pairs = uri.query().unwrap_or_default().split('&');
        pairs.map(|pair| decoded(pair.split('=').next().unwrap_or_default())).collect()
    };
    assert!(!names(&made.uri).iter().any(|name| name == "__sign"), "{:?}", made.uri);
    let (all, kept) = (caller.uri.query().unwrap_or_default(), made.uri.query().unwrap_or_default());
    if !names(&caller.uri).iter().any(|name| name == "__sign") {
        assert_eq!(all, kept);
    }
    assert_eq!(values(&made.headers, "host"), [TARGET.as_bytes()]);
}

/// RFC 3986, section 2.1.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => out.extend([&[byte], &part.as_bytes()[2..]].concat()),
            None => out.extend([b"%", part.as_bytes()].concat()),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The token is in the chosen header only, and no token or key of the caller goes on.
fn only_our_credentials(made: &request::Parts, settings: &RequestSettings<'_>) {
    let (ours, other) = if settings.credential.hf_header {
        ("x-hf-authorization", "authorization")
    } else {
        ("authorization", "x-hf-authorization")
    };
    assert_eq!(values(&made.headers, ours), [format!("Bearer {TOKEN}").as_bytes()]);
    for (name, value) in &made.headers {
        assert!(name == ours || !holds(value.as_bytes(), TOKEN), "the token in {name}");
        assert!(!holds(name.as_str().as_bytes(), TOKEN));
    }
    let passed = values(&made.headers, other);
    if other == "x-hf-authorization" || matches!(settings.pass_authorization, PassAuthorization::Never) {
        assert!(passed.is_empty(), "{passed:?}");
    }
    for value in passed {
        let text = String::from_utf8_lossy(value);
        let (scheme, rest) = text.trim().split_once(' ').unwrap_or(("", text.trim()));
        if matches!(settings.pass_authorization, PassAuthorization::Auto) {
            assert!(!rest.trim().starts_with("hf_"), "{text}");
            let is_base64 = rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/= ".contains(&b));
            if scheme.eq_ignore_ascii_case("basic") && is_base64 {
                let halves = String::from_utf8_lossy(&base64(rest.trim())).into_owned();
                assert!(!halves.splitn(2, ':').any(|half| half.starts_with("hf_")), "{text}");
            }
        }
        if settings.api_key.is_some() && scheme.eq_ignore_ascii_case("bearer") {
            assert_ne!(rest.trim(), KEY);
        }
    }
    for value in values(&made.headers, "cookie") {
        let text = String::from_utf8_lossy(value);
        assert!(
            !text.split(';').any(|pair| pair.split('=').next().unwrap_or_default().trim() == "spaces-jwt"),
            "{text}"
        );
    }
}

/// RFC 9110, section 7.6.1.
fn nothing_of_the_hop(caller: &request::Parts, made: &request::Parts, tunnel: bool, quota: bool) {
    for name in GONE {
        assert!(!made.headers.contains_key(*name), "{name}");
    }
    for name in entries(&caller.headers, "connection") {
        // The proxy decides about headers that frame or address the message.
        if !OURS.contains(&name.as_str()) && !["close", "content-length"].contains(&name.as_str()) {
            assert!(!made.headers.contains_key(name.as_str()), "{name} was for this hop only");
        }
    }
    for name in made.headers.keys().map(http::HeaderName::as_str) {
        if name.contains('_') {
            let twin = name.replace('_', "-");
            let decided = GONE.contains(&&*twin) || OURS.contains(&&*twin) || twin == "content-length";
            assert!(!decided && !caller.headers.contains_key(twin.as_str()), "{name}");
        }
        assert!(!name.starts_with("x-forwarded-") || OURS.contains(&name), "{name}");
        assert!(!name.starts_with("sec-websocket-") || tunnel, "{name}");
        assert!(quota || (name != "x-ip-token" && !name.starts_with("x-zerogpu-")), "{name}");
    }
    let connection = values(&made.headers, "connection");
    if tunnel {
        assert_eq!(connection, [b"upgrade"]);
        assert_eq!(values(&made.headers, "upgrade"), [b"websocket"]);
        assert_eq!(caller.method, Method::GET);
    } else {
        assert!(connection.is_empty() || connection == [b"te"], "{connection:?}");
        assert!(!made.headers.contains_key("upgrade"));
    }
    for name in entries(&made.headers, "trailer") {
        let caller_s = entries(&caller.headers, "connection").contains(&name);
        assert!(!GONE.contains(&name.as_str()) && !OURS.contains(&name.as_str()) && !caller_s, "{name}");
        assert!(!name.contains('_') && caller.headers.contains_key("transfer-encoding"), "{name}");
    }
    let te = values(&made.headers, "te");
    assert!(te.is_empty() || te == [b"trailers"], "{te:?}");
}

/// The length is the caller's, even if `Connection` nominates it.
fn one_length(caller: &request::Parts, made: &request::Parts) {
    assert_eq!(values(&made.headers, "content-length"), values(&caller.headers, "content-length"));
    let codings = values(&made.headers, "transfer-encoding");
    let chunked = caller.headers.contains_key("transfer-encoding");
    assert_eq!(codings, if chunked { vec![&b"chunked"[..]] } else { vec![] });
}

fn our_word(made: &request::Parts, client: IpAddr, one_host: bool) {
    assert_eq!(values(&made.headers, "x-forwarded-for"), [client.to_string().as_bytes()]);
    assert_eq!(values(&made.headers, "x-request-id"), [ID.as_bytes()]);
    assert_eq!(values(&made.headers, "via").last(), Some(&VIA.as_bytes()));
    assert_eq!(values(&made.headers, "x-forwarded-proto").len(), 1);
    assert!(values(&made.headers, "x-forwarded-host").len() <= usize::from(!one_host));
    for value in values(&made.headers, "origin").into_iter().chain(values(&made.headers, "referer")) {
        assert!(!value.contains(&b'\n') && !value.contains(&b'\r'));
    }
}

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<usize> = text.bytes().filter_map(|b| DIGITS.iter().position(|d| *d == b)).collect();
    let bits: Vec<u8> = digits.iter().flat_map(|d| (0..6).rev().map(move |at| (d >> at & 1) as u8)).collect();
    bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect()
}
