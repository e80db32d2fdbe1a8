//! Values that cannot be printed by accident.

use std::fmt;

use http::HeaderValue;
use subtle::ConstantTimeEq as _;

/// The target's token, or a key of the proxy. `Debug` prints `***`, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Returns the value. Each call deserves a look in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns true if `presented` is this secret, in a time that does not depend on where they differ.
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }

    /// Returns `Bearer <secret>`, marked as sensitive so that no `Debug` of a header map shows it. `None` means that a
    /// header cannot carry the secret.
    pub fn bearer(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_secret() {
        let secret = Secret::new("hf_abc");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
        assert!(!format!("{:?}", secret.bearer()).contains("hf_abc"));
        assert_eq!(secret.bearer().unwrap(), "Bearer hf_abc");
    }

    #[test]
    fn a_secret_matches_itself_only() {
        let secret = Secret::new("key");
        assert!(secret.matches(b"key") && !secret.matches(b"ke") && !secret.matches(b"keyy"));
    }
}
