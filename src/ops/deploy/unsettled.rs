//! Writes whose outcome is not known when a run ends: they are looked up before anything is put back or said.

use std::time::Duration;

use hub::{CommitReceipt, HubError, Lookup, Revision};

use crate::action::Log;
use crate::report::{InFlight, Landing, Ledger, Sent, Unfinished};

/// Time for the last look at the Hub: a runner kills ten seconds after its first signal.
const CLOSING: Duration = Duration::from_secs(5);
/// The Hub may still be at work on a commit whose connection broke off a moment ago.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// Closes the pull request that will not be merged, looks for the write that has no answer, and records what is on
/// the Hub.
pub(crate) async fn conclude(log: &Log, ledger: &Ledger) {
    if let Some(unfinished) = ledger.update(|outcome| outcome.unfinished.take()) {
        abandon(unfinished, log, ledger).await;
    }
    if let Some(in_flight) = ledger.update(|outcome| outcome.in_flight.take()) {
        look_for(in_flight, log, ledger).await;
    }
}

/// Closes a pull request that will not be merged, unless it was.
pub(super) async fn abandon(unfinished: Unfinished, log: &Log, ledger: &Ledger) {
    let url = &unfinished.url;
    let detail = match tokio::time::timeout(CLOSING, close(&unfinished)).await {
        Ok(Ok(None)) => return log.info(&format!("closed {url}: nothing of it is on the branch")),
        Ok(Ok(Some(receipt))) => {
            log.warning(&format!("{url} was merged before it could be closed: the deploy is on the branch"));
            return ledger.update(|outcome| outcome.commit = Some(receipt));
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the Hub did not answer in time".to_owned(),
    };
    if unfinished.merging {
        ledger.update(|outcome| outcome.landing = Landing::Unknown);
        log.warning(&format!("cannot find out if {url} is merged: {detail}"));
    } else {
        log.warning(&format!("{url} stays open, close it by hand: {detail}"));
    }
}

/// Closes a pull request. Returns the commit of its merge, if it was merged. That some Hubs close what is merged is
/// no proof, so the branch is looked at before and after.
async fn close(unfinished: &Unfinished) -> Result<Option<CommitReceipt>, HubError> {
    let Unfinished { hub, repo, number, base, merging, .. } = unfinished;
    let merged = async || {
        let commit = hub.find_merge(repo, *number, base.as_deref()).await?;
        Ok::<_, HubError>(commit.map(|commit| hub.receipt(repo, commit, None)))
    };
    if *merging && let Some(receipt) = merged().await? {
        return Ok(Some(receipt));
    }
    let closed = hub.close_pull_request(repo, *number).await;
    if closed.is_ok() && !merging {
        return Ok(None);
    }
    match merged().await? {
        Some(receipt) => Ok(Some(receipt)),
        None => closed.map(|()| None),
    }
}

/// Looks for a write that has no answer.
async fn look_for(in_flight: InFlight, log: &Log, ledger: &Ledger) {
    let what = match &in_flight.sent {
        Sent::Creation(repo) => format!("the {repo} was created"),
        Sent::Commit(_) | Sent::Part { .. } => "the commit is on the Hub".to_owned(),
        Sent::Rollback(_) => "the rollback is on the Hub".to_owned(),
    };
    let detail = match tokio::time::timeout(CLOSING, look_twice(&in_flight, ledger)).await {
        Ok(Ok(landing)) => return ledger.update(|outcome| outcome.landing = landing),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the Hub did not answer in time".to_owned(),
    };
    ledger.update(|outcome| outcome.landing = Landing::Unknown);
    log.warning(&format!("cannot find out if {what}: {detail}"));
}

async fn look_twice(in_flight: &InFlight, ledger: &Ledger) -> Result<Landing, HubError> {
    if look(in_flight, ledger).await? {
        return Ok(Landing::Settled);
    }
    tokio::time::sleep(SECOND_LOOK).await;
    Ok(if look(in_flight, ledger).await? { Landing::Settled } else { Landing::NotSeen })
}

/// Records what is on the Hub. Returns false if nothing is.
async fn look(InFlight { hub, sent }: &InFlight, ledger: &Ledger) -> Result<bool, HubError> {
    let request = match sent {
        Sent::Creation(repo) => {
            let found = matches!(hub.look_up(repo, &Revision::default()).await?, Lookup::Found(_));
            ledger.update(|outcome| outcome.created |= found);
            return Ok(found);
        }
        Sent::Commit(request) | Sent::Rollback(request) | Sent::Part { request, .. } => request,
    };
    let Some(receipt) = hub.find_commit(request).await? else { return Ok(false) };
    ledger.update(|outcome| match sent {
        Sent::Rollback(_) => outcome.rollback_commit = Some(receipt.oid.to_string()),
        Sent::Part { number, of, .. } => {
            outcome.commit = Some(receipt);
            outcome.parts_on_branch = (number < of).then_some((*number, *of));
        }
        _ => outcome.commit = Some(receipt),
    });
    Ok(true)
}
