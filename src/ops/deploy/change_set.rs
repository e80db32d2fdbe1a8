//! A change that is ready to be committed.

use std::sync::Arc;

use crate::failure::{Code, Failure};
use hub::{CommitId, CommitReceipt, CommitRequest, OnBytes, Operation};

use super::context::Context;
use super::draft::OpenDraft;
use super::message::Message;

/// A change that is ready to be committed. Its large files are in the storage.
pub(super) struct ChangeSet {
    pub(super) operations: Arc<Vec<Operation>>,
    pub(super) message: Message,
    /// Head that the change was planned for.
    pub(super) parent: Option<CommitId>,
    pub(super) create_pr: bool,
    pub(super) purpose: Purpose,
    /// Digest of the files that the change decides about.
    pub(super) scope: String,
    pub(super) staging: Staging,
    pub(super) on_bytes: OnBytes,
}

/// Reason for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Deploy,
    /// It restores the previous tree.
    Rollback,
}

/// Draft pull request in which a large change is put together.
pub(super) enum Staging {
    /// No draft is open.
    None,
    /// The draft was opened before the change was complete.
    Opened(OpenDraft),
    /// The Hub has refused a draft.
    Refused(hub::Error),
    /// An interrupted run has left the draft, which has a part of the change.
    Resumed(OpenDraft),
}

impl ChangeSet {
    /// Returns the request for one commit with all operations.
    pub(super) fn whole_commit(&self, context: &Context<'_>) -> CommitRequest {
        CommitRequest {
            repo: context.repo.clone(),
            revision: context.options.revision.clone(),
            summary: self.message.summary.clone(),
            description: self.message.description.clone(),
            marker: self.message.marker.clone(),
            parent: self.parent.clone(),
            create_pr: self.create_pr,
            operations: Arc::clone(&self.operations),
        }
    }

    /// Continues with operations that a commit of this change has left out.
    pub(super) fn continue_with(&mut self, receipt: CommitReceipt, left: Vec<Operation>) {
        let again = self.message.marker.of_rest();
        self.message.description =
            self.message.description.replace(self.message.marker.as_str(), again.as_str());
        self.message.marker = again;
        self.parent = Some(receipt.oid);
        self.operations = Arc::new(left);
    }

    /// Records a commit of this change at once, because the run may end at any time.
    pub(super) fn record_commit(&self, context: &Context<'_>, receipt: &CommitReceipt) {
        let message = format!("committed {}", receipt.url);
        let data = serde_json::json!({ "sha": receipt.oid.as_str(), "url": receipt.url });
        match self.purpose {
            Purpose::Rollback => {
                context.recorder.record(|report| report.rollback_commit = Some(receipt.oid.clone()));
                context.journal.event("rollback_committed", message, data);
            }
            Purpose::Deploy => {
                context.recorder.record(|report| report.commit = Some(receipt.clone()));
                context.journal.event("committed", message, data);
            }
        }
    }
}

/// Result of publishing a change.
pub(super) enum CommitOutcome {
    Committed(CommitReceipt),
    /// The branch moved meanwhile. A draft may have been merged all the same, by a request whose answer was lost.
    Overtaken {
        merged: Option<CommitReceipt>,
    },
    /// A commit of another writer came between the last look and the merge: the branch has both.
    Mixed(CommitReceipt),
}

/// A change without operations was cut into parts.
pub(super) fn no_parts() -> Failure {
    Failure::new(Code::Internal, "a deploy without parts")
}
