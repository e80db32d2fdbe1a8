//! The account as lines of a log.

use hub::{TokenRole, WhoAmI};

use crate::ops::account::{Facts, Feature, Plan};

/// Returns the account in lines: the user, the token, the organizations, and the features.
pub(super) fn lines(facts: &Facts, features: &[Feature]) -> Vec<String> {
    let mut lines = match &facts.user {
        Ok(user) => vec![
            format!("user: `{}`, {}", user.name, plan(user, &user.name)),
            token(user),
            organizations(user),
        ],
        Err(reason) => vec![format!("user: unknown, because {reason}")],
    };
    if let Some(namespace) = &facts.namespace {
        lines.push(format!("features of `{namespace}`:"));
    }
    let width = features.iter().map(|feature| feature.name.len()).max().unwrap_or_default();
    for feature in features {
        let Feature { name, state, reason, fix } = feature;
        lines.push(format!("  {:7}  {name:width$}  {reason}", state.as_str()));
        if let Some(fix) = fix {
            lines.push(format!("  {:7}  {:width$}  fix: {fix}", "", ""));
        }
    }
    lines
}

/// Describes the plan of a namespace.
pub(super) fn plan(user: &WhoAmI, namespace: &str) -> String {
    match Plan::of(user, namespace) {
        Plan::Pro => "PRO".to_owned(),
        Plan::Org(plan) => format!("plan `{plan}`"),
        Plan::Free => "free plan".to_owned(),
        Plan::Hidden(_) => "plan unknown".to_owned(),
    }
}

/// Describes the token: its name, its role and its end.
pub(super) fn token(user: &WhoAmI) -> String {
    let token = user.token();
    let name = token.name.map(|name| format!(" `{name}`")).unwrap_or_default();
    let role = match &token.role {
        TokenRole::Read => "read-only".to_owned(),
        TokenRole::Write => "read and write".to_owned(),
        TokenRole::FineGrained(scopes) => {
            let scopes: Vec<String> = scopes
                .iter()
                .map(|scope| format!("`{}` for `{}`", scope.permissions.join("`, `"), scope.name))
                .collect();
            format!(
                "fine-grained: {}",
                if scopes.is_empty() { "no permission".to_owned() } else { scopes.join("; ") }
            )
        }
        TokenRole::Unknown => "role unknown".to_owned(),
    };
    let end = token.expires_at.map_or_else(|| "no end named".to_owned(), |time| format!("expires at {time}"));
    format!("token{name}: {role}; {end}")
}

fn organizations(user: &WhoAmI) -> String {
    let described = user.orgs.iter().map(|org| {
        let role = org.role.map(|role| format!(", role `{}`", role.as_str())).unwrap_or_default();
        format!("`{}` ({}{role})", org.name, plan(user, &org.name))
    });
    match described.collect::<Vec<_>>() {
        all if all.is_empty() => "organizations: none".to_owned(),
        all => format!("organizations: {}", all.join(", ")),
    }
}
