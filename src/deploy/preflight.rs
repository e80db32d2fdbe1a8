//! What the token's user may do, asked before anything is written: all that is missing is told at once.
//!
//! Only what the Hub's answer to `GET /api/whoami-v2` proves is a fault; whatever is in doubt is left to the
//! write itself.

use std::time::Duration;

use super::Deploy;
use crate::failure::{Code, Failure, Result};
use crate::hub::{Lookup, OrgRole, Repo, TokenRole, WhoAmI};
use crate::target::{RepoType, SpaceSdk};

/// How long the answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

impl Deploy<'_> {
    /// The user behind the token: `None` where there is none, and where the Hub does not say.
    pub(super) async fn user(&self) -> Option<WhoAmI> {
        self.inputs.credentials.token()?;
        // The Hub limits this question strictly: an answer is of help, and no answer is no harm.
        tokio::time::timeout(PATIENCE, self.hub.whoami_once()).await.ok()?.ok()
    }

    /// Refuses a deploy that the token cannot carry out.
    pub(super) fn preflight(&self, user: &WhoAmI, lookup: &Lookup, sdk: Option<SpaceSdk>) -> Result<()> {
        let mut faults = missing_rights(user, &self.repo, self.inputs.create_pr);
        if faults.is_empty() {
            return Ok(());
        }
        let is_new = matches!(lookup, Lookup::NoRepo(_));
        let needs_plan = self.repo.repo_type == RepoType::Space
            && is_new
            && sdk.is_some_and(|sdk| sdk != SpaceSdk::Static);
        if needs_plan && has_plan(user, &self.repo.id.namespace) == Some(false) {
            let namespace = &self.repo.id.namespace;
            faults.push(format!("`{namespace}` has no paid plan, which a new Gradio or Docker Space needs"));
        }
        let message = format!("this token cannot deploy to the {}: {}", self.repo, faults.join("; "));
        if self.inputs.dry_run {
            // To plan with a token that may only read is wise, and no mistake.
            match user.token_role() {
                TokenRole::Read => self.log.info(&message),
                _ => self.log.warning(&message),
            }
            return Ok(());
        }
        let failure = Failure::new(Code::PermissionDenied, format!("{message} (nothing was changed)"));
        let own = namespaces(user);
        let failure = match own.contains(&self.repo.id.namespace.as_str()) {
            true => failure,
            false => failure.hint(format!(
                "check the namespace in `huggingface_repo`: this token's are `{}`",
                own.join("`, `")
            )),
        };
        Err(failure
            .hint("make a token that may, at https://huggingface.co/settings/tokens: `write`, or fine-grained with write access to this namespace or repo"))
    }
}

/// The user's own namespace, and those of the user's organisations.
fn namespaces(user: &WhoAmI) -> Vec<&str> {
    let orgs = user.orgs.iter().map(|org| org.name.as_str());
    std::iter::once(user.name.as_str()).chain(orgs).collect()
}

/// What stands between the user and a write, each as the part of a sentence.
fn missing_rights(user: &WhoAmI, repo: &Repo, create_pr: bool) -> Vec<String> {
    let namespace = &repo.id.namespace;
    let mut faults = Vec::new();
    match user.token_role() {
        TokenRole::Read => faults.push("it may only read".to_owned()),
        TokenRole::FineGrained(scopes) if !create_pr => {
            let id = repo.id.to_string();
            let writes = scopes.iter().any(|scope| {
                let covers = scope.kind == "resource-group" || scope.name == *namespace || scope.name == id;
                covers && scope.permissions.iter().any(|permission| permission == "repo.write")
            });
            if !writes {
                faults
                    .push(format!("it is fine-grained, without `repo.write` for `{namespace}` or this repo"));
            }
        }
        _ => {}
    }
    // Whoever may not write may still propose.
    if create_pr || user.name == *namespace {
        return faults;
    }
    match user.orgs.iter().find(|org| org.name == *namespace) {
        None => faults.push(format!("its user `{}` is no member of `{namespace}`", user.name)),
        Some(org) if matches!(org.role, Some(OrgRole::Read | OrgRole::NoAccess)) => {
            faults.push(format!("its user `{}` may only read in `{namespace}`", user.name));
        }
        Some(_) => {}
    }
    faults
}

/// Whether the namespace is on a paid plan: `None` where the user is not of it.
fn has_plan(user: &WhoAmI, namespace: &str) -> Option<bool> {
    if user.name == namespace {
        return Some(user.is_pro);
    }
    let org = user.orgs.iter().find(|org| org.name == namespace)?;
    Some(org.plan.is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::target::RepoName;

    fn faults(user: &Value, create_pr: bool) -> Vec<String> {
        let user: WhoAmI = serde_json::from_value(user.clone()).unwrap();
        let id = "acme/app".parse::<RepoName>().unwrap().full().unwrap();
        missing_rights(&user, &Repo { repo_type: RepoType::Space, id }, create_pr)
    }

    fn user(name: &str, orgs: &Value, token: &Value) -> Value {
        json!({"name": name, "isPro": false, "orgs": orgs, "auth": {"type": "access_token", "accessToken": token}})
    }

    #[test]
    fn only_what_is_proven_is_a_fault() {
        let (write, read) = (json!({"role": "write"}), json!({"role": "read"}));
        let member = |role| json!([{"name": "acme", "roleInOrg": role}]);
        let none: [&str; 0] = [];
        assert_eq!(faults(&user("acme", &json!([]), &write), false), none);
        assert_eq!(faults(&user("ada", &member("contributor"), &write), false), none);
        assert_eq!(faults(&json!({"name": "acme"}), false), none);
        assert_eq!(
            faults(
                &user("ada", &json!([{"name": "acme", "roleInOrg": "new_role"}]), &json!({"role": "god"})),
                false
            ),
            none
        );
        assert_eq!(faults(&user("acme", &json!([]), &read), false), ["it may only read"]);
        assert_eq!(
            faults(&user("ada", &json!([]), &write), false),
            ["its user `ada` is no member of `acme`"]
        );
        assert_eq!(faults(&user("ada", &json!([]), &write), true), none);
        assert_eq!(
            faults(&user("ada", &member("read"), &read), false),
            ["it may only read", "its user `ada` may only read in `acme`"]
        );
    }

    #[test]
    fn fine_grained_tokens_are_read_by_what_they_cover() {
        let token = |name: &str, kind: &str, permission: &str| {
            json!({"role": "fineGrained", "fineGrained": {"scoped": [
                {"entity": {"name": name, "type": kind}, "permissions": [permission]},
            ]}})
        };
        let of = |token: Value| faults(&user("acme", &json!([]), &token), false).len();
        assert_eq!(of(token("acme", "user", "repo.write")), 0);
        assert_eq!(of(token("acme/app", "space", "repo.write")), 0);
        assert_eq!(of(token("x", "resource-group", "repo.write")), 0);
        assert_eq!(of(token("acme", "user", "repo.content.read")), 1);
        assert_eq!(of(token("acme/other", "space", "repo.write")), 1);
    }
}
