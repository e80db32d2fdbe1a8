//! The page that explains an error code, in the version of the action that runs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::failure::Code;

/// Page with a heading for each error code, from the root of this repository.
const PAGE: &str = ".github/SUPPORT.md";

/// Characters of a branch or a tag that an address needs encoded.
const REFERENCE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Address of the page on GitHub, for the version of the action that the workflow names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpPage(String);

impl HelpPage {
    /// Reads the repository and the version of the action (GitHub docs, "Variables reference"). Returns `None` without
    /// them, as for an action of the same checkout (`uses: ./`), because a link would be broken.
    pub fn from_vars(vars: &[(String, String)]) -> Option<Self> {
        let given = |name: &str| {
            let (_, value) = vars.iter().rev().find(|(known, _)| known == name)?;
            Some(value.trim()).filter(|value| !value.is_empty())
        };
        let server = given("GITHUB_SERVER_URL")?.trim_end_matches('/');
        let repository = given("GITHUB_ACTION_REPOSITORY")?;
        let reference = given("GITHUB_ACTION_REF")?;
        let is_plain = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
        };
        let is_repository =
            repository.split_once('/').is_some_and(|(owner, name)| is_plain(owner) && is_plain(name));
        let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://"))?;
        let is_address = url::Url::parse(server).is_ok() && !host.contains(|c: char| c.is_whitespace());
        if !is_repository || !is_address {
            return None;
        }
        let reference = utf8_percent_encode(reference, REFERENCE);
        Some(Self(format!("{server}/{repository}/blob/{reference}/{PAGE}")))
    }

    /// Returns the address of the heading of an error code.
    pub fn of(&self, code: Code) -> String {
        format!("{}#{}", self.0, code.as_str())
    }
}

/// Returns the place of the heading in a checkout of this repository.
pub(super) fn in_checkout(code: Code) -> String {
    format!("{PAGE}#{}", code.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(server: &str, repository: &str, reference: &str) -> Option<String> {
        let vars = [
            ("GITHUB_SERVER_URL", server),
            ("GITHUB_ACTION_REPOSITORY", repository),
            ("GITHUB_ACTION_REF", reference),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(HelpPage::from_vars(&vars)?.of(Code::TokenMissing))
    }

    #[test]
    fn link_leads_to_the_version_that_runs() {
        let heading = ".github/SUPPORT.md#token_missing";
        for (reference, part) in [("v1", "v1"), ("fix/a b#1", "fix/a%20b%231"), ("größe", "gr%C3%B6%C3%9Fe")]
        {
            let expected = format!("https://github.com/octo/hf-deploy/blob/{part}/{heading}");
            assert_eq!(page("https://github.com/", "octo/hf-deploy", reference), Some(expected));
        }
        assert_eq!(in_checkout(Code::TokenMissing), heading);
    }

    #[test]
    fn no_link_is_better_than_a_broken_one() {
        let server = "https://github.com";
        for (server, repository, reference) in [
            ("", "octo/hf-deploy", "v1"),
            (server, "", "v1"),
            (server, "octo/hf-deploy", " "),
            (server, "octo", "v1"),
            (server, "octo/hf/deploy", "v1"),
            (server, "octo/a](x)", "v1"),
            ("javascript:alert(1)", "octo/hf-deploy", "v1"),
            ("https://a b", "octo/hf-deploy", "v1"),
        ] {
            assert_eq!(page(server, repository, reference), None, "{server} {repository} {reference}");
        }
        assert_eq!(HelpPage::from_vars(&[]), None);
    }
}
