//! The ends of runs: writes without an answer, pull requests that were not merged, and the page of the deploy.

use hub::{CommitRequest, Hub, Repo, RepoType, Stage};

use super::{Outcome, Status};

/// A pull request in which a deploy is being put together.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// The client that opened it.
    pub hub: Hub,
    pub repo: Repo,
    pub number: u64,
    /// Its page.
    pub url: String,
    /// The head of `main` that it was opened on, if it is known.
    pub base: Option<String>,
    /// True once the Hub was asked to merge it.
    pub merging: bool,
}

/// A write that the Hub may have carried out, although this run has no answer.
#[derive(Debug, Clone)]
pub struct InFlight {
    pub hub: Hub,
    pub sent: Sent,
}

/// A write that was sent to the Hub.
#[derive(Debug, Clone)]
pub enum Sent {
    Creation(Repo),
    Commit(CommitRequest),
    /// One of several commits on the branch itself.
    Part {
        request: CommitRequest,
        number: usize,
        of: usize,
    },
    /// The commit that restores the previous tree.
    Rollback(CommitRequest),
}

/// The state of a write that got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Landing {
    /// There is none, or the Hub was asked, and the rest of the outcome says what it has.
    #[default]
    Settled,
    /// The Hub was asked, and does not have it.
    NotSeen,
    /// The Hub could not be asked.
    Unknown,
}

impl Outcome {
    /// The page of the pull request that the deploy is in.
    pub fn pull_request_url(&self) -> Option<String> {
        let opened = self.commit.as_ref().and_then(|commit| commit.pull_request_url.clone());
        let number = || self.revision.as_ref()?.as_str().strip_prefix("refs/pr/");
        opened.or_else(|| Some(format!("{}/discussions/{}", self.repo_url()?, number()?)))
    }

    /// The page of the branch other than `main`.
    pub fn branch_url(&self) -> Option<String> {
        Some(format!("{}/tree/{}", self.repo_url()?, self.revision.as_ref()?))
    }

    /// Says what is on the Hub after a run that was cancelled.
    pub fn cancelled(&self) -> String {
        let runs = self.repo.as_ref().is_some_and(|repo| repo.repo_type == RepoType::Space)
            && self.revision.is_none()
            && self.space_stage != Some(Stage::Running);
        let builds = if runs { ", and the Space goes on building it" } else { "" };
        let short = |sha: &str| sha.get(..7).unwrap_or(sha).to_owned();
        let repo = self.repo.as_ref().map(|repo| format!("the {repo}")).unwrap_or_default();
        if let Some((done, of)) = self.parts_on_branch {
            format!("cancelled: {done} of {of} parts are on the branch")
        } else if let Some(sha) = &self.rollback_commit {
            format!("cancelled: commit {} is the previous tree again{builds}", short(sha))
        } else if let Some(commit) = &self.commit {
            match &commit.pull_request_url {
                Some(url) => format!("cancelled: the deploy is proposed in {url}"),
                None => format!("cancelled: commit {} is on the Hub{builds}", short(&commit.oid)),
            }
        } else if self.landing == Landing::Unknown {
            format!("cancelled: look at {repo}, it may have this deploy")
        } else if self.landing == Landing::NotSeen {
            format!("cancelled while a write to {repo} was on its way: the Hub does not have it yet")
        } else if let (Some(head), Some(Status::Deployed)) = (&self.head, self.status) {
            format!("cancelled: commit {} is on the Hub{builds}", short(head))
        } else if self.created {
            format!("cancelled: {repo} is created, and nothing was committed after that")
        } else {
            "cancelled before anything was committed".to_owned()
        }
    }
}
