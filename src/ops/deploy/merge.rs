//! The merge of a complete draft.

use crate::failure::Result;
use hub::{CommitReceipt, Lookup, Merged};

use super::change_set::{ChangeSet, CommitOutcome};
use super::context::Context;
use super::draft::Closing;

/// Result of a merge.
pub(super) enum Merge {
    Ended(CommitOutcome),
    /// The Hub has refused. The pull request is still open.
    Refused(hub::Error, Closing),
}

/// Merges a draft that is complete up to `tip`.
///
/// The Hub's merge takes no parent to guard it. So the head is looked at right before, and the merged tree is compared
/// with the draft's right after.
pub(super) async fn merge(
    context: &Context<'_>,
    number: u64,
    tip: &str,
    closing: Closing,
    change: &ChangeSet,
) -> Result<Merge> {
    let Context { options, hub, repo, .. } = context;
    let parent = change.parent.as_deref();
    let (opened, looked_up) =
        tokio::join!(hub.open_pull_request(repo, number), hub.look_up(repo, &options.revision));
    match opened {
        Err(error) if is_pull_request_refused(&error) => return Ok(Merge::Refused(error, closing)),
        opened => opened?,
    }
    let head = match looked_up? {
        Lookup::Found(info) => info.sha,
        Lookup::NoRevision | Lookup::NoRepo(_) => None,
    };
    if head.as_deref() != parent {
        let merged = closing.close().await;
        return Ok(Merge::Ended(CommitOutcome::Overtaken { merged }));
    }
    let closing = closing.merging(context);
    // The draft is complete, so its tree can be read while the Hub merges.
    let (merged, wanted) = tokio::join!(
        hub.merge_pull_request(repo, number, parent.unwrap_or_default()),
        hub.root_of(repo, tip)
    );
    let Merged { commit, root } = match merged {
        Ok(merged) => merged,
        Err(error) if matches!(error.status(), Some(409 | 412)) || is_pull_request_refused(&error) => {
            return Ok(Merge::Refused(error, closing));
        }
        Err(error) => return Err(error.into()),
    };
    let receipt = CommitReceipt { recovered: false, ..hub.receipt(repo, commit, None) };
    change.record_commit(context, &receipt);
    // The branch may be older than the merge, or newer. Then the commit itself is looked at.
    let found = match (&wanted, root) {
        (Ok(wanted), Some(root)) if *wanted == root => Ok(root),
        (Ok(_), _) => hub.root_of(repo, &receipt.oid).await,
        (Err(_), _) => Ok(Vec::new()),
    };
    closing.settle();
    match (wanted, found) {
        (Ok(wanted), Ok(found)) if wanted != found => Ok(Merge::Ended(CommitOutcome::Mixed(receipt))),
        (Ok(_), Ok(_)) => Ok(Merge::Ended(CommitOutcome::Committed(receipt))),
        (Err(error), _) | (_, Err(error)) => {
            context.log.warning(&format!(
                "merged, but could not find out if a commit of another writer came between: {error}"
            ));
            Ok(Merge::Ended(CommitOutcome::Committed(receipt)))
        }
    }
}

/// Returns true if the Hub refuses pull requests as such: discussions are disabled, or the token has no scope for
/// them. Plans, rate limits and conflicts are other matters.
pub(super) fn is_pull_request_refused(error: &hub::Error) -> bool {
    error.status().is_some_and(|status| {
        (400..500).contains(&status) && !matches!(status, 402 | 408 | 409 | 412 | 413 | 429)
    })
}
