//! Repos: lookup, creation, visibility, listing, deletion.

use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::call::{Answer, Call, Repeat};
use crate::client::Hub;
use crate::error::{Cause, Error};
use crate::refusal::{Refusal, RefusalKind};
use crate::runtime::{MountedVolume, Runtime};
use crate::secret::Secret;
use crate::types::{
    CommitId, Flavor, Repo, RepoName, RepoPath, RepoType, Revision, SleepTime, SpaceSdk, Visibility, Volume,
};
use crate::url::encode;

/// Maximum number of creations that collide with another operation, 1 second apart.
const COLLISIONS: u32 = 5;
/// Maximum number of pages of a listing: 100,000 repos.
const MAX_PAGES: usize = 1000;

/// A repo at a revision (`GET /api/{type}s/{id}[/revision/{rev}]`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RepoInfo {
    /// Current `namespace/name`: another than in the request if the repo was renamed.
    pub id: Option<String>,
    /// Commit at the head of the revision.
    pub sha: Option<CommitId>,
    /// True if the repo is not public.
    #[serde(default)]
    pub private: bool,
    /// Spaces: address of the app. It cannot be computed.
    pub host: Option<String>,
    /// Spaces: first part of the app's name below `hf.space`.
    pub subdomain: Option<String>,
    /// Metadata of README.md.
    #[serde(default)]
    pub card_data: Option<serde_json::Value>,
    /// Spaces: `gradio`, `docker` or `static`; absent while the card names none.
    pub sdk: Option<String>,
    /// Visibility, in answers that were requested with `expand=visibility`.
    pub visibility: Option<String>,
    /// Spaces: hardware, sleep time and volumes.
    pub runtime: Option<Runtime>,
    /// Tags of the card, and others.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Time of its creation (RFC 3339).
    #[serde(default)]
    pub created_at: Option<String>,
    /// All files of the revision, by name.
    pub siblings: Option<Vec<Sibling>>,
}

/// Name of a file.
#[derive(Debug, Clone, Deserialize)]
pub struct Sibling {
    /// Path in the repo.
    pub rfilename: String,
}

/// Result of a lookup of a repo and a revision.
#[derive(Debug)]
pub enum Lookup {
    /// Both exist.
    Found(Box<RepoInfo>),
    /// The repo exists, the revision does not.
    NoRevision,
    /// The repo does not exist, or the token cannot see it.
    NoRepo(Refusal),
}

/// A repo to create.
#[derive(Debug, Clone)]
pub struct CreateRepo {
    /// Visibility of the repo.
    pub visibility: Visibility,
    /// Settings of a Space; `None` for other repos.
    pub space: Option<NewSpace>,
    /// Files of the first commit. The Hub adds files of its own.
    pub files: Vec<NewFile>,
}

/// Settings of a new Space.
#[derive(Debug, Clone)]
pub struct NewSpace {
    /// SDK of the app.
    pub sdk: SpaceSdk,
    /// Hardware; the free one if there is none.
    pub hardware: Option<Flavor>,
    /// Idle time before the Space sleeps.
    pub sleep_time: Option<SleepTime>,
    /// Variables of the app, which everyone can read in a public Space.
    pub variables: Vec<(String, String)>,
    /// Secrets of the app.
    pub secrets: Vec<(String, Secret)>,
    /// Mounted volumes.
    pub volumes: Vec<Volume>,
}

/// A small text file of a new repo.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Path in the repo.
    pub path: RepoPath,
    /// Content of the file.
    pub content: String,
}

/// Result of creating a repo.
#[derive(Debug, PartialEq, Eq)]
pub enum Creation {
    /// This request created it.
    Created,
    /// It exists already.
    Existed,
    /// It exists, probably because of this request, whose answer was lost.
    Unanswered,
}

