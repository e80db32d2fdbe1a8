//! From a plan to a change on the Hub: what is missing is sent, and then it lands.

use std::sync::Arc;

use hub::{LargeFile, OnBytes, Operation};

use super::draft::Draft;
use super::land::{Change, Landed};
use super::remote::{Against, Planned};
use super::{Deploy, prepare};
use crate::action::Progress;
use crate::failure::{Code, Failure, Result};
use crate::folder::Source;
use crate::image;
use crate::ops::deploy::plan::{Action, Plan};

/// A change whose large files are in the storage: nothing of it is to be seen yet.
pub(super) struct Sent {
    change: Change,
    progress: Progress,
}

impl Deploy<'_> {
    /// Puts the large files that are missing into the storage.
    pub(super) async fn send(
        &self,
        source: &Arc<Source>,
        planned: &Planned,
        against: &Against<'_>,
        attempt: u32,
    ) -> Result<Sent> {
        let scope = self.scope(source, self.git_ignore(source)?.as_deref());
        let mut resumed = None;
        if attempt == 1 && !against.fresh && self.is_too_large(&planned.plan) {
            resumed = self.resume(source, &scope, against).await?;
        }
        let (planned, draft) = match &resumed {
            Some((rest, draft)) => (rest, Some(draft.clone())),
            None => (planned, None),
        };
        let progress = Progress::start(self.log, "uploading", planned.plan.bytes());
        let on_bytes: OnBytes = {
            let counter = progress.counter();
            Arc::new(move |bytes| counter.add(bytes))
        };
        let operations = self.upload(planned, &on_bytes).await?;
        let change = Change {
            operations: Arc::new(operations),
            message: prepare::commit_message(self.options, &self.repo),
            parent: against.info.sha.clone(),
            create_pr: self.options.create_pr,
            is_rollback: false,
            scope,
            draft,
            on_bytes,
        };
        Ok(Sent { change, progress })
    }

    /// Makes what was sent the content of the branch.
    pub(super) async fn commit(&self, sent: Sent) -> Result<Landed> {
        let phase = self.ledger.phase("commit");
        let landed = self.land(sent.change).await;
        drop(phase);
        sent.progress.finish();
        landed
    }

    /// Whether a plan takes more than one commit, so that one before it may have been ended on the way.
    fn is_too_large(&self, plan: &Plan) -> bool {
        let limits = self.options.commit_limits;
        let inline: u64 = plan.changes.iter().filter(|change| !change.large).map(|change| change.size).sum();
        let merges = self.options.revision.is_main() && !self.options.create_pr;
        merges && (plan.changes.len() > limits.files || inline > limits.bytes)
    }

    /// What is missing in a draft that a run before this one left, and the draft.
    async fn resume(
        &self,
        source: &Arc<Source>,
        scope: &str,
        against: &Against<'_>,
    ) -> Result<Option<(Planned, Draft)>> {
        let Some(base) = against.info.sha.as_deref() else { return Ok(None) };
        let Some((draft, info)) = self.find_draft(scope, base).await else { return Ok(None) };
        let there = Against { revision: &draft.revision, info: &info, fresh: false };
        let Some(rest) = self.plan(source, &there, None).await? else {
            self.close_draft().await;
            return Ok(None);
        };
        self.log.info(&format!("{} changes are missing there", rest.plan.changes.len()));
        Ok(Some((rest, draft)))
    }

    /// Makes the lines of the commit, with the large files in the storage.
    async fn upload(&self, planned: &Planned, on_bytes: &OnBytes) -> Result<Vec<Operation>> {
        let large: Vec<LargeFile> = planned.large_files();
        let (mut uploaded, large_bytes) = match large.is_empty() {
            true => (Vec::new(), 0),
            false => {
                let _phase = self.ledger.phase("upload");
                self.provide_roots();
                self.hub.upload_large(&self.transfer(), &large, Arc::clone(on_bytes)).await?
            }
        };
        self.ledger.update(|outcome| outcome.bytes_uploaded += large_bytes);
        uploaded.reverse();
        let mut operations = Vec::with_capacity(planned.plan.changes.len());
        // Deletions first: a file may take the place of a folder, and a folder that of a file.
        let moved = planned.moved();
        let deletions = planned.plan.changes.iter().filter(|change| change.action == Action::Delete);
        for change in deletions.filter(|change| !moved.contains(&change.path)) {
            operations.push(Operation::Delete { path: change.path.clone() });
        }
        for (change, file) in planned.writes() {
            let path = change.path.clone();
            if let Some(sha256) = file.sha256.filter(|_| change.large && file.stored) {
                on_bytes(change.size);
                operations.push(Operation::LargeFile { path, sha256, size: change.size });
            } else if change.large {
                let Some(stored) = uploaded.pop() else {
                    return Err(Failure::new(Code::Internal, "a large file was not uploaded"));
                };
                operations.push(Operation::LargeFile { path, sha256: stored.sha256, size: stored.size });
            } else if let Some(from) = planned.moved_from(change)
                && let Some(oid) = file.oid
            {
                on_bytes(change.size);
                let content = file.source.clone();
                operations.push(Operation::Move { from: from.clone(), path, content, oid });
            } else {
                operations.push(Operation::File { path, content: file.source.clone(), oid: file.oid });
            }
        }
        Ok(operations)
    }

    /// Whether they are all that the transfer engine could take is for the engine to say.
    fn provide_roots(&self) {
        let Some(path) = &self.options.tls_roots else { return };
        if let Err(error) = image::provide_roots(path) {
            let path = path.display();
            self.log
                .warning(&format!("cannot write the roots of trust to `SSL_CERT_FILE`, `{path}`: {error}"));
        }
    }
}
