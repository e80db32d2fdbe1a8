//! Writes whose outcome is not known when a run ends: they are looked up before anything is put back.

use std::time::Duration;

use crate::action::journal::{Undo, Undone};
use crate::action::{Log, Recorder};
use crate::failure::deploy_log as advice;
use hub::{CommitRequest, Hub, Lookup, Repo, Revision};

use super::context::Context;
use super::report::{DeployReport, Unanswered};

/// Time allowed for the last look at the Hub, because a runner kills the process 10 s after its first signal.
pub(super) const LAST_LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause before the second look, because the Hub may still be at work on a commit whose connection broke off.
const SECOND_LOOK_DELAY: Duration = Duration::from_millis(500);

/// A write that the Hub may carry out although this run gets no answer.
#[derive(Debug, Clone)]
pub(super) enum Pending {
    Creation,
    Commit(CommitRequest),
    /// One of several commits on the branch itself.
    Part {
        request: CommitRequest,
        number: usize,
        of: usize,
    },
    /// The commit that restores the previous tree.
    Rollback(CommitRequest),
}

/// Registers a look at the Hub for the case that the run ends before the write has an answer.
pub(super) fn watch(context: &Context<'_>, pending: Pending) -> Undo {
    let look = Look {
        hub: context.hub.clone(),
        repo: context.repo.clone(),
        log: context.log.clone(),
        recorder: context.recorder.clone(),
        pending,
    };
    context.journal.on_early_end(look.description(), move |_| async move { look.find_out().await })
}

struct Look {
    hub: Hub,
    repo: Repo,
    log: Log,
    recorder: Recorder<DeployReport>,
    pending: Pending,
}

impl Look {
    fn description(&self) -> String {
        match &self.pending {
            Pending::Creation => format!("the creation of the {}", self.repo),
            Pending::Commit(_) | Pending::Part { .. } => format!("a commit to the {}", self.repo),
            Pending::Rollback(_) => format!("the rollback of the {}", self.repo),
        }
    }

    /// Looks for the write, and records the result.
    async fn find_out(&self) -> Undone {
        let detail = match tokio::time::timeout(LAST_LOOK_TIMEOUT, self.look_twice()).await {
            Ok(Ok(found)) => {
                let state = if found.is_some() { Unanswered::Settled } else { Unanswered::NotSeen };
                self.recorder.record(|report| report.unanswered = state);
                return found.unwrap_or(Undone::TakenBack);
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the Hub did not answer in time".to_owned(),
        };
        self.recorder.record(|report| report.unanswered = Unanswered::Unknown);
        let what = match &self.pending {
            Pending::Creation => format!("the {} was created", self.repo),
            Pending::Commit(_) | Pending::Part { .. } => "the commit is on the Hub".to_owned(),
            Pending::Rollback(_) => "the rollback is on the Hub".to_owned(),
        };
        self.log.warning(&format!("cannot find out if {what}: {detail}"));
        Undone::Unknown
    }

    async fn look_twice(&self) -> Result<Option<Undone>, hub::Error> {
        if let Some(found) = self.look().await? {
            return Ok(Some(found));
        }
        tokio::time::sleep(SECOND_LOOK_DELAY).await;
        self.look().await
    }

    /// Records the write if the Hub has it.
    async fn look(&self) -> Result<Option<Undone>, hub::Error> {
        let request = match &self.pending {
            Pending::Creation => {
                let found = self.hub.look_up(&self.repo, &Revision::default()).await?;
                if !matches!(found, Lookup::Found(_)) {
                    return Ok(None);
                }
                self.recorder.record(|report| report.created = true);
                return Ok(Some(Undone::Stands(self.repo.page())));
            }
            Pending::Commit(request) | Pending::Rollback(request) | Pending::Part { request, .. } => request,
        };
        let Some(receipt) = self.hub.find_commit(request).await? else { return Ok(None) };
        let id = receipt.oid.to_string();
        self.recorder.record(|report| match &self.pending {
            Pending::Rollback(_) => report.rollback_commit = Some(receipt.oid),
            Pending::Part { number, of, .. } => {
                report.commit = Some(receipt);
                report.parts_on_branch = (number < of).then_some((*number, *of));
            }
            Pending::Creation | Pending::Commit(_) => report.commit = Some(receipt),
        });
        Ok(Some(match &self.pending {
            Pending::Part { number, of, .. } if number < of => {
                Undone::StandsInPart { id, hint: advice::parts_on_branch(*number, *of) }
            }
            _ => Undone::Stands(id),
        }))
    }
}
