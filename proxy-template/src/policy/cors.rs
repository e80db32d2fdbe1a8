//! The pages that may call, and the headers that say so to browsers (Fetch, section 3.2).

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, response};

use crate::values;

/// Two hours, because Chromium keeps an answer no longer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
const TRUE: HeaderValue = HeaderValue::from_static("true");
const ANY: HeaderValue = HeaderValue::from_static("*");
const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const VARY_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
/// Headers that pages may read beside those that they always may.
const EXPOSED: HeaderValue = HeaderValue::from_static("Content-Disposition, Retry-After, X-Request-Id");

/// The allowed origins, and the treatment of the others.
#[derive(Debug, Clone)]
pub struct CorsPolicy {
    /// True for `*`, which allows every origin except for `null`.
    any: bool,
    /// Exact origins, in lower case.
    listed: Vec<String>,
    /// True if requests of other origins are refused. Otherwise their browsers only refuse to show the answer.
    enforce: bool,
    /// True if browsers may send cookies.
    credentials: bool,
    /// `Access-Control-Allow-Methods`.
    methods: HeaderValue,
}

/// Kind of the page that sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// No page, or a plain GET of the proxy's own page: there is no `Origin`.
    NoPage,
    /// A page of the proxy's own host.
    Own,
    /// A page in the list.
    Listed,
    /// A page that is allowed because every page is.
    Anyone,
    /// Any other page.
    Foreign,
}

impl Caller {
    /// Returns true for a page that may read the answer.
    fn may_read(self) -> bool {
        matches!(self, Self::Own | Self::Listed | Self::Anyone)
    }

    /// Returns true if the owner trusts the page as much as the app's own. A page that only `*` allows does not count, so
    /// that the app sees where it comes from.
    pub fn counts_as_own(self) -> bool {
        matches!(self, Self::Own | Self::Listed)
    }
}

impl CorsPolicy {
    /// Parses the variables. A fault has the name of its variable.
    pub fn parse(
        origins: &str,
        enforce: bool,
        credentials: bool,
        methods: &str,
    ) -> Result<Self, (&'static str, String)> {
        let entries = values::list(origins);
        let any = entries.contains(&"*");
        if entries.is_empty() {
            return Err((
                "ALLOW_ORIGINS",
                "names no origin; set origins such as `https://a.example`, or `*`".into(),
            ));
        }
        if any && entries.len() > 1 {
            return Err((
                "ALLOW_ORIGINS",
                "is `*` with other origins; set `*` alone, or only the others".into(),
            ));
        }
        if any && credentials {
            let fault = "cannot be `true` while `ALLOW_ORIGINS` is `*`, since every page could then act for its \
                         visitors; list the origins";
            return Err(("ALLOW_CREDENTIALS", fault.into()));
        }
        if let Some(wrong) = entries.iter().find(|entry| !is_origin(entry)) {
            let fault =
                format!("must be origins such as `https://a.example`, without a path, or `*`: `{wrong}`");
            return Err(("ALLOW_ORIGINS", fault));
        }
        let methods = HeaderValue::from_str(methods)
            .map_err(|_| ("ALLOW_METHODS", format!("must be names of methods: `{methods}`")))?;
        let listed =
            if any { vec![] } else { entries.iter().map(|entry| entry.to_ascii_lowercase()).collect() };
        Ok(Self { any, listed, enforce, credentials, methods })
    }

