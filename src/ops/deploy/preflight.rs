//! Obstacles that the token's user meets, found before anything is written and all named at once.
//!
//! Only facts from the Hub's answer to `GET /api/whoami-v2` count as obstacles. In doubt, the write itself decides.

use std::time::Duration;

use crate::action::Log;
use crate::failure::Result;
use crate::failure::deploy_log as advice;
use crate::failure::rights::{self, Obstacle, described, has_plan};
use crate::ops::space::HardwareOptions;
use hub::{Hub, Lookup, OrgRole, Repo, SpaceSdk, TokenRole, Visibility, WhoAmI};

use super::context::Context;

/// Time allowed for the Hub's answer about the user.
const WHOAMI_TIMEOUT: Duration = Duration::from_secs(5);

/// Fetches the user behind the token: `None` without a user, and without an answer.
pub(super) async fn fetch_user(hub: &Hub) -> Option<WhoAmI> {
    if hub.uses_trusted_publishing() || !hub.has_token() {
        return None;
    }
    known_user(hub).await
}

/// Refuses a deploy that the user or the token cannot carry out.
pub(super) fn check_rights(
    context: &Context<'_>,
    user: &WhoAmI,
    lookup: &Lookup,
    sdk: Option<SpaceSdk>,
) -> Result<()> {
    let Context { options, repo, log, .. } = context;
    let is_new = matches!(lookup, Lookup::NoRepo(_));
    let plan = sdk
        .filter(|_| is_new)
        .and_then(|sdk| missing_plan(user, &repo.id.namespace, sdk, &options.space.hardware));
    let of_user = missing_membership(user, repo, options.create_pr);
    let of_token = missing_scope(user, repo, options.create_pr);
    if options.dry_run {
        if let Some(plan) = plan {
            log.warning(&format!("{}: {}", plan.description(), plan.hint()));
        }
        let rights: Vec<Obstacle> = of_user.into_iter().chain(of_token).collect();
        log_missing_rights(context, user, &rights);
        return Ok(());
    }
    if of_user.is_none() && of_token.is_none() {
        return Ok(());
    }
    // In the order of evidence, because a token does not help a user who may not write.
    let obstacles: Vec<Obstacle> = of_user.into_iter().chain(plan).chain(of_token).collect();
    Err(rights::missing_rights(repo, &obstacles))
}

/// Logs rights that a dry run does not need. A read-only token is a good choice for it, so that is no warning.
fn log_missing_rights(context: &Context<'_>, user: &WhoAmI, rights: &[Obstacle]) {
    if rights.is_empty() {
        return;
    }
    let message = format!("a deploy to the {} would be refused: {}", context.repo, described(rights));
    match user.token_role() {
        TokenRole::Read => context.log.info(&message),
        _ => context.log.warning(&message),
    }
}

