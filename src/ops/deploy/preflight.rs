//! Obstacles that the token's user meets, found before anything is written and all named at once.
//!
//! Only what the Hub's answer to `GET /api/whoami-v2` proves is a fault; whatever is in doubt is left to the
//! write itself.

use std::time::Duration;

use hub::{Access, Hub, Lookup, OrgRole, Repo, SpaceSdk, TokenRole, Visibility, WhoAmI, token_form};

use super::Deploy;
use crate::action::Log;
use crate::failure::{Code, Failure, Result};
use crate::ops::space::HardwareOptions;

/// Time allowed for the answer of the Hub about the user.
const WHOAMI_TIMEOUT: Duration = Duration::from_secs(5);

/// One thing that stands between the user and a write.
#[derive(Debug, PartialEq, Eq)]
struct Obstacle {
    /// Part of a sentence.
    what: String,
    hint: String,
}

impl Deploy<'_> {
    /// Returns the user behind the token: `None` where there is none, and where the Hub does not say.
    pub(super) async fn user(&self) -> Option<WhoAmI> {
        if self.hub.uses_trusted_publishing() || !self.hub.has_token() {
            return None;
        }
        known_user(self.hub).await
    }

    /// Refuses a deploy that the user or the token cannot carry out.
    pub(super) fn preflight(&self, user: &WhoAmI, lookup: &Lookup, sdk: Option<SpaceSdk>) -> Result<()> {
        let is_new = matches!(lookup, Lookup::NoRepo(_));
        let plan = sdk
            .filter(|_| is_new)
            .and_then(|sdk| missing_plan(user, &self.repo.id.namespace, sdk, &self.options.space.hardware));
        let create_pr = self.options.create_pr;
        let of_user = missing_membership(user, &self.repo, create_pr);
        let of_token = missing_scope(user, &self.repo, create_pr);
        if self.options.dry_run {
            if let Some(plan) = plan {
                self.log.warning(&format!("{}: {}", plan.what, plan.hint));
            }
            let rights: Vec<Obstacle> = of_user.into_iter().chain(of_token).collect();
            self.tell_missing_rights(user, &rights);
            return Ok(());
        }
        if of_user.is_none() && of_token.is_none() {
            return Ok(());
        }
        // In the order of evidence: a token does not help where the user may not write.
        let obstacles: Vec<Obstacle> = of_user.into_iter().chain(plan).chain(of_token).collect();
        let what = list(&obstacles);
        let message = format!("cannot deploy to the {}: {what} (nothing was changed)", self.repo);
        let failure = Failure::new(Code::PermissionDenied, message);
        Err(obstacles.into_iter().fold(failure, |failure, obstacle| failure.hint(obstacle.hint)))
    }

    /// To plan with a token that may only read is wise, and no mistake.
    fn tell_missing_rights(&self, user: &WhoAmI, rights: &[Obstacle]) {
        if rights.is_empty() {
            return;
        }
        let message = format!("a deploy to the {} would be refused: {}", self.repo, list(rights));
        match user.token_role() {
            TokenRole::Read => self.log.info(&message),
            _ => self.log.warning(&message),
        }
    }

    /// Warns of a proxy before a Space that everybody can reach without it.
    pub(super) fn question_the_proxy(&self, lookup: &Lookup) {
        if !self.options.has_proxy {
            return;
        }
        let is_private = match lookup {
            Lookup::Found(info) if !self.options.visibility_given => info.private,
            _ => self.options.visibility == Visibility::Private,
        };
        if !is_private {
            self.log.warning(&format!(
                "everybody can open the app of the {} without its proxy: set `private: true`",
                self.repo
            ));
        }
    }
}

/// Refuses a new proxy Space that the plan of its namespace does not cover, before the Space behind it is touched.
pub(crate) async fn check_plan_of_proxy(
    hub: &Hub,
    proxy: &Repo,
    hardware: &HardwareOptions,
    dry_run: bool,
    log: &Log,
) -> Result<()> {
    let Some(user) = known_user(hub).await else { return Ok(()) };
    let Some(plan) = missing_plan(&user, &proxy.id.namespace, SpaceSdk::Docker, hardware) else {
        return Ok(());
    };
    let message = format!("cannot create the proxy {proxy}: {}", plan.what);
    if dry_run {
        log.warning(&message);
        return Ok(());
    }
    Err(Failure::new(Code::PaymentRequired, format!("{message} (nothing was changed)"))
        .hint("take a paid plan, or leave `create_proxy` out")
        .hint("on a paid plan, `visibility: protected` on the Space itself shows its app to everybody and keeps its files private, without a proxy"))
}

