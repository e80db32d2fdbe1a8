//! The Hub's form for a new token.

/// Access that a new token should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reads repos.
    Read,
    /// Reads and writes repos.
    Write,
}

/// Returns the address of the form for a new token on the Hub at `endpoint`, with the scopes filled in: those of the
/// user's own repos, or those of an organization's.
pub fn token_form(endpoint: &str, access: Access, organization: Option<&str>) -> String {
    let page = format!("{}/settings/tokens/new?tokenType=fineGrained", endpoint.trim_end_matches('/'));
    let permissions = match access {
        Access::Read => &["repo.content.read"][..],
        Access::Write => &["repo.content.read", "repo.write"],
    };
    let (mut form, key) = match organization {
        None => (page, "ownUserPermissions"),
        Some(name) => (format!("{page}&orgs={name}"), "orgPermissions"),
    };
    for permission in permissions {
        form.push_str(&format!("&{key}={permission}"));
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_form_has_the_scopes_filled_in() {
        let form = "https://huggingface.co/settings/tokens/new?tokenType=fineGrained";
        assert_eq!(
            token_form("https://huggingface.co", Access::Write, None),
            format!("{form}&ownUserPermissions=repo.content.read&ownUserPermissions=repo.write")
        );
        assert_eq!(
            token_form("https://huggingface.co/", Access::Read, Some("acme")),
            format!("{form}&orgs=acme&orgPermissions=repo.content.read")
        );
    }
}
