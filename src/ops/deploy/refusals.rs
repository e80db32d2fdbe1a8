//! Refusals of the Hub, explained by what is known of the user: the cause decides what helps.

use hub::{Access, OrgRole, Repo, WhoAmI, token_form};

use super::preflight::has_plan;
use crate::failure::{Code, Failure};

/// Names the cause of a refused write first: the role in the organization, then the plan.
pub(super) fn explain(mut failure: Failure, user: &WhoAmI, repo: &Repo, create_pr: bool) -> Failure {
    let (name, namespace) = (&user.name, &repo.id.namespace);
    let role = user.orgs.iter().find(|org| org.name == *namespace).and_then(|org| org.role);
    if failure.code == Code::PermissionDenied && role == Some(OrgRole::Contributor) && !create_pr {
        failure.message = format!(
            "`{name}` has the role `contributor` in `{namespace}`, which writes only to repos that `{name}` created: {}",
            failure.message
        );
        failure.hints = vec![format!(
            "ask an admin of `{namespace}` for the role `write`, or set `create_pr: true` to propose the change"
        )];
    }
    if failure.code == Code::PaymentRequired && has_plan(user, namespace) == Some(false) {
        failure.message = format!("`{namespace}` has no paid plan: {}", failure.message);
    }
    failure
}

/// Begins with the token, where the Hub does not know it.
pub(crate) fn explain_token(mut failure: Failure) -> Failure {
    if failure.code == Code::TokenInvalid {
        failure.message = format!("the Hub does not accept this token: {}", failure.message);
        failure.hints = vec![format!(
            "it may be expired, revoked or incomplete: make a new one at {}, and replace the secret behind `hf_token`",
            token_form(Access::Write, None)
        )];
    }
    failure
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use hub::{RepoName, RepoType};

    #[test]
    fn a_contributor_is_not_sent_for_a_token() {
        let user: WhoAmI = serde_json::from_value(
            json!({"name": "ada", "orgs": [{"name": "acme", "roleInOrg": "contributor"}]}),
        )
        .unwrap();
        let id = "acme/app".parse::<RepoName>().unwrap().full().unwrap();
        let repo = Repo { repo_type: RepoType::Space, id };
        let refused = || Failure::new(Code::PermissionDenied, "cannot commit: 403").hint("make a token");
        let failure = explain(refused(), &user, &repo, false);
        assert!(failure.message.starts_with("`ada` has the role `contributor` in `acme`"), "{failure}");
        assert!(failure.hints[0].contains("role `write`") && failure.hints[0].contains("`create_pr: true`"));
        assert_eq!(failure.hints.len(), 1);
        assert_eq!(explain(refused(), &user, &repo, true).message, "cannot commit: 403");
    }
}
