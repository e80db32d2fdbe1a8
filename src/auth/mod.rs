//! The token: where it comes from, and a type that cannot show it.

mod github;

use std::fmt;

pub use github::{IdTokens, told_claims};

/// With what a run signs in.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Not at all: only a dry run against a public repo goes on.
    None,
    /// The input `hf_token`.
    Token(Secret),
    /// As the GitHub job that it is.
    Keyless(IdTokens),
}

impl Credentials {
    /// The output `auth`: empty without any.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Token(_) => "token",
            Self::Keyless(_) => "oidc",
        }
    }

    /// The token that the user gave.
    pub fn token(&self) -> Option<&Secret> {
        match self {
            Self::Token(token) => Some(token),
            Self::None | Self::Keyless(_) => None,
        }
    }

    pub fn is_keyless(&self) -> bool {
        matches!(self, Self::Keyless(_))
    }
}

/// Access that a new token should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

/// Returns the address of the Hub's form for a new token, with the scopes filled in: those of the user's own
/// repos, or those of an organization's.
pub fn token_form(access: Access, organization: Option<&str>) -> String {
    let permissions = match access {
        Access::Read => &["repo.content.read"][..],
        Access::Write => &["repo.content.read", "repo.write"],
    };
    let (mut form, key) = match organization {
        None => (TOKEN_FORM.to_owned(), "ownUserPermissions"),
        Some(name) => (format!("{TOKEN_FORM}&orgs={name}"), "orgPermissions"),
    };
    for permission in permissions {
        form.push_str(&format!("&{key}={permission}"));
    }
    form
}

const TOKEN_FORM: &str = "https://huggingface.co/settings/tokens/new?tokenType=fineGrained";

/// A value that must never be shown: its `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself. Each call is a place to look at in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_form_has_the_scopes_filled_in() {
        let form = "https://huggingface.co/settings/tokens/new?tokenType=fineGrained";
        assert_eq!(
            token_form(Access::Write, None),
            format!("{form}&ownUserPermissions=repo.content.read&ownUserPermissions=repo.write")
        );
        assert_eq!(
            token_form(Access::Read, Some("acme")),
            format!("{form}&orgs=acme&orgPermissions=repo.content.read")
        );
    }

    #[test]
    fn a_secret_does_not_show() {
        let secret = Secret::new("hf_abc");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.expose(), "hf_abc");
    }
}
