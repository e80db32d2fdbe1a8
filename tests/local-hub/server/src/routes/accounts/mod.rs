//! Routes of accounts: the caller, billing, card validation, token exchange.

pub(crate) mod billing;

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Value, json};

use crate::accounts::caller::{Caller, NO_CREDENTIALS, RepoToken};
use crate::accounts::user::TokenRole;
use crate::core::card;
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok, json_status};
use crate::http::request::Req;
use crate::util::{iso, lock, now_ms, sha256_hex, unique_hex};

/// `GET /api/whoami-v2`.
pub(crate) fn whoami(req: &Req) -> Answer {
    let user = match &req.caller {
        Caller::User(user) => user,
        Caller::Anonymous | Caller::Repo(_) => return Err(HubError::unauthorized(NO_CREDENTIALS)),
    };
    let mut token = json!({
        "displayName": "local",
        "role": match user.role { TokenRole::Read => "read", TokenRole::Write => "write", TokenRole::FineGrained { .. } => "fineGrained" },
        "createdAt": iso(1_735_689_600_000),
    });
    if let TokenRole::FineGrained { scoped, global } = &user.role {
        let scoped: Vec<Value> = scoped
            .iter()
            .map(|s| {
                json!({
                    "entity": {"_id": sha256_hex(s.entity_name.as_bytes())[..24], "type": s.entity_type, "name": s.entity_name},
                    "permissions": s.permissions,
                })
            })
            .collect();
        token["fineGrained"] = json!({"canReadGatedRepos": false, "global": global, "scoped": scoped});
    }
    let orgs: Vec<Value> = user
        .orgs
        .iter()
        .map(|org| {
            let mut row = json!({
                "type": "org", "id": sha256_hex(org.name.as_bytes())[..24], "name": org.name, "fullname": org.full_name,
                "email": null, "canPay": org.can_pay, "billingMode": "postpaid", "periodEnd": null, "avatarUrl": "/avatars/local.svg",
                "roleInOrg": org.role,
            });
            if let Some(plan) = &org.plan {
                row["plan"] = json!(plan);
            }
            if !org.restrictions.is_empty() {
                row["securityRestrictions"] = json!(org.restrictions);
            }
            row
        })
        .collect();
    let mut auth = json!({"type": "access_token", "accessToken": token});
    if let Some(time) = &user.token_expires_at {
        auth["expiresAt"] = json!(time);
    }
    Ok(json_ok(&json!({
        "type": "user",
        "id": sha256_hex(user.name.as_bytes())[..24],
        "name": user.name,
        "fullname": user.full_name,
        "email": format!("{}@example.test", user.name),
        "emailVerified": user.email_verified,
        "canPay": user.can_pay,
        "billingMode": "postpaid",
        "periodEnd": null,
        "isPro": user.is_pro,
        "avatarUrl": "/avatars/local.svg",
        "orgs": orgs,
        "auth": auth,
    })))
}

/// `POST /api/validate-yaml`: 400 with the same body when there are errors.
pub(crate) fn validate_yaml(req: &Req) -> Answer {
    let body: Value = req.json()?;
    let content = body["content"].as_str().ok_or_else(|| HubError::bad_request("\"content\" is required"))?;
    let (errors, warnings) = card::validate(content, body["repoType"].as_str().unwrap_or("model"));
    let status = if errors.is_empty() { 200 } else { 400 };
    Ok(json_status(status, &json!({"errors": errors, "warnings": warnings})))
}

fn oauth_error(error: &str, description: &str) -> HubError {
    HubError {
        status: 400,
        code: None,
        body: json!({"error": error, "error_description": description}),
        headers: vec![],
    }
}

/// Returns the claims of a JWT, whose signature is not checked.
fn claims(token: &str) -> Option<serde_json::Map<String, Value>> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// Returns the internal id of a repository or bucket, and its trusted publishers.
fn publishers_of(req: &Req, resource: &str) -> Option<(String, Vec<BTreeMap<String, String>>)> {
    let (repo_type, id) = match resource.split_once('/') {
        Some(("buckets", id)) => {
            let bucket = req.hub.buckets.named(id)?;
            let state = lock(&bucket.state);
            return Some((state.id.clone(), state.publishers.clone()));
        }
        Some(("spaces", id)) => (RepoType::Space, id),
        Some(("datasets", id)) => (RepoType::Dataset, id),
        _ => (RepoType::Model, resource),
    };
    let repo = req.hub.core.repos.get(repo_type, id)?;
    let state = lock(&repo.state);
    Some((state.id.clone(), state.publishers.clone()))
}

/// `POST /oauth/token`: exchanges a CI identity token for a token of one repository or bucket.
pub(crate) fn exchange(req: &Req) -> Answer {
    let body: BTreeMap<String, Value> = serde_json::from_slice(&req.body)
        .map_err(|_| oauth_error("invalid_request", "The body is not JSON"))?;
    let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if field("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" {
        return Err(oauth_error("invalid_request", "Unsupported grant_type"));
    }
    if field("subject_token_type") != "urn:ietf:params:oauth:token-type:id_token" {
        return Err(oauth_error("invalid_request", "Unsupported subject_token_type"));
    }
    let resource = field("resource");
    let claims = claims(&field("subject_token"))
        .ok_or_else(|| oauth_error("invalid_grant", "Malformed subject_token"))?;
    let expired = claims.get("exp").and_then(Value::as_u64).is_some_and(|exp| exp * 1000 < now_ms());
    let refused = || oauth_error("invalid_grant", "No trusted publisher matches this token");
    let (repo_id, publishers) = publishers_of(req, &resource).ok_or_else(refused)?;
    let fits = publishers.iter().any(|publisher| {
        publisher.iter().all(|(name, value)| claims.get(name).and_then(Value::as_str) == Some(value))
    });
    if expired || !fits {
        return Err(refused());
    }
    let seconds = req.hub.policy.get().repo_token_seconds;
    let token = RepoToken {
        token: format!("hf_jwt_{}", unique_hex(40)),
        repo_id,
        expires_ms: now_ms() + seconds * 1000,
    };
    let answer = json!({
        "access_token": token.token,
        "token_type": "bearer",
        "expires_in": seconds,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    });
    req.hub.accounts.add_repo_token(token);
    Ok(json_ok(&answer))
}