    /// Returns the kind of page by `Origin`. A request with two of them is foreign.
    pub fn caller(&self, headers: &HeaderMap, scheme: &str, host: &str) -> Caller {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return Caller::NoPage };
        if origins.next().is_some() {
            return Caller::Foreign;
        }
        let origin = origin.as_bytes();
        let own = origin
            .strip_prefix(scheme.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"://"))
            .is_some_and(|rest| rest.eq_ignore_ascii_case(host.as_bytes()));
        if own { Caller::Own } else { self.other(origin) }
    }

    /// Returns the kind of page before the proxy's own host is known. No page counts as its own then.
    pub fn caller_without_host(&self, headers: &HeaderMap) -> Caller {
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Caller::NoPage,
            (Some(origin), None) => self.other(origin.as_bytes()),
            _ => Caller::Foreign,
        }
    }

    fn other(&self, origin: &[u8]) -> Caller {
        if self.listed.iter().any(|listed| origin.eq_ignore_ascii_case(listed.as_bytes())) {
            Caller::Listed
        } else if self.any && origin != b"null" {
            Caller::Anyone
        } else {
            Caller::Foreign
        }
    }

    /// Returns true if the request is refused for its origin. Only acting requests and WebSockets are, because browsers
    /// prevent the reading of answers but not these. A policy of `*` refuses no page.
    pub fn refuses(&self, caller: Caller, method: &Method, tunnel: bool) -> bool {
        let acts = tunnel || !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        self.enforce && !self.any && caller == Caller::Foreign && acts
    }

    /// Returns true for a preflight (Fetch, section 4.8), which the proxy answers without the app.
    pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
        *method == Method::OPTIONS
            && headers.contains_key(ORIGIN)
            && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// Makes the answer to a preflight. A foreign origin gets one without permissions, which browsers take as a refusal.
    pub fn preflight(&self, caller: Caller, asked: &HeaderMap) -> response::Parts {
        let (mut parts, ()) = http::Response::new(()).into_parts();
        parts.status = StatusCode::NO_CONTENT;
        let headers = &mut parts.headers;
        headers.insert(VARY, VARY_PREFLIGHT);
        if caller.may_read() {
            self.allow(asked.get(ORIGIN), headers);
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            if let Some(names) = wanted_headers(asked) {
                // Named one by one, because `*` covers neither `Authorization` nor requests with credentials.
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
            }
            headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        parts
    }

    /// Adds the headers to any other answer. The app's own headers for CORS must be removed before, except for the list of
    /// headers that pages may read, which stays beside the proxy's.
    pub fn decorate(&self, caller: Caller, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if !names_origin(headers) {
            headers.append(VARY, VARY_ORIGIN);
        }
        if caller.may_read() {
            self.allow(origin, headers);
            headers.append(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        } else {
            headers.remove(ACCESS_CONTROL_EXPOSE_HEADERS);
        }
    }

    fn allow(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let Some(origin) = origin else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, if self.any { ANY } else { origin.clone() });
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
    }
}

/// Returns `Access-Control-Request-Headers` if it is a list of header names.
fn wanted_headers(asked: &HeaderMap) -> Option<HeaderValue> {
    let value = asked.get(ACCESS_CONTROL_REQUEST_HEADERS)?;
    let text = value.to_str().ok()?;
    let valid = text.split(',').all(|name| HeaderName::from_bytes(name.trim().as_bytes()).is_ok());
    valid.then(|| value.clone())
}

/// Returns true if `Vary` already covers `Origin`.
fn names_origin(headers: &HeaderMap) -> bool {
    headers.get_all(VARY).iter().any(|value| {
        value.as_bytes().split(|b| *b == b',').any(|name| {
            let name = name.trim_ascii();
            name == b"*" || name.eq_ignore_ascii_case(b"origin")
        })
    })
}