/// Warns about a proxy in front of a Space that everybody can reach without it.
pub(super) fn warn_about_needless_proxy(context: &Context<'_>, lookup: &Lookup) {
    let options = context.options;
    if !options.has_proxy {
        return;
    }
    let is_private = match lookup {
        Lookup::Found(info) if !options.visibility_given => info.private,
        _ => options.visibility == Visibility::Private,
    };
    if !is_private {
        context.log.warning(&advice::needless_proxy(&context.repo));
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
    if dry_run {
        log.warning(&rights::proxy_not_covered(proxy, &plan));
        return Ok(());
    }
    Err(rights::proxy_plan_missing(proxy, &plan))
}

/// Asks for the user once, because the Hub limits this question strictly. A failure is ignored.
async fn known_user(hub: &Hub) -> Option<WhoAmI> {
    tokio::time::timeout(WHOAMI_TIMEOUT, hub.whoami_once()).await.ok()?.ok()
}

/// Returns the obstacle that no token removes: the user's role in the namespace, or no membership.
fn missing_membership(user: &WhoAmI, repo: &Repo, create_pr: bool) -> Option<Obstacle> {
    let namespace = &repo.id.namespace;
    // A user who may not write may still propose.
    if create_pr || user.name == *namespace {
        return None;
    }
    if let Some(org) = user.orgs.iter().find(|org| org.name == *namespace) {
        return missing_role(user, namespace, org.role);
    }
    Some(Obstacle::NoMember {
        user: user.name.clone(),
        namespace: namespace.clone(),
        own_namespaces: rights::namespaces(user),
    })
}

/// Returns the scope that the token lacks.
fn missing_scope(user: &WhoAmI, repo: &Repo, create_pr: bool) -> Option<Obstacle> {
    let namespace = &repo.id.namespace;
    let organization = user.orgs.iter().map(|org| org.name.clone()).find(|name| name == namespace);
    match user.token_role() {
        TokenRole::Read => Some(Obstacle::ReadOnlyToken { organization }),
        TokenRole::FineGrained(scopes) if !create_pr => {
            let id = repo.id.to_string();
            let writes = scopes.iter().any(|scope| {
                let covers = scope.kind == "resource-group" || scope.name == *namespace || scope.name == id;
                covers && scope.permissions.iter().any(|permission| permission == "repo.write")
            });
            (!writes).then(|| Obstacle::NarrowToken { namespace: namespace.clone(), organization })
        }
        _ => None,
    }
}

/// Returns the obstacle of a member whose role may not write.
fn missing_role(user: &WhoAmI, organization: &str, role: Option<OrgRole>) -> Option<Obstacle> {
    let role = match role? {
        OrgRole::Read => "the role `read`",
        OrgRole::NoAccess => "no access",
        OrgRole::Admin | OrgRole::Write | OrgRole::Contributor | OrgRole::Unknown => return None,
    };
    Some(Obstacle::Role { user: user.name.clone(), organization: organization.to_owned(), role })
}

/// Returns the plan that the Hub requires for a new Space of this kind. `None` if the namespace has it, and if the
/// plan is unknown.
fn missing_plan(
    user: &WhoAmI,
    namespace: &str,
    sdk: SpaceSdk,
    hardware: &HardwareOptions,
) -> Option<Obstacle> {
    if sdk == SpaceSdk::Static {
        return None;
    }
    let flavor = hardware.wanted.first().filter(|flavor| !flavor.is_basic()).copied();
    let can_pay = can_pay(user, namespace);
    let is_granted = flavor.is_some_and(|flavor| flavor.is_zero_gpu() || can_pay != Some(false));
    if has_plan(user, namespace) != Some(false) || is_granted {
        return None;
    }
    Some(Obstacle::FreePlan { namespace: namespace.to_owned(), sdk, flavor })
}

/// Returns whether the namespace has a payment method: `None` if the Hub does not say.
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
        obstacles.into_iter().flatten().map(|obstacle| obstacle.description()).collect()
    }

    fn user(name: &str, orgs: &Value, token: &Value) -> Value {
        json!({"name": name, "isPro": false, "orgs": orgs, "auth": {"type": "access_token", "accessToken": token}})
    }

    #[test]
    fn preflight_finds_only_proven_obstacles() {
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
    fn missing_role_is_not_blamed_on_the_token() {
        let user: WhoAmI = serde_json::from_value(user(
            "ada",
            &json!([{"name": "acme", "roleInOrg": "read"}]),
            &json!({"role": "write"}),
        ))
        .unwrap();
        let id = "acme/app".parse::<RepoName>().unwrap().full().unwrap();
        let repo = Repo { repo_type: RepoType::Space, id };
        let hint = missing_membership(&user, &repo, false).unwrap().hint();
        assert!(hint.starts_with("ask an admin of `acme` for the role `write`, which no token"), "{hint}");
        assert_eq!(missing_scope(&user, &repo, false), None);
    }

    #[test]
    fn missing_plan_is_found_only_where_the_hub_refuses_the_space() {
        let of = |sdk: SpaceSdk, flavor: Option<&str>, can_pay: bool| {
            let user: WhoAmI =
                serde_json::from_value(json!({"name": "bob", "isPro": false, "canPay": can_pay})).unwrap();
            let wanted = flavor.map(|flavor| flavor.parse().unwrap()).into_iter().collect();
            missing_plan(&user, "bob", sdk, &HardwareOptions { wanted, ..HardwareOptions::default() })
                .map(|obstacle| obstacle.description())
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
    fn fine_grained_token_is_judged_by_its_scopes() {
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
