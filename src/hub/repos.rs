//! Repos: who we are, what is there, creating what is missing.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::call::{Call, Repeat};
use super::client::Hub;
use super::error::{Cause, HubError, Refusal};
use super::spaces::{Machine, MountedVolume};
use super::{Repo, encode, encode_path};
use crate::auth::Secret;
use crate::target::{Flavor, RepoPath, RepoType, Revision, SleepTime, SpaceSdk, Visibility, Volume};

/// The token's user (`GET /api/whoami-v2`).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhoAmI {
    pub name: String,
    #[serde(default)]
    pub is_pro: bool,
    /// True if there is a payment method; `None` if the Hub does not say.
    #[serde(default)]
    pub can_pay: Option<bool>,
    #[serde(default)]
    pub orgs: Vec<Org>,
    #[serde(default)]
    auth: Auth,
}

/// An organisation of the user.
#[derive(Debug, Clone, Deserialize)]
pub struct Org {
    pub name: String,
    #[serde(rename = "roleInOrg", default)]
    pub role: Option<OrgRole>,
    /// Absent without a paid one.
    #[serde(default)]
    pub plan: Option<String>,
    #[serde(rename = "canPay", default)]
    pub can_pay: Option<bool>,
}

/// What a user may do in an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgRole {
    Admin,
    Write,
    /// Writes to repos of their own making.
    Contributor,
    Read,
    NoAccess,
    #[serde(other)]
    Unknown,
}

/// What the token itself may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRole {
    Read,
    /// What its user may do.
    Write,
    FineGrained(Vec<TokenScope>),
    Unknown,
}

/// What a fine-grained token may do with one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenScope {
    /// `user`, `org`, `space`, `resource-group` and others.
    pub kind: String,
    /// A namespace, or `namespace/name`.
    pub name: String,
    pub permissions: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    #[serde(default)]
    access_token: Option<AccessToken>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    #[serde(default)]
    role: String,
    #[serde(default)]
    fine_grained: Option<FineGrained>,
}

#[derive(Debug, Clone, Deserialize)]
struct FineGrained {
    #[serde(default)]
    scoped: Vec<Scoped>,
}

#[derive(Debug, Clone, Deserialize)]
struct Scoped {
    entity: Entity,
    #[serde(default)]
    permissions: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Entity {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
}

impl WhoAmI {
    pub fn token_role(&self) -> TokenRole {
        let Some(token) = &self.auth.access_token else { return TokenRole::Unknown };
        match (token.role.as_str(), &token.fine_grained) {
            ("read", _) => TokenRole::Read,
            ("write" | "god", _) => TokenRole::Write,
            ("fineGrained", Some(fine)) => {
                let scope = |scoped: &Scoped| TokenScope {
                    kind: scoped.entity.kind.clone(),
                    name: scoped.entity.name.clone(),
                    permissions: scoped.permissions.clone(),
                };
                TokenRole::FineGrained(fine.scoped.iter().map(scope).collect())
            }
            _ => TokenRole::Unknown,
        }
    }
}

/// What the Hub says of a repo at a revision (`GET /api/{type}s/{id}[/revision/{rev}]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepoInfo {
    /// `namespace/name` as the Hub has it: another than was asked for, where the repo was renamed.
    pub id: Option<String>,
    /// The commit at the head of the revision.
    pub sha: Option<String>,
    #[serde(default)]
    pub private: bool,
    /// Spaces: the address of the live app. It cannot be computed, only read.
    pub host: Option<String>,
    /// Spaces: `gradio`, `docker` or `static`; absent while the card names none.
    pub sdk: Option<String>,
    /// Who can see it, in the words of the input: only said where it was asked for.
    pub visibility: Option<String>,
    /// Spaces: what it runs on.
    pub runtime: Option<Machine>,
    /// Those of its card, among others.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When it was made: RFC 3339.
    #[serde(default)]
    pub created_at: Option<String>,
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
    pub space: Option<NewSpace>,
    /// What it holds from the start. The Hub adds files of its own.
    pub files: Vec<NewFile>,
}

/// What a Space is born with.
#[derive(Debug, Clone)]
pub struct NewSpace {
    pub sdk: SpaceSdk,
    pub hardware: Option<Flavor>,
    pub sleep_time: Option<SleepTime>,
    pub variables: Vec<(String, String)>,
    pub secrets: Vec<(String, Secret)>,
    pub volumes: Vec<Volume>,
}

/// A small text file of a new repo.
#[derive(Debug, Clone)]
pub struct NewFile {
    pub path: RepoPath,
    pub content: String,
}

