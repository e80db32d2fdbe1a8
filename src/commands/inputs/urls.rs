//! Addresses: the Hub, the target of a proxy, and the origins of pages.

use hub::shorten;
use url::{Host, Url};

use super::parse::{Parsed, SHOWN, refuse};

/// Parses the address of a Hub: an origin, maybe with a path in front of the Hub's own.
pub(crate) fn endpoint(text: &str) -> Parsed<Url> {
    let mut url = address(text)?;
    if url.scheme() != "https" && !is_loopback(&url) {
        return refuse(format!(
            "must start with `https://` (`http://` is for this machine only): `{}`",
            shown(&url)
        ));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Parses the address that the proxy sends its token to. Only Hugging Face's edge takes the token off again, so that
/// any other address is refused unless `more_hosts` allows it.
pub(crate) fn target_url(text: &str, more_hosts: MoreHosts<'_>) -> Parsed<Url> {
    let url = address(text)?;
    let on_the_edge =
        url.port().is_none() && url.domain().is_some_and(|domain| domain.ends_with(".hf.space"));
    let is_allowed = url.scheme() == "https" && (on_the_edge || more_hosts == MoreHosts::Allowed);
    if !is_allowed && !is_loopback(&url) {
        let more = match more_hosts {
            MoreHosts::Allowed => String::new(),
            MoreHosts::AllowedBy(setting) => {
                format!(" (or set `{setting}`, if that host may see the token)")
            }
        };
        return refuse(format!(
            "must be the https address of a Space, like `https://namespace-name.hf.space`: `{}`{more}",
            shown(&url)
        ));
    }
    if url.path() != "/" {
        return refuse(format!("must have no path behind the host: `{}`", shown(&url)));
    }
    Ok(url)
}

/// Parses an http or https URL without the parts that must not end up in logs.
fn address(text: &str) -> Parsed<Url> {
    let Ok(url) = Url::parse(text) else {
        return refuse("must be a full address, like `https://host.example`");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse(format!("must start with `https://`, not `{}:`", url.scheme()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("must not hold a user name or a password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse("must not hold a `?` or a `#`");
    }
    Ok(url)
}

/// Targets of a proxy outside of Hugging Face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MoreHosts<'a> {
    Allowed,
    /// This setting would allow them.
    AllowedBy(&'a str),
}

fn shown(url: &Url) -> String {
    shorten(url.as_str(), SHOWN)
}

/// Returns true if the URL leads to this machine, where `http` is safe.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        None => false,
    }
}

/// Parses an origin exactly as a browser sends it (RFC 6454, section 6.2), because it is compared byte by byte.
pub(crate) fn origin(text: &str) -> Parsed<String> {
    let text_shown = shorten(text, SHOWN);
    if text.contains('*') {
        return refuse(format!("must name each origin in full, or be `*` alone: `{text_shown}`"));
    }
    let exact = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .map(|url| url.origin().ascii_serialization());
    match exact {
        Some(exact) if exact == text => Ok(exact),
        Some(exact) => {
            refuse(format!("must hold origins as browsers send them, `{exact}` instead of `{text_shown}`"))
        }
        None => refuse(format!("must hold origins like `https://app.example.org`, not `{text_shown}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_is_https_unless_it_is_on_this_machine() {
        for (text, url) in [
            ("https://huggingface.co", "https://huggingface.co/"),
            ("https://hub.example/base/", "https://hub.example/base"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/"),
            ("http://[::1]:1", "http://[::1]:1/"),
            ("http://localhost", "http://localhost/"),
        ] {
            assert_eq!(endpoint(text).unwrap().as_str(), url);
        }
        for text in [
            "huggingface.co",
            "http://huggingface.co",
            "http://localhost.evil.example",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://a:b@huggingface.co",
            "https://huggingface.co?x=1",
            "https://huggingface.co#x",
        ] {
            assert!(endpoint(text).is_err(), "{text}");
        }
        assert!(!endpoint("https://user:hf_secret@h.example").unwrap_err().0.contains("hf_secret"));
    }

    #[test]
    fn target_is_a_space() {
        for text in ["https://acme-app.hf.space", "https://acme-app.hf.space/", "http://127.0.0.1:7860"] {
            assert!(target_url(text, MoreHosts::AllowedBy("allow_any_target: true")).is_ok(), "{text}");
        }
        for text in [
            "http://acme-app.hf.space",
            "https://hf.space",
            "https://evilhf.space",
            "https://acme.hf.space.evil.example",
            "https://acme.hf.space@evil.example",
            "https://acme.hf.space:8443",
            "https://acme.hf.space/path",
            "acme.hf.space",
        ] {
            assert!(target_url(text, MoreHosts::AllowedBy("allow_any_target: true")).is_err(), "{text}");
        }
    }

    #[test]
    fn origins_are_exact() {
        for good in ["https://app.example.org", "http://localhost:3000", "https://xn--bcher-kva.example"] {
            assert_eq!(origin(good).unwrap(), good);
        }
        for bad in [
            "https://app.example.org/",
            "https://app.example.org/x",
            "https://App.example.org",
            "https://app.example.org:443",
            "https://*.example.org",
            "app.example.org",
            "null",
            "file:///x",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
        assert!(origin("https://A.example:443/").unwrap_err().0.contains("`https://a.example` instead"));
    }
}
