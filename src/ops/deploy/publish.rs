//! Publishes a change: in one commit, or by way of a pull request if it is too large for one.

use std::sync::Arc;

use super::change_set::{ChangeSet, CommitOutcome, Purpose, Staging, no_parts};
use super::context::Context;
use super::draft::{OpenDraft, log_staging, open_draft};
use super::merge::{Merge, is_pull_request_refused, merge};
use super::pending_write::{Pending, watch};
use super::series::{Destination, Series, is_too_large};
use super::{moves, parts};
use crate::action::journal::Undo;
use crate::failure::Result;
use hub::{CommitReceipt, RepoType};

use super::options::CommitLimits;

/// Puts a change on the branch, or into a pull request.
pub(super) async fn publish(context: &Context<'_>, mut change: ChangeSet) -> Result<CommitOutcome> {
    let mut limits = context.options.commit_limits;
    while matches!(change.staging, Staging::None | Staging::Refused(_))
        && parts::fits(&change.operations, limits)
    {
        match commit_whole(context, &change).await {
            Ok((receipt, pending)) => {
                let bytes = parts::inline_bytes(&change.operations);
                context.recorder.record(|report| report.bytes_uploaded += bytes);
                let unmoved = moves::unmoved(context, &receipt.oid, &change.operations).await;
                if unmoved.is_empty() {
                    pending.settle();
                    return Ok(CommitOutcome::Committed(receipt));
                }
                change.continue_with(receipt, unmoved);
            }
            Err(error) if error.status() == Some(412) => {
                return Ok(CommitOutcome::Overtaken { merged: None });
            }
            Err(error) if moves::are_refused(&error, &change.operations) => {
                moves::log_refused(context, &error);
                change.operations = Arc::new(moves::expand(&change.operations));
            }
            Err(error) if is_too_large(&error, &change.operations) => {
                limits = parts::lower(&change.operations, limits);
                context.log.info(&format!("too much for one commit: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if change.create_pr {
        return publish_as_proposal(context, change, limits).await;
    }
    if !context.options.revision.is_main() {
        return publish_in_parts(context, change, limits, "pull requests lead to `main` only").await;
    }
    publish_by_merge(context, change, limits).await
}

/// Commits all of a change. The commit is looked for if the run ends before the returned handle is settled.
async fn commit_whole(
    context: &Context<'_>,
    change: &ChangeSet,
) -> Result<(CommitReceipt, Undo), hub::Error> {
    let request = change.whole_commit(context);
    let pending = match change.purpose {
        Purpose::Rollback => Pending::Rollback(request.clone()),
        Purpose::Deploy => Pending::Commit(request.clone()),
    };
    let pending = watch(context, pending);
    match context.hub.commit(&request, Arc::clone(&change.on_bytes)).await {
        Ok(receipt) => {
            change.record_commit(context, &receipt);
            Ok((receipt, pending))
        }
        Err(error) => {
            if !error.is_ambiguous() {
                pending.settle();
            }
            Err(error)
        }
    }
}

/// Collects the parts in a draft, and merges them at once.
async fn publish_by_merge(
    context: &Context<'_>,
    mut change: ChangeSet,
    limits: CommitLimits,
) -> Result<CommitOutcome> {
    let (draft, is_resumed) = match std::mem::replace(&mut change.staging, Staging::None) {
        Staging::Resumed(draft) => (draft, true),
        Staging::Opened(draft) => {
            log_staging(context, &draft);
            (draft, false)
        }
        Staging::Refused(error) => return without_a_draft(context, change, limits, &error).await,
        Staging::None => {
            match open_draft(context, &change.message, change.parent.as_ref(), &change.scope).await {
                Ok(draft) => {
                    log_staging(context, &draft);
                    (draft, false)
                }
                Err(error) if is_pull_request_refused(&error) => {
                    return without_a_draft(context, change, limits, &error).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let OpenDraft { number, revision, tip, closing } = draft;
    let mut series = Series::new(revision, &change.message, Some(tip.clone()), Destination::Draft);
    let parts = parts::cut(change.operations.to_vec(), limits);
    let (error, closing) = match series.commit_all(context, parts, &change.on_bytes).await {
        Ok(()) => {
            let tip = series.tip.unwrap_or(tip);
            match merge(context, number, &tip, closing, &change).await? {
                Merge::Ended(outcome) => return Ok(outcome),
                Merge::Refused(error, closing) => (error, closing),
            }
        }
        Err(error) if series.done > 0 && error.status() != Some(412) => return Err(error.into()),
        Err(error) => (error, closing),
    };
    // The branch is as it was, whatever the error.
    let is_overtaken = matches!(error.status(), Some(409 | 412));
    if !is_overtaken && !is_pull_request_refused(&error) {
        return Err(error.into());
    }
    let merged = closing.close().await;
    if is_resumed || is_overtaken {
        return Ok(CommitOutcome::Overtaken { merged });
    }
    without_a_draft(context, change, limits, &error).await
}

/// Puts the parts into a pull request that is the result. The first part opens it.
async fn publish_as_proposal(
    context: &Context<'_>,
    change: ChangeSet,
    limits: CommitLimits,
) -> Result<CommitOutcome> {
    let parts = parts::cut(change.operations.to_vec(), limits);
    let (revision, parent) = (context.options.revision.clone(), change.parent);
    let destination = Destination::Proposal { opened: None };
    let mut series = Series::new(revision, &change.message, parent, destination);
    match series.commit_parts(context, parts, &change.on_bytes).await {
        Ok(()) => {}
        Err(error) if error.status() == Some(412) && series.done == 0 => {
            return Ok(CommitOutcome::Overtaken { merged: None });
        }
        Err(error) => return Err(error.into()),
    }
    let receipt = series.last.ok_or_else(no_parts)?;
    let pull_request_url = match series.destination {
        // It is the result from now on, and stays open.
        Destination::Proposal { opened: Some(opened) } => {
            let url = opened.url().to_owned();
            opened.settle();
            Some(url)
        }
        _ => None,
    };
    Ok(CommitOutcome::Committed(CommitReceipt { pull_request_url, ..receipt }))
}

async fn without_a_draft(
    context: &Context<'_>,
    change: ChangeSet,
    limits: CommitLimits,
    error: &hub::Error,
) -> Result<CommitOutcome> {
    publish_in_parts(context, change, limits, &format!("the Hub takes no pull request ({error})")).await
}

/// Puts the parts on the branch itself, if nothing else is possible.
async fn publish_in_parts(
    context: &Context<'_>,
    change: ChangeSet,
    limits: CommitLimits,
    why: &str,
) -> Result<CommitOutcome> {
    // Without moves, because a move would take the old name away before the end.
    let parts = parts::cut_for_a_branch(moves::expand(&change.operations), limits);
    let revision = &context.options.revision;
    let builds = match context.repo.repo_type {
        RepoType::Space if revision.is_main() => ", and the Space builds after each of them",
        _ => "",
    };
    context.log.warning(&format!(
        "this deploy is too large for one commit, and {why}: it goes to the branch `{revision}` in {} commits, content first, then code, then deletions; until the last one, the branch has only a part of the deploy{builds}",
        parts.len()
    ));
    let destination = Destination::Branch { guard: None };
    let mut series = Series::new(revision.clone(), &change.message, change.parent, destination);
    match series.commit_parts(context, parts, &change.on_bytes).await {
        Ok(()) => {
            context.recorder.record(|report| report.parts_on_branch = None);
            if let Destination::Branch { guard: Some(guard) } = series.destination {
                guard.settle();
            }
            Ok(CommitOutcome::Committed(series.last.ok_or_else(no_parts)?))
        }
        Err(error) if error.status() == Some(412) && series.done == 0 => {
            Ok(CommitOutcome::Overtaken { merged: None })
        }
        Err(error) => Err(error.into()),
    }
}
