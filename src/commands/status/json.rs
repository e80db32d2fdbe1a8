//! The account as JSON.

use hub::{TokenRole, WhoAmI};
use serde_json::{Value, json};

use crate::ops::account::{Facts, Feature, Plan};

use super::report::StatusReport;

/// Returns the report of the command. Without an account, it is the failure.
pub(super) fn of_report(report: &StatusReport) -> Value {
    match (&report.account, &report.failure) {
        (Some((facts, features)), _) => of_account(facts, features),
        (None, Some(failure)) => {
            json!({ "error_code": failure.code.as_str(), "error": failure.message, "hints": failure.hints })
        }
        (None, None) => Value::Null,
    }
}

/// Returns the account. What is unknown is `null`.
pub(super) fn of_account(facts: &Facts, features: &[Feature]) -> Value {
    let user = facts.user.as_ref().ok();
    let features = features.iter().map(|feature| {
        json!({
            "name": feature.name, "state": feature.state.as_str(), "reason": feature.reason, "fix": feature.fix,
        })
    });
    json!({
        "user": user.map(|user| &user.name),
        "plan": user.map(|user| Plan::of(user, &user.name)).as_ref().and_then(Plan::name),
        "token": user.map(token),
        "organizations": user.map(organizations),
        "features": features.collect::<Vec<_>>(),
        "limits": limits(facts),
    })
}

fn token(user: &WhoAmI) -> Value {
    let token = user.token();
    let mut scopes: Vec<Value> = match &token.role {
        TokenRole::FineGrained(scopes) => scopes
            .iter()
            .map(|scope| json!({ "kind": scope.kind, "name": scope.name, "permissions": scope.permissions }))
            .collect(),
        TokenRole::Read | TokenRole::Write | TokenRole::Unknown => Vec::new(),
    };
    if !token.global.is_empty() {
        scopes.push(json!({ "kind": "global", "name": null, "permissions": token.global }));
    }
    json!({
        "kind": token.kind, "name": token.name, "role": token.role_name, "scopes": scopes,
        "expires_at": token.expires_at,
    })
}

fn organizations(user: &WhoAmI) -> Vec<Value> {
    let row = |org: &hub::Org| {
        let plan = Plan::of(user, &org.name);
        json!({
            "name": org.name, "role": org.role.map(hub::OrgRole::as_str), "plan": plan.name(), "can_pay": org.can_pay,
        })
    };
    user.orgs.iter().map(row).collect()
}

fn limits(facts: &Facts) -> Value {
    let plan =
        facts.user.as_ref().ok().zip(facts.namespace.as_ref()).map(|(user, name)| Plan::of(user, name));
    let quota = facts.quota.as_ref().ok();
    let usage = facts.usage.as_ref().ok();
    let credits = usage.and_then(|usage| usage.inference.as_ref());
    let dollars = |nano: f64| nano / 1e9;
    json!({
        "namespace": facts.namespace,
        "plan": plan.as_ref().and_then(Plan::name),
        "api_requests_in_5_minutes": plan.as_ref().and_then(Plan::api_requests),
        "zero_gpu_spaces": plan.as_ref().and_then(Plan::zero_gpu_spaces),
        "private_storage_gb": plan.as_ref().and_then(Plan::private_storage_gb),
        "zero_gpu_minutes": quota.map(|quota| json!({
            "base": quota.base / 60.0, "left": quota.current / 60.0, "resets_at": quota.resets_at,
        })),
        "inference_usd": credits.map(|credits| json!({
            "used": dollars(credits.used_nano_usd),
            "included": credits.included_nano_usd.map(dollars),
            "left": credits.included_nano_usd.map(|included| dollars(included - credits.used_nano_usd).max(0.0)),
            "limit": credits.limit_nano_usd.filter(|limit| *limit > 0.0).map(dollars),
        })),
        "jobs_usd": usage.and_then(|usage| usage.jobs.as_ref()).map(|jobs| json!({
            "used": jobs.used_micro_usd / 1e6,
        })),
    })
}
