//! Values in an answer that name the target, mapped to the proxy's own address. Pure.

use std::borrow::Cow;

use http::HeaderValue;

use crate::policy::credentials::{is_signed, without_sign};
use crate::policy::target::{Target, host_of};

/// The two addresses of an app: the private one, and the proxy's in its place.
#[derive(Debug, Clone, Copy)]
pub struct Addresses<'a> {
    /// The app behind the proxy.
    pub target: &'a Target,
    /// Scheme of the proxy, as the caller sees it.
    pub public_scheme: &'static str,
    /// Host of the proxy, as the caller sees it.
    pub public_host: &'a str,
}

/// Decodes a value as Latin-1, so that a byte that is not ASCII does not hide the rest.
fn as_text(value: &HeaderValue) -> Cow<'_, str> {
    match value.to_str() {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|b| char::from(*b)).collect()),
    }
}

/// Encodes text as Latin-1.
fn as_value(text: &str) -> Option<HeaderValue> {
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
    HeaderValue::from_bytes(&bytes?).ok()
}

/// Returns a `Link` without the entries in which the edge names the private Space, or `None` if nothing is left.
pub(crate) fn without_canonical(value: &HeaderValue) -> Option<HeaderValue> {
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

/// Returns an address of the target as one of the proxy's. `None` means that the value stays, because its authority is
/// not exactly the target's.
pub(crate) fn map_location(value: &HeaderValue, addresses: &Addresses<'_>) -> Option<HeaderValue> {
    as_value(&map_url(&as_text(value), addresses)?)
}

/// Returns `Refresh: 5; url=…` with its address mapped.
pub(crate) fn map_refresh(value: &HeaderValue, addresses: &Addresses<'_>) -> Option<HeaderValue> {
    let text = as_text(value);
    let at = text.to_ascii_lowercase().find("url=")? + 4;
    let (head, url) = text.split_at(at);
    as_value(&format!("{head}{}", map_url(url.trim(), addresses)?))
}

fn map_url(url: &str, addresses: &Addresses<'_>) -> Option<String> {
    let query = url.split('#').next().unwrap_or_default().split_once('?').map_or("", |(_, query)| query);
    // Removed, because a signed address is a credential for a day.
    let signed = is_signed(query);
    let mapped = match own_path(url, addresses.target) {
        Some(path) => format!("{}://{}{path}", addresses.public_scheme, addresses.public_host),
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

/// Returns the rest of an address after the authority, if that is the target's.
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
    let host = host_of(&authority);
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(standard);
    // Equal, because an app behind TLS often writes `http://` with its own host.
    let same_port = port == target.port || (target.tls && port == 80);
    (host == target.host && same_port && !authority.contains('@')).then(|| &rest[end..])
}

/// Returns a cookie of the app bound to the proxy's host. Browsers would refuse one for the target's host or, worse, keep
/// one of all Spaces for strangers. `None` drops `spaces-jwt`, because that opens the private Space for a day.
pub(crate) fn map_cookie(value: HeaderValue, target: &Target) -> Option<HeaderValue> {
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
