//! The upstream's address in a text body, replaced by ours as the body streams.
//!
//! Only used where the self-check found that `X-Forwarded-Host` does not reach the app, so that the app writes
//! addresses which callers cannot reach.

use bytes::{Bytes, BytesMut};
use memchr::memmem::Finder;

use crate::target::Target;

/// Replaces `https://host` and `http://host` of the target, plain and as JSON may escape them (`https:\/\/host`).
/// What is held back between two pieces is never longer than one address.
#[derive(Debug)]
pub struct Rewriter {
    /// Finds the host; what stands before it is looked at then.
    finder: Finder<'static>,
    authority: Vec<u8>,
    public_host: Vec<u8>,
    public_scheme: &'static [u8],
    held: BytesMut,
}

/// The longest of the forms that can stand before the host.
const LONGEST_PREFIX: usize = br"https:\/\/".len();
const PREFIXES: [&[u8]; 4] = [b"https://", b"http://", br"https:\/\/", br"http:\/\/"];

impl Rewriter {
    /// From the address of `target` to the public one.
    pub fn new(target: &Target, public_scheme: &'static str, public_host: &str) -> Self {
        let authority = target.authority.as_bytes().to_vec();
        Self {
            finder: Finder::new(&authority).into_owned(),
            authority,
            public_host: public_host.as_bytes().to_vec(),
            public_scheme: public_scheme.as_bytes(),
            held: BytesMut::new(),
        }
    }

    /// Takes a piece and gives what is certain by now.
    pub fn push(&mut self, piece: &[u8]) -> Bytes {
        self.held.extend_from_slice(piece);
        self.run(false)
    }

    /// Gives the rest.
    pub fn finish(&mut self) -> Bytes {
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
                // Whether the name goes on is not known yet.
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

    /// Where the longest end of `input` begins that could still become an address.
    fn undecided(&self, input: &[u8]) -> usize {
        let longest = LONGEST_PREFIX + self.authority.len();
        let first = input.len().saturating_sub(longest);
        (first..input.len()).find(|at| self.could_become(&input[*at..])).unwrap_or(input.len())
    }

    /// Whether `tail` is the beginning of an address.
    fn could_become(&self, tail: &[u8]) -> bool {
        PREFIXES.iter().any(|prefix| {
            if tail.len() <= prefix.len() {
                return prefix.starts_with(tail);
            }
            tail.strip_prefix(*prefix).is_some_and(|rest| self.authority.starts_with(rest))
        })
    }
}

/// Whether a host that is followed by this byte is the beginning of another host, or has a port.
fn continues_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'@' | b'_' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(pieces: &[&[u8]]) -> String {
        let target = Target::parse("https://ada-demo.hf.space").unwrap();
        let mut rewriter = Rewriter::new(&target, "https", "ada-demo-proxy.hf.space");
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
    fn in_one_piece() {
        for (before, after) in CASES {
            assert_eq!(rewritten(&[before.as_bytes()]), *after);
        }
    }

    #[test]
    fn split_at_every_byte() {
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
        let mut rewriter = Rewriter::new(&target, "https", "p.example");
        assert_eq!(rewriter.push(b"data: {\"a\": 1}\n\n"), "data: {\"a\": 1}\n\n");
    }
}
