//! One commit, streamed, and never made twice.

mod body;

use std::sync::Arc;

use reqwest::Method;
use serde::Deserialize;

use super::call::{Body, Call, Repeat};
use super::client::Hub;
use super::error::HubError;
use super::{Repo, encode};
use crate::folder::{Oid, SourceFile};
use crate::target::{RepoPath, Revision};

/// One line of a commit.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A small file, sent with the commit itself.
    File {
        path: RepoPath,
        source: Arc<SourceFile>,
        /// What the plan was made for, where it was hashed.
        oid: Option<Oid>,
    },
    /// A large file, whose content is in the storage already.
    LargeFile {
        path: RepoPath,
        sha256: String,
        size: u64,
    },
    Delete {
        path: RepoPath,
    },
    /// A small file that the repo holds under another name: the Hub moves it, and its content stays here.
    Move {
        from: RepoPath,
        path: RepoPath,
        source: Arc<SourceFile>,
        oid: Oid,
    },
}

impl Operation {
    pub fn path(&self) -> &RepoPath {
        match self {
            Self::File { path, .. }
            | Self::LargeFile { path, .. }
            | Self::Delete { path }
            | Self::Move { path, .. } => path,
        }
    }

    /// The bytes of content that travel with the commit itself.
    pub fn inline_bytes(&self) -> u64 {
        match self {
            Self::File { source, .. } => source.size,
            Self::LargeFile { .. } | Self::Delete { .. } | Self::Move { .. } => 0,
        }
    }
}

/// A commit to make.
#[derive(Debug, Clone)]
pub struct CommitRequest {
    pub repo: Repo,
    pub revision: Revision,
    /// The first line of the message.
    pub summary: String,
    /// The rest of the message. It holds `marker`.
    pub description: String,
    /// A text that no other commit's message has: how this commit is found again after a lost answer.
    pub marker: String,
    /// The head that the plan was made for. If the branch has moved, the Hub refuses with 412.
    pub parent: Option<String>,
    pub create_pr: bool,
    pub operations: Arc<Vec<Operation>>,
}

/// A commit that is on the Hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitReceipt {
    pub oid: String,
    pub url: String,
    pub pull_request_url: Option<String>,
    /// The Hub's answer was lost, and the commit was found on the branch.
    pub recovered: bool,
}

/// Everything in it is optional: a commit that the answer does not name is looked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitAnswer {
    commit_oid: Option<String>,
    commit_url: Option<String>,
    pull_request_url: Option<String>,
}

/// A commit, as lists show it.
#[derive(Debug, Deserialize)]
pub(super) struct CommitRow {
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Refs {
    #[serde(default, rename = "pullRequests")]
    pull_requests: Vec<RefRow>,
}

#[derive(Deserialize)]
struct RefRow {
    #[serde(rename = "ref")]
    name: String,
}

/// How far back a commit is looked for: others may have committed on top of it meanwhile.
const LOOK_BACK: usize = 20;
/// How many of the newest pull requests are looked at.
const PULL_REQUESTS: usize = 5;
/// Server errors after which a commit with moves is given up, because the Hub may not know moves: no official client
/// sends them.
const MOVE_ATTEMPTS: u32 = 2;

/// The beginning of every marker. A commit that has it, and not the marker that is looked for, is another run's, even
/// where its title is the same, as the default titles of all runs of one source commit are.
pub const MARK: &str = "Deploy-Id: ";

/// Told how many more bytes of content have left.
pub type OnBytes = Arc<dyn Fn(u64) + Send + Sync>;

impl Hub {
    /// Makes a commit (`POST …/commit/{rev}`, NDJSON).
    ///
    /// An answer that is lost is not a failure until the Hub says so: the branch is searched for the
    /// commit first, and only then is it sent again, with the same parent, so that it cannot land twice.
    pub async fn commit(
        &self,
        request: &CommitRequest,
        on_bytes: OnBytes,
    ) -> Result<CommitReceipt, HubError> {
        let what = format!("commit to the {}", request.repo);
        let query = if request.create_pr { "?create_pr=1" } else { "" };
        let path = format!("{}/commit/{}{query}", request.repo.api(), encode(request.revision.as_str()));
        let mut call = Call::new(&what, Method::POST, self.url(&path)?);
        call.body = Body::Stream(body::ndjson(request, on_bytes));
        call.repeat = Repeat::IfNotApplied;
        let has_moves = request.operations.iter().any(|one| matches!(one, Operation::Move { .. }));
        let attempts = self.retry_policy().attempts;
        let (mut lost, mut server_errors) = (0, 0);
        loop {
            let answer = self.call(&call).await.and_then(|answer| answer.json::<CommitAnswer>(&what));
            let error = match answer.and_then(|answer| self.receipt_of(&what, request, answer)) {
                Ok(receipt) => return Ok(receipt),
                Err(error) => error,
            };
            let may_have_landed = error.is_ambiguous() || (lost > 0 && error.status() == Some(412));
            if !may_have_landed {
                return Err(error);
            }
            lost += 1;
            server_errors += u32::from(error.status().is_some_and(|status| status >= 500));
            self.note(&format!("the answer to the commit was lost, looking for it on the Hub: {error}"));
            match self.find_commit_patiently(request, lost).await {
                Ok(Some(receipt)) => return Ok(receipt),
                Ok(None) => {}
                Err(unseen) => {
                    self.note(&format!("whether the commit has landed is not known: {unseen}"));
                    return Err(error);
                }
            }
            let moves_fail = has_moves && server_errors >= MOVE_ATTEMPTS;
            if !error.is_ambiguous() || lost >= attempts || moves_fail {
                return Err(error);
            }
            self.note(&format!(
                "the commit has not landed, sending it again (attempt {} of {attempts})",
                lost + 1
            ));
        }
    }

