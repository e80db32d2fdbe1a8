//! `POST /api/{types}/{id}/duplicate`: a new repository with the files of another one.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, HubError, json_ok};
use crate::config::RepoType;
use crate::create::CreateRepo;
use crate::objects::Kind;
use crate::routes::repos::{NewSetting, check_space, settings_of, taken, valid_name};
use crate::server::Req;
use crate::util::lock;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    /// `namespace/name` of the new repository.
    repository: String,
    visibility: Option<String>,
    private: Option<bool>,
    hardware: Option<String>,
    sleep_time_seconds: Option<i64>,
    #[serde(default)]
    secrets: Vec<NewSetting>,
    #[serde(default)]
    variables: Vec<NewSetting>,
    #[serde(default)]
    volumes: Vec<Value>,
}

/// Copies files, large ones included, and a Space's variables; secrets stay where they are.
pub(crate) fn duplicate(req: &Req, t: RepoType, id: &str) -> Answer {
    let source = req.hub.repo_for(&req.caller, t, id)?;
    req.caller.check_content(&source)?;
    let body: Body = req.json()?;
    let (namespace, name) = body
        .repository
        .split_once('/')
        .ok_or_else(|| HubError::bad_request("\"repository\" must be namespace/name"))?;
    let user = req.caller.check_create(namespace, t.singular())?;
    if !valid_name(name) {
        return Err(HubError::bad_request(format!("Invalid repo name: {}", body.repository)));
    }
    if req.hub.store.get(t, &body.repository).is_some() {
        return Err(taken(req, t, &body.repository));
    }
    let (old_visibility, sdk, mut variables) = {
        let state = lock(&source.state);
        let space = state.space.as_ref();
        (
            state.visibility.clone(),
            space.map(|space| space.sdk.clone()),
            space.map(|space| space.variables.clone()).unwrap_or_default(),
        )
    };
    let hardware = body.hardware.filter(|flavor| !flavor.is_empty());
    if let Some(sdk) = &sdk {
        let policy = lock(&req.hub.policy).clone();
        check_space(&policy, &user, namespace, sdk, hardware.as_deref())?;
    }
    variables.extend(settings_of(body.variables)?);
    let visibility = match (body.visibility, body.private) {
        (Some(visibility), _) => visibility,
        (None, Some(private)) => if private { "private" } else { "public" }.to_owned(),
        (None, None) => old_visibility,
    };
    let head = source.resolve("main").ok_or_else(|| HubError::revision_not_found("main"))?;
    let (mut files, mut large) = (Vec::new(), Vec::new());
    for (path, entry) in &source.snapshot(head)?.files {
        files.push((path.clone(), source.objects.get(Kind::Blob, entry.oid)?));
        large.extend(source.objects.blob_info(entry.oid).and_then(|info| info.pointer));
    }
    let made = req.hub.create_repo(CreateRepo {
        repo_type: t,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        visibility,
        sdk,
        hardware,
        sleep_time: body.sleep_time_seconds,
        secrets: settings_of(body.secrets)?,
        variables,
        volumes: body.volumes,
        files,
        author: user.name.clone(),
        copy_of: Some(lock(&source.state).full_id()),
        ..CreateRepo::default()
    })?;
    let repo = made.ok_or_else(|| taken(req, t, &body.repository))?;
    for pointer in large {
        repo.large.add(&pointer.sha256)?;
    }
    Ok(json_ok(&json!({"url": req.hub.repo_url(t, &body.repository)})))
}
