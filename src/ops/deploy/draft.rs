//! The draft in which the parts of a large deploy are collected: opened, found again by the next run, closed.

use hub::{CommitId, HubError, Lookup, NewDraft, PullStatus, RepoInfo, Revision, pull_request_ref};

use super::land::Change;
use super::{Deploy, unsettled};
use crate::failure::Result;
use crate::folder::{Source, hash};
use crate::report::Unfinished;

/// How many of the user's newest pull requests are looked at for a draft to go on with.
const LOOKED_AT: usize = 5;

/// A draft of this deploy.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) number: u64,
    /// Its ref.
    pub(super) revision: Revision,
    /// The last commit on its ref.
    pub(super) tip: CommitId,
}

/// What a draft is for, in the words of its description.
#[derive(Debug, PartialEq, Eq)]
struct Purpose {
    /// The head that it was opened on.
    base: String,
    /// Which files of the repo the deploy decides about, and how.
    scope: String,
}

impl Purpose {
    fn lines(&self) -> String {
        format!("Deploy-Base: {}\nDeploy-Scope: {}", self.base, self.scope)
    }

    fn read(description: &str) -> Option<Self> {
        let value =
            |key: &str| description.lines().find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()));
        Some(Self { base: value("Deploy-Base:")?, scope: value("Deploy-Scope:")? })
    }
}

impl Deploy<'_> {
    /// Opens a draft on the head that the change was planned for.
    pub(super) async fn open_draft(&self, change: &Change) -> Result<Draft, HubError> {
        let what = || format!("open a draft pull request in the {}", self.repo);
        let Some(base) = change.parent.clone() else {
            return Err(HubError::unexpected(what(), "a branch without a commit"));
        };
        let message = &change.message;
        let description = format!(
            "The parts of one deploy are collected here, and merged at once when all of them are there. If the deploy is ended on the way, this is closed, and the next run goes on with it.\n\n{}\n{}",
            Purpose { base: base.to_string(), scope: change.scope.clone() }.lines(),
            message.description
        );
        // The Hub wants three characters at least.
        let title = match message.summary.chars().count() {
            0..3 => format!("Deploy: {}", message.summary),
            _ => message.summary.clone(),
        };
        let draft = NewDraft { title, description, marker: message.marker.clone() };
        let number = self.hub.open_draft(&self.repo, &draft).await?;
        self.keep_in_mind(number, Some(&base));
        let revision =
            pull_request_ref(number).map_err(|error| HubError::unexpected(what(), error.to_string()))?;
        self.log.info(&format!(
            "too large for one commit: put together in the draft {}, and merged at once",
            self.hub.pull_request_url(&self.repo, number)
        ));
        Ok(Draft { number, revision, tip: base })
    }

    /// Looks for a draft that a run before this one began for the same files on the same head, and opens it again.
    /// Only what the token's own user opened is looked at; what is older than the head is closed, where a run that
    /// was killed left it open.
    pub(super) async fn find_draft(&self, scope: &str, base: &str) -> Option<(Draft, Box<RepoInfo>)> {
        if self.hub.uses_trusted_publishing() {
            return None;
        }
        let user = self.hub.whoami_once().await.ok()?;
        let rows = self.hub.pull_requests(&self.repo).await.ok()?;
        let own = rows.into_iter().filter(|row| {
            row.author.as_ref() == Some(&user.name)
                && !matches!(row.status, PullStatus::Merged | PullStatus::Unknown)
        });
        for row in own.take(LOOKED_AT) {
            let Ok(found) = self.hub.pull_request(&self.repo, row.number).await else { continue };
            let Some(purpose) = Purpose::read(&found.description) else { continue };
            if purpose.base != base {
                if found.status == PullStatus::Draft && self.is_outdated(&purpose.base).await {
                    self.keep_in_mind(row.number, Some(&purpose.base));
                    self.close_draft().await;
                }
                continue;
            }
            if purpose.scope != scope {
                continue;
            }
            self.keep_in_mind(row.number, Some(base));
            match self.take_up(row.number, found.status).await {
                Some(found) => return Some(found),
                None => self.close_draft().await,
            }
        }
        None
    }

    /// Whether the branch has left this head. Another run may know a newer one than this.
    async fn is_outdated(&self, base: &str) -> bool {
        let now = self.hub.look_up(&self.repo, &self.options.revision).await;
        matches!(now, Ok(Lookup::Found(info)) if info.sha.as_deref().is_some_and(|sha| sha != base))
    }

    /// Opens a draft again: `None` where its commits are gone.
    async fn take_up(&self, number: u64, status: PullStatus) -> Option<(Draft, Box<RepoInfo>)> {
        let revision = pull_request_ref(number).ok()?;
        let Ok(Lookup::Found(info)) = self.hub.look_up(&self.repo, &revision).await else { return None };
        let tip = info.sha.clone()?;
        if status == PullStatus::Closed {
            self.hub.open_pull_request(&self.repo, number).await.ok()?;
        }
        let url = self.hub.pull_request_url(&self.repo, number);
        self.log.info(&format!("going on with {url}, where a run before this one was ended"));
        Some((Draft { number, revision, tip }, info))
    }

    /// Notes a pull request that is to be closed if this run ends before it is merged. `base` is the head that it was
    /// opened on.
    pub(super) fn keep_in_mind(&self, number: u64, base: Option<&str>) {
        let unfinished = Unfinished {
            hub: self.hub.clone(),
            repo: self.repo.clone(),
            number,
            url: self.hub.pull_request_url(&self.repo, number),
            base: base.map(str::to_owned),
            merging: false,
        };
        self.ledger.update(|outcome| outcome.unfinished = Some(unfinished));
    }

    /// Closes the pull request that was noted.
    pub(super) async fn close_draft(&self) {
        let unfinished = self.ledger.update(|outcome| outcome.unfinished.take());
        if let Some(unfinished) = unfinished {
            unsettled::abandon(unfinished, self.log, self.ledger).await;
        }
    }

    /// Which files of the repo this deploy decides about, and how: two deploys of the same scope on the same head
    /// differ in nothing but the contents of files, which the Hub tells.
    pub(super) fn scope(&self, source: &Source, git_ignore: Option<&str>) -> String {
        let mut text = format!(
            "{:?}\n{}\n{:?}\n{:?}\n{git_ignore:?}\n",
            self.options.path_in_repo.as_ref().map(|path| path.as_str()),
            self.options.prunes(),
            self.options.include,
            self.options.exclude
        );
        for file in &source.files {
            text.push_str(file.path.as_str());
            text.push('\n');
        }
        hash::sha256(text.as_bytes()).map(|digest| digest.to_string()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_read_from_the_description_that_it_was_written_to() {
        let purpose = Purpose { base: "a".repeat(40), scope: "b".repeat(64) };
        let description = format!("For people.\n\n{}\nSource-Commit: {}\n", purpose.lines(), "c".repeat(40));
        assert_eq!(Purpose::read(&description), Some(purpose));
        assert_eq!(Purpose::read("A description of somebody else\n\nDeploy-Base: x"), None);
    }
}
