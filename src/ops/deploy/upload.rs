//! Uploads the content of a plan: nothing of it is on the branch yet.

use std::sync::Arc;

use crate::action::Progress;
use crate::action::journal::Phase;
use crate::failure::{Code, Failure, Result};
use crate::folder::Source;
use crate::folder::gitignore::GitIgnoreMatch;
use crate::image;
use hub::{CommitId, LargeFile, OnBytes, Operation, PullRow, RepoPath};

use super::change_set::{ChangeSet, CommitOutcome, Purpose, Staging};
use super::context::Context;
use super::draft::{self, OpenDraft, find_draft, open_draft};
use super::make_plan::{Planned, make_plan};
use super::merge::is_pull_request_refused;
use super::message::{Message, commit_message};
use super::options::CommitLimits;
use super::plan::Action;
use super::plan_base::PlanBase;
use super::preupload::git_ignore;
use super::publish::publish;

/// Largest number of files that the Hub itself creates in a new repo, and that may be equal to files of the source.
const FILES_OF_THE_HUB: usize = 10;

/// A change whose large files are in the storage. Nothing of it is visible on the branch yet.
pub(super) struct UploadedChange {
    change: ChangeSet,
    progress: Progress,
}

/// Input of [`upload`].
pub(super) struct UploadInput<'a> {
    pub(super) source: &'a Arc<Source>,
    pub(super) planned: &'a Planned,
    pub(super) base: PlanBase<'a>,
    /// Pull requests among which the draft of an interrupted run may be.
    pub(super) own_pull_requests: Vec<PullRow>,
    /// Draft that was opened beside the questions to the Hub.
    pub(super) early_draft: Option<EarlyDraft>,
}

/// Draft that was opened before the plan was complete, because the plan could only be too large for one commit.
pub(super) struct EarlyDraft {
    pub(super) message: Message,
    pub(super) opened: Result<OpenDraft, hub::Error>,
}

/// Returns true if some plan for these files takes more than one commit, which is then put together in a draft.
pub(super) fn may_be_staged(context: &Context<'_>, source: &Source) -> bool {
    stages(context, (source.files.len(), source.total_size()))
}

/// Returns true if every plan for a new repo takes more than one commit.
pub(super) fn is_surely_staged(context: &Context<'_>, source: &Source) -> bool {
    let folder = context.options.path_in_repo.as_ref();
    let git_ignores = source.git_ignores.within(folder);
    let paths = source.files.iter().filter_map(|file| file.path.within(folder).ok());
    let is_sent = |path: &RepoPath| !matches!(git_ignores.matched(path.as_str()), GitIgnoreMatch::Ignored(_));
    let sent = paths.filter(is_sent).count();
    stages(context, (sent.saturating_sub(FILES_OF_THE_HUB), 0))
}

fn stages(context: &Context<'_>, (operations, bytes): (usize, u64)) -> bool {
    let CommitLimits { files, bytes: limit } = context.options.commit_limits;
    let merges = context.options.revision.is_main() && !context.options.create_pr;
    merges && (operations > files || bytes > limit)
}

/// Opens the draft of a new repo, whose plan can only be too large for one commit.
pub(super) async fn open_early_draft(
    context: &Context<'_>,
    source: &Source,
    head: Option<&CommitId>,
) -> Result<EarlyDraft> {
    let message = commit_message(context.options, &context.repo);
    let scope = draft::scope(context, source, git_ignore(context, source)?.as_deref());
    let opened = open_draft(context, &message, head, &scope).await;
    Ok(EarlyDraft { message, opened })
}

/// Puts the large files that are missing into the storage. A plan that is too large for one commit gets its draft
/// meanwhile.
pub(super) async fn upload(context: &Context<'_>, input: UploadInput<'_>) -> Result<UploadedChange> {
    let UploadInput { source, planned, base, own_pull_requests, early_draft } = input;
    let scope = draft::scope(context, source, git_ignore(context, source)?.as_deref());
    let is_staged = stages(context, planned.commit_size());
    let resumed = match early_draft {
        None if is_staged => resume(context, source, own_pull_requests, &scope, &base).await?,
        _ => None,
    };
    let (rest, resumed) = resumed.unzip();
    let planned = rest.as_ref().unwrap_or(planned);
    let (message, early_draft) = match early_draft {
        Some(EarlyDraft { message, opened }) => (message, Some(opened)),
        None => (commit_message(context.options, &context.repo), None),
    };
    let progress = Progress::start(context.log, "uploading", planned.plan.bytes());
    let on_bytes: OnBytes = {
        let counter = progress.counter();
        Arc::new(move |bytes| counter.add(bytes))
    };
    let staging = async {
        let opened = match (resumed, early_draft) {
            (Some(draft), _) => return Ok(Staging::Resumed(draft)),
            (None, Some(opened)) => opened,
            (None, None) if is_staged => open_draft(context, &message, base.info.sha.as_ref(), &scope).await,
            (None, None) => return Ok(Staging::None),
        };
        match opened {
            Ok(draft) => Ok(Staging::Opened(draft)),
            Err(error) if is_pull_request_refused(&error) => Ok(Staging::Refused(error)),
            Err(error) => Err(Failure::from(error)),
        }
    };
    let (staging, operations) = stage_and_upload(staging, operations(context, planned, &on_bytes)).await?;
    let change = ChangeSet {
        operations: Arc::new(operations),
        message,
        parent: base.info.sha.clone(),
        create_pr: context.options.create_pr,
        purpose: Purpose::Deploy,
        scope,
        staging,
        on_bytes,
    };
    Ok(UploadedChange { change, progress })
}

