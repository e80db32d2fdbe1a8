//! The user of a token, and its permissions.

use serde::Deserialize;

/// User of a token (`GET /api/whoami-v2`).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhoAmI {
    /// Name of the user.
    pub name: String,
    /// True if the user confirmed the e-mail address; `None` if the Hub does not say.
    #[serde(default)]
    pub email_verified: Option<bool>,
    /// True for a PRO user.
    #[serde(default)]
    pub is_pro: bool,
    /// True if there is a payment method; `None` if the Hub does not say.
    #[serde(default)]
    pub can_pay: Option<bool>,
    /// Organizations of the user.
    #[serde(default)]
    pub orgs: Vec<Org>,
    #[serde(default)]
    auth: Auth,
}

/// An organization of the user.
#[derive(Debug, Clone, Deserialize)]
pub struct Org {
    /// Name of the organization.
    pub name: String,
    /// Role of the user in it.
    #[serde(rename = "roleInOrg", default)]
    pub role: Option<OrgRole>,
    /// Paid plan; `None` without one.
    #[serde(default)]
    pub plan: Option<String>,
    /// True if there is a payment method; `None` if the Hub does not say.
    #[serde(rename = "canPay", default)]
    pub can_pay: Option<bool>,
    /// Rules of the organization that this sign-in does not meet, such as `sso`. The Hub hides data because of them.
    #[serde(rename = "securityRestrictions", default)]
    pub restrictions: Vec<String>,
}

/// Role of a user in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgRole {
    /// Manages the organization.
    Admin,
    /// Writes to all repos.
    Write,
    /// Creates repos, and writes to these only.
    Contributor,
    /// Reads all repos.
    Read,
    /// Has no access to repos.
    NoAccess,
    /// A role that this crate does not know.
    #[serde(other)]
    Unknown,
}

/// Permissions of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRole {
    /// Reads what its user can read.
    Read,
    /// Does what its user can do.
    Write,
    /// Does what its scopes allow.
    FineGrained(Vec<TokenScope>),
    /// A role that this crate does not know.
    Unknown,
}

/// Permissions of a fine-grained token for one entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenScope {
    /// Kind of the entity: `user`, `org`, `space`, `resource-group` and others.
    pub kind: String,
    /// Namespace, or `namespace/name`.
    pub name: String,
    /// Permissions, such as `repo.write`.
    pub permissions: Vec<String>,
}

/// Token of the request, as the Hub describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Kind of the sign-in, such as `access_token`; `None` if the Hub does not say.
    pub kind: Option<String>,
    /// Name that its owner gave it.
    pub name: Option<String>,
    /// The Hub's word for its role: `read`, `write` or `fineGrained`.
    pub role_name: Option<String>,
    /// Permissions of the token.
    pub role: TokenRole,
    /// Permissions of a fine-grained token that are for no entity, such as `discussion.write`.
    pub global: Vec<String>,
    /// End of its life (RFC 3339); `None` if the Hub names none.
    pub expires_at: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    access_token: Option<AccessToken>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    role: String,
    #[serde(default)]
    fine_grained: Option<FineGrained>,
}

#[derive(Debug, Clone, Deserialize)]
struct FineGrained {
    #[serde(default)]
    scoped: Vec<Scoped>,
    #[serde(default)]
    global: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Scoped {
    entity: Entity,
    #[serde(default)]
    permissions: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
}

impl OrgRole {
    /// Returns the Hub's word for it; empty for one that this crate does not know.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Write => "write",
            Self::Contributor => "contributor",
            Self::Read => "read",
            Self::NoAccess => "no_access",
            Self::Unknown => "",
        }
    }
}

impl WhoAmI {
    /// Returns the token of the request.
    pub fn token(&self) -> TokenInfo {
        let token = self.auth.access_token.as_ref();
        let fine_grained = token.and_then(|token| token.fine_grained.as_ref());
        TokenInfo {
            kind: self.auth.kind.clone(),
            name: token.and_then(|token| token.display_name.clone()),
            role_name: token.map(|token| token.role.clone()).filter(|role| !role.is_empty()),
            role: self.token_role(),
            global: fine_grained.map(|fine| fine.global.clone()).unwrap_or_default(),
            expires_at: self.auth.expires_at.clone(),
        }
    }

    /// Returns the permissions of the token.
    pub fn token_role(&self) -> TokenRole {
        let Some(token) = &self.auth.access_token else { return TokenRole::Unknown };
        match (token.role.as_str(), &token.fine_grained) {
            ("read", _) => TokenRole::Read,
            ("write" | "god", _) => TokenRole::Write,
            ("fineGrained", Some(fine)) => {
                let scope = |scoped: &Scoped| TokenScope {
                    kind: scoped.entity.kind.clone(),
                    name: scoped.entity.name.clone(),
                    permissions: scoped.permissions.clone(),
                };
                TokenRole::FineGrained(fine.scoped.iter().map(scope).collect())
            }
            _ => TokenRole::Unknown,
        }
    }
}
