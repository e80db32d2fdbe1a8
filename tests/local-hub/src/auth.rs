//! Who calls, and what they may do.

use std::sync::Arc;

use axum::http::HeaderMap;

use crate::answer::HubError;
use crate::config::{RepoType, TokenRole, User};
use crate::hub::Hub;
use crate::repo::{Repo, RepoState};
use crate::util::{lock, now_ms};

/// A token that was exchanged for one repository (`hf_jwt_…`).
#[derive(Clone, Debug)]
pub(crate) struct RepoToken {
    pub(crate) token: String,
    pub(crate) repo_type: RepoType,
    /// Id of the repository (24 digits), so that a rename does not matter.
    pub(crate) repo_id: String,
    pub(crate) expires_ms: u64,
}

/// A token that opens one private app (`GET …/jwt`).
#[derive(Clone, Debug)]
pub(crate) struct AppToken {
    pub(crate) token: String,
    pub(crate) repo_id: String,
    pub(crate) expires_ms: u64,
}

/// The caller of a request.
#[derive(Clone)]
pub(crate) enum Caller {
    Anonymous,
    User(Arc<User>),
    Repo(Arc<RepoToken>),
}

pub(crate) const NO_CREDENTIALS: &str = "Invalid username or password.";
const BAD_TOKEN: &str = "Invalid credentials in Authorization header";

