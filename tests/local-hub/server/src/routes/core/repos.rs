//! Deleting, renaming and settings of repositories.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::caller::Caller;
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok, ok};
use crate::http::request::Req;
use crate::routes::buckets;
use crate::routes::core::new_repo::{repo_type_of, valid_name};

#[derive(Deserialize)]
struct DeleteBody {
    name: String,
    organization: Option<String>,
    #[serde(rename = "type")]
    repo_type: Option<String>,
}

/// `DELETE /api/repos/delete` (not in the OpenAPI document; the official clients send a JSON body).
pub(crate) fn delete(req: &Req) -> Answer {
    let body: DeleteBody = req.json()?;
    let repo_type = repo_type_of(body.repo_type.as_deref())?;
    let id = match (body.organization, body.name.contains('/')) {
        (Some(org), _) => format!("{org}/{}", body.name),
        (None, true) => body.name,
        (None, false) => format!("{}/{}", req.caller.name(), body.name),
    };
    let repo = req.repo(repo_type, &id)?;
    req.caller.check_write(&repo, false)?;
    if matches!(req.caller, Caller::Repo(_)) {
        return Err(HubError::forbidden("You don't have the required permissions to perform this operation"));
    }
    req.hub.delete_repo(&repo)?;
    Ok(ok())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MoveBody {
    from_repo: String,
    to_repo: String,
    #[serde(rename = "type")]
    repo_type: Option<String>,
}

/// `POST /api/repos/move`.
pub(crate) fn rename(req: &Req) -> Answer {
    let body: MoveBody = req.json()?;
    if body.repo_type.as_deref() == Some("bucket") {
        return buckets::rename(req, &body.from_repo, &body.to_repo);
    }
    let repo_type = repo_type_of(body.repo_type.as_deref())?;
    let repo = req.repo(repo_type, &body.from_repo)?;
    req.caller.check_write(&repo, false)?;
    let (namespace, name) = body
        .to_repo
        .split_once('/')
        .ok_or_else(|| HubError::bad_request("\"toRepo\" must be namespace/name"))?;
    req.caller.check_create(namespace, repo_type.singular())?;
    if !valid_name(name) {
        return Err(HubError::bad_request(format!("Invalid repo name: {}", body.to_repo)));
    }
    if !req.hub.core.repos.rename(&repo, namespace, name)? {
        let what = repo_type.singular();
        return Err(HubError::new(
            409,
            format!("A {what} repository called {} already exists", body.to_repo),
        ));
    }
    req.hub.spaces.rename(&repo)?;
    Ok(ok())
}

/// `PUT /api/{types}/{id}/settings`: answers with what was put.
pub(crate) fn settings(req: &Req, t: RepoType, id: &str) -> Answer {
    let repo = req.writable_repo(t, id)?;
    let body: BTreeMap<String, Value> = req.json()?;
    let visibility = match (body.get("visibility").and_then(Value::as_str), body.get("private")) {
        (Some(_), Some(_)) => {
            return Err(HubError::bad_request("Specify either \"private\" or \"visibility\", not both"));
        }
        (Some("protected"), None) if t != RepoType::Space => {
            return Err(HubError::bad_request("\"protected\" visibility is only supported for Spaces"));
        }
        (Some(v @ ("public" | "private" | "protected")), None) => Some(v.to_owned()),
        (Some(v), None) => return Err(HubError::bad_request(format!("Invalid visibility: {v}"))),
        (None, Some(private)) => Some(if private == &json!(true) { "private" } else { "public" }.to_owned()),
        (None, None) => None,
    };
    repo.update(|s| {
        if let Some(v) = visibility {
            s.visibility = v;
        }
        if let Some(gated) = body.get("gated") {
            s.gated = gated.clone();
        }
        for (key, value) in &body {
            s.settings.insert(key.clone(), value.clone());
        }
    })?;
    Ok(json_ok(&json!(body)))
}

/// `POST /api/{types}/{id}/settings/trusted-publishers` (documented in hub-docs, not in the OpenAPI document).
pub(crate) fn add_publisher(req: &Req, t: RepoType, id: &str) -> Answer {
    let repo = req.writable_repo(t, id)?;
    let body: Value = req.json()?;
    let claims: BTreeMap<String, String> = body["claims"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.clone(), v["value"].as_str()?.to_owned())))
        .collect();
    if claims.is_empty() {
        return Err(HubError::bad_request("\"claims\" is required"));
    }
    repo.update(|s| s.publishers.push(claims))?;
    Ok(json_ok(&body))
}