/// What became of a wish to create a repo.
#[derive(Debug, PartialEq, Eq)]
pub enum Creation {
    Created,
    /// It was there already, perhaps since a moment ago.
    Existed,
    /// It is there, most likely by this request, whose answer was lost.
    Unanswered,
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
        self.user(true).await
    }

    /// The same, without patience: what it says is good to know, and no more.
    pub async fn whoami_once(&self) -> Result<WhoAmI, HubError> {
        self.user(false).await
    }

    async fn user(&self, patient: bool) -> Result<WhoAmI, HubError> {
        let what = "read the user of `hf_token`";
        let ask = || async {
            let call = Call::new(what, Method::GET, self.url("/api/whoami-v2")?);
            let answer = if patient { self.call(&call).await } else { self.call_once(&call).await };
            answer?.json(what)
        };
        self.user_cell().get_or_try_init(ask).await.cloned()
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
                // To nobody in particular the Hub says 401 of what it does not show, and not what the matter is.
                Some(refusal)
                    if refusal.status == 404
                        || refusal.is(401, "RepoNotFound")
                        || (refusal.status == 401 && !self.has_token()) =>
                {
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
            space: create.space.as_ref().map(SpaceBody::from),
            files: create
                .files
                .iter()
                .map(|file| FileBody { path: file.path.as_str(), content: &file.content, encoding: "utf-8" })
                .collect(),
        };
        let mut call = Call::new(&what, Method::POST, self.url("/api/repos/create")?).json(&body);
        call.repeat = Repeat::IfNotApplied;
        let (mut collisions, mut lost) = (0, 0);
        while collisions < COLLISIONS {
            let error = match self.call(&call).await {
                Ok(_) => return Ok(Creation::Created),
                Err(error) => error,
            };
            match error.refusal() {
                // Not "exists" but "busy": the official client repeats this one at once and for ever.
                Some(refusal)
                    if refusal.status == 409 && refusal.message.contains("conflicting operation") =>
                {
                    collisions += 1;
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
                Some(refusal) if refusal.status == 409 && lost > 0 => return Ok(Creation::Unanswered),
                Some(refusal) if refusal.status == 409 => return Ok(Creation::Existed),
                // What never left this machine has had all its attempts.
                _ if matches!(&*error.cause, Cause::Unreachable { before_sending: true, .. }) => {
                    return Err(error);
                }
                _ if error.is_ambiguous() && lost + 1 < self.retry_policy().attempts => {
                    lost += 1;
                    self.note(&format!("trying again, since it may have worked: {error}"));
                    tokio::time::sleep(self.retry_policy().delay(lost, fastrand::f64())).await;
                }
                // It may be there all the same: that is what counts.
                _ if error.is_ambiguous() => {
                    return match self.look_up(repo, &Revision::default()).await {
                        Ok(Lookup::Found(_)) => Ok(Creation::Unanswered),
                        _ => Err(error),
                    };
                }
                _ => return Err(error),
            }
        }
        let detail = "another operation on this repo does not end".to_owned();
        Err(HubError::new(what, Cause::Unexpected { detail }))
    }

    /// Who can see a repo, in the words of the input: a plain look at it tells protected from neither public
    /// nor private. `None` where this Hub does not say.
    pub async fn visibility(&self, repo: &Repo) -> Result<Option<String>, HubError> {
        self.ask_visibility(repo, true).await
    }

    /// The same without a retry, for a report.
    pub async fn visibility_once(&self, repo: &Repo) -> Result<Option<String>, HubError> {
        self.ask_visibility(repo, false).await
    }

    async fn ask_visibility(&self, repo: &Repo, patient: bool) -> Result<Option<String>, HubError> {
        let what = format!("read who can see the {repo}");
        let url = self.url(&format!("{}?expand=visibility", repo.api()))?;
        let call = Call::new(&what, Method::GET, url);
        let answer = if patient { self.call(&call).await } else { self.call_once(&call).await };
        match answer {
            Ok(answer) => Ok(answer.json::<RepoInfo>(&what)?.visibility),
            Err(error) if error.status() == Some(400) => Ok(None),
            Err(error) => Err(error),
        }
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
    #[serde(flatten)]
    space: Option<SpaceBody<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpaceBody<'a> {
    sdk: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hardware: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sleep_time_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variables: Vec<SettingBody<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SettingBody<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<MountedVolume>,
}

#[derive(Serialize)]
struct SettingBody<'a> {
    key: &'a str,
    value: &'a str,
}

#[derive(Serialize)]
struct FileBody<'a> {
    path: &'a str,
    content: &'a str,
    encoding: &'a str,
}

impl<'a> From<&'a NewSpace> for SpaceBody<'a> {
    fn from(space: &'a NewSpace) -> Self {
        let variables = space.variables.iter().map(|(key, value)| SettingBody { key, value });
        let secrets = space.secrets.iter().map(|(key, value)| SettingBody { key, value: value.expose() });
        Self {
            sdk: space.sdk.hub_name(),
            hardware: space.hardware.map(Flavor::as_str),
            sleep_time_seconds: space.sleep_time.map(SleepTime::seconds),
            variables: variables.collect(),
            secrets: secrets.collect(),
            volumes: space.volumes.iter().map(MountedVolume::from).collect(),
        }
    }
}
