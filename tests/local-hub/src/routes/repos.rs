//! Create, delete, move and settings.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, HubError, json_ok, ok};
use crate::billing::{FLAVORS, check_flavor, check_sdk, is_zero_gpu};
use crate::config::{RepoType, User};
use crate::create::CreateRepo;
use crate::plan::check_path;
use crate::policy::Policy;
use crate::server::Req;
use crate::space::Setting;
use crate::util::{lock, now_ms, sequence};

#[derive(Deserialize)]
pub(super) struct NewSetting {
    key: String,
    #[serde(default)]
    value: String,
    description: Option<String>,
}

#[derive(Deserialize)]
struct NewFile {
    path: String,
    content: String,
    encoding: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CreateBody {
    name: String,
    organization: Option<String>,
    #[serde(rename = "type")]
    repo_type: Option<String>,
    visibility: Option<String>,
    private: Option<bool>,
    license: Option<String>,
    sdk: Option<String>,
    sdk_version: Option<String>,
    #[serde(rename = "short_description")]
    short_description: Option<String>,
    hardware: Option<String>,
    sleep_time_seconds: Option<i64>,
    #[serde(default)]
    secrets: Vec<NewSetting>,
    #[serde(default)]
    variables: Vec<NewSetting>,
    #[serde(default)]
    volumes: Vec<Value>,
    #[serde(default)]
    files: Vec<NewFile>,
    #[serde(default)]
    dev_mode_enabled: bool,
}

fn repo_type_of(name: Option<&str>) -> Result<RepoType, HubError> {
    RepoType::from_singular(name.unwrap_or("model")).ok_or_else(|| HubError::bad_request("Invalid repo type"))
}

/// Whether a repository name has the Hub's shape: at most 96 of `[A-Za-z0-9._-]`, no `--`, no `..`, not starting
/// or ending with `-` or `.`, not ending in `.git` or `.ipynb`.
pub(super) fn valid_name(name: &str) -> bool {
    let chars = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    let edges = !name.starts_with(['-', '.']) && !name.ends_with(['-', '.']);
    chars
        && edges
        && !name.is_empty()
        && name.len() <= 96
        && !name.contains("--")
        && !name.contains("..")
        && !name.ends_with(".git")
        && !name.ends_with(".ipynb")
}

pub(super) fn settings_of(list: Vec<NewSetting>) -> Result<BTreeMap<String, Setting>, HubError> {
    list.into_iter()
        .map(|s| {
            check_key(&s.key)?;
            Ok((
                s.key,
                Setting {
                    value: s.value,
                    description: s.description,
                    updated_ms: now_ms(),
                    made: sequence(),
                },
            ))
        })
        .collect()
}

/// Keys of secrets and variables: `^[a-zA-Z][_a-zA-Z0-9]*$`.
pub(crate) fn check_key(key: &str) -> Result<(), HubError> {
    let first = key.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    if first && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        Ok(())
    } else {
        Err(HubError::bad_request(format!("Invalid key \"{key}\": must match ^[a-zA-Z][_a-zA-Z0-9]*$")))
    }
}

/// The answer when a name is taken.
pub(super) fn taken(req: &Req, t: RepoType, id: &str) -> HubError {
    let mut error = HubError::new(409, format!("You already created this {} repo", t.singular()));
    error.body["url"] = json!(req.hub.repo_url(t, id));
    error
}

/// Whether a new Space may have this SDK on this hardware, by its kind and by who pays.
pub(super) fn check_space(
    policy: &Policy,
    user: &User,
    namespace: &str,
    sdk: &str,
    flavor: Option<&str>,
) -> Result<(), HubError> {
    if let Some(flavor) = flavor {
        if !FLAVORS.contains(&flavor) {
            return Err(HubError::bad_request(format!("Invalid flavor: {flavor}")));
        }
        if is_zero_gpu(flavor) && sdk != "gradio" {
            return Err(HubError::bad_request("ZeroGPU Spaces must use the Gradio SDK"));
        }
        check_flavor(user, namespace, flavor)?;
    }
    if policy.paid_sdks_need_pro { check_sdk(user, namespace, sdk, flavor) } else { Ok(()) }
}

