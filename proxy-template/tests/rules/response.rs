//! Invariants of each answer to a caller, for any answer of an app.
//!
//! They are written anew, without the rules of the crate.

use std::sync::LazyLock;

use hf_proxy::internals::{
    Addresses, BodyPlan, ResponseSettings, SecretScanner, Target, clean_trailers, client_head, switching_head,
};
use http::{HeaderMap, Method, StatusCode, response};

use super::heads::{Text, entries, holds, values};

const TOKEN: &str = "hf_T0pS3cretT0kenOfThisTest";
const KEY: &str = "key-of-this-proxy-0123456789";
const HOST: &str = "ada-demo.hf.space";

/// Headers that never reach the caller: they end with this hop, copy the request, or are set by the proxy.
const GONE: &[&str] = &[
    "keep-alive",
    "te",
    "transfer-encoding",
    "http2-settings",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "authorization",
    "x-hf-authorization",
    "x-proxy-key",
    "cookie",
    "host",
    "forwarded",
    "range",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-ip-token",
    "x-proxied-host",
    "x-request-id",
    "access-control-allow-origin",
    "access-control-allow-credentials",
];

static TARGET: LazyLock<Target> = LazyLock::new(|| Target::parse("https://ada-demo.hf.space").unwrap());
static SECRETS: LazyLock<SecretScanner> = LazyLock::new(|| SecretScanner::new([TOKEN, KEY]));

/// Runs one input through the rules. Panics when an invariant is broken.
pub(crate) fn check(data: &[u8]) {
    let text = Text::read(data);
    let Some(status) = text.start.get(1).and_then(|status| StatusCode::from_bytes(status).ok()) else {
        return;
    };
    let (mut upstream, ()) = http::Response::new(()).into_parts();
    upstream.status = status;
    upstream.headers = text.headers.clone();
    let method = if text.on(0) { Method::HEAD } else { Method::GET };
    let settings = ResponseSettings {
        method: &method,
        addresses: Addresses { target: &TARGET, public_scheme: "https", public_host: "me.example" },
        secrets: &SECRETS,
        trailers: text.on(1),
        visitor_quota: text.on(2),
        rewrite: text.on(3),
    };
    clean(&clean_trailers(text.headers.clone(), &SECRETS, settings.visitor_quota), &HeaderMap::new());
    trailers(&clean_trailers(text.headers.clone(), &SECRETS, settings.visitor_quota));
    if status == StatusCode::SWITCHING_PROTOCOLS {
        if let Ok(made) = switching_head(upstream, &settings) {
            switched(&made, &text.headers);
        }
        return;
    }
    match client_head(upstream, &settings) {
        Ok((made, plan)) => {
            assert_eq!(made.status, status);
            assert!(!made.headers.contains_key("connection") && !made.headers.contains_key("upgrade"));
            clean(&made.headers, &text.headers);
            framed(&made, plan, &text.headers, &settings);
        }
        Err(refusal) => assert!((500..=599).contains(&refusal.status), "{refusal:?}"),
    }
}

fn clean(made: &HeaderMap, upstream: &HeaderMap) {
    for (name, value) in made {
        assert!(!holds(value.as_bytes(), TOKEN) && !holds(value.as_bytes(), KEY), "a secret in {name}");
        assert!(!value.as_bytes().contains(&b'\n') && !value.as_bytes().contains(&b'\r'));
        // Names are in lower case, so the key is too.
        assert!(!holds(name.as_str().as_bytes(), KEY), "a key as a name");
    }
    for name in GONE {
        assert!(!made.contains_key(*name), "{name}");
    }
    for name in entries(upstream, "connection") {
        let known =
            ["close", "keep-alive", "upgrade", "te", "content-length", "host", "connection", "trailer"];
        if !known.contains(&name.as_str()) {
            assert!(!made.contains_key(name.as_str()), "{name} was for this hop only");
        }
    }
    for value in values(made, "set-cookie") {
        cookie(&String::from_utf8_lossy(value));
    }
    for value in values(made, "location") {
        location(&String::from_utf8_lossy(value));
    }
}

/// `spaces-jwt` opens the Space, and a cookie for its host or a parent would not be bound to the proxy.
fn cookie(text: &str) {
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default().split('=').next().unwrap_or_default();
    assert!(!name.trim().eq_ignore_ascii_case("spaces-jwt"), "{text}");
    for part in parts {
        let Some((name, domain)) = part.split_once('=') else { continue };
        if name.trim().eq_ignore_ascii_case("domain") {
            let domain = domain.trim().trim_start_matches('.').to_ascii_lowercase();
            assert!(!["space", "hf.space", HOST].contains(&domain.as_str()), "{text}");
        }
    }
}

/// No address of the target, and no signed one.
fn location(text: &str) {
    let lower = text.to_ascii_lowercase();
    for start in ["https://", "http://", "//"] {
        let Some(rest) = lower.strip_prefix(start) else { continue };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        assert!(authority != HOST && authority != format!("{HOST}:443"), "{text}");
    }
    let query = text.split('#').next().unwrap_or_default().split_once('?').map_or("", |(_, query)| query);
    assert!(!query.split('&').any(|pair| pair.split('=').next() == Some("__sign")), "{text}");
}

fn framed(made: &response::Parts, plan: BodyPlan, upstream: &HeaderMap, settings: &ResponseSettings<'_>) {
    let lengths = values(&made.headers, "content-length");
    assert!(lengths.len() <= 1, "{lengths:?}");
    assert!(lengths.iter().all(|length| length.iter().all(u8::is_ascii_digit)), "{lengths:?}");
    let chunked = upstream.contains_key("transfer-encoding");
    assert!(!chunked || lengths.is_empty(), "a length beside a coding");
    assert!(made.status != StatusCode::NO_CONTENT || lengths.is_empty());
    let bodiless = *settings.method == Method::HEAD || matches!(made.status.as_u16(), 204 | 304);
    assert_eq!(plan == BodyPlan::None, bodiless);
    if plan == BodyPlan::Rewrite {
        assert!(settings.rewrite && lengths.is_empty() && !made.headers.contains_key("accept-ranges"));
        assert!(values(&made.headers, "etag").iter().take(1).all(|tag| tag.starts_with(b"W/")));
    }
    assert!(!made.headers.contains_key("trailer") || (settings.trailers && chunked));
}

/// RFC 9110, section 6.5.1.
fn trailers(made: &HeaderMap) {
    for name in
        ["content-length", "transfer-encoding", "trailer", "set-cookie", "location", "connection", "upgrade"]
    {
        assert!(!made.contains_key(name), "{name}");
    }
}

fn switched(made: &response::Parts, upstream: &HeaderMap) {
    assert_eq!(made.status, StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(values(&made.headers, "connection"), [b"upgrade"]);
    assert_eq!(values(&made.headers, "upgrade"), [b"websocket"]);
    assert!(values(upstream, "upgrade")[0].eq_ignore_ascii_case(b"websocket"));
    assert!(!made.headers.contains_key("content-length"));
    clean(&made.headers, upstream);
}