/// The Hub limits this question strictly: an answer is of help, and no answer is no harm.
async fn known_user(hub: &Hub) -> Option<WhoAmI> {
    tokio::time::timeout(WHOAMI_TIMEOUT, hub.whoami_once()).await.ok()?.ok()
}

fn list(obstacles: &[Obstacle]) -> String {
    obstacles.iter().map(|obstacle| obstacle.what.as_str()).collect::<Vec<_>>().join("; ")
}

/// Returns why the user may not write to the namespace, whatever the token: the role there, or no membership.
fn missing_membership(user: &WhoAmI, repo: &Repo, create_pr: bool) -> Option<Obstacle> {
    let namespace = &repo.id.namespace;
    // A user who may not write may still propose.
    if create_pr || user.name == *namespace {
        return None;
    }
    if let Some(org) = user.orgs.iter().find(|org| org.name == *namespace) {
        return missing_role(user, namespace, org.role);
    }
    Some(Obstacle {
        what: format!("`{}` is no member of `{namespace}`", user.name),
        hint: format!(
            "set `huggingface_repo` to a repo of `{}`, be added to the organization `{namespace}`, or set `create_pr: true` to propose the change",
            namespaces(user).join("`, `")
        ),
    })
}

/// Returns what the token lacks.
fn missing_scope(user: &WhoAmI, repo: &Repo, create_pr: bool) -> Option<Obstacle> {
    let namespace = &repo.id.namespace;
    let organization = user.orgs.iter().map(|org| org.name.as_str()).find(|name| name == namespace);
    let form = token_form(Access::Write, organization);
    match user.token_role() {
        TokenRole::Read => Some(Obstacle {
            what: "the token is read-only".to_owned(),
            hint: format!("make a token with write access at {form}"),
        }),
        TokenRole::FineGrained(scopes) if !create_pr => {
            let id = repo.id.to_string();
            let writes = scopes.iter().any(|scope| {
                let covers = scope.kind == "resource-group" || scope.name == *namespace || scope.name == id;
                covers && scope.permissions.iter().any(|permission| permission == "repo.write")
            });
            (!writes).then(|| Obstacle {
                what: format!(
                    "the token is fine-grained, without `repo.write` for `{namespace}` or this repo"
                ),
                hint: format!("make a token with that right at {form}"),
            })
        }
        _ => None,
    }
}

/// Returns the role of a member that may not write, which no token changes.
fn missing_role(user: &WhoAmI, organization: &str, role: Option<OrgRole>) -> Option<Obstacle> {
    let role = match role? {
        OrgRole::Read => "the role `read`",
        OrgRole::NoAccess => "no access",
        OrgRole::Admin | OrgRole::Write | OrgRole::Contributor | OrgRole::Unknown => return None,
    };
    Some(Obstacle {
        what: format!("`{}` has {role} in `{organization}`", user.name),
        hint: format!(
            "ask an admin of `{organization}` for the role `write`, which no token replaces, or set `create_pr: true` to propose the change"
        ),
    })
}

/// Returns the user's own namespace, and those of the user's organizations.
fn namespaces(user: &WhoAmI) -> Vec<&str> {
    let orgs = user.orgs.iter().map(|org| org.name.as_str());
    std::iter::once(user.name.as_str()).chain(orgs).collect()
}

/// Returns why the Hub refuses a new Space of this kind to a namespace without a paid plan. `None` where it grants
/// one, and where the plan is not known.
fn missing_plan(
    user: &WhoAmI,
    namespace: &str,
    sdk: SpaceSdk,
    hardware: &HardwareOptions,
) -> Option<Obstacle> {
    let kind = match sdk {
        SpaceSdk::Static => return None,
        SpaceSdk::Gradio => "Gradio",
        SpaceSdk::Docker | SpaceSdk::Streamlit => "Docker",
    };
    let wanted = hardware.wanted.first().filter(|flavor| !flavor.is_basic());
    let can_pay = can_pay(user, namespace);
    let is_granted = wanted.is_some_and(|flavor| flavor.is_zero_gpu() || can_pay != Some(false));
    if has_plan(user, namespace) != Some(false) || is_granted {
        return None;
    }
    let hardware = match wanted {
        Some(flavor) => format!("`{flavor}` without a payment method, and none on `cpu-basic`"),
        None => "`cpu-basic`".to_owned(),
    };
    let free = match sdk {
        SpaceSdk::Gradio => {
            "set `hardware: zero-a10g` and decorate a function of the app with `@spaces.GPU`, or take a paid plan"
        }
        _ => "take a paid plan; static Spaces, and a few Gradio Spaces with `hardware: zero-a10g`, are free",
    };
    Some(Obstacle {
        what: format!(
            "`{namespace}` is on the free plan, with which the Hub creates no {kind} Space on {hardware}"
        ),
        hint: free.to_owned(),
    })
}

