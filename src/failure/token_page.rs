//! The page of the Hub on which a token is made.

use hub::{Access, token_form};

/// Returns the address of the form for a new token on the public Hub, because a failure does not know another endpoint.
pub(super) fn token_page(access: Access, organization: Option<&str>) -> String {
    token_form("https://huggingface.co", access, organization)
}