/// A repo in a listing.
#[derive(Debug, Clone)]
pub struct ListedRepo {
    /// The repo.
    pub repo: Repo,
    /// Time of its creation (RFC 3339), such as `2026-11-20T16:18:11.000Z`.
    pub created_at: Option<String>,
    /// Time of its last commit (RFC 3339).
    pub last_modified: Option<String>,
    /// Tags of the card, and others.
    pub tags: Vec<String>,
    /// True if the repo is not public.
    pub is_private: bool,
    /// Bytes that the Hub stores, earlier versions included.
    pub used_storage: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListRow {
    #[serde(default)]
    private: bool,
    #[serde(default)]
    used_storage: Option<u64>,
    id: String,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    last_modified: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
}

impl Hub {
    /// Looks up a repo at a revision (`GET /api/{type}s/{id}[/revision/{rev}]`).
    pub async fn look_up(&self, repo: &Repo, revision: &Revision) -> Result<Lookup, Error> {
        let operation = format!("read the {repo}");
        let mut path = repo.api();
        if !revision.is_main() {
            path.push_str(&format!("/revision/{}", encode(revision.as_str())));
        }
        match self.call(&Call::new(&operation, Method::GET, self.url(&path)?)).await {
            Ok(answer) => Ok(Lookup::Found(answer.json(&operation)?)),
            Err(error) => match error.refusal() {
                Some(refusal) => match refusal.kind() {
                    RefusalKind::RevisionNotFound => Ok(Lookup::NoRevision),
                    RefusalKind::RepoNotFound | RefusalKind::EntryNotFound => {
                        Ok(Lookup::NoRepo(refusal.clone()))
                    }
                    // Without a token, the Hub answers 401 for a repo that it does not show.
                    RefusalKind::TokenRefused if !self.has_token() => Ok(Lookup::NoRepo(refusal.clone())),
                    _ => Err(error),
                },
                None => Err(error),
            },
        }
    }