impl Caller {
    /// Reads the bearer token; an unknown one is refused everywhere.
    pub(crate) fn of(hub: &Hub, headers: &HeaderMap) -> Result<Self, HubError> {
        let Some(value) = headers.get("authorization") else { return Ok(Self::Anonymous) };
        let value = value.to_str().unwrap_or_default();
        let token = value
            .strip_prefix("Bearer ")
            .or_else(|| value.strip_prefix("bearer "))
            .ok_or_else(|| HubError::unauthorized(BAD_TOKEN))?;
        if let Some(user) = lock(&hub.users).iter().find(|u| u.token == token) {
            return Ok(Self::User(user.clone()));
        }
        if let Some(grant) =
            lock(&hub.repo_tokens).iter().find(|t| t.token == token && t.expires_ms > now_ms())
        {
            return Ok(Self::Repo(grant.clone()));
        }
        Err(HubError::unauthorized(BAD_TOKEN))
    }

    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    /// Name for commits and discussions.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(user) => &user.name,
            Self::Repo(_) => "[OIDC]",
        }
    }

    fn holds(&self, state: &RepoState) -> bool {
        matches!(self, Self::Repo(grant) if grant.repo_type == state.repo_type && grant.repo_id == state.id)
    }

    /// Whether a token with scopes has one of `permissions` on the namespace or the repository.
    fn scoped(user: &User, namespace: &str, full_id: Option<&str>, permissions: &[&str]) -> bool {
        let TokenRole::FineGrained { scoped, .. } = &user.role else { return true };
        scoped.iter().any(|scope| {
            let fits = scope.entity_name.eq_ignore_ascii_case(namespace)
                || full_id.is_some_and(|id| scope.entity_name.eq_ignore_ascii_case(id));
            fits && scope.permissions.iter().any(|p| permissions.contains(&p.as_str()))
        })
    }

    fn role_in(user: &User, namespace: &str) -> Option<String> {
        if user.name.eq_ignore_ascii_case(namespace) {
            return Some("admin".into());
        }
        user.org(namespace).map(|org| org.role.clone())
    }

    /// May see the repository and its content.
    pub(crate) fn can_read(&self, state: &RepoState) -> bool {
        if state.visibility == "public" || self.holds(state) {
            return true;
        }
        let Self::User(user) = self else { return false };
        Self::role_in(user, &state.namespace).is_some()
            && Self::scoped(
                user,
                &state.namespace,
                Some(&state.full_id()),
                &["repo.content.read", "repo.write"],
            )
    }

    /// Checks that the caller may read the files of a repository that it can see: those of a gated one are for its
    /// own namespace and for those who were let in.
    pub(crate) fn check_content(&self, repo: &Repo) -> Result<(), HubError> {
        let state = lock(&repo.state);
        let member = match self {
            Self::User(user) => {
                Self::role_in(user, &state.namespace).is_some()
                    || state.granted.contains(&user.name.to_lowercase())
            }
            Self::Repo(_) | Self::Anonymous => self.holds(&state),
        };
        if member || state.gated == serde_json::json!(false) {
            return Ok(());
        }
        let (what, id) = (state.repo_type.singular(), state.full_id());
        if self.is_anonymous() {
            return Err(HubError::coded(
                401,
                "GatedRepo",
                format!(
                    "Access to {what} {id} is restricted. You must have access to it and be authenticated to access it. \
                Please log in."
                ),
            ));
        }
        Err(HubError::coded(
            403,
            "GatedRepo",
            format!(
                "Access to {what} {id} is restricted and you are not in the authorized list. Visit \
            https://huggingface.co/{}{id} to ask for access.",
                state.repo_type.page_prefix()
            ),
        ))
    }

    /// May write to the repository.
    pub(crate) fn can_write(&self, state: &RepoState) -> bool {
        if self.holds(state) {
            return true;
        }
        let Self::User(user) = self else { return false };
        let may = match Self::role_in(user, &state.namespace).as_deref() {
            Some("admin" | "write") => true,
            Some("contributor") => state.creator == user.name,
            _ => false,
        };
        user.role != TokenRole::Read
            && may
            && Self::scoped(user, &state.namespace, Some(&state.full_id()), &["repo.write"])
    }

    /// May create repositories in a namespace; a token of one repository has no such scope (401).
    pub(crate) fn check_create(&self, namespace: &str, what: &str) -> Result<Arc<User>, HubError> {
        let user = match self {
            Self::User(user) => user.clone(),
            Self::Anonymous | Self::Repo(_) => return Err(HubError::unauthorized(NO_CREDENTIALS)),
        };
        let role = Self::role_in(&user, namespace);
        let allowed = user.role != TokenRole::Read
            && matches!(role.as_deref(), Some("admin" | "write" | "contributor"))
            && Self::scoped(&user, namespace, None, &["repo.write"]);
        if allowed {
            return Ok(user);
        }
        Err(HubError::forbidden(format!(
            "You don't have the rights to create a {what} under the namespace \"{namespace}\""
        )))
    }

    /// Checks that the caller may write; `pull_request` lowers that to "may read and is signed in".
    pub(crate) fn check_write(&self, repo: &Repo, pull_request: bool) -> Result<(), HubError> {
        let state = lock(&repo.state);
        if self.is_anonymous() {
            return Err(HubError::unauthorized(NO_CREDENTIALS));
        }
        if self.can_write(&state) {
            return Ok(());
        }
        let may_suggest = match self {
            Self::User(user) => {
                user.role != TokenRole::Read
                    && match &user.role {
                        TokenRole::FineGrained { global, .. } => {
                            global.iter().any(|g| g == "discussion.write")
                        }
                        _ => true,
                    }
            }
            _ => false,
        };
        if pull_request && may_suggest {
            return Ok(());
        }
        Err(HubError::forbidden(if may_suggest && !pull_request {
            "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request"
        } else {
            "You don't have the required permissions to perform this operation"
        }))
    }
}

impl Hub {
    /// The repository, when it exists and the caller may see it; otherwise the Hub's 401 or 404, which do not
    /// tell a private repository from a missing one. The 401 has no `X-Error-Code`: its text is all there is.
    pub(crate) fn repo_for(
        &self,
        caller: &Caller,
        repo_type: RepoType,
        id: &str,
    ) -> Result<Arc<Repo>, HubError> {
        if let Some(repo) = self.store.get(repo_type, id)
            && caller.can_read(&lock(&repo.state))
        {
            return Ok(repo);
        }
        Err(if caller.is_anonymous() {
            HubError::unauthorized(NO_CREDENTIALS)
        } else {
            HubError::coded(404, "RepoNotFound", "Repository not found")
        })
    }
}
