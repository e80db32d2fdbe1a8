//! Where requests go to: one place, known from the start.

use http::HeaderValue;

/// The address that everything is forwarded to, and nothing else is.
#[derive(Debug, Clone)]
pub struct Target {
    /// Whether it is reached by TLS.
    pub tls: bool,
    /// The host alone, in lower case, for DNS and for the name in the certificate. An IPv6 address is without brackets.
    pub host: String,
    /// The port, which is the scheme's own when the URL names none.
    pub port: u16,
    /// Host and, when it is not the scheme's own, port: what `Host` says.
    pub authority: String,
    /// `authority` as a header.
    pub host_header: HeaderValue,
    /// Scheme and authority.
    pub origin: String,
    /// The `Origin` that the app sees where callers see `http`.
    http_origin: HeaderValue,
    /// The same where they see `https`.
    https_origin: HeaderValue,
}

impl Target {
    /// Reads `https://host[:port]`, or `http://` on loopback. A path, a query or user names have no place in it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (tls, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err(format!("must begin with `https://`: `{text}`"));
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest).to_ascii_lowercase();
        if authority.contains(['/', '?', '#', '@', ',', ' ']) {
            return Err(format!(
                "must be scheme and host only, such as `https://owner-name.hf.space`: `{text}`"
            ));
        }
        let fault = || format!("names no valid host: `{text}`");
        let parsed: http::uri::Authority = authority.parse().map_err(|_| fault())?;
        let host = parsed.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let standard = if tls { 443 } else { 80 };
        let port = match (authority.len() > parsed.host().len(), parsed.port_u16()) {
            (true, None) => return Err(fault()),
            (_, port) => port.unwrap_or(standard),
        };
        if host.is_empty() || port == 0 {
            return Err(fault());
        }
        let authority = if port == standard { parsed.host().to_owned() } else { authority };
        let origin = |scheme: &str| format!("{scheme}://{authority}");
        let header = |scheme: &str| HeaderValue::from_str(&origin(scheme)).map_err(|_| fault());
        let target = Self {
            tls,
            port,
            host_header: HeaderValue::from_str(&authority).map_err(|_| fault())?,
            http_origin: header("http")?,
            https_origin: header("https")?,
            origin: origin(if tls { "https" } else { "http" }),
            host,
            authority,
        };
        if !tls && !target.is_loopback() {
            return Err(format!(
                "must use `https://`, since only loopback is reached in the clear: `{text}`"
            ));
        }
        Ok(target)
    }

    /// The origin that a page of the app has, by the scheme that `X-Forwarded-Proto` names: apps compare the two.
    pub fn origin_by(&self, scheme: &str) -> &HeaderValue {
        if scheme == "https" { &self.https_origin } else { &self.http_origin }
    }

    /// Whether Hugging Face's edge stands in front of it, which strips `X-HF-Authorization`.
    pub fn is_space(&self) -> bool {
        self.host.strip_suffix(".hf.space").is_some_and(|name| !name.is_empty() && !name.ends_with('.'))
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }
}

/// Whether a host, without port and brackets, is this machine by its very name.
pub fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The host in `host[:port]` or `[address][:port]`, without port and brackets.
pub fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space() {
        let target = Target::parse("https://Ada-Demo.hf.space/").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("ada-demo.hf.space", 443));
        assert_eq!(target.origin, "https://ada-demo.hf.space");
        assert_eq!(target.origin_by("https"), "https://ada-demo.hf.space");
        assert_eq!(target.origin_by("http"), "http://ada-demo.hf.space");
        assert!(target.is_space() && !target.is_loopback());
    }

    #[test]
    fn loopback() {
        let target = Target::parse("http://127.0.0.1:7861").unwrap();
        assert_eq!(target.authority, "127.0.0.1:7861");
        assert!(target.is_loopback() && !target.is_space());
        assert_eq!(Target::parse("http://[::1]:80").unwrap().authority, "[::1]");
        assert_eq!(Target::parse("https://localhost:443").unwrap().authority, "localhost");
    }

    #[test]
    fn what_is_refused() {
        for wrong in [
            "ada-demo.hf.space",
            "http://ada-demo.hf.space",
            "https://",
            "https://a/b",
            "https://a?b",
            "https://user@a",
            "https://a:x",
            "https://a:0",
            "https://a:",
            "ftp://a",
            "http://127.0.0.1.evil.example",
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_space_is_a_name_below_hf_space() {
        for no in ["https://hf.space", "https://evilhf.space", "https://a.hf.space.example"] {
            assert!(!Target::parse(no).unwrap().is_space(), "{no}");
        }
    }
}
