//! Repos: who we are, what is there, creating what is missing.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::client::{Call, Hub};
use super::error::{Cause, HubError, Refusal};
use super::{Repo, encode, encode_path};
use crate::target::{RepoType, Revision, SpaceSdk, Visibility};

/// The token's user (`GET /api/whoami-v2`).
#[derive(Debug, Clone, Deserialize)]
pub struct WhoAmI {
    pub name: String,
}

/// What the Hub says of a repo at a revision (`GET /api/{type}s/{id}[/revision/{rev}]`).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepoInfo {
    /// The commit at the head of the revision.
    pub sha: Option<String>,
    #[serde(default)]
    pub private: bool,
    /// Spaces: the address of the live app. It cannot be computed, only read.
    pub host: Option<String>,
    /// Spaces: `gradio`, `docker` or `static`; absent while the card names none.
    pub sdk: Option<String>,
    /// Every file of the revision, by name.
    pub siblings: Option<Vec<Sibling>>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Sibling {
    pub rfilename: String,
}

/// What a look at a repo and a revision finds.
#[derive(Debug)]
pub enum Lookup {
    Found(Box<RepoInfo>),
    /// The repo is there, the branch is not.
    NoRevision,
    /// There is no such repo, or the token cannot see it.
    NoRepo(Refusal),
}

/// A repo to create.
#[derive(Debug, Clone)]
pub struct CreateRepo {
    pub visibility: Visibility,
    /// Spaces only.
    pub sdk: Option<SpaceSdk>,
}

/// What became of a wish to create a repo.
#[derive(Debug, PartialEq, Eq)]
pub enum Creation {
    Created,
    /// It was there already, perhaps since a moment ago.
    Existed,
}

/// What the Hub thinks of a README's metadata block (`POST /api/validate-yaml`).
#[derive(Debug, Default, Clone)]
pub struct CardCheck {
    pub errors: Vec<String>,
    pub warnings: Vec<String>,
}

#[derive(Deserialize)]
struct CardAnswer {
    #[serde(default)]
    errors: Vec<CardMessage>,
    #[serde(default)]
    warnings: Vec<CardMessage>,
}

#[derive(Deserialize)]
struct CardMessage {
    message: String,
}

/// How often a creation that collides with another operation is tried, one second apart.
const COLLISIONS: u32 = 5;

impl Hub {
    /// The user behind the token. The Hub limits this call strictly: once per run.
    pub async fn whoami(&self) -> Result<WhoAmI, HubError> {
        let what = "read the user of `hf_token`";
        let call = Call::new(what, Method::GET, self.url("/api/whoami-v2")?);
        self.call(&call).await?.json(what)
    }

    /// Looks at a repo, at a revision.
    pub async fn look_up(&self, repo: &Repo, revision: &Revision) -> Result<Lookup, HubError> {
        let what = format!("read the {repo}");
        let mut path = repo.api();
        if !revision.is_main() {
            path.push_str(&format!("/revision/{}", encode(revision.as_str())));
        }
        match self.call(&Call::new(&what, Method::GET, self.url(&path)?)).await {
            Ok(answer) => Ok(Lookup::Found(answer.json(&what)?)),
            Err(error) => match error.refusal() {
                Some(refusal) if refusal.is(404, "RevisionNotFound") => Ok(Lookup::NoRevision),
                // Without a token the Hub says 401 for what it does not show.
                Some(refusal) if refusal.status == 404 || refusal.is(401, "RepoNotFound") => {
                    Ok(Lookup::NoRepo(refusal.clone()))
                }
                _ => Err(error),
            },
        }
    }

    /// Creates a repo. Whether it is there by now is what counts, so a repeated request is no fault.
    pub async fn create_repo(&self, repo: &Repo, create: &CreateRepo) -> Result<Creation, HubError> {
        let what = format!("create the {repo}");
        let body = CreateBody {
            name: &repo.id.name,
            organization: &repo.id.namespace,
            repo_type: repo.repo_type.as_str(),
            visibility: create.visibility.as_str(),
            sdk: create.sdk.map(SpaceSdk::hub_name),
        };
        let call = Call::new(&what, Method::POST, self.url("/api/repos/create")?).json(&body);
        for _ in 0..COLLISIONS {
            let error = match self.call(&call).await {
                Ok(_) => return Ok(Creation::Created),
                Err(error) => error,
            };
            match error.refusal() {
                // Not "exists" but "busy": the official client repeats this one at once and for ever.
                Some(refusal)
                    if refusal.status == 409 && refusal.message.contains("conflicting operation") =>
                {
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
                Some(refusal) if refusal.status == 409 => return Ok(Creation::Existed),
                _ => return Err(error),
            }
        }
        let detail = "another operation on this repo does not end".to_owned();
        Err(HubError::new(what, Cause::Unexpected { detail }))
    }

    /// Changes who can see a repo (`PUT /api/{type}s/{id}/settings`).
    pub async fn set_visibility(&self, repo: &Repo, visibility: Visibility) -> Result<(), HubError> {
        let what = format!("make the {repo} {}", visibility.as_str());
        let url = self.url(&format!("{}/settings", repo.api()))?;
        let body = serde_json::json!({ "visibility": visibility.as_str() });
        self.call(&Call::new(what, Method::PUT, url).json(&body)).await?;
        Ok(())
    }

    /// Creates a branch from the head of `main` (`POST …/branch/{rev}`). One that exists is no fault.
    pub async fn create_branch(&self, repo: &Repo, branch: &Revision) -> Result<(), HubError> {
        let what = format!("create the branch `{branch}` of the {repo}");
        let url = self.url(&format!("{}/branch/{}", repo.api(), encode(branch.as_str())))?;
        let call = Call::new(what, Method::POST, url).json(&serde_json::json!({}));
        match self.call(&call).await {
            Err(error) if error.status() == Some(409) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Asks what the Hub thinks of a README, before anything is uploaded.
    pub async fn check_card(&self, repo_type: RepoType, readme: &str) -> Result<CardCheck, HubError> {
        let what = "check the metadata of README.md";
        let body = serde_json::json!({ "content": readme, "repoType": repo_type.as_str() });
        let call = Call::new(what, Method::POST, self.url("/api/validate-yaml")?).json(&body);
        let messages = |list: Vec<CardMessage>| list.into_iter().map(|entry| entry.message).collect();
        match self.call(&call).await {
            Ok(answer) => {
                let answer: CardAnswer = answer.json(what)?;
                Ok(CardCheck { errors: messages(answer.errors), warnings: messages(answer.warnings) })
            }
            // The refusal's text is its errors, joined.
            Err(error) if error.status() == Some(400) => {
                let errors = error.refusal().map(|refusal| vec![refusal.message.clone()]).unwrap_or_default();
                Ok(CardCheck { errors, warnings: Vec::new() })
            }
            Err(error) => Err(error),
        }
    }

    /// Reads a small file at a commit, as the Hub serves it for download: `None` when it is not there.
    pub async fn read_small_file(
        &self,
        repo: &Repo,
        commit: &str,
        path: &str,
    ) -> Result<Option<bytes::Bytes>, HubError> {
        let what = format!("read `{path}` of the {repo}");
        let url = format!("/{}/resolve/{}/{}", repo.page(), encode(commit), encode_path(path));
        match self.call(&Call::new(what, Method::GET, self.url(&url)?)).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[derive(Serialize)]
struct CreateBody<'a> {
    name: &'a str,
    organization: &'a str,
    #[serde(rename = "type")]
    repo_type: &'a str,
    visibility: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdk: Option<&'a str>,
}