/// Opens a draft beside an upload. A draft that is being opened is waited for also if the upload fails, because an early
/// end closes only drafts that it knows.
async fn stage_and_upload<S, U>(
    staging: impl Future<Output = Result<S>>,
    upload: impl Future<Output = Result<U>>,
) -> Result<(S, U)> {
    tokio::pin!(staging, upload);
    tokio::select! {
        staging = &mut staging => Ok((staging?, upload.await?)),
        uploaded = &mut upload => {
            let staging = staging.await;
            let uploaded = uploaded?;
            Ok((staging?, uploaded))
        }
    }
}

impl UploadedChange {
    /// Makes the uploaded content the content of the branch.
    pub(super) async fn commit(self, context: &Context<'_>) -> Result<CommitOutcome> {
        let phase = context.journal.enter(Phase::Commit, "commit");
        let outcome = publish(context, self.change).await;
        drop(phase);
        self.progress.finish();
        outcome
    }
}

/// Finds the draft of an interrupted run, and plans the changes that are missing there.
async fn resume(
    context: &Context<'_>,
    source: &Arc<Source>,
    own_pull_requests: Vec<PullRow>,
    scope: &str,
    base: &PlanBase<'_>,
) -> Result<Option<(Planned, OpenDraft)>> {
    let Some(head) = base.info.sha.as_ref() else { return Ok(None) };
    let Some((draft, info)) = find_draft(context, own_pull_requests, scope, head).await else {
        return Ok(None);
    };
    let there = PlanBase { revision: &draft.revision, info: &info, is_new: false };
    let Some(rest) = make_plan(context, source, &there, None).await? else {
        draft.closing.close().await;
        return Ok(None);
    };
    context.log.info(&format!("{} changes are missing there", rest.plan.changes.len()));
    Ok(Some((rest, draft)))
}

/// Uploads the large files, and returns the operations of the commit.
async fn operations(context: &Context<'_>, planned: &Planned, on_bytes: &OnBytes) -> Result<Vec<Operation>> {
    let large: Vec<LargeFile> = planned.large_files();
    let mut uploaded = Vec::new();
    if !large.is_empty() {
        let _phase = context.journal.enter(Phase::Upload, "upload");
        provide_roots(context);
        let (stored, bytes) =
            context.hub.upload_large(&context.transfer(), &large, Arc::clone(on_bytes)).await?;
        context.recorder.record(|report| report.bytes_uploaded += bytes);
        uploaded = stored;
    }
    let mut uploaded = uploaded.into_iter();
    let mut operations = Vec::with_capacity(planned.plan.changes.len());
    // Deletions first, because a file may take the place of a folder, and a folder that of a file.
    let moved = planned.moved();
    let deletions = planned.plan.changes.iter().filter(|change| change.action == Action::Delete);
    for change in deletions.filter(|change| !moved.contains(&change.path)) {
        operations.push(Operation::Delete { path: change.path.clone() });
    }
    for (change, file) in planned.writes() {
        let path = change.path.clone();
        if let Some(sha256) = file.sha256.filter(|_| change.large && file.is_stored) {
            on_bytes(change.size);
            operations.push(Operation::LargeFile { path, sha256, size: change.size });
        } else if change.large {
            let Some(stored) = uploaded.next() else {
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

/// Writes the built-in TLS roots for hf-xet, which reports it if they are not enough.
fn provide_roots(context: &Context<'_>) {
    let Some(path) = &context.options.tls_roots else { return };
    if let Err(error) = image::provide_roots(path) {
        let path = path.display();
        context
            .log
            .warning(&format!("cannot write the roots of trust to `SSL_CERT_FILE`, `{path}`: {error}"));
    }
}
