//! The rollback: the tree of the previous head, in one commit.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::action::journal::{EndCause, Undone};
use crate::failure::{Code, Failure, Result};
use crate::folder::{FileContent, SourceFile};
use crate::image;
use hub::{CommitId, Lookup, Oid, Operation, RemoteFile, RepoPath};

use super::change_set::{ChangeSet, CommitOutcome, Purpose, Staging};
use super::context::Context;
use super::message::{Message, commit_message};
use super::publish::publish;
use super::report::Status;
use super::wait::{CommitAge, LiveTarget, wait_for};

/// Restores the tree before this deploy's commit, and waits until it runs. Errors are logged as warnings, because the
/// failure that led here stays the failure of the run.
pub(super) async fn roll_back(context: &Context<'_>, target: &LiveTarget<'_>) {
    let Context { log, recorder, journal, .. } = context;
    let Some(previous) = target.before.sha.as_ref().filter(|_| !target.is_new_space) else {
        return log.warning("not rolled back: the Space is new, there is nothing to go back to");
    };
    let Some(receipt) = target.receipt else { return roll_back_variables(context, target).await };
    let mark = journal.mark();
    let mut restored = restore(context, &receipt.oid, previous).await;
    if restored.is_err() {
        let undone = journal.unwind_since(&mark, EndCause::Failed).await;
        let landed = undone.into_iter().find_map(|undone| match undone {
            Undone::Stands(commit) => Some(CommitId::new(commit)),
            _ => None,
        });
        if landed.is_some() {
            restored = Ok(landed);
        }
    }
    // The commit of the run stays the one that failed, also if the rollback took several.
    recorder.record(|report| report.commit = Some(receipt.clone()));
    let commit = match restored {
        Ok(Some(commit)) => commit,
        Ok(None) => return log.warning("not rolled back: another writer committed after this deploy"),
        Err(failure) => return log.warning(&format!("the rollback failed: {failure}")),
    };
    log.info(&format!("rolled back: commit {commit} has the files of {previous} again"));
    if let Some(settings) = target.settings {
        settings.restore().await;
    }
    recorder.record(|report| {
        report.status = Some(Status::RolledBack);
        report.rollback_commit = Some(commit.clone());
        report.restored = Some(previous.clone());
    });
    if let Some(failure) = wait_after_rollback(context, target, &commit).await {
        log.warning(&format!("the tree is restored, but it does not run: {failure}"));
    }
}

/// Rolls back a deploy that changed only settings.
async fn roll_back_variables(context: &Context<'_>, target: &LiveTarget<'_>) {
    let log = context.log;
    let Some(settings) = target.settings.filter(|settings| settings.has_variables()) else {
        return log.warning("not rolled back: this deploy changed no file and no variable");
    };
    settings.restore().await;
    context.recorder.record(|report| report.status = Some(Status::RolledBack));
    if let Some(failure) = wait_after_rollback(context, target, target.commit).await {
        log.warning(&format!("the variables are restored, but the Space does not run: {failure}"));
    }
}

async fn wait_after_rollback(
    context: &Context<'_>,
    target: &LiveTarget<'_>,
    commit: &CommitId,
) -> Option<Failure> {
    let timeout = context.options.space.wait?;
    let options = target.wait_options(commit, CommitAge::New, timeout);
    wait_for(context, target, &options, Purpose::Rollback).await.err().map(|end| end.failure)
}

/// Commits the previous tree: `None` if another writer has committed since.
async fn restore(context: &Context<'_>, ours: &CommitId, previous: &CommitId) -> Result<Option<CommitId>> {
    let Context { options, hub, repo, .. } = context;
    let Lookup::Found(info) = hub.look_up(repo, &options.revision).await? else { return Ok(None) };
    if info.sha.as_ref() != Some(ours) {
        return Ok(None);
    }
    let (was, is) = tokio::try_join!(hub.list_files(repo, previous, None), hub.list_files(repo, ours, None))?;
    let scratch = image::temporary_folder()
        .map_err(|error| Failure::new(Code::LocalIo, "cannot make a temporary folder").caused_by(error))?;
    let operations = restoring_operations(context, &was, &is, previous, scratch.path()).await?;
    let Message { description, marker, .. } = commit_message(options, repo);
    let change = ChangeSet {
        operations: Arc::new(operations),
        message: Message {
            summary: format!("Roll back to {}", previous.get(..7).unwrap_or(previous)),
            description: format!("Rolls back: {ours}\n{description}"),
            marker,
        },
        parent: Some(ours.clone()),
        create_pr: false,
        purpose: Purpose::Rollback,
        scope: format!("the tree of {previous}"),
        staging: Staging::None,
        on_bytes: Arc::new(|_| {}),
    };
    match publish(context, change).await? {
        CommitOutcome::Committed(receipt) | CommitOutcome::Mixed(receipt) => Ok(Some(receipt.oid)),
        CommitOutcome::Overtaken { merged } => Ok(merged.map(|receipt| receipt.oid)),
    }
}

/// Returns the operations that turn the present tree into the previous one. Large files are named by their hash,
/// because their content is in the storage.
async fn restoring_operations(
    context: &Context<'_>,
    was: &[RemoteFile],
    is: &[RemoteFile],
    previous: &CommitId,
    scratch: &Path,
) -> Result<Vec<Operation>> {
    let by_path = |files: &[RemoteFile]| -> BTreeMap<String, Option<Oid>> {
        files.iter().map(|file| (file.path.clone(), file.oid)).collect()
    };
    let (then, now) = (by_path(was), by_path(is));
    let mut operations = Vec::new();
    for path in now.keys().filter(|path| !then.contains_key(*path)) {
        operations.push(Operation::Delete { path: known(path)? });
    }
    for (index, file) in was.iter().filter(|file| now.get(&file.path) != Some(&file.oid)).enumerate() {
        let path = known(&file.path)?;
        if let Some(sha256) = &file.sha256 {
            operations.push(Operation::LargeFile { path, sha256: *sha256, size: file.size });
            continue;
        }
        let Some(content) = context.hub.read_small_file(&context.repo, previous, &file.path).await? else {
            let message = format!("the Hub no longer has `{path}` of {previous}");
            return Err(Failure::new(Code::HubRefused, message));
        };
        let copy = scratch.join(index.to_string());
        std::fs::write(&copy, &content).map_err(|error| {
            Failure::new(Code::LocalIo, "cannot write to the temporary folder").caused_by(error)
        })?;
        let source = SourceFile {
            path: path.clone(),
            content: FileContent::Disk(copy),
            size: content.len() as u64,
            cache: None,
        };
        operations.push(Operation::File { path, content: Arc::new(source), oid: file.oid });
    }
    Ok(operations)
}

fn known(path: &str) -> Result<RepoPath> {
    path.parse().map_err(|error| {
        Failure::new(Code::InvalidPath, format!("a path on the Hub cannot be committed: `{path}` {error}"))
    })
}
