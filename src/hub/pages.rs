//! Listings of several pages.

use reqwest::header::{HeaderMap, LINK};
use url::Url;

use crate::client::Hub;
use crate::error::Error;

impl Hub {
    /// Returns the address of the next page. It must be on the Hub, because the token is sent there.
    pub(crate) fn next_page(
        &self,
        operation: &str,
        current: &Url,
        headers: &HeaderMap,
    ) -> Result<Option<Url>, Error> {
        let Some(link) = headers.get(LINK).and_then(|value| next_link(value.to_str().ok()?)) else {
            return Ok(None);
        };
        let url = current
            .join(link)
            .map_err(|error| Error::unexpected(operation, format!("a bad link to a page: {error}")))?;
        if !self.is_own(&url) {
            let origin = url.origin().ascii_serialization();
            return Err(Error::unexpected(operation, format!("a link to another host: `{origin}`")));
        }
        Ok(Some(url))
    }
}

/// Returns the target of `rel="next"` in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<&str> {
    header.split(", <").find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let next = parameters.split(';').any(|parameter| {
            matches!(parameter.trim().split_once('='), Some(("rel", rel)) if rel.trim_matches('"') == "next")
        });
        next.then(|| target.trim_start_matches('<'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_link_with_rel_next() {
        assert_eq!(next_link(r#"<https://h/api?c=a>; rel="next""#), Some("https://h/api?c=a"));
        assert_eq!(next_link(r#"<https://h/1>; rel="prev", <https://h/2>; rel=next"#), Some("https://h/2"));
        assert_eq!(next_link(r#"<https://h/1>; rel="last""#), None);
        assert_eq!(next_link("nonsense"), None);
    }
}