    /// Reads an answer. Addresses may be relative to the Hub, and the id may be in the address alone.
    fn receipt_of(
        &self,
        what: &str,
        request: &CommitRequest,
        answer: CommitAnswer,
    ) -> Result<CommitReceipt, HubError> {
        let whole = |url: String| self.complete(&url);
        let named = answer.commit_url.as_deref().and_then(|url| url.rsplit('/').next());
        let is_id = |id: &&str| id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let oid = answer.commit_oid.or_else(|| named.filter(is_id).map(str::to_owned));
        let Some(oid) = oid.filter(|oid| !oid.is_empty()) else {
            return Err(HubError::unexpected(what, "an answer without the commit"));
        };
        let plain = self.receipt(&request.repo, oid, None);
        Ok(CommitReceipt {
            url: answer.commit_url.map_or(plain.url, whole),
            oid: plain.oid,
            pull_request_url: answer.pull_request_url.map(whole),
            recovered: false,
        })
    }

    /// Looks at once, and again after a wait, since the Hub may still be at work.
    async fn find_commit_patiently(
        &self,
        request: &CommitRequest,
        failures: u32,
    ) -> Result<Option<CommitReceipt>, HubError> {
        if let Some(receipt) = self.find_commit(request).await? {
            return Ok(Some(receipt));
        }
        tokio::time::sleep(self.retry_policy().delay(failures, fastrand::f64())).await;
        self.find_commit(request).await
    }

    /// Finds the commit by the marker in its message, or on the branch by its title right after its parent.
    pub async fn find_commit(&self, request: &CommitRequest) -> Result<Option<CommitReceipt>, HubError> {
        if !request.create_pr {
            let rows = self.commit_rows(&request.repo, request.revision.as_str()).await?;
            let marked = rows.iter().find(|row| row.message.contains(&request.marker));
            let found = marked.or_else(|| {
                // A Hub that keeps no descriptions keeps the title.
                let is_ours = |row: &&CommitRow| row.title == request.summary && !row.message.contains(MARK);
                let after = rows.iter().position(|row| Some(&row.id) == request.parent.as_ref())?;
                rows[..after].last().filter(is_ours)
            });
            return Ok(found.map(|row| self.receipt(&request.repo, row.id.clone(), None)));
        }
        let what = format!("list the pull requests of the {}", request.repo);
        let url = self.url(&format!("{}/refs?include_prs=1", request.repo.api()))?;
        let refs: Refs = self.call(&Call::new(&what, Method::GET, url)).await?.json(&what)?;
        let mut numbers: Vec<u64> = refs
            .pull_requests
            .iter()
            .filter_map(|row| row.name.strip_prefix("refs/pr/")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        for number in numbers.into_iter().rev().take(PULL_REQUESTS) {
            let revision = format!("refs/pr/{number}");
            let rows = self.commit_rows(&request.repo, &revision).await?;
            if let Some(row) = rows.into_iter().find(|row| row.message.contains(&request.marker)) {
                return Ok(Some(self.receipt(&request.repo, row.id, Some(number))));
            }
        }
        Ok(None)
    }

    /// Lists the last commits of a revision, newest first.
    pub(super) async fn commit_rows(&self, repo: &Repo, revision: &str) -> Result<Vec<CommitRow>, HubError> {
        let what = format!("read the commits of the {repo}");
        let path = format!("{}/commits/{}?limit={LOOK_BACK}", repo.api(), encode(revision));
        self.call(&Call::new(&what, Method::GET, self.url(&path)?)).await?.json(&what)
    }

    /// The address of a pull request.
    pub fn pull_request_url(&self, repo: &Repo, number: u64) -> String {
        format!("{}/{}/discussions/{number}", self.endpoint(), repo.page())
    }

    /// The receipt of a commit that no answer described.
    pub fn receipt(&self, repo: &Repo, oid: String, pull_request: Option<u64>) -> CommitReceipt {
        let page = format!("{}/{}", self.endpoint(), repo.page());
        CommitReceipt {
            url: format!("{page}/commit/{oid}"),
            oid,
            pull_request_url: pull_request.map(|number| self.pull_request_url(repo, number)),
            recovered: true,
        }
    }
}