/// `POST /api/repos/create`.
pub(crate) fn create(req: &Req) -> Answer {
    let body: CreateBody = req.json()?;
    let repo_type = repo_type_of(body.repo_type.as_deref())?;
    let what = repo_type.singular();
    let namespace = body.organization.clone().unwrap_or_else(|| req.caller.name().to_owned());
    let user = req.caller.check_create(&namespace, what)?;
    let namespace = if namespace.eq_ignore_ascii_case(&user.name) { user.name.clone() } else { namespace };
    if !valid_name(&body.name) {
        return Err(HubError::bad_request(format!("Invalid repo name: {}/{}", namespace, body.name)));
    }
    let visibility = match (body.visibility.as_deref(), body.private) {
        (Some(_), Some(_)) => {
            return Err(HubError::bad_request("Specify either \"private\" or \"visibility\", not both"));
        }
        (Some("protected"), _) if repo_type != RepoType::Space => {
            return Err(HubError::bad_request("\"protected\" visibility is only supported for Spaces"));
        }
        (Some(v @ ("public" | "private" | "protected")), None) => v.to_owned(),
        (Some(other), None) => return Err(HubError::bad_request(format!("Invalid visibility: {other}"))),
        (None, private) => {
            let default = user.org(&namespace).is_some_and(|org| org.private_by_default);
            if private.unwrap_or(default) { "private" } else { "public" }.to_owned()
        }
    };
    let id = format!("{namespace}/{}", body.name);
    if req.hub.store.get(repo_type, &id).is_some() {
        return Err(taken(req, repo_type, &id));
    }
    if repo_type == RepoType::Space {
        match body.sdk.as_deref() {
            Some("gradio" | "docker" | "static") => {}
            Some(other) => return Err(HubError::bad_request(format!("Invalid sdk: {other}"))),
            None => return Err(HubError::bad_request("\"sdk\" is required for Spaces")),
        }
    }
    let policy = lock(&req.hub.policy).clone();
    if let Some(text) = policy.payment_required.get(&repo_type) {
        return Err(HubError::new(402, text.clone()));
    }
    if let Some(sdk) = body.sdk.as_deref().filter(|_| repo_type == RepoType::Space) {
        check_space(&policy, &user, &namespace, sdk, body.hardware.as_deref())?;
    }
    let mut files = Vec::new();
    for file in body.files {
        check_path(&file.path, false)?;
        let content = match file.encoding.as_deref().unwrap_or("utf-8") {
            "base64" => base64::engine::general_purpose::STANDARD.decode(&file.content).map_err(|_| {
                HubError::bad_request(format!("Invalid base64 content for \"{}\"", file.path))
            })?,
            _ => file.content.into_bytes(),
        };
        files.push((file.path, content));
    }
    let repo = req.hub.create_repo(CreateRepo {
        repo_type,
        namespace,
        name: body.name,
        visibility,
        sdk: body.sdk,
        sdk_version: body.sdk_version,
        short_description: body.short_description,
        license: body.license,
        hardware: body.hardware,
        sleep_time: body.sleep_time_seconds,
        secrets: settings_of(body.secrets)?,
        variables: settings_of(body.variables)?,
        volumes: body.volumes,
        dev_mode: body.dev_mode_enabled,
        files,
        author: user.name.clone(),
        copy_of: None,
    })?;
    let url = req.hub.repo_url(repo_type, &id);
    let repo = repo.ok_or_else(|| taken(req, repo_type, &id))?;
    let repo_id = lock(&repo.state).id.clone();
    Ok(json_ok(&json!({"url": url, "name": id, "id": repo_id})))
}

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
    let repo = req.hub.repo_for(&req.caller, repo_type, &id)?;
    req.caller.check_write(&repo, false)?;
    if matches!(req.caller, crate::auth::Caller::Repo(_)) {
        return Err(HubError::forbidden("You don't have the required permissions to perform this operation"));
    }
    req.hub.close_space(&repo);
    req.hub.store.delete(repo_type, &id)?;
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
    let repo_type = repo_type_of(body.repo_type.as_deref())?;
    let repo = req.hub.repo_for(&req.caller, repo_type, &body.from_repo)?;
    req.caller.check_write(&repo, false)?;
    let (namespace, name) = body
        .to_repo
        .split_once('/')
        .ok_or_else(|| HubError::bad_request("\"toRepo\" must be namespace/name"))?;
    req.caller.check_create(namespace, repo_type.singular())?;
    if !valid_name(name) {
        return Err(HubError::bad_request(format!("Invalid repo name: {}", body.to_repo)));
    }
    if !req.hub.store.rename(&repo, namespace, name)? {
        let what = repo_type.singular();
        return Err(HubError::new(
            409,
            format!("A {what} repository called {} already exists", body.to_repo),
        ));
    }
    req.hub.rename_space(&repo)?;
    Ok(ok())
}

/// `PUT /api/{types}/{id}/settings`: answers with what was put.
pub(crate) fn settings(req: &Req, t: RepoType, id: &str) -> Answer {
    let repo = req.hub.repo_for(&req.caller, t, id)?;
    req.caller.check_write(&repo, false)?;
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
    let repo = req.hub.repo_for(&req.caller, t, id)?;
    req.caller.check_write(&repo, false)?;
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
