//! Callers of requests and their permissions.

use std::sync::Arc;

use crate::accounts::user::{TokenRole, User};
use crate::buckets::bucket::BucketState;
use crate::core::repo::{Repo, RepoState};
use crate::http::answer::HubError;
use crate::util::lock;

/// A token of the exchange for one repository or bucket (`hf_jwt_…`).
#[derive(Clone, Debug)]
pub(crate) struct RepoToken {
    pub(crate) token: String,
    /// Id of the repository or bucket (24 digits), which a rename does not change.
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
const NO_PERMISSION: &str = "You don't have the required permissions to perform this operation";

/// A repository or bucket, as far as its permissions depend on it.
struct Place<'a> {
    id: &'a str,
    namespace: &'a str,
    /// `namespace/name`.
    full_id: String,
    creator: &'a str,
    is_public: bool,
}

impl<'a> From<&'a RepoState> for Place<'a> {
    fn from(state: &'a RepoState) -> Self {
        let RepoState { id, namespace, creator, .. } = state;
        Self { id, namespace, full_id: state.full_id(), creator, is_public: state.visibility == "public" }
    }
}

impl<'a> From<&'a BucketState> for Place<'a> {
    fn from(state: &'a BucketState) -> Self {
        let BucketState { id, namespace, creator, .. } = state;
        Self { id, namespace, full_id: state.full_id(), creator, is_public: !state.private }
    }
}

impl Caller {
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }

    /// Returns the author name for commits and discussions.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(user) => &user.name,
            Self::Repo(_) => "[OIDC]",
        }
    }

    fn holds(&self, id: &str) -> bool {
        matches!(self, Self::Repo(grant) if grant.repo_id == id)
    }

    /// Returns true if the token has one of `permissions` on the namespace or the repository.
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

    /// Returns true if the caller can see the repository.
    pub(crate) fn can_read(&self, state: &RepoState) -> bool {
        self.may_read(&state.into())
    }

    /// Returns true if the caller can see the bucket.
    pub(crate) fn can_read_bucket(&self, state: &BucketState) -> bool {
        self.may_read(&state.into())
    }

    fn may_read(&self, place: &Place<'_>) -> bool {
        if place.is_public || self.holds(place.id) {
            return true;
        }
        let Self::User(user) = self else { return false };
        let permissions = ["repo.content.read", "repo.write"];
        Self::role_in(user, place.namespace).is_some()
            && Self::scoped(user, place.namespace, Some(&place.full_id), &permissions)
    }

    /// Checks that the caller can read the files of a repository that it can see. Those of a gated repository are for
    /// its namespace and for users with granted access.
    pub(crate) fn check_content(&self, repo: &Repo) -> Result<(), HubError> {
        let state = lock(&repo.state);
        let member = match self {
            Self::User(user) => {
                Self::role_in(user, &state.namespace).is_some()
                    || state.granted.contains(&user.name.to_lowercase())
            }
            Self::Repo(_) | Self::Anonymous => self.holds(&state.id),
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

    fn may_write(&self, place: &Place<'_>) -> bool {
        if self.holds(place.id) {
            return true;
        }
        let Self::User(user) = self else { return false };
        let may = match Self::role_in(user, place.namespace).as_deref() {
            Some("admin" | "write") => true,
            Some("contributor") => place.creator == user.name,
            _ => false,
        };
        user.role != TokenRole::Read
            && may
            && Self::scoped(user, place.namespace, Some(&place.full_id), &["repo.write"])
    }

    /// Checks that the caller can write to the bucket.
    pub(crate) fn check_bucket_write(&self, state: &BucketState) -> Result<(), HubError> {
        if self.is_anonymous() {
            return Err(HubError::unauthorized(NO_CREDENTIALS));
        }
        self.may_write(&state.into()).then_some(()).ok_or_else(|| HubError::forbidden(NO_PERMISSION))
    }

    /// Checks that the caller can create repositories in a namespace. A token of one repository cannot (401).
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

    /// Checks that the caller can write; with `pull_request`, that it is signed in.
    pub(crate) fn check_write(&self, repo: &Repo, pull_request: bool) -> Result<(), HubError> {
        let state = lock(&repo.state);
        if self.is_anonymous() {
            return Err(HubError::unauthorized(NO_CREDENTIALS));
        }
        if self.may_write(&(&*state).into()) {
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
            NO_PERMISSION
        }))
    }
}
