//! Replaces the target's address in a text body by the proxy's while the body streams.
//!
//! Needed where `X-Forwarded-Host` does not reach the app, because the app then writes addresses that callers cannot reach.

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

use crate::http::response_values::Addresses;

/// Replaces `https://host` and `http://host` of the target, plain and as JSON may escape them (`https:\/\/host`).
/// Never holds back more than one address between two pieces.
#[derive(Debug)]
pub(crate) struct Rewriter {
    /// Finds the host. The prefix is compared afterwards.
    finder: Finder<'static>,
    authority: Vec<u8>,
    public_host: Vec<u8>,
    public_scheme: &'static [u8],
    held: BytesMut,
}

/// Length of the longest prefix of a host.
const LONGEST_PREFIX: usize = br"https:\/\/".len();
const PREFIXES: [&[u8]; 4] = [b"https://", b"http://", br"https:\/\/", br"http:\/\/"];

impl Rewriter {
    /// Makes a rewriter from the target's address to the public one.
    pub(crate) fn new(addresses: &Addresses<'_>) -> Self {
        let authority = addresses.target.authority.as_bytes().to_vec();
        Self {
            finder: Finder::new(&authority).into_owned(),
            authority,
            public_host: addresses.public_host.as_bytes().to_vec(),
            public_scheme: addresses.public_scheme.as_bytes(),
            held: BytesMut::new(),
        }
    }

    /// Takes a piece and returns the part that cannot change any more.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Bytes {
        self.held.extend_from_slice(piece);
        self.run(false)
    }

    /// Returns the rest.
    pub(crate) fn finish(&mut self) -> Bytes {
        self.run(true)
    }

    fn run(&mut self, end: bool) -> Bytes {
        let input = self.held.split();
        let mut out = BytesMut::with_capacity(input.len());
        let (mut copied, mut from) = (0, 0);
        let mut keep_from = if end { input.len() } else { self.undecided(&input) };
        while let Some(found) = self.finder.find(&input[from..]) {
            let at = from + found;
            let after = at + self.authority.len();
            if after >= input.len() && !end {
                // Held back, because the name may continue in the next piece.
                keep_from = keep_from.min(at.saturating_sub(LONGEST_PREFIX).max(copied));
                break;
            }
            from = after;
            if input.get(after).is_some_and(|b| continues_name(*b)) {
                continue;
            }
            let Some(prefix) = PREFIXES.iter().find(|prefix| input[copied..at].ends_with(prefix)) else {
                continue;
            };
            out.extend_from_slice(&input[copied..at - prefix.len()]);
            out.extend_from_slice(self.public_scheme);
            let slashes = prefix.iter().position(|b| *b == b':').unwrap_or_default();
            out.extend_from_slice(&prefix[slashes..]);
            out.extend_from_slice(&self.public_host);
            copied = after;
        }
        let keep_from = keep_from.max(copied);
        out.extend_from_slice(&input[copied..keep_from]);
        self.held.extend_from_slice(&input[keep_from..]);
        out.freeze()
    }

    /// Returns the start of the longest tail of `input` that could still become an address.
    fn undecided(&self, input: &[u8]) -> usize {
        let longest = LONGEST_PREFIX + self.authority.len();
        let first = input.len().saturating_sub(longest);
        (first..input.len()).find(|at| self.could_become(&input[*at..])).unwrap_or(input.len())
    }

    /// Returns true if `tail` is the beginning of an address.
    fn could_become(&self, tail: &[u8]) -> bool {
        PREFIXES.iter().any(|prefix| {
            if tail.len() <= prefix.len() {
                return prefix.starts_with(tail);
            }
            tail.strip_prefix(*prefix).is_some_and(|rest| self.authority.starts_with(rest))
        })
    }
}

/// Returns true for a byte that continues a host name or begins a port.
fn continues_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'@' | b'_' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::target::Target;

    fn rewriter(target: &Target) -> Rewriter {
        let public_host = "ada-demo-proxy.hf.space";
        Rewriter::new(&Addresses { target, public_scheme: "https", public_host })
    }

    fn rewritten(pieces: &[&[u8]]) -> String {
        let target = Target::parse("https://ada-demo.hf.space").unwrap();
        let mut rewriter = rewriter(&target);
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| rewriter.push(piece).to_vec()).collect();
        out.extend_from_slice(&rewriter.finish());
        String::from_utf8(out).unwrap()
    }

    const CASES: &[(&str, &str)] = &[
        ("{\"root\":\"https://ada-demo.hf.space\"}", "{\"root\":\"https://ada-demo-proxy.hf.space\"}"),
        ("http://ada-demo.hf.space/x", "https://ada-demo-proxy.hf.space/x"),
        (r"https:\/\/ada-demo.hf.space\/x", r"https:\/\/ada-demo-proxy.hf.space\/x"),
        ("https://ada-demo.hf.space", "https://ada-demo-proxy.hf.space"),
        ("https://ada-demo.hf.space.evil.example/", "https://ada-demo.hf.space.evil.example/"),
        ("https://ada-demo.hf.space:8443/", "https://ada-demo.hf.space:8443/"),
        ("https://not-ada-demo.hf.space/", "https://not-ada-demo.hf.space/"),
        ("ada-demo.hf.space alone", "ada-demo.hf.space alone"),
        ("https://https://ada-demo.hf.space/ https:/", "https://https://ada-demo-proxy.hf.space/ https:/"),
        (
            "https://ada-demo.hf.space/https://ada-demo.hf.space/",
            "https://ada-demo-proxy.hf.space/https://ada-demo-proxy.hf.space/",
        ),
        ("", ""),
    ];

    #[test]
    fn addresses_in_one_piece_are_replaced() {
        for (before, after) in CASES {
            assert_eq!(rewritten(&[before.as_bytes()]), *after);
        }
    }

    #[test]
    fn addresses_split_at_any_byte_are_replaced() {
        for (before, after) in CASES {
            for at in 0..before.len() {
                let (a, b) = before.as_bytes().split_at(at);
                assert_eq!(rewritten(&[a, b]), *after, "{before} at {at}");
            }
            let single: Vec<&[u8]> = before.as_bytes().chunks(1).collect();
            assert_eq!(rewritten(&single), *after);
        }
    }

    #[test]
    fn an_event_is_not_held_back() {
        let target = Target::parse("https://ada-demo.hf.space").unwrap();
        let mut rewriter = rewriter(&target);
        assert_eq!(rewriter.push(b"data: {\"a\": 1}\n\n"), "data: {\"a\": 1}\n\n");
    }
}
