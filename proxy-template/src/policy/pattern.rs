//! Patterns of paths, and the forms in which an app may read a path.

use percent_encoding::percent_decode_str;

/// Prefix of a path that names a replica of the Space. The platform's edge removes it.
const REPLICAS: &str = "/--replicas/";

/// Returns true for a path with one form only, as nearly all have.
pub(crate) fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let odd = |pair: &[u8]| pair[0] == b'/' && matches!(pair[1], b'/' | b'.');
    memchr::memchr2(b'%', b'\\', bytes).is_none() && !bytes.windows(2).any(odd) && !path.starts_with(REPLICAS)
}

/// Returns a path as it is, and as an app may read it: decoded, without `.`, `..`, doubled and backward slashes, and
/// without the names of replicas, which the edge removes.
pub(crate) fn forms(path: &str) -> Vec<String> {
    let mut forms = vec![];
    let mut decoded = path.to_owned();
    // Decoded twice, because some apps decode again after their server.
    for _ in 0..3 {
        let next = percent_decode_str(&decoded).decode_utf8_lossy().into_owned();
        for form in [normalize(&decoded), decoded] {
            if let Some(rest) = without_replica(&form) {
                forms.extend([normalize(rest), rest.to_owned()]);
            }
            forms.push(form);
        }
        decoded = next;
    }
    forms
}

/// Returns the rest after one or more `/--replicas/<id>` at the beginning of a path.
pub(crate) fn without_replica(path: &str) -> Option<&str> {
    let mut rest = path.strip_prefix(REPLICAS)?;
    loop {
        let after = rest.find('/').map_or("/", |at| &rest[at..]);
        match after.strip_prefix(REPLICAS) {
            Some(next) => rest = next,
            None => return Some(after),
        }
    }
}

/// A path in which `*` matches any characters, slashes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    text: String,
    /// Number of bytes before the only star, if that is the last character. A match compares only those then.
    prefix: Option<usize>,
}

impl Pattern {
    /// Makes a pattern of the proxy's own.
    pub(crate) fn fixed(text: &str) -> Self {
        let prefix = text.find('*').filter(|at| at + 1 == text.len());
        Self { text: text.to_owned(), prefix }
    }

    /// Parses a pattern of the owner. The error is the end of a sentence about the variable.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with(['/', '*']) || text.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(format!(
                "must hold `any`, `gradio-api`, `gradio-ui` or paths that begin with `/` (`*` stands for anything): \
                 `{text}`"
            ));
        }
        Ok(Self::fixed(text))
    }

    /// Returns the text of the pattern.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns true if it equals or matches `route`, which is a pattern too.
    pub(crate) fn names(&self, route: &str) -> bool {
        self.text == route || self.matches(route.trim_end_matches('*'))
    }

    /// Returns true if it matches `path`.
    pub(crate) fn matches(&self, path: &str) -> bool {
        if let Some(prefix) = self.prefix {
            return path.as_bytes().starts_with(&self.text.as_bytes()[..prefix]);
        }
        let mut parts = self.text.split('*');
        let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

/// Removes `.`, `..` and empty segments (RFC 3986, section 5.2.4, and the habits of lenient servers beyond it).
fn normalize(path: &str) -> String {
    let mut segments: Vec<&str> = vec![];
    for segment in path.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let slash = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    format!("/{}{slash}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_paths() {
        for (pattern, path, want) in [
            ("/a", "/a", true),
            ("/a", "/ab", false),
            ("/a*", "/ab/c", true),
            ("/a/*/z", "/a/b/c/z", true),
            ("/a/*/z", "/a/b/c", false),
            ("*.js", "/x/y.js", true),
            ("*", "/", true),
            ("/ab*b", "/ab", false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(path), want, "{pattern} {path}");
        }
    }

    #[test]
    fn a_path_has_few_forms_however_it_is_made() {
        for part in ["/--replicas/a", "/%2d-replicas/a", "//--replicas/a", "%25", "/.", "/gradio_api/"] {
            let forms = forms(&part.repeat(1000));
            assert!(forms.len() <= 18, "{part}: {}", forms.len());
        }
    }
}
