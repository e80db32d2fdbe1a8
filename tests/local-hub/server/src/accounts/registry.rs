//! All accounts of a server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;

use crate::accounts::caller::{Caller, RepoToken};
use crate::accounts::user::User;
use crate::http::answer::HubError;
use crate::policy::SharedPolicy;
use crate::util::{lock, now_ms};

const BAD_TOKEN: &str = "Invalid credentials in Authorization header";

/// Users, the tokens of repositories, and the requests that each caller has made.
pub(crate) struct Accounts {
    users: Mutex<Vec<Arc<User>>>,
    repo_tokens: Mutex<Vec<Arc<RepoToken>>>,
    /// Start of the window and number of requests, by caller and bucket.
    pub(super) windows: Mutex<BTreeMap<String, (u64, u64)>>,
    pub(super) policy: SharedPolicy,
}

impl Accounts {
    pub(crate) fn new(users: &[User], policy: SharedPolicy) -> Self {
        Self {
            users: Mutex::new(users.iter().cloned().map(Arc::new).collect()),
            repo_tokens: Mutex::default(),
            windows: Mutex::default(),
            policy,
        }
    }

    pub(crate) fn add(&self, user: User) {
        lock(&self.users).push(Arc::new(user));
    }

    /// Returns the first user that fits.
    pub(crate) fn find(&self, fits: impl Fn(&User) -> bool) -> Option<Arc<User>> {
        lock(&self.users).iter().find(|user| fits(user)).cloned()
    }

    pub(crate) fn add_repo_token(&self, token: RepoToken) {
        lock(&self.repo_tokens).push(Arc::new(token));
    }

    /// Returns the caller by its bearer token. An unknown token is refused on every path.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, HubError> {
        let Some(value) = headers.get("authorization") else { return Ok(Caller::Anonymous) };
        let value = value.to_str().unwrap_or_default();
        let token = value
            .strip_prefix("Bearer ")
            .or_else(|| value.strip_prefix("bearer "))
            .ok_or_else(|| HubError::unauthorized(BAD_TOKEN))?;
        if let Some(user) = self.find(|user| user.token == token) {
            return Ok(Caller::User(user));
        }
        let grants = lock(&self.repo_tokens);
        match grants.iter().find(|t| t.token == token && t.expires_ms > now_ms()) {
            Some(grant) => Ok(Caller::Repo(grant.clone())),
            None => Err(HubError::unauthorized(BAD_TOKEN)),
        }
    }
}
