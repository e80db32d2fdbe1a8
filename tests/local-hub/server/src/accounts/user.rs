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
    /// True if the e-mail address is confirmed.
    pub email_verified: bool,
    /// End of the token's life (RFC 3339).
    pub token_expires_at: Option<String>,
    /// Quotas and spending.
    pub wallet: Wallet,
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
    /// Rules that the sign-in does not meet, such as `sso`.
    pub restrictions: Vec<String>,
}

/// Quotas and spending of an account in the current period.
#[derive(Clone, Debug, PartialEq)]
pub struct Wallet {
    /// GPU-seconds used.
    pub zero_gpu_used: f64,
    /// Spending on Inference Providers, in US dollars.
    pub inference_usd: f64,
    /// Spending on Jobs, in US dollars.
    pub jobs_usd: f64,
    /// True if the account may run Jobs.
    pub has_jobs: bool,
}

impl Default for Wallet {
    /// An account that spent nothing yet.
    fn default() -> Self {
        Self { zero_gpu_used: 0.0, inference_usd: 0.0, jobs_usd: 0.0, has_jobs: true }
    }
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
            restrictions: vec![],
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
            email_verified: true,
            token_expires_at: None,
            wallet: Wallet::default(),
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

    /// Returns true if the token may read quotas and spending.
    pub(crate) fn may_read_billing(&self) -> bool {
        let TokenRole::FineGrained { scoped, .. } = &self.role else { return true };
        scoped.iter().any(|scope| {
            scope.entity_name == self.name && scope.permissions.iter().any(|p| p == "user.billing.read")
        })
    }

    /// Returns the organisation of this namespace, if the user is a member.
    pub(crate) fn org(&self, namespace: &str) -> Option<&Org> {
        self.orgs.iter().find(|org| org.name.eq_ignore_ascii_case(namespace))
    }
}

/// Token of the user `ada` of the default configuration.
pub const DEFAULT_TOKEN: &str = "hf_local_ada_write_token_000000000000";