/// Returns true for scheme, host and port as browsers write them, for `null` and for `*`.
fn is_origin(text: &str) -> bool {
    if matches!(text, "*" | "null") {
        return true;
    }
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let scheme_fits = !scheme.is_empty()
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let host_fits = host.parse::<http::uri::Authority>().is_ok() && !host.contains(['@', '*']);
    scheme_fits && host_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(origins: &str, enforce: bool, credentials: bool) -> CorsPolicy {
        CorsPolicy::parse(origins, enforce, credentials, "GET, POST").unwrap()
    }

    fn asked(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    fn caller(policy: &CorsPolicy, origin: &'static str) -> Caller {
        policy.caller(&asked(&[("origin", origin)]), "https", "me.example")
    }

    #[test]
    fn pages_are_known_by_their_origin() {
        let listed = policy("https://a.example, http://localhost:3000", true, true);
        for (origin, want) in [
            ("https://a.example", Caller::Listed),
            ("http://localhost:3000", Caller::Listed),
            ("http://a.example", Caller::Foreign),
            ("https://a.example:8443", Caller::Foreign),
            ("https://a.example.evil", Caller::Foreign),
            ("https://me.example", Caller::Own),
            ("http://me.example", Caller::Foreign),
            ("null", Caller::Foreign),
        ] {
            assert_eq!(caller(&listed, origin), want, "{origin}");
        }
        let any = policy("*", true, false);
        assert_eq!(caller(&any, "https://x.example"), Caller::Anyone);
        assert_eq!(caller(&any, "https://me.example"), Caller::Own);
        assert_eq!(any.caller_without_host(&asked(&[("origin", "https://me.example")])), Caller::Anyone);
        assert_eq!(listed.caller_without_host(&asked(&[("origin", "https://a.example")])), Caller::Listed);
        assert_eq!(listed.caller_without_host(&HeaderMap::new()), Caller::NoPage);
        assert_eq!(caller(&any, "null"), Caller::Foreign);
        assert_eq!(caller(&policy("null", true, false), "null"), Caller::Listed);
        assert_eq!(any.caller(&HeaderMap::new(), "https", "me.example"), Caller::NoPage);
        let two = asked(&[("origin", "https://me.example"), ("origin", "https://me.example")]);
        let mut doubled = HeaderMap::new();
        for value in two.values() {
            doubled.append(ORIGIN, value.clone());
            doubled.append(ORIGIN, value.clone());
        }
        assert_eq!(any.caller(&doubled, "https", "me.example"), Caller::Foreign);
    }

    #[test]
    fn foreign_pages_may_read_but_not_act() {
        let strict = policy("https://a.example", true, false);
        assert!(strict.refuses(Caller::Foreign, &Method::POST, false));
        assert!(strict.refuses(Caller::Foreign, &Method::GET, true));
        assert!(!strict.refuses(Caller::Foreign, &Method::GET, false));
        assert!(!strict.refuses(Caller::NoPage, &Method::POST, false));
        assert!(!policy("*", true, false).refuses(Caller::Foreign, &Method::POST, true));
        assert!(!policy("https://a.example", false, false).refuses(Caller::Foreign, &Method::POST, true));
    }

    #[test]
    fn preflights_are_answered() {
        let listed = policy("https://a.example", true, true);
        let request = asked(&[
            ("origin", "https://a.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization, x-a"),
        ]);
        assert!(CorsPolicy::is_preflight(&Method::OPTIONS, &request));
        assert!(!CorsPolicy::is_preflight(&Method::POST, &request));
        assert!(!CorsPolicy::is_preflight(&Method::OPTIONS, &asked(&[("origin", "https://a.example")])));
        let answer = listed.preflight(Caller::Listed, &request).headers;
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_HEADERS], "authorization, x-a");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_METHODS], "GET, POST");
        let refused = listed.preflight(Caller::Foreign, &request).headers;
        assert!(!refused.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) && refused.contains_key(VARY));
    }

    #[test]
    fn vary_gets_origin_once() {
        let any = policy("*", true, false);
        for (before, lines) in [("Accept", 2), ("accept, ORIGIN", 1), ("*", 1)] {
            let mut headers = asked(&[("vary", before)]);
            any.decorate(Caller::NoPage, None, &mut headers);
            assert_eq!(headers.get_all(VARY).iter().count(), lines, "{before}");
        }
    }

    #[test]
    fn the_headers_that_the_app_exposes_stay() {
        let any = policy("*", true, false);
        for (caller, want) in
            [(Caller::Own, &["Mcp-Session-Id", EXPOSED.to_str().unwrap()][..]), (Caller::Foreign, &[])]
        {
            let mut headers = asked(&[("access-control-expose-headers", "Mcp-Session-Id")]);
            any.decorate(caller, None, &mut headers);
            let lines: Vec<_> = headers.get_all(ACCESS_CONTROL_EXPOSE_HEADERS).iter().collect();
            assert_eq!(lines, want, "{caller:?}");
        }
    }

    #[test]
    fn contradicting_policies_are_refused() {
        for (origins, credentials, name) in [
            ("*", true, "ALLOW_CREDENTIALS"),
            ("*, https://a.example", false, "ALLOW_ORIGINS"),
            ("https://a.example/", false, "ALLOW_ORIGINS"),
            ("a.example", false, "ALLOW_ORIGINS"),
            ("https://*.example", false, "ALLOW_ORIGINS"),
            (",", false, "ALLOW_ORIGINS"),
        ] {
            assert_eq!(
                CorsPolicy::parse(origins, true, credentials, "GET").unwrap_err().0,
                name,
                "{origins}"
            );
        }
    }
}
