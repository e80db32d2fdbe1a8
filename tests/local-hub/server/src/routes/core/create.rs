//! `POST /api/repos/create`.

use serde::Deserialize;
use serde_json::json;

use crate::core::new_repo::{CreateRepo, NewCard};
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok};
use crate::http::request::Req;
use crate::routes::core::new_repo::{NewFile, PlannedSpace, SpaceBody, repo_type_of, taken, valid_name};
use crate::util::lock;

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
    #[serde(flatten)]
    space: SpaceBody,
    #[serde(default)]
    files: Vec<NewFile>,
    #[serde(default)]
    dev_mode_enabled: bool,
}

impl CreateBody {
    /// Returns the visibility, if the request has one.
    fn visibility(&self, repo_type: RepoType) -> Result<Option<&str>, HubError> {
        match (self.visibility.as_deref(), self.private) {
            (Some(_), Some(_)) => {
                Err(HubError::bad_request("Specify either \"private\" or \"visibility\", not both"))
            }
            (Some("protected"), _) if repo_type != RepoType::Space => {
                Err(HubError::bad_request("\"protected\" visibility is only supported for Spaces"))
            }
            (Some(v @ ("public" | "private" | "protected")), None) => Ok(Some(v)),
            (Some(other), None) => Err(HubError::bad_request(format!("Invalid visibility: {other}"))),
            (None, private) => Ok(private.map(|private| if private { "private" } else { "public" })),
        }
    }
}

/// Creates a repository with its files and settings.
pub(crate) fn create(req: &Req) -> Answer {
    let body: CreateBody = req.json()?;
    let repo_type = repo_type_of(body.repo_type.as_deref())?;
    let namespace = body.organization.clone().unwrap_or_else(|| req.caller.name().to_owned());
    let user = req.caller.check_create(&namespace, repo_type.singular())?;
    let namespace = if namespace.eq_ignore_ascii_case(&user.name) { user.name.clone() } else { namespace };
    if !valid_name(&body.name) {
        return Err(HubError::bad_request(format!("Invalid repo name: {}/{}", namespace, body.name)));
    }
    let default = || {
        let private = user.org(&namespace).is_some_and(|org| org.private_by_default);
        if private { "private" } else { "public" }
    };
    let visibility = body.visibility(repo_type)?.unwrap_or_else(default).to_owned();
    let id = format!("{namespace}/{}", body.name);
    if req.hub.core.repos.get(repo_type, &id).is_some() {
        return Err(taken(req, repo_type, &id));
    }
    if repo_type == RepoType::Space {
        match body.sdk.as_deref() {
            Some("gradio" | "docker" | "static") => {}
            Some(other) => return Err(HubError::bad_request(format!("Invalid sdk: {other}"))),
            None => return Err(HubError::bad_request("\"sdk\" is required for Spaces")),
        }
    }
    if let Some(text) = req.hub.policy.get().payment_required.get(&repo_type) {
        return Err(HubError::new(402, text.clone()));
    }
    let sdk = body.sdk.clone().filter(|_| repo_type == RepoType::Space);
    if let Some(sdk) = &sdk {
        let flavor = body.space.hardware.as_deref();
        PlannedSpace { namespace: &namespace, sdk, flavor }.check(req, &user)?;
    }
    let files = body.files.into_iter().map(NewFile::decode).collect::<Result<_, _>>()?;
    let mut space = sdk.map(|sdk| body.space.into_space(sdk)).transpose()?;
    if let Some(space) = &mut space {
        space.dev_mode = body.dev_mode_enabled;
    }
    let card = NewCard {
        sdk: body.sdk,
        sdk_version: body.sdk_version,
        short_description: body.short_description,
        license: body.license,
    };
    let request = CreateRepo {
        repo_type,
        namespace,
        name: body.name,
        author: user.name.clone(),
        visibility,
        card,
        files,
        copy_of: None,
    };
    let repo = req.hub.create_repo(&request, space)?.ok_or_else(|| taken(req, repo_type, &id))?;
    let repo_id = lock(&repo.state).id.clone();
    Ok(json_ok(&json!({"url": req.hub.repo_url(repo_type, &id), "name": id, "id": repo_id})))
}
