//! Commits: each is streamed, and never made twice.

use reqwest::Method;
use serde::Deserialize;

use crate::call::{Body, Call, Repeat};
use crate::client::Hub;
use crate::commit_body;
use crate::error::Error;
use crate::marker::MARK;
use crate::operation::{CommitRequest, OnBytes, Operation};
use crate::types::{CommitId, Repo};
use crate::url::encode;

/// A commit on the Hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitReceipt {
    /// Id of the commit.
    pub oid: CommitId,
    /// Address of its page.
    pub url: String,
    /// Address of the pull request that it opened.
    pub pull_request_url: Option<String>,
    /// True if the Hub's answer was lost, and the commit was found on the branch.
    pub recovered: bool,
}

/// Answer to a commit. All fields are optional, because a commit that the answer does not name is looked for.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CommitAnswer {
    commit_oid: Option<CommitId>,
    commit_url: Option<String>,
    pull_request_url: Option<String>,
}

/// A commit in a list.
#[derive(Debug, Deserialize)]
pub(crate) struct CommitRow {
    pub(crate) id: CommitId,
    #[serde(default)]
    pub(crate) title: String,
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

/// Number of commits that are searched: other writers may have committed on top of it.
const LOOK_BACK: usize = 20;
/// Number of the newest pull requests that are searched.
const PULL_REQUESTS: usize = 5;
/// Number of server errors after which a commit with moves is given up, because the Hub may not support moves: no
/// official client sends them.
const MOVE_ATTEMPTS: u32 = 2;

impl Hub {
    /// Makes a commit (`POST …/commit/{rev}`, NDJSON).
    ///
    /// After a lost answer, the branch is searched for the commit before it is sent again. It is sent with the same
    /// parent, so that it cannot land twice.
    ///
    /// ```no_run
    /// # async fn example(hub: hub::Hub, repo: hub::Repo) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    ///
    /// use hub::{CommitRequest, InMemory, Marker, Operation, Revision};
    ///
    /// let content = Arc::new(InMemory { path: "hello.txt".to_owned(), bytes: "hello".into() });
    /// let marker = Marker::new(17);
    /// let request = CommitRequest {
    ///     repo,
    ///     revision: Revision::default(),
    ///     summary: "Add hello.txt".to_owned(),
    ///     description: marker.to_string(),
    ///     marker,
    ///     parent: None,
    ///     create_pr: false,
    ///     operations: Arc::new(vec![Operation::File { path: "hello.txt".parse()?, content, oid: None }]),
    /// };
    /// let receipt = hub.commit(&request, Arc::new(|bytes| println!("sent {bytes} bytes"))).await?;
    /// println!("{}", receipt.url);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn commit(&self, request: &CommitRequest, on_bytes: OnBytes) -> Result<CommitReceipt, Error> {
        let operation = format!("commit to the {}", request.repo);
        let query = if request.create_pr { "?create_pr=1" } else { "" };
        let path = format!("{}/commit/{}{query}", request.repo.api(), encode(request.revision.as_str()));
        let mut call = Call::new(&operation, Method::POST, self.url(&path)?);
        call.body = Body::Stream(commit_body::ndjson(request, on_bytes));
        call.repeat = Repeat::IfNotApplied;
        let has_moves = request.operations.iter().any(|one| matches!(one, Operation::Move { .. }));
        let attempts = self.attempts();
        let (mut lost, mut server_errors) = (0, 0);
        loop {
            let answer = self.call(&call).await.and_then(|answer| answer.json::<CommitAnswer>(&operation));
            let error = match answer.and_then(|answer| self.receipt_of(&operation, request, answer)) {
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
            match self.find_commit_twice(request, lost).await {
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

    /// Reads an answer. Addresses may be relative to the Hub, and the id may be in the address only.
    fn receipt_of(
        &self,
        operation: &str,
        request: &CommitRequest,
        answer: CommitAnswer,
    ) -> Result<CommitReceipt, Error> {
        let whole = |url: String| self.complete(&url);
        let named = answer.commit_url.as_deref().and_then(|url| url.rsplit('/').next());
        let is_id = |id: &&str| id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let oid = answer.commit_oid.or_else(|| named.filter(is_id).map(CommitId::new));
        let Some(oid) = oid.filter(|oid| !oid.is_empty()) else {
            return Err(Error::unexpected(operation, "an answer without the commit"));
        };
        let plain = self.receipt(&request.repo, oid, None);
        Ok(CommitReceipt {
            url: answer.commit_url.map_or(plain.url, whole),
            oid: plain.oid,
            pull_request_url: answer.pull_request_url.map(whole),
            recovered: false,
        })
    }

    /// Searches at once, and again after a wait, because the Hub may still be at work.
    async fn find_commit_twice(
        &self,
        request: &CommitRequest,
        failures: u32,
    ) -> Result<Option<CommitReceipt>, Error> {
        if let Some(receipt) = self.find_commit(request).await? {
            return Ok(Some(receipt));
        }
        self.pause(failures).await;
        self.find_commit(request).await
    }

    /// Finds a commit by the marker in its message, or by its title directly after its parent on the branch.
    pub async fn find_commit(&self, request: &CommitRequest) -> Result<Option<CommitReceipt>, Error> {
        if !request.create_pr {
            let rows = self.commit_rows(&request.repo, request.revision.as_str()).await?;
            let marked = rows.iter().find(|row| row.message.contains(request.marker.as_str()));
            let found = marked.or_else(|| {
                // A Hub without descriptions keeps the title.
                let is_ours = |row: &&CommitRow| row.title == request.summary && !row.message.contains(MARK);
                let after = rows.iter().position(|row| Some(&row.id) == request.parent.as_ref())?;
                rows[..after].last().filter(is_ours)
            });
            return Ok(found.map(|row| self.receipt(&request.repo, row.id.clone(), None)));
        }
        let operation = format!("list the pull requests of the {}", request.repo);
        let url = self.url(&format!("{}/refs?include_prs=1", request.repo.api()))?;
        let refs: Refs = self.call(&Call::new(&operation, Method::GET, url)).await?.json(&operation)?;
        let mut numbers: Vec<u64> = refs
            .pull_requests
            .iter()
            .filter_map(|row| row.name.strip_prefix("refs/pr/")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        for number in numbers.into_iter().rev().take(PULL_REQUESTS) {
            let revision = format!("refs/pr/{number}");
            let rows = self.commit_rows(&request.repo, &revision).await?;
            if let Some(row) = rows.into_iter().find(|row| row.message.contains(request.marker.as_str())) {
                return Ok(Some(self.receipt(&request.repo, row.id, Some(number))));
            }
        }
        Ok(None)
    }

    /// Lists the last commits of a revision, newest first.
    pub(crate) async fn commit_rows(&self, repo: &Repo, revision: &str) -> Result<Vec<CommitRow>, Error> {
        let operation = format!("read the commits of the {repo}");
        let path = format!("{}/commits/{}?limit={LOOK_BACK}", repo.api(), encode(revision));
        self.call(&Call::new(&operation, Method::GET, self.url(&path)?)).await?.json(&operation)
    }

    /// Returns the address of a pull request.
    pub fn pull_request_url(&self, repo: &Repo, number: u64) -> String {
        format!("{}/{}/discussions/{number}", self.endpoint(), repo.page())
    }

    /// Makes the receipt of a commit that no answer described.
    pub fn receipt(&self, repo: &Repo, oid: CommitId, pull_request: Option<u64>) -> CommitReceipt {
        let page = format!("{}/{}", self.endpoint(), repo.page());
        CommitReceipt {
            url: format!("{page}/commit/{oid}"),
            oid,
            pull_request_url: pull_request.map(|number| self.pull_request_url(repo, number)),
            recovered: true,
        }
    }
}
