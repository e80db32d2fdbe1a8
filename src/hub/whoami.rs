//! The user of a token, and its permissions.

use serde::Deserialize;

/// User of a token (`GET /api/whoami-v2`).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhoAmI {
    /// Name of the user.
    pub name: String,
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

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    #[serde(default)]
    access_token: Option<AccessToken>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    #[serde(default)]
    role: String,
    #[serde(default)]
    fine_grained: Option<FineGrained>,
}

#[derive(Debug, Clone, Deserialize)]
struct FineGrained {
    #[serde(default)]
    scoped: Vec<Scoped>,
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

impl WhoAmI {
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
