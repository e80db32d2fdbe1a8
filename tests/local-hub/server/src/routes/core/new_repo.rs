//! Parts of requests that create repositories: names, files, and settings of Spaces.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::accounts::billing::{FLAVORS, check_flavor, check_sdk, is_zero_gpu};
use crate::accounts::user::User;
use crate::core::commit::check_path;
use crate::core::repo_type::RepoType;
use crate::http::answer::HubError;
use crate::http::request::Req;
use crate::spaces::registry::NewSpace;
use crate::spaces::state::{Setting, check_key};
use crate::util::{now_ms, sequence};

#[derive(Deserialize)]
struct NewSetting {
    key: String,
    #[serde(default)]
    value: String,
    description: Option<String>,
}

/// A file of a new repository.
#[derive(Deserialize)]
pub(super) struct NewFile {
    path: String,
    content: String,
    encoding: Option<String>,
}

/// Settings of a new Space.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpaceBody {
    pub(super) hardware: Option<String>,
    sleep_time_seconds: Option<i64>,
    #[serde(default)]
    secrets: Vec<NewSetting>,
    #[serde(default)]
    variables: Vec<NewSetting>,
    #[serde(default)]
    volumes: Vec<Value>,
}

impl SpaceBody {
    /// Checks the settings of a Space with this SDK.
    pub(super) fn into_space(self, sdk: String) -> Result<NewSpace, HubError> {
        Ok(NewSpace {
            sdk,
            hardware: self.hardware,
            sleep_time: self.sleep_time_seconds,
            secrets: settings_of(self.secrets)?,
            variables: settings_of(self.variables)?,
            volumes: self.volumes,
            dev_mode: false,
        })
    }
}

impl NewFile {
    /// Returns the path and the decoded content.
    pub(super) fn decode(self) -> Result<(String, Vec<u8>), HubError> {
        check_path(&self.path, false)?;
        let content = match self.encoding.as_deref().unwrap_or("utf-8") {
            "base64" => base64::engine::general_purpose::STANDARD.decode(&self.content).map_err(|_| {
                HubError::bad_request(format!("Invalid base64 content for \"{}\"", self.path))
            })?,
            _ => self.content.into_bytes(),
        };
        Ok((self.path, content))
    }
}

pub(super) fn repo_type_of(name: Option<&str>) -> Result<RepoType, HubError> {
    RepoType::from_singular(name.unwrap_or("model")).ok_or_else(|| HubError::bad_request("Invalid repo type"))
}

/// Returns true for a valid repository name: at most 96 of `[A-Za-z0-9._-]`, no `--`, no `..`, no `-` or `.` at its start
/// or end, no `.git` or `.ipynb` at its end.
pub(crate) fn valid_name(name: &str) -> bool {
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

fn settings_of(list: Vec<NewSetting>) -> Result<BTreeMap<String, Setting>, HubError> {
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

/// Returns the refusal of a taken name.
pub(super) fn taken(req: &Req, t: RepoType, id: &str) -> HubError {
    let mut error = HubError::new(409, format!("You already created this {} repo", t.singular()));
    error.body["url"] = json!(req.hub.repo_url(t, id));
    error
}

/// A new Space, as far as its plan decides about it.
pub(super) struct PlannedSpace<'a> {
    pub(super) namespace: &'a str,
    pub(super) sdk: &'a str,
    pub(super) flavor: Option<&'a str>,
}

impl PlannedSpace<'_> {
    /// Checks that the SDK runs on the hardware, and that the plan of the namespace allows both.
    pub(super) fn check(&self, req: &Req, user: &User) -> Result<(), HubError> {
        if let Some(flavor) = self.flavor {
            if !FLAVORS.contains(&flavor) {
                return Err(HubError::bad_request(format!("Invalid flavor: {flavor}")));
            }
            if is_zero_gpu(flavor) && self.sdk != "gradio" {
                return Err(HubError::bad_request("ZeroGPU Spaces must use the Gradio SDK"));
            }
            check_flavor(user, self.namespace, flavor)?;
        }
        if req.hub.policy.get().paid_sdks_need_pro {
            return check_sdk(user, self.namespace, self.sdk, self.flavor);
        }
        Ok(())
    }
}
