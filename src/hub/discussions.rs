//! Discussions: pull requests, and the drafts that collect the parts of one change.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::call::{Call, Repeat};
use crate::client::Hub;
use crate::error::{Cause, Error};
use crate::marker::Marker;
use crate::types::{CommitId, Oid, ParseError, Repo, Revision};

/// A draft pull request to open.
#[derive(Debug, Clone)]
pub struct NewDraft {
    /// First line of the commit that a merge makes: 3 to 200 characters.
    pub title: String,
    /// First comment. It must contain `marker`.
    pub description: String,
    /// Marker of this draft, by which it is found after a lost answer.
    pub marker: Marker,
}

/// Status of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullStatus {
    /// A draft, which cannot be merged by mistake.
    Draft,
    /// Open for review.
    Open,
    /// Closed without a merge.
    Closed,
    /// Merged into `main`.
    Merged,
    /// A status that this crate does not know.
    #[serde(other)]
    Unknown,
}

/// A pull request in a list.
#[derive(Debug, Clone)]
pub struct PullRow {
    /// Number of the pull request.
    pub number: u64,
    /// Status of the pull request.
    pub status: PullStatus,
    /// User who opened it; `None` if the account was deleted.
    pub author: Option<String>,
}

/// A merge that the Hub has carried out.
#[derive(Debug, Clone)]
pub struct Merged {
    /// The commit that the merge made.
    pub commit: CommitId,
    /// Root of `main` right after the Hub accepted the merge, as [`Hub::root_of`] returns it. It may be older than the
    /// merge, or newer. `None` if it is not known.
    pub root: Option<Vec<(String, Oid)>>,
}

/// A pull request.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// Title of the pull request.
    pub title: String,
    /// Status of the pull request.
    pub status: PullStatus,
    /// First comment.
    pub description: String,
    /// Commit of the merge, if the Hub names it.
    pub merge_commit: Option<CommitId>,
}

#[derive(Deserialize)]
struct Created {
    num: u64,
}

#[derive(Deserialize)]
struct List {
    discussions: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    num: u64,
    status: PullStatus,
    #[serde(default)]
    is_pull_request: bool,
    author: Option<Author>,
}

#[derive(Deserialize)]
struct Author {
    name: String,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    title: String,
    status: PullStatus,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    changes: Changes,
}

/// An event of a pull request. Only comments have a text.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    data: EventData,
}

#[derive(Deserialize, Default)]
struct EventData {
    latest: Option<Latest>,
}

#[derive(Deserialize)]
struct Latest {
    #[serde(default)]
    raw: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Changes {
    merge_commit_id: Option<CommitId>,
}

/// Time allowed for a merge that the Hub accepted.
const MERGE_TIMEOUT: Duration = Duration::from_secs(300);
/// Number of lookups of an accepted merge before a line is logged.
const QUIET_LOOKS: u32 = 4;
/// Maximum length of a title, in characters.
const MAX_TITLE: usize = 200;

/// Returns the ref with the commits of a pull request.
pub fn pull_request_ref(number: u64) -> Result<Revision, ParseError> {
    format!("refs/pr/{number}").parse()
}

impl Hub {
    /// Opens a pull request as a draft, whose ref is at the head of `main` (`POST …/discussions`).
    ///
    /// Returns its number. After a lost answer, an open draft is looked for before the request is sent again.
    pub async fn open_draft(&self, repo: &Repo, draft: &NewDraft) -> Result<u64, Error> {
        let operation = format!("open a draft pull request in the {repo}");
        let title: String = draft.title.chars().take(MAX_TITLE).collect();
        let body = json!({ "title": title, "description": draft.description, "pullRequest": true });
        let url = self.url(&format!("{}/discussions", repo.api()))?;
        let mut call = Call::new(&operation, Method::POST, url).json(&body);
        call.repeat = Repeat::IfNotApplied;
        let mut lost = 0;
        loop {
            let answer = self.call(&call).await.and_then(|answer| answer.json::<Created>(&operation));
            let error = match answer {
                Ok(created) => return Ok(created.num),
                Err(error) if !error.is_ambiguous() => return Err(error),
                Err(error) => error,
            };
            lost += 1;
            if let Some(number) = self.find_draft(repo, &draft.marker).await? {
                return Ok(number);
            }
            if lost >= self.attempts() {
                return Err(error);
            }
            self.pause(lost).await;
        }
    }

    async fn find_draft(&self, repo: &Repo, marker: &Marker) -> Result<Option<u64>, Error> {
        const NEWEST: usize = 3;
        for row in self.pull_requests(repo).await?.into_iter().take(NEWEST) {
            if self.pull_request(repo, row.number).await?.description.contains(marker.as_str()) {
                return Ok(Some(row.number));
            }
        }
        Ok(None)
    }

    /// Returns the newest pull requests of a repo, newest first: those of the first page (`GET …/discussions`).
    pub async fn pull_requests(&self, repo: &Repo) -> Result<Vec<PullRow>, Error> {
        let operation = format!("list the pull requests of the {repo}");
        let url = self.url(&format!("{}/discussions?type=pull_request", repo.api()))?;
        let list: List = self.call(&Call::new(&operation, Method::GET, url)).await?.json(&operation)?;
        let rows = list.discussions.into_iter().filter(|row| row.is_pull_request);
        Ok(rows
            .map(|row| PullRow {
                number: row.num,
                status: row.status,
                author: row.author.map(|author| author.name),
            })
            .collect())
    }

