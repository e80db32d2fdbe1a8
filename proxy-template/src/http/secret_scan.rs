//! The search for secrets of this proxy in answers.

use std::fmt;

use memchr::memmem::Finder;

/// Secrets that must not leave the proxy, prepared for the search.
#[derive(Debug)]
pub struct SecretScanner {
    needles: Vec<Needle>,
}

/// One secret. Its `Debug` shows nothing of it.
struct Needle(Finder<'static>);

impl Needle {
    fn is_in(&self, bytes: &[u8]) -> bool {
        // The length rules out most values without a search.
        bytes.len() >= self.0.needle().len() && self.0.find(bytes).is_some()
    }
}

impl fmt::Debug for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SecretScanner {
    /// Prepares the search for each of `secrets`.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let needle = |secret: &str| Needle(Finder::new(secret.as_bytes()).into_owned());
        Self { needles: secrets.into_iter().map(needle).collect() }
    }

    /// Returns true if one of the secrets is in `bytes`.
    pub fn finds_in(&self, bytes: &[u8]) -> bool {
        self.needles.iter().any(|needle| needle.is_in(bytes))
    }
}
