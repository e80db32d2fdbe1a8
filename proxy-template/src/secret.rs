//! A value that cannot be shown by accident.

use std::fmt;

use http::HeaderValue;
use subtle::ConstantTimeEq as _;

/// The target's token or a key of ours. `Debug` prints `***`; it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the value as it is.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself. Each call is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this secret, in a time that does not depend on where they differ.
    pub fn matches(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }

    /// `Bearer <secret>`, marked as sensitive so that no `Debug` of a header map shows it.
    /// `None` when the secret holds what a header cannot carry.
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
    fn a_secret_does_not_show() {
        let secret = Secret::new("hf_abc");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
        assert!(!format!("{:?}", secret.bearer()).contains("hf_abc"));
        assert_eq!(secret.bearer().unwrap(), "Bearer hf_abc");
    }

    #[test]
    fn it_matches_itself_only() {
        let secret = Secret::new("key");
        assert!(secret.matches(b"key") && !secret.matches(b"ke") && !secret.matches(b"keyy"));
    }
}
