//! The table of request headers: those that go on to the app, and those that end here. Pure.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Treatment of a header of a request.
#[derive(Debug)]
pub(crate) enum RequestRule {
    /// It goes on.
    Keep,
    /// It ends here.
    Drop,
    /// It goes on by `PASS_AUTHORIZATION`.
    Authorization,
    /// It goes on without the platform's cookie.
    Cookie,
    /// It is mapped where the page counts as the app's own.
    Origin,
    /// Its origin is mapped where it is the proxy's.
    Referer,
    /// It goes on where the answer is not rewritten.
    AcceptEncoding,
    /// It goes on where the visitor's quota is spent.
    Quota,
    /// It goes on with a handshake.
    WebSocket,
    /// It names trailers that go on.
    Trailer,
    /// It shows a loop.
    Via,
}

/// Defines a list of names, and a function that returns true for a name in it.
macro_rules! names {
    ($(#[$doc:meta])* $list:ident, $is_in:ident: $($name:literal)|+) => {
        $(#[$doc])*
        pub const $list: &[&str] = &[$($name),+];

        fn $is_in(name: &str) -> bool {
            matches!(name, $($name)|+)
        }
    };
}

names! {
    /// Headers of a request that end here. They belong to one hop (RFC 9110, section 7.6.1; `Proxy-Authorization`, section
    /// 11.7.2), carry a credential, or belong to an earlier proxy, because the app would believe a caller who sets them.
    ENDS_HERE, ends_here:
    "connection" | "keep-alive" | "proxy-connection" | "proxy-authorization" | "proxy-authenticate" | "te"
    | "transfer-encoding" | "upgrade" | "http2-settings" | "expect" | "host" | "proxy" | "x-hf-authorization"
    | "x-proxy-key" | "forwarded" | "forwarded-for" | "x-real-ip" | "x-client-ip" | "x-cluster-client-ip"
    | "true-client-ip" | "fastly-client-ip" | "x-request-id" | "x-amzn-trace-id" | "x-direct-url"
    | "x-http-method-override" | "x-http-method" | "x-method-override" | "x-gradio-server" | "x-gradio-original-url"
    | "x-gradio-port" | "x-gradio-mounted-path"
}

names! {
    /// Headers that edges and proxies add to a request. Others that begin so are an app's own.
    EDGES, is_edges:
    "x-original-url" | "x-original-uri" | "x-original-path" | "x-original-host" | "x-original-port" | "x-original-proto"
    | "x-original-method" | "x-original-for" | "x-original-remote-addr" | "x-rewrite-url" | "x-rewrite-uri"
    | "cf-connecting-ip" | "cf-connecting-ipv6" | "cf-connecting-o2o" | "cf-pseudo-ipv4" | "cf-ray" | "cf-visitor"
    | "cf-worker" | "cf-ew-via" | "cf-request-id" | "cf-region" | "cf-region-code" | "cf-timezone" | "cf-postal-code"
    | "cf-metro-code" | "cf-device-type" | "cf-warp-tag-id" | "cf-threat-score" | "cf-verified-bot" | "cf-bot-score"
    | "cf-ja3-hash" | "cf-ja4"
}

/// Prefixes of further headers of that kind.
pub const EDGE_PREFIXES: &[&str] =
    &["x-forwarded-", "x-proxied-", "x-original-forwarded-", "cf-ip", "cf-access-"];

/// Returns true for a header that an edge or a proxy adds to a request.
pub(crate) fn is_from_edge(name: &str) -> bool {
    is_edges(name) || EDGE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns the treatment of a header.
pub(crate) fn rule(name: &str) -> RequestRule {
    match name {
        _ if ends_here(name) => RequestRule::Drop,
        "authorization" => RequestRule::Authorization,
        "cookie" => RequestRule::Cookie,
        "origin" => RequestRule::Origin,
        "referer" => RequestRule::Referer,
        "accept-encoding" => RequestRule::AcceptEncoding,
        "trailer" => RequestRule::Trailer,
        "via" => RequestRule::Via,
        "x-ip-token" => RequestRule::Quota,
        _ if name.starts_with("x-zerogpu-") => RequestRule::Quota,
        _ if name.starts_with("sec-websocket-") => RequestRule::WebSocket,
        _ if is_from_edge(name) => RequestRule::Drop,
        _ => RequestRule::Keep,
    }
}

/// Returns true if a server could read a name with an underscore as another header, because servers for CGI or WSGI treat
/// `x_a` and `x-a` alike. Such a name passes only if the proxy has no rule for the other header, and the request lacks it.
pub(crate) fn shadows(name: &str, headers: &HeaderMap) -> bool {
    if !name.contains('_') {
        return false;
    }
    let twin = name.replace('_', "-");
    !matches!(rule(&twin), RequestRule::Keep)
        || twin == "content-length"
        || headers.contains_key(twin.as_str())
}

/// Returns true if a field may be in the trailers of a request: the table keeps it, and it neither frames the body,
/// modifies the request nor describes the content, which an app must know earlier (RFC 9110, section 6.5.1). Some apps
/// merge trailers into the headers, and would believe a caller's values there.
fn may_trail(name: &str) -> bool {
    let early = match name {
        "cache-control" | "pragma" | "max-forwards" | "range" | "date" | "age" | "expires" | "location"
        | "retry-after" | "vary" | "warning" | "user-agent" | "from" | "prefer" | "priority" => true,
        "content-digest" | "content-md5" => false,
        _ => ["content-", "accept", "if-", "sec-"].iter().any(|prefix| name.starts_with(prefix)),
    };
    // Refused with an underscore, because the proxy does not know which headers it could shadow.
    !early && !name.contains('_') && matches!(rule(name), RequestRule::Keep)
}

/// Returns `Trailer` with the names of the fields that may go on, or `None` if there are none.
pub(crate) fn announced(value: &HeaderValue, nominated: &[&[u8]]) -> Option<HeaderValue> {
    let names = value.as_bytes().split(|b| *b == b',').filter_map(|name| {
        let name = HeaderName::from_bytes(name.trim_ascii()).ok()?;
        let ends_here = nominated.iter().any(|other| other.eq_ignore_ascii_case(name.as_str().as_bytes()));
        (may_trail(name.as_str()) && !ends_here).then_some(name)
    });
    let names: Vec<HeaderName> = names.collect();
    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    if names.is_empty() { None } else { HeaderValue::from_str(&names.join(", ")).ok() }
}

/// Returns the trailers of a request that may go on. Those that `Connection` nominates are not announced in the outgoing
/// head, and hyper does not send trailers without an announcement.
pub(crate) fn clean_trailers(trailers: HeaderMap) -> HeaderMap {
    let mut out = HeaderMap::with_capacity(trailers.len());
    let mut last = None;
    for (name, value) in trailers {
        last = name.or(last);
        if let Some(name) = last.as_ref().filter(|name| may_trail(name.as_str())) {
            out.append(name.clone(), value);
        }
    }
    out
}
