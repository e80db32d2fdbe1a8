//! Rights and plans that are missing for a write, by the Hub's answer to `GET /api/whoami-v2`. Pure.
//!
//! Only facts of that answer count as obstacles. In doubt, the write itself decides.

use hub::{OrgRole, RepoId, SpaceSdk, TokenRole, WhoAmI};

use crate::failure::rights::{self, Obstacle, has_plan};
use crate::ops::space::HardwareOptions;

/// Place of a write.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub namespace: &'a str,
    /// The repo: `None` for any repo of the namespace.
    pub repo: Option<&'a RepoId>,
}

/// Returns the obstacle that no token removes: the user's role in the namespace, or no membership.
pub fn missing_membership(user: &WhoAmI, place: Place<'_>, create_pr: bool) -> Option<Obstacle> {
    let namespace = place.namespace;
    // A user who may not write may still propose.
    if create_pr || user.name == namespace {
        return None;
    }
    if let Some(org) = user.orgs.iter().find(|org| org.name == namespace) {
        return missing_role(user, namespace, org.role);
    }
    Some(Obstacle::NoMember {
        user: user.name.clone(),
        namespace: namespace.to_owned(),
        own_namespaces: rights::namespaces(user),
    })
}

/// Returns the scope that the token lacks.
pub fn missing_scope(user: &WhoAmI, place: Place<'_>, create_pr: bool) -> Option<Obstacle> {
    let namespace = place.namespace;
    let organization = user.orgs.iter().map(|org| org.name.clone()).find(|name| name == namespace);
    match user.token_role() {
        TokenRole::Read => Some(Obstacle::ReadOnlyToken { organization }),
        TokenRole::FineGrained(scopes) if !create_pr => {
            let id = place.repo.map(RepoId::to_string);
            let writes = scopes.iter().any(|scope| {
                let covers = scope.kind == "resource-group"
                    || scope.name == namespace
                    || id.as_ref() == Some(&scope.name);
                covers && scope.permissions.iter().any(|permission| permission == "repo.write")
            });
            (!writes).then(|| Obstacle::NarrowToken { namespace: namespace.to_owned(), organization })
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
pub fn missing_plan(
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
pub fn can_pay(user: &WhoAmI, namespace: &str) -> Option<bool> {
    if user.name == namespace {
        return user.can_pay;
    }
    user.orgs.iter().find(|org| org.name == namespace)?.can_pay
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use hub::RepoName;

    fn faults(user: &Value, create_pr: bool) -> Vec<String> {
        let user: WhoAmI = serde_json::from_value(user.clone()).unwrap();
        let id = "acme/app".parse::<RepoName>().unwrap().full().unwrap();
        let place = Place { namespace: "acme", repo: Some(&id) };
        let obstacles = [missing_membership(&user, place, create_pr), missing_scope(&user, place, create_pr)];
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
        let place = Place { namespace: "acme", repo: None };
        let hint = missing_membership(&user, place, false).unwrap().hint();
        assert!(hint.starts_with("ask an admin of `acme` for the role `write`, which no token"), "{hint}");
        assert_eq!(missing_scope(&user, place, false), None);
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