    /// Creates a repo (`POST /api/repos/create`). A repo that exists already is a result, not an error.
    pub async fn create_repo(&self, repo: &Repo, create: &CreateRepo) -> Result<Creation, Error> {
        let operation = format!("create the {repo}");
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
        let mut call = Call::new(&operation, Method::POST, self.url("/api/repos/create")?).json(&body);
        call.repeat = Repeat::IfNotApplied;
        let (mut collisions, mut lost) = (0, 0);
        while collisions < COLLISIONS {
            let error = match self.call(&call).await {
                Ok(_) => return Ok(Creation::Created),
                Err(error) => error,
            };
            match error.kind() {
                // The official client repeats this one at once and without end.
                Some(RefusalKind::ConflictingOperation) => {
                    collisions += 1;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                Some(RefusalKind::Conflict) if lost > 0 => return Ok(Creation::Unanswered),
                Some(RefusalKind::Conflict) => return Ok(Creation::Existed),
                // A request that was never sent has had all its attempts.
                _ if matches!(&*error.cause, Cause::Unreachable { before_sending: true, .. }) => {
                    return Err(error);
                }
                _ if error.is_ambiguous() && lost + 1 < self.attempts() => {
                    lost += 1;
                    self.note(&format!("retrying, because it may have worked: {error}"));
                    self.pause(lost).await;
                }
                // The repo may exist all the same.
                _ if error.is_ambiguous() => {
                    return match self.look_up(repo, &Revision::default()).await {
                        Ok(Lookup::Found(_)) => Ok(Creation::Unanswered),
                        _ => Err(error),
                    };
                }
                _ => return Err(error),
            }
        }
        Err(Error::unexpected(operation, "another operation on this repo does not end"))
    }

    /// Returns the visibility of a repo, which a plain lookup does not show. `None` if this Hub does not support the
    /// question.
    pub async fn visibility(&self, repo: &Repo) -> Result<Option<String>, Error> {
        let call = self.visibility_call(repo)?;
        let answer = self.call(&call).await;
        read_visibility(&call, answer)
    }

    /// Returns the visibility of a repo without a retry.
    pub async fn visibility_once(&self, repo: &Repo) -> Result<Option<String>, Error> {
        let call = self.visibility_call(repo)?;
        let answer = self.call_once(&call).await;
        read_visibility(&call, answer)
    }

    fn visibility_call(&self, repo: &Repo) -> Result<Call, Error> {
        let url = self.url(&format!("{}?expand=visibility", repo.api()))?;
        Ok(Call::new(format!("read who can see the {repo}"), Method::GET, url))
    }

    /// Changes the visibility of a repo (`PUT /api/{type}s/{id}/settings`).
    pub async fn set_visibility(&self, repo: &Repo, visibility: Visibility) -> Result<(), Error> {
        let operation = format!("make the {repo} {}", visibility.as_str());
        let url = self.url(&format!("{}/settings", repo.api()))?;
        let body = json!({ "visibility": visibility.as_str() });
        self.call(&Call::new(operation, Method::PUT, url).json(&body)).await?;
        Ok(())
    }

    /// Creates a branch from the head of `main` (`POST …/branch/{rev}`). A branch that exists is no error.
    pub async fn create_branch(&self, repo: &Repo, branch: &Revision) -> Result<(), Error> {
        let operation = format!("create the branch `{branch}` of the {repo}");
        let url = self.url(&format!("{}/branch/{}", repo.api(), encode(branch.as_str())))?;
        let call = Call::new(operation, Method::POST, url).json(&json!({}));
        match self.call(&call).await {
            Err(error) if error.status() == Some(409) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Lists the repos of a namespace whose names contain `search` (`GET /api/{types}?author=…`).
    pub async fn list_repos(
        &self,
        namespace: &str,
        repo_type: RepoType,
        search: &str,
    ) -> Result<Vec<ListedRepo>, Error> {
        let operation = format!("list the {} of `{namespace}`", repo_type.plural());
        let mut url = self.url(&format!("/api/{}", repo_type.plural()))?;
        url.query_pairs_mut()
            .append_pair("author", namespace)
            .append_pair("search", search)
            .append_pair("expand[]", "createdAt")
            .append_pair("expand[]", "lastModified")
            .append_pair("expand[]", "private")
            .append_pair("expand[]", "tags")
            .append_pair("expand[]", "usedStorage")
            .append_pair("limit", "100");
        let mut next = Some(url);
        let mut repos = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(url) = next else { return Ok(repos) };
            let answer = self.call(&Call::new(&operation, Method::GET, url.clone())).await?;
            let rows: Vec<ListRow> = answer.json(&operation)?;
            for row in rows {
                let Some(id) = row.id.parse::<RepoName>().ok().and_then(|name| name.full()) else { continue };
                let repo = Repo { repo_type, id };
                let ListRow { created_at, last_modified, tags, private: is_private, used_storage, .. } = row;
                repos.push(ListedRepo { repo, created_at, last_modified, tags, is_private, used_storage });
            }
            next = self.next_page(&operation, &url, &answer.headers)?;
        }
        Err(Error::unexpected(operation, format!("a listing of more than {MAX_PAGES} pages")))
    }

    /// Deletes a repo with all its content (`DELETE /api/repos/delete`). Returns false if it did not exist.
    pub async fn delete_repo(&self, repo: &Repo) -> Result<bool, Error> {
        let operation = format!("delete the {repo}");
        let call = Call::new(&operation, Method::DELETE, self.url("/api/repos/delete")?).json(&json!({
            "name": repo.id.name,
            "organization": repo.id.namespace,
            "type": repo.repo_type.as_str(),
        }));
        match self.call(&call).await {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(404) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn read_visibility(call: &Call, answer: Result<Answer, Error>) -> Result<Option<String>, Error> {
    match answer {
        Ok(answer) => Ok(answer.json::<RepoInfo>(&call.operation)?.visibility),
        Err(error) if error.status() == Some(400) => Ok(None),
        Err(error) => Err(error),
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
