//! How a change gets onto the branch: in one commit, or by way of a pull request when it is too large for one.

use std::collections::VecDeque;
use std::sync::Arc;

use hub::{
    CommitId, CommitReceipt, CommitRequest, HubError, Lookup, OnBytes, Operation, Repo, RepoType, Revision,
    pull_request_ref,
};

use super::draft::Draft;
use super::prepare::Message;
use super::{Deploy, moves, parts};
use crate::failure::{Code, Failure, Result};
use crate::ops::deploy::options::CommitLimits;
use crate::report::{InFlight, Sent};
use crate::text::count;

/// A change that is ready to be committed: its large files are in the storage.
pub(super) struct Change {
    pub(super) operations: Arc<Vec<Operation>>,
    pub(super) message: Message,
    /// The head that it was planned for.
    pub(super) parent: Option<CommitId>,
    pub(super) create_pr: bool,
    /// True for the change that restores the previous tree.
    pub(super) is_rollback: bool,
    /// Which files of the repo this decides about: the same for a run that may go on with it.
    pub(super) scope: String,
    /// Where the rest of it is already, since a run before this one was ended on the way.
    pub(super) draft: Option<Draft>,
    pub(super) on_bytes: OnBytes,
}

/// Where a change ended up.
pub(super) enum Landed {
    Yes(CommitReceipt),
    /// The branch moved meanwhile, and has nothing of it.
    Overtaken,
    /// Somebody else's commit came between the last look and the merge: the branch has both.
    Mixed(CommitReceipt),
}

/// Commits on top of each other.
struct Series<'a> {
    revision: Revision,
    message: &'a Message,
    /// Whether each commit says where it came from, since people will read it on the branch.
    told: bool,
    create_pr: bool,
    tip: Option<CommitId>,
    last: Option<CommitReceipt>,
    done: usize,
    of: usize,
    /// What the Hub was asked to move.
    moved: Vec<Operation>,
}

