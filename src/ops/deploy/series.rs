//! Several commits on top of each other, for a change that is too large for one.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::action::journal::{Undo, Undone};
use crate::failure::deploy_log as advice;
use crate::text::count;
use hub::{CommitId, CommitReceipt, CommitRequest, OnBytes, Operation, Repo, Revision, pull_request_ref};

use super::context::Context;
use super::draft::Closing;
use super::message::Message;
use super::moves;
use super::parts;
use super::pending_write::{Pending, watch};

/// Destination of the commits of a series.
pub(super) enum Destination {
    /// A draft, which is merged when it is complete.
    Draft,
    /// A pull request that the first commit opens.
    Proposal { opened: Option<Closing> },
    /// The branch itself. The guard keeps the settings of the Space if the run ends between two commits.
    Branch { guard: Option<Undo> },
}

/// Commits on top of each other.
pub(super) struct Series<'a> {
    revision: Revision,
    message: &'a Message,
    pub(super) destination: Destination,
    /// Last commit, on which the next one is made.
    pub(super) tip: Option<CommitId>,
    pub(super) last: Option<CommitReceipt>,
    pub(super) done: usize,
    of: usize,
    /// Moves that the Hub was asked for.
    moved: Vec<Operation>,
}

impl<'a> Series<'a> {
    pub(super) fn new(
        revision: Revision,
        message: &'a Message,
        tip: Option<CommitId>,
        destination: Destination,
    ) -> Self {
        Self { revision, message, destination, tip, last: None, done: 0, of: 0, moved: Vec::new() }
    }

    /// Commits parts, and makes up for moves that the Hub has left out.
    pub(super) async fn commit_all(
        &mut self,
        context: &Context<'_>,
        parts: Vec<Vec<Operation>>,
        on_bytes: &OnBytes,
    ) -> Result<(), hub::Error> {
        self.commit_parts(context, parts, on_bytes).await?;
        let Some(tip) = &self.tip else { return Ok(()) };
        let unmoved = moves::unmoved(context, tip, &self.moved).await;
        let parts = parts::cut(unmoved, context.options.commit_limits);
        self.commit_parts(context, parts, on_bytes).await
    }

    /// Commits parts one after the other. Each has the one before as its parent, so that no commit of another writer
    /// comes between. A part that the Hub refuses as too large is halved.
    pub(super) async fn commit_parts(
        &mut self,
        context: &Context<'_>,
        parts: Vec<Vec<Operation>>,
        on_bytes: &OnBytes,
    ) -> Result<(), hub::Error> {
        let limits = context.options.commit_limits;
        let mut waiting = VecDeque::from(parts);
        while let Some(operations) = waiting.pop_front() {
            self.of = self.done + 1 + waiting.len();
            let operations = Arc::new(operations);
            match self.commit_part(context, &operations, on_bytes).await {
                Ok(receipt) => self.record(context, receipt, &operations)?,
                Err(error) if is_too_large(&error, &operations) => {
                    context.log.info(&format!("too much for one commit: {error}"));
                    let halves = parts::cut(operations.to_vec(), parts::lower(&operations, limits));
                    halves.into_iter().rev().for_each(|half| waiting.push_front(half));
                }
                Err(error) if moves::are_refused(&error, &operations) => {
                    moves::log_refused(context, &error);
                    waiting.push_front(operations.to_vec());
                    let all = waiting.drain(..).flatten().collect::<Vec<_>>();
                    waiting = parts::cut(moves::expand(&all), limits).into();
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn commit_part(
        &self,
        context: &Context<'_>,
        operations: &Arc<Vec<Operation>>,
        on_bytes: &OnBytes,
    ) -> Result<CommitReceipt, hub::Error> {
        let request = self.request(&context.repo, Arc::clone(operations));
        if !matches!(self.destination, Destination::Branch { .. }) {
            return context.hub.commit(&request, Arc::clone(on_bytes)).await;
        }
        let pending = Pending::Part { request: request.clone(), number: self.done + 1, of: self.of };
        let pending = watch(context, pending);
        let result = context.hub.commit(&request, Arc::clone(on_bytes)).await;
        if result.as_ref().err().is_none_or(|error| !error.is_ambiguous()) {
            pending.settle();
        }
        result
    }

    fn record(
        &mut self,
        context: &Context<'_>,
        receipt: CommitReceipt,
        operations: &[Operation],
    ) -> Result<(), hub::Error> {
        let is_move = |operation: &&Operation| matches!(operation, Operation::Move { .. });
        self.moved.extend(operations.iter().filter(is_move).cloned());
        self.done += 1;
        let (done, of) = (self.done, self.of);
        let message = format!("part {done} of {of}: {}", count(operations.len(), "file"));
        context.log.info(&message);
        let data = serde_json::json!({ "number": done, "of": of, "sha": receipt.oid.as_str() });
        context.journal.event("part_committed", message, data);
        match &mut self.destination {
            Destination::Draft | Destination::Proposal { opened: Some(_) } => {}
            Destination::Proposal { opened } => {
                let (number, revision) = opened_by(&receipt, &context.repo)?;
                *opened = Some(Closing::register(context, number, None));
                self.revision = revision;
            }
            Destination::Branch { guard } => {
                context.recorder.record(|report| {
                    report.parts_on_branch = Some((done, of));
                    report.commit = Some(receipt.clone());
                });
                let id = receipt.oid.to_string();
                let description = format!("part {done} of {of} on the branch");
                let newer = context.journal.on_early_end(description, move |unwinding| async move {
                    // A later part was carried out after all: its own undo action has the hint.
                    if unwinding.later_stands {
                        return Undone::Stands(id);
                    }
                    Undone::StandsInPart { id, hint: advice::parts_on_branch(done, of) }
                });
                if let Some(older) = guard.replace(newer) {
                    older.settle();
                }
            }
        }
        let bytes = parts::inline_bytes(operations);
        context.recorder.record(|report| report.bytes_uploaded += bytes);
        self.tip = Some(receipt.oid.clone());
        self.last = Some(receipt);
        Ok(())
    }

    fn request(&self, repo: &Repo, operations: Arc<Vec<Operation>>) -> CommitRequest {
        let Message { summary, description, marker } = self.message;
        let number = self.done + 1;
        let own = marker.of_part(number);
        // People read the commits on a branch, so each of them names its source.
        let is_read = !matches!(self.destination, Destination::Draft);
        CommitRequest {
            repo: repo.clone(),
            revision: self.revision.clone(),
            summary: format!("{summary} (part {number} of {})", self.of),
            description: if is_read {
                description.replace(marker.as_str(), own.as_str())
            } else {
                own.to_string()
            },
            marker: own,
            parent: self.tip.clone(),
            create_pr: matches!(self.destination, Destination::Proposal { opened: None }),
            operations,
        }
    }
}

/// Returns the pull request that a commit has opened.
fn opened_by(receipt: &CommitReceipt, repo: &Repo) -> Result<(u64, Revision), hub::Error> {
    let number = receipt.pull_request_url.as_deref().and_then(|url| url.rsplit('/').next()?.parse().ok());
    let revision = number.and_then(|number| pull_request_ref(number).ok());
    number.zip(revision).ok_or_else(|| {
        hub::Error::unexpected(format!("open a pull request in the {repo}"), "an answer without its number")
    })
}

/// Returns true if the Hub has refused a commit that can be halved.
pub(super) fn is_too_large(error: &hub::Error, operations: &[Operation]) -> bool {
    error.status() == Some(413) && operations.len() > 1
}
