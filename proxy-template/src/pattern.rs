//! Patterns of paths, and the ways in which a path may be read.

/// The prefix by which a path names a replica of the Space. The platform's edge takes it off.
const REPLICAS: &str = "/--replicas/";

/// Returns true for a path that can be read in one way only, as nearly all can.
pub fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    let odd = |pair: &[u8]| pair[0] == b'/' && matches!(pair[1], b'/' | b'.');
    memchr::memchr2(b'%', b'\\', bytes).is_none() && !bytes.windows(2).any(odd) && !path.starts_with(REPLICAS)
}

/// A path as it is, and as an app may read it: decoded, with `.`, `..`, doubled and backward slashes taken out, and
/// without the names of replicas, which the edge takes off.
pub fn forms(path: &str) -> Vec<String> {
    let mut forms = vec![];
    let mut decoded = path.to_owned();
    // Twice, since some apps decode again what their server decoded.
    for _ in 0..3 {
        let next = percent_decode(&decoded);
        for form in [normal(&decoded), decoded] {
            if let Some(rest) = without_replica(&form) {
                forms.extend([normal(rest), rest.to_owned()]);
            }
            forms.push(form);
        }
        decoded = next;
    }
    forms
}

/// Returns the rest after `/--replicas/<id>`, however often that is repeated, when a path begins so.
pub fn without_replica(path: &str) -> Option<&str> {
    let mut rest = path.strip_prefix(REPLICAS)?;
    loop {
        let after = rest.find('/').map_or("/", |at| &rest[at..]);
        match after.strip_prefix(REPLICAS) {
            Some(next) => rest = next,
            None => return Some(after),
        }
    }
}

/// A path in which `*` stands for any run of characters, slashes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    /// The bytes before the only star, when that is the last character: most patterns are judged by them alone.
    prefix: Option<usize>,
}

impl Pattern {
    /// A pattern that is known to be one.
    pub fn fixed(text: &str) -> Self {
        let prefix = text.find('*').filter(|at| at + 1 == text.len());
        Self { text: text.to_owned(), prefix }
    }

    /// Reads a pattern of an owner's. The error is a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with(['/', '*']) || text.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(format!(
                "must hold `any`, `gradio-api`, `gradio-ui` or paths that begin with `/` (`*` stands for anything): \
                 `{text}`"
            ));
        }
        Ok(Self::fixed(text))
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns true when it is `route`, itself a pattern, or stands for it.
    pub fn names(&self, route: &str) -> bool {
        self.text == route || self.matches(route.trim_end_matches('*'))
    }

    /// Returns true when it stands for `path`.
    pub fn matches(&self, path: &str) -> bool {
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

/// Each `%` with two hexadecimal digits as the byte that it stands for; any other stays.
pub fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits are at most 255.
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The path without `.`, `..` and empty segments (RFC 3986, section 5.2.4, and what lenient servers do beyond it).
fn normal(path: &str) -> String {
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
    fn patterns() {
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

    /// A path has few forms, however it is made.
    #[test]
    fn forms_are_few() {
        for part in ["/--replicas/a", "/%2d-replicas/a", "//--replicas/a", "%25", "/.", "/gradio_api/"] {
            let forms = forms(&part.repeat(1000));
            assert!(forms.len() <= 18, "{part}: {}", forms.len());
        }
    }
}
