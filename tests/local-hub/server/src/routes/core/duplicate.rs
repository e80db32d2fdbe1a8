//! `POST /api/{types}/{id}/duplicate`: a new repository with the files of another one.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::core::new_repo::{CreateRepo, NewCard};
use crate::core::objects::Kind;
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok};
use crate::http::request::Req;
use crate::routes::core::new_repo::{PlannedSpace, SpaceBody, taken, valid_name};
use crate::util::lock;

#[derive(Deserialize)]
struct DuplicateBody {
    /// `namespace/name` of the new repository.
    repository: String,
    visibility: Option<String>,
    private: Option<bool>,
    #[serde(flatten)]
    space: SpaceBody,
}

/// Copies files, large ones included, and a Space's variables, but not its secrets.
pub(crate) fn duplicate(req: &Req, t: RepoType, id: &str) -> Answer {
    let source = req.repo(t, id)?;
    req.caller.check_content(&source)?;
    let mut body: DuplicateBody = req.json()?;
    let (namespace, name) = body
        .repository
        .split_once('/')
        .ok_or_else(|| HubError::bad_request("\"repository\" must be namespace/name"))?;
    let user = req.caller.check_create(namespace, t.singular())?;
    if !valid_name(name) {
        return Err(HubError::bad_request(format!("Invalid repo name: {}", body.repository)));
    }
    if req.hub.core.repos.get(t, &body.repository).is_some() {
        return Err(taken(req, t, &body.repository));
    }
    body.space.hardware = body.space.hardware.filter(|flavor| !flavor.is_empty());
    let (sdk, mut variables) = match req.hub.spaces.of(&source) {
        Some(space) => space.read(|space| (Some(space.sdk.clone()), space.variables.clone())),
        None => (None, BTreeMap::new()),
    };
    if let Some(sdk) = &sdk {
        let flavor = body.space.hardware.as_deref();
        PlannedSpace { namespace, sdk, flavor }.check(req, &user)?;
    }
    let visibility = match (body.visibility, body.private) {
        (Some(visibility), _) => visibility,
        (None, Some(private)) => if private { "private" } else { "public" }.to_owned(),
        (None, None) => lock(&source.state).visibility.clone(),
    };
    let space = sdk.clone().map(|sdk| body.space.into_space(sdk)).transpose()?.map(|mut space| {
        variables.append(&mut space.variables);
        space.variables = variables;
        space
    });
    let head = source.resolve("main").ok_or_else(|| HubError::revision_not_found("main"))?;
    let (mut files, mut large) = (Vec::new(), Vec::new());
    for (path, entry) in &source.snapshot(head)?.files {
        files.push((path.clone(), source.objects.get(Kind::Blob, entry.oid)?));
        large.extend(source.objects.blob_info(entry.oid).and_then(|info| info.pointer));
    }
    let request = CreateRepo {
        repo_type: t,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        author: user.name.clone(),
        visibility,
        card: NewCard { sdk, ..NewCard::default() },
        files,
        copy_of: Some(lock(&source.state).full_id()),
    };
    let made = req.hub.create_repo(&request, space)?;
    let repo = made.ok_or_else(|| taken(req, t, &body.repository))?;
    for pointer in large {
        repo.large.add(&pointer.sha256)?;
    }
    Ok(json_ok(&json!({"url": req.hub.repo_url(t, &body.repository)})))
}
