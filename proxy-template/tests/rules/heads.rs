//! Heads from arbitrary bytes: a number of settings in the first line, then a start line, then `name: value` lines.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Limit of the parser that runs before the rules.
const MAX_LINES: usize = 100;

/// One parsed input.
pub(crate) struct Text<'a> {
    /// Bits for the settings of the rules.
    pub flags: u32,
    /// The start line.
    pub start: Vec<&'a [u8]>,
    /// The headers.
    pub headers: HeaderMap,
}

impl<'a> Text<'a> {
    pub(crate) fn read(data: &'a [u8]) -> Self {
        let mut lines = data.split(|b| *b == b'\n');
        let flags = std::str::from_utf8(lines.next().unwrap_or_default());
        let start = lines.next().unwrap_or_default().split(|b| *b == b' ').collect();
        let mut headers = HeaderMap::new();
        for line in lines.take(MAX_LINES) {
            let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
            let name = HeaderName::from_bytes(&line[..colon]);
            let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
            if let (Ok(name), Ok(value)) = (name, value) {
                headers.append(name, value);
            }
        }
        Self { flags: flags.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0), start, headers }
    }

    /// Returns true if this bit is set.
    pub(crate) fn on(&self, bit: u32) -> bool {
        self.flags >> bit & 1 == 1
    }
}

pub(crate) fn holds(bytes: &[u8], part: &str) -> bool {
    bytes.windows(part.len()).any(|window| window == part.as_bytes())
}

/// Returns the entries of a list header, in lower case.
pub(crate) fn entries(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = headers.get_all(name).iter();
    lines
        .flat_map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .to_ascii_lowercase()
                .split(',')
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .map(|entry| entry.trim().to_owned())
        .filter(|entry| !entry.is_empty())
        .collect()
}

/// Returns the values of a header.
pub(crate) fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a [u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes).collect()
}
