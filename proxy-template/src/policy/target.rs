//! The app that requests are forwarded to, known from the start.

use http::HeaderValue;

/// Address of the app.
#[derive(Debug, Clone)]
pub struct Target {
    /// True for TLS.
    pub tls: bool,
    /// The host alone, in lower case, for DNS and for the certificate. An IPv6 address has no brackets.
    pub host: String,
    /// The port. The default is that of the scheme.
    pub port: u16,
    /// The value of `Host`: the host and, unless it is the scheme's default, the port.
    pub authority: String,
    /// `authority` as a header.
    pub host_header: HeaderValue,
    /// The `Origin` for callers who see `http`.
    http_origin: HeaderValue,
    /// The `Origin` for callers who see `https`.
    https_origin: HeaderValue,
}

impl Target {
    /// Parses `https://host[:port]`, or `http://` on loopback, without path, query and user names.
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

    /// Returns the origin of a page of the app, with the scheme of `X-Forwarded-Proto`, because apps compare the two.
    pub fn origin_by(&self, scheme: &str) -> &HeaderValue {
        if scheme == "https" { &self.https_origin } else { &self.http_origin }
    }

    /// Returns true if Hugging Face's edge is in front of the app. The edge removes `X-HF-Authorization`.
    pub fn is_space(&self) -> bool {
        self.host.strip_suffix(".hf.space").is_some_and(|name| !name.is_empty() && !name.ends_with('.'))
    }

    /// Returns true for this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }
}

/// Returns true if a host, without port and brackets, is a loopback name or address.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns the host of `host[:port]` or `[address][:port]`, without port and brackets.
pub(crate) fn host_of(authority: &str) -> &str {
    if let Some(rest) = authority.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    authority.split(':').next().unwrap_or(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_is_parsed() {
        let target = Target::parse("https://Ada-Demo.hf.space/").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("ada-demo.hf.space", 443));
        assert_eq!(target.origin_by("https"), "https://ada-demo.hf.space");
        assert_eq!(target.origin_by("http"), "http://ada-demo.hf.space");
        assert!(target.is_space() && !target.is_loopback());
    }

    #[test]
    fn loopback_is_parsed() {
        let target = Target::parse("http://127.0.0.1:7861").unwrap();
        assert_eq!(target.authority, "127.0.0.1:7861");
        assert!(target.is_loopback() && !target.is_space());
        assert_eq!(Target::parse("http://[::1]:80").unwrap().authority, "[::1]");
        assert_eq!(Target::parse("https://localhost:443").unwrap().authority, "localhost");
    }

    #[test]
    fn invalid_targets_are_refused() {
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