/// Returns whether the namespace is on a paid plan: `None` where the user is not of it.
pub(super) fn has_plan(user: &WhoAmI, namespace: &str) -> Option<bool> {
    if user.name == namespace {
        return Some(user.is_pro);
    }
    let org = user.orgs.iter().find(|org| org.name == namespace)?;
    Some(org.plan.is_some())
}

/// Returns whether the namespace has a payment method, where the Hub says so.
fn can_pay(user: &WhoAmI, namespace: &str) -> Option<bool> {
    if user.name == namespace {
        return user.can_pay;
    }
    user.orgs.iter().find(|org| org.name == namespace)?.can_pay
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use hub::{RepoName, RepoType};

    fn faults(user: &Value, create_pr: bool) -> Vec<String> {
        let user: WhoAmI = serde_json::from_value(user.clone()).unwrap();
        let id = "acme/app".parse::<RepoName>().unwrap().full().unwrap();
        let repo = Repo { repo_type: RepoType::Space, id };
        let obstacles = [missing_membership(&user, &repo, create_pr), missing_scope(&user, &repo, create_pr)];
        obstacles.into_iter().flatten().map(|obstacle| obstacle.what).collect()
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
        assert_eq!(faults(&user("acme", &json!([]), &read), false), ["the token is read-only"]);
        assert_eq!(faults(&user("ada", &json!([]), &write), false), ["`ada` is no member of `acme`"]);
        assert_eq!(faults(&user("ada", &json!([]), &write), true), none);
        assert_eq!(
            faults(&user("ada", &member("read"), &read), false),
            ["`ada` has the role `read` in `acme`", "the token is read-only"]
        );
    }

    #[test]
    fn a_role_is_not_blamed_on_the_token() {
        let user: WhoAmI = serde_json::from_value(user(
            "ada",
            &json!([{"name": "acme", "roleInOrg": "read"}]),
            &json!({"role": "write"}),
        ))
        .unwrap();
        let id = "acme/app".parse::<RepoName>().unwrap().full().unwrap();
        let repo = Repo { repo_type: RepoType::Space, id };
        let hint = missing_membership(&user, &repo, false).unwrap().hint;
        assert!(hint.starts_with("ask an admin of `acme` for the role `write`, which no token"), "{hint}");
        assert_eq!(missing_scope(&user, &repo, false), None);
    }

    #[test]
    fn a_plan_is_missing_only_where_the_hub_refuses_the_space() {
        let of = |sdk: SpaceSdk, flavor: Option<&str>, can_pay: bool| {
            let user: WhoAmI =
                serde_json::from_value(json!({"name": "bob", "isPro": false, "canPay": can_pay})).unwrap();
            let wanted = flavor.map(|flavor| flavor.parse().unwrap()).into_iter().collect();
            missing_plan(&user, "bob", sdk, &HardwareOptions { wanted, ..HardwareOptions::default() })
                .map(|obstacle| obstacle.what)
        };
        for (sdk, flavor, can_pay, part) in [
            (SpaceSdk::Static, None, false, None),
            (SpaceSdk::Gradio, None, true, Some("creates no Gradio Space on `cpu-basic`")),
            (SpaceSdk::Docker, Some("cpu-basic"), true, Some("creates no Docker Space on `cpu-basic`")),
            (SpaceSdk::Gradio, Some("zero-a10g"), false, None),
            (SpaceSdk::Gradio, Some("t4-small"), true, None),
            (
                SpaceSdk::Gradio,
                Some("t4-small"),
                false,
                Some(
                    "creates no Gradio Space on `t4-small` without a payment method, and none on `cpu-basic`",
                ),
            ),
        ] {
            let found = of(sdk, flavor, can_pay);
            assert_eq!(found.is_some(), part.is_some(), "{sdk:?} {flavor:?}: {found:?}");
            assert!(part.is_none_or(|part| found.unwrap().ends_with(part)));
        }
        let elsewhere: WhoAmI = serde_json::from_value(json!({"name": "bob", "isPro": false})).unwrap();
        let none = HardwareOptions::default();
        assert_eq!(missing_plan(&elsewhere, "acme", SpaceSdk::Docker, &none), None);
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
