//! Routes of quotas, spending and bills.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::accounts::caller::{Caller, NO_CREDENTIALS};
use crate::accounts::user::User;
use crate::http::answer::{Answer, HubError, json_ok};
use crate::http::request::Req;
use crate::util::{iso, now_ms, sha256_hex};

/// A period of 30 days.
const PERIOD_MS: u64 = 30 * 86_400_000;
const NO_BILLING: &str = "Your token needs the \"user.billing.read\" permission";

/// Returns the user, if the token may read its billing.
fn payer(req: &Req) -> Result<Arc<User>, HubError> {
    match &req.caller {
        Caller::User(user) if user.may_read_billing() => Ok(user.clone()),
        Caller::User(_) => Err(HubError::forbidden(NO_BILLING)),
        Caller::Anonymous | Caller::Repo(_) => Err(HubError::unauthorized(NO_CREDENTIALS)),
    }
}

/// `GET /api/spaces/zero-gpu/quota`: five minutes a day, or 40 with PRO.
pub(crate) fn zero_gpu_quota(req: &Req) -> Answer {
    let user = payer(req)?;
    let base = if user.is_pro { 2400.0 } else { 300.0 };
    let used = user.wallet.zero_gpu_used;
    let resets_at = (used > 0.0).then(|| iso(now_ms() + 86_400_000));
    Ok(json_ok(&json!({
        "base": base, "current": (base - used).max(0.0), "resetsAt": resets_at,
        "overquotaUsed": (used - base).max(0.0),
    })))
}

/// `GET …/billing/usage-v2`, of the user or of an organisation whose admin the user is. The document has no schema; the
/// members are those that clients read.
pub(crate) fn usage(req: &Req, organization: Option<&str>) -> Answer {
    let user = payer(req)?;
    let is_time =
        |name: &str| req.param(name).is_some_and(|text| text.parse::<u64>().is_ok_and(|time| time > 0));
    if !["startDate", "endDate"].into_iter().all(is_time) {
        return Err(HubError::bad_request("\"startDate\" and \"endDate\" are required"));
    }
    let mut wallet = user.wallet.clone();
    let mut included = if user.is_pro { 2.0 } else { 0.1 };
    if let Some(name) = organization {
        let org = user.org(name).filter(|org| org.role == "admin");
        let org = org.ok_or_else(|| HubError::forbidden("You need to be an admin of this organization"))?;
        included = if org.plan.is_some() { 2.0 } else { 0.0 };
        (wallet.inference_usd, wallet.jobs_usd) = (0.0, 0.0);
    }
    let nano = |dollars: f64| (dollars * 1e9).round();
    Ok(json_ok(&json!({
        "usage": {
            "inferenceProviders": {
                "usedNanoUsd": nano(wallet.inference_usd), "includedNanoUsd": nano(included), "limitNanoUsd": 0,
                "numRequests": 0,
            },
            "jobs": jobs_spending(wallet.jobs_usd),
        },
    })))
}

/// `GET /api/settings/billing/usage/jobs`.
pub(crate) fn jobs(req: &Req) -> Answer {
    let user = payer(req)?;
    let mut spending = jobs_spending(user.wallet.jobs_usd);
    let now = now_ms();
    spending["periodStart"] = json!(iso(now - PERIOD_MS));
    spending["periodEnd"] = json!(iso(now));
    spending["jobDetails"] = json!([]);
    Ok(json_ok(&json!({"usage": spending, "hasAccess": user.wallet.has_jobs})))
}

fn jobs_spending(dollars: f64) -> Value {
    json!({"usedMicroUsd": (dollars * 1e6).round(), "totalMinutes": 0})
}

/// Times of the start and of the end of the only period of a bill.
const BILLED: [&str; 2] = ["2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"];

/// `GET /api/settings/billing/usage`: one Space on paid hardware.
pub(crate) fn bill(req: &Req) -> Answer {
    let (name, cost) = billed(req)?;
    let id = &sha256_hex(name.as_bytes())[..24];
    Ok(json_ok(&json!({
        "usage": { "Spaces": [{
            "entityId": id, "label": format!("{name}/app"), "product": "spaces/t4-small/minutes", "quantity": 60,
            "productPrettyName": "Nvidia T4 small", "unitLabel": "minutes", "totalCostMicroUSD": cost,
            "unitCostMicroUSD": cost / 60, "active": false,
        }] },
        "period": {
            "_id": id, "entityId": id, "entityType": "user", "entityName": name,
            "periodStart": BILLED[0], "periodEnd": BILLED[1],
        },
    })))
}

/// `GET /api/settings/billing/usage-by-inference-session`: three requests.
pub(crate) fn inference(req: &Req) -> Answer {
    billed(req)?;
    let session = |id: &str, count: u32| json!({ "id": id, "requestCount": count, "costCents": f64::from(count) - 0.5 });
    let sessions: Vec<Value> = vec![session("one", 1), session("two", 2)];
    Ok(json_ok(&json!({
        "currency": "USD", "periods": [{ "period": BILLED[0], "sessions": sessions }],
    })))
}

/// Returns the user and the cost of the period, unless the bill is closed to the token.
fn billed(req: &Req) -> Result<(String, u64), HubError> {
    let user = payer(req)?;
    let cost = req.hub.policy.get().usage_micro_usd;
    let cost = cost.ok_or_else(|| HubError::forbidden(NO_BILLING))?;
    Ok((user.name.clone(), cost))
}