    /// Returns one pull request (`GET …/discussions/{num}`).
    pub async fn pull_request(&self, repo: &Repo, number: u64) -> Result<PullRequest, Error> {
        let operation = format!("read the pull request {number} of the {repo}");
        let url = self.url(&format!("{}/discussions/{number}", repo.api()))?;
        let details: Details = self.call(&Call::new(&operation, Method::GET, url)).await?.json(&operation)?;
        let first = details.events.into_iter().find_map(|event| event.data.latest);
        Ok(PullRequest {
            title: details.title,
            status: details.status,
            description: first.map(|latest| latest.raw).unwrap_or_default(),
            merge_commit: details.changes.merge_commit_id,
        })
    }

    /// Opens a draft or a closed pull request (`POST …/status`).
    pub async fn open_pull_request(&self, repo: &Repo, number: u64) -> Result<(), Error> {
        self.set_status(repo, number, "open").await
    }

    /// Closes a pull request. Its commits stay on its ref.
    pub async fn close_pull_request(&self, repo: &Repo, number: u64) -> Result<(), Error> {
        self.set_status(repo, number, "closed").await
    }

    async fn set_status(&self, repo: &Repo, number: u64, status: &str) -> Result<(), Error> {
        let verb = if status == "open" { "open" } else { "close" };
        let operation = format!("{verb} the pull request {number} of the {repo}");
        let url = self.url(&format!("{}/discussions/{number}/status", repo.api()))?;
        let call = Call::new(&operation, Method::POST, url).json(&json!({ "status": status }));
        self.call(&call).await.map(drop)
    }

    /// Merges a pull request into `main` (`POST …/merge`). The request has no expected parent; `base` is the head before.
    /// After a lost answer, the branch is searched for the merge before the request is sent again.
    ///
    /// Returns the commit that the merge made, and the tree of the branch, which is read at the same time.
    pub async fn merge_pull_request(&self, repo: &Repo, number: u64, base: &str) -> Result<Merged, Error> {
        let operation = format!("merge the pull request {number} of the {repo}");
        let url = self.url(&format!("{}/discussions/{number}/merge", repo.api()))?;
        let mut call = Call::new(&operation, Method::POST, url).json(&json!({}));
        call.repeat = Repeat::IfNotApplied;
        // A refusal to show the pull request is not a refusal to merge it.
        let unknown = |look: Error| Error::new(&operation, Cause::Unknown { look });
        let mut lost = 0;
        loop {
            let error = match self.call(&call).await {
                Ok(_) => {
                    let (commit, root) =
                        tokio::join!(self.await_merge(repo, number, base), self.root_of(repo, "main"));
                    return Ok(Merged { commit: commit.map_err(unknown)?, root: root.ok() });
                }
                Err(error) => error,
            };
            if lost == 0 && !error.is_ambiguous() {
                return Err(error);
            }
            lost += 1;
            let attempts = self.attempts();
            self.note(&format!(
                "the answer to the merge was lost (attempt {lost} of {attempts}), looking at the pull request: {error}"
            ));
            self.pause(lost).await;
            if let Some(commit) = self.find_merge(repo, number, Some(base)).await.map_err(unknown)? {
                return Ok(Merged { commit, root: None });
            }
            if !error.is_ambiguous() || lost >= attempts {
                return Err(error);
            }
        }
    }

    /// Waits for a merge that the Hub accepted, because the Hub may still be at work on it.
    async fn await_merge(&self, repo: &Repo, number: u64, base: &str) -> Result<CommitId, Error> {
        let started = Instant::now();
        let mut looked = 0;
        while started.elapsed() < MERGE_TIMEOUT {
            if let Some(commit) = self.find_merge(repo, number, Some(base)).await? {
                return Ok(commit);
            }
            looked += 1;
            if looked == QUIET_LOOKS {
                self.note("the Hub accepted the merge, and is still at work on it");
            }
            self.pause(looked).await;
        }
        let operation = format!("merge the pull request {number} of the {repo}");
        Err(Error::new(operation, Cause::TimedOut { after: MERGE_TIMEOUT }))
    }

    /// Finds the commit of a merge: the one that the Hub names, or else the one on `main` with its title or its tree, or
    /// else the first one after `base`, the head of `main` before the merge.
    pub async fn find_merge(
        &self,
        repo: &Repo,
        number: u64,
        base: Option<&str>,
    ) -> Result<Option<CommitId>, Error> {
        let found = self.pull_request(repo, number).await?;
        if found.merge_commit.is_some() {
            return Ok(found.merge_commit);
        }
        let mut rows = self.commit_rows(repo, "main").await?;
        let known = rows.iter().position(|row| Some(row.id.as_str()) == base);
        rows.truncate(known.unwrap_or(rows.len()));
        // Later commits are those of other writers. A list that does not reach back to `base` has no first one after it.
        let likely = if known.is_some() { rows.last() } else { rows.first() };
        let Some(likely) = likely.map(|row| row.id.clone()) else { return Ok(None) };
        let title = format!("{} (#{number})", found.title);
        if let Some(row) = rows.iter().find(|row| row.title == title) {
            return Ok(Some(row.id.clone()));
        }
        let tree = self.root_of(repo, pull_request_ref(number).as_ref().map_or("", Revision::as_str)).await?;
        for row in &rows {
            if self.root_of(repo, &row.id).await? == tree {
                return Ok(Some(row.id.clone()));
            }
        }
        Ok((found.status == PullStatus::Merged).then_some(likely))
    }
}