impl Deploy<'_> {
    /// Puts a change on the branch, or into a pull request.
    pub(super) async fn land(&self, mut change: Change) -> Result<Landed> {
        let mut limits = self.options.commit_limits;
        while change.draft.is_none() && parts::fits(&change.operations, limits) {
            match self.commit_whole(&change).await {
                Ok(receipt) => {
                    let bytes = parts::inline_bytes(&change.operations);
                    self.ledger.update(|outcome| outcome.bytes_uploaded += bytes);
                    let unmoved = self.unmoved(&receipt.oid, &change.operations).await;
                    if unmoved.is_empty() {
                        return Ok(Landed::Yes(receipt));
                    }
                    change.go_on(receipt, unmoved);
                }
                Err(error) if error.status() == Some(412) => return Ok(Landed::Overtaken),
                Err(error) if moves::are_refused(&error, &change.operations) => {
                    self.tell_refused(&error);
                    change.operations = Arc::new(moves::expand(&change.operations));
                }
                Err(error) if is_too_large(&error, &change.operations) => {
                    limits = parts::lower(&change.operations, limits);
                    self.log.info(&format!("too much for one commit: {error}"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if change.create_pr {
            return self.land_as_proposal(change, limits).await;
        }
        if !self.options.revision.is_main() {
            return self.land_in_parts(change, limits, "pull requests lead to `main` only").await;
        }
        self.land_by_merge(change, limits).await
    }

    /// Commits all of a change. Until the outcome is known, the ledger holds what to look for.
    async fn commit_whole(&self, change: &Change) -> Result<CommitReceipt, HubError> {
        let request = self.whole(change);
        let sent =
            if change.is_rollback { Sent::Rollback(request.clone()) } else { Sent::Commit(request.clone()) };
        self.ledger.update(|outcome| outcome.in_flight = Some(InFlight { hub: self.hub.clone(), sent }));
        let result = self.hub.commit(&request, Arc::clone(&change.on_bytes)).await;
        match &result {
            Ok(receipt) => self.record_landing(change, receipt),
            Err(error) if error.is_ambiguous() => {}
            Err(_) => self.ledger.update(|outcome| outcome.in_flight = None),
        }
        result
    }

    /// Records at once what is on the branch, because the run may be ended at any time.
    fn record_landing(&self, change: &Change, receipt: &CommitReceipt) {
        self.ledger.update(|outcome| {
            (outcome.in_flight, outcome.unfinished) = (None, None);
            if change.is_rollback {
                outcome.rollback_commit = Some(receipt.oid.to_string());
            } else {
                outcome.commit = Some(receipt.clone());
            }
        });
    }

    fn whole(&self, change: &Change) -> CommitRequest {
        CommitRequest {
            repo: self.repo.clone(),
            revision: self.options.revision.clone(),
            summary: change.message.summary.clone(),
            description: change.message.description.clone(),
            marker: change.message.marker.clone(),
            parent: change.parent.clone(),
            create_pr: change.create_pr,
            operations: Arc::clone(&change.operations),
        }
    }

    /// Collects the parts in a draft, and merges them at once.
    async fn land_by_merge(&self, mut change: Change, limits: CommitLimits) -> Result<Landed> {
        let resumed = change.draft.is_some();
        let draft = match change.draft.take() {
            Some(draft) => draft,
            None => match self.open_draft(&change).await {
                Ok(draft) => draft,
                Err(error) if is_refusal(&error) => {
                    return self.without_a_draft(change, limits, &error).await;
                }
                Err(error) => return Err(error.into()),
            },
        };
        let tip = Some(draft.tip.clone());
        let mut series = Series::new(draft.revision.clone(), &change.message, tip);
        let parts = parts::cut(change.operations.to_vec(), limits);
        let error = match self.commit_all(&mut series, parts, &change.on_bytes).await {
            Ok(()) => match self.merge(&draft, &series, &change).await? {
                Ok(landed) => return Ok(landed),
                Err(error) => error,
            },
            Err(error) if series.done > 0 && error.status() != Some(412) => return Err(error.into()),
            Err(error) => error,
        };
        // Whatever stopped it, the branch is as it was.
        if !matches!(error.status(), Some(409 | 412)) && !is_refusal(&error) {
            return Err(error.into());
        }
        self.close_draft().await;
        if resumed || matches!(error.status(), Some(409 | 412)) {
            return Ok(Landed::Overtaken);
        }
        self.without_a_draft(change, limits, &error).await
    }

    /// Merges a draft that is complete. The Hub's merge takes no parent to be guarded by: so the head is looked at
    /// right before, and the merged tree compared with the draft's right after.
    async fn merge(
        &self,
        draft: &Draft,
        series: &Series<'_>,
        change: &Change,
    ) -> Result<std::result::Result<Landed, HubError>> {
        let parent = change.parent.as_deref();
        if let Err(error) = self.hub.open_pull_request(&self.repo, draft.number).await {
            return if is_refusal(&error) { Ok(Err(error)) } else { Err(error.into()) };
        }
        let head = match self.hub.look_up(&self.repo, &self.options.revision).await? {
            Lookup::Found(info) => info.sha,
            Lookup::NoRevision | Lookup::NoRepo(_) => None,
        };
        if head.as_deref() != parent {
            self.close_draft().await;
            return Ok(Ok(Landed::Overtaken));
        }
        self.ledger.update(|outcome| {
            if let Some(unfinished) = &mut outcome.unfinished {
                unfinished.merging = true;
            }
        });
        let base = parent.unwrap_or_default();
        let commit = match self.hub.merge_pull_request(&self.repo, draft.number, base).await {
            Ok(commit) => commit,
            Err(error) if matches!(error.status(), Some(409 | 412)) || is_refusal(&error) => {
                return Ok(Err(error));
            }
            Err(error) => return Err(error.into()),
        };
        let receipt = CommitReceipt { recovered: false, ..self.hub.receipt(&self.repo, commit, None) };
        self.record_landing(change, &receipt);
        let tip = series.tip.as_deref().unwrap_or(&draft.tip);
        let roots =
            tokio::try_join!(self.hub.root_of(&self.repo, tip), self.hub.root_of(&self.repo, &receipt.oid));
        match roots {
            Ok((wanted, found)) if wanted != found => Ok(Ok(Landed::Mixed(receipt))),
            Ok(_) => Ok(Ok(Landed::Yes(receipt))),
            Err(error) => {
                self.log.warning(&format!(
                    "merged, but whether somebody else's commit came between is not known: {error}"
                ));
                Ok(Ok(Landed::Yes(receipt)))
            }
        }
    }

    /// Puts the parts into a pull request that is the result: the first one opens it.
    async fn land_as_proposal(&self, change: Change, limits: CommitLimits) -> Result<Landed> {
        let parts = parts::cut(change.operations.to_vec(), limits);
        let series = Series::new(self.options.revision.clone(), &change.message, change.parent);
        let mut series = Series { told: true, create_pr: true, ..series };
        match self.commit_parts(&mut series, parts, &change.on_bytes).await {
            Ok(()) => {}
            Err(error) if error.status() == Some(412) && series.done == 0 => return Ok(Landed::Overtaken),
            Err(error) => return Err(error.into()),
        }
        // It is the result from now on, and stays open.
        let unfinished = self.ledger.update(|outcome| outcome.unfinished.take());
        let receipt = series.last.ok_or_else(no_parts)?;
        Ok(Landed::Yes(CommitReceipt {
            pull_request_url: unfinished.map(|unfinished| unfinished.url),
            ..receipt
        }))
    }

    async fn without_a_draft(
        &self,
        change: Change,
        limits: CommitLimits,
        error: &HubError,
    ) -> Result<Landed> {
        self.land_in_parts(change, limits, &format!("the Hub takes no pull request ({error})")).await
    }

    /// Puts the parts on the branch itself, where nothing else is possible.
    async fn land_in_parts(&self, change: Change, limits: CommitLimits, why: &str) -> Result<Landed> {
        // A move would take the old name away before the end.
        let parts = parts::cut_for_a_branch(moves::expand(&change.operations), limits);
        let builds = match self.repo.repo_type {
            RepoType::Space if self.options.revision.is_main() => ", and the Space builds after each of them",
            _ => "",
        };
        self.log.warning(&format!(
            "this deploy is too large for one commit, and {why}: it goes to the branch `{}` in {} commits, content first, then code, then deletions; until the last one, who reads the branch finds a part of it{builds}",
            self.options.revision,
            parts.len()
        ));
        let series = Series::new(self.options.revision.clone(), &change.message, change.parent);
        let mut series = Series { told: true, ..series };
        let result = self.commit_parts(&mut series, parts, &change.on_bytes).await;
        match result {
            Ok(()) => {
                self.ledger.update(|outcome| outcome.parts_on_branch = None);
                Ok(Landed::Yes(series.last.ok_or_else(no_parts)?))
            }
            Err(error) if error.status() == Some(412) && series.done == 0 => Ok(Landed::Overtaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Commits parts, and what the Hub did not move as it was asked to.
    async fn commit_all(
        &self,
        series: &mut Series<'_>,
        parts: Vec<Vec<Operation>>,
        on_bytes: &OnBytes,
    ) -> Result<(), HubError> {
        self.commit_parts(series, parts, on_bytes).await?;
        let Some(tip) = &series.tip else { return Ok(()) };
        let unmoved = self.unmoved(tip, &series.moved).await;
        self.commit_parts(series, parts::cut(unmoved, self.options.commit_limits), on_bytes).await
    }

    /// Commits parts one after the other, each on top of the one before, so that nobody else's commit comes between.
    /// A part that the Hub refuses as too large is halved.
    async fn commit_parts(
        &self,
        series: &mut Series<'_>,
        parts: Vec<Vec<Operation>>,
        on_bytes: &OnBytes,
    ) -> Result<(), HubError> {
        let mut waiting = VecDeque::from(parts);
        while let Some(operations) = waiting.pop_front() {
            series.of = series.done + 1 + waiting.len();
            let operations = Arc::new(operations);
            let request = series.request(&self.repo, Arc::clone(&operations));
            let is_on_branch = series.told && self.ledger.read(|outcome| outcome.unfinished.is_none());
            if is_on_branch && !series.create_pr {
                let sent = Sent::Part { request: request.clone(), number: series.done + 1, of: series.of };
                let in_flight = InFlight { hub: self.hub.clone(), sent };
                self.ledger.update(|outcome| outcome.in_flight = Some(in_flight));
            }
            let result = self.hub.commit(&request, Arc::clone(on_bytes)).await;
            if result.as_ref().is_err_and(|error| !error.is_ambiguous()) {
                self.ledger.update(|outcome| outcome.in_flight = None);
            }
            let receipt = match result {
                Ok(receipt) => receipt,
                Err(error) if is_too_large(&error, &operations) => {
                    let limits = parts::lower(&operations, self.options.commit_limits);
                    self.log.info(&format!("too much for one commit: {error}"));
                    for half in parts::cut(operations.to_vec(), limits).into_iter().rev() {
                        waiting.push_front(half);
                    }
                    continue;
                }
                Err(error) if moves::are_refused(&error, &operations) => {
                    self.tell_refused(&error);
                    waiting.push_front(operations.to_vec());
                    let again = waiting.drain(..).flatten().collect::<Vec<_>>();
                    waiting = parts::cut(moves::expand(&again), self.options.commit_limits).into();
                    continue;
                }
                Err(error) => return Err(error),
            };
            series
                .moved
                .extend(operations.iter().filter(|one| matches!(one, Operation::Move { .. })).cloned());
            series.done += 1;
            let files = count(operations.len(), "file");
            self.log.info(&format!("part {} of {}: {files}", series.done, series.of));
            if series.create_pr {
                self.follow(series, &receipt)?;
            }
            if series.told && self.ledger.read(|outcome| outcome.unfinished.is_none()) {
                self.ledger.update(|outcome| {
                    outcome.in_flight = None;
                    outcome.parts_on_branch = Some((series.done, series.of));
                    outcome.commit = Some(receipt.clone());
                });
            }
            self.ledger.update(|outcome| outcome.bytes_uploaded += parts::inline_bytes(&operations));
            series.tip = Some(receipt.oid.clone());
            series.last = Some(receipt);
        }
        Ok(())
    }

    /// The first part opened a pull request: the others go there.
    fn follow(&self, series: &mut Series<'_>, receipt: &CommitReceipt) -> Result<(), HubError> {
        let number = receipt.pull_request_url.as_deref().and_then(|url| url.rsplit('/').next()?.parse().ok());
        let revision = number.and_then(|number| pull_request_ref(number).ok());
        let (Some(number), Some(revision)) = (number, revision) else {
            return Err(HubError::unexpected(
                format!("open a pull request in the {}", self.repo),
                "an answer without its number",
            ));
        };
        (series.revision, series.create_pr) = (revision, false);
        self.keep_in_mind(number, None);
        Ok(())
    }
}

impl Change {
    /// The same deploy, with what is left of it after a commit.
    fn go_on(&mut self, receipt: CommitReceipt, left: Vec<Operation>) {
        let again = format!("{}-again", self.message.marker);
        self.message.description = self.message.description.replace(&self.message.marker, &again);
        self.message.marker = again;
        self.parent = Some(receipt.oid);
        self.operations = Arc::new(left);
    }
}

impl<'a> Series<'a> {
    fn new(revision: Revision, message: &'a Message, tip: Option<CommitId>) -> Self {
        let (last, moved) = (None, Vec::new());
        Self { revision, message, told: false, create_pr: false, tip, last, done: 0, of: 0, moved }
    }

    fn request(&self, repo: &Repo, operations: Arc<Vec<Operation>>) -> CommitRequest {
        let Message { summary, description, marker } = self.message;
        let number = self.done + 1;
        // Of a fixed width: no marker is the beginning of another.
        let own = format!("{marker}-{number:06}");
        CommitRequest {
            repo: repo.clone(),
            revision: self.revision.clone(),
            summary: format!("{summary} (part {number} of {})", self.of),
            description: if self.told { description.replace(marker, &own) } else { own.clone() },
            marker: own,
            parent: self.tip.clone(),
            create_pr: self.create_pr,
            operations,
        }
    }
}

fn no_parts() -> Failure {
    Failure::new(Code::Internal, "a deploy without parts")
}

fn is_too_large(error: &HubError, operations: &[Operation]) -> bool {
    error.status() == Some(413) && operations.len() > 1
}

/// Whether the Hub says no to pull requests as such: discussions are disabled, or the token has no scope for them.
/// Plans, rate limits and conflicts are other matters.
fn is_refusal(error: &HubError) -> bool {
    error.status().is_some_and(|status| {
        (400..500).contains(&status) && !matches!(status, 402 | 408 | 409 | 412 | 413 | 429)
    })
}
