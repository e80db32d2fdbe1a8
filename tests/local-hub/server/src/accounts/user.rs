//! Accounts: users, their tokens and their organisations.

use serde::{Deserialize, Serialize};

/// One permission set of a fine-grained token, as `whoami-v2` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenScope {
    /// `user`, `org`, `model`, `dataset` or `space`.
    pub entity_type: String,
    /// A namespace, or `namespace/name` for a repository.
    pub entity_name: String,
    /// For instance `repo.content.read`, `repo.write`.
    pub permissions: Vec<String>,
}

/// Permissions of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenRole {
    /// Reads what its user can read.
    Read,
    /// Does what its user can do.
    Write,
    /// Does what is listed.
    FineGrained {
        /// Permissions per entity.
        scoped: Vec<TokenScope>,
        /// Global permissions such as `discussion.write`.
        global: Vec<String>,
    },
}

/// An account with one token.
#[derive(Clone, Debug)]
pub struct User {
    /// Namespace of the user.
    pub name: String,
    /// Display name.
    pub full_name: String,
    /// The bearer token.
    pub token: String,
    /// Role of that token.
    pub role: TokenRole,
    /// True if the user has the PRO plan.
    pub is_pro: bool,
    /// True if a payment method is set.
    pub can_pay: bool,
    /// The organisations the user is in.
    pub orgs: Vec<Org>,
}

/// An organisation, as one of its members has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// Its namespace.
    pub name: String,
    /// Display name.
    pub full_name: String,
    /// Role of the user there: `admin`, `write`, `contributor` or `read`.
    pub role: String,
    /// Its subscription: `team`, `enterprise`, `plus` or `academia`.
    pub plan: Option<String>,
    /// True if it has a payment method.
    pub can_pay: bool,
    /// Makes a new repository private when the request names no visibility.
    pub private_by_default: bool,
}

impl Org {
    /// An organisation that pays for a team.
    #[must_use]
    pub fn new(name: &str, role: &str) -> Self {
        Self {
            name: name.to_owned(),
            full_name: name.to_owned(),
            role: role.to_owned(),
            plan: Some("team".to_owned()),
            can_pay: true,
            private_by_default: false,
        }
    }
}

impl User {
    /// A PRO user with a write token.
    #[must_use]
    pub fn new(name: &str, token: &str) -> Self {
        Self {
            name: name.to_owned(),
            full_name: name.to_owned(),
            token: token.to_owned(),
            role: TokenRole::Write,
            is_pro: true,
            can_pay: true,
            orgs: vec![],
        }
    }

    /// Returns true if the token has a permission (`job.read` or `job.write`) for the Jobs of a namespace.
    pub(crate) fn may_run_jobs(&self, namespace: &str, permission: &str) -> bool {
        let is_own = self.name.eq_ignore_ascii_case(namespace);
        let may = |org: &Org| org.role != "read" || permission == "job.read";
        if !is_own && !self.org(namespace).is_some_and(may) {
            return false;
        }
        match &self.role {
            TokenRole::Read => permission == "job.read",
            TokenRole::Write => true,
            TokenRole::FineGrained { scoped, .. } => scoped.iter().any(|scope| {
                let has = |wanted: &str| scope.permissions.iter().any(|found| found == wanted);
                scope.entity_name.eq_ignore_ascii_case(namespace) && (has(permission) || has("job.write"))
            }),
        }
    }

    /// Returns the organisation of this namespace, if the user is a member.
    pub(crate) fn org(&self, namespace: &str) -> Option<&Org> {
        self.orgs.iter().find(|org| org.name.eq_ignore_ascii_case(namespace))
    }
}

/// Token of the user `ada` of the default configuration.
pub const DEFAULT_TOKEN: &str = "hf_local_ada_write_token_000000000000";
