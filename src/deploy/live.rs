//! After the commit: a Space is deployed when this commit runs.

use std::time::Duration;

use super::Deploy;
use crate::failure::{Code, Result};
use crate::hub::{CommitReceipt, RepoInfo};
use crate::inputs::OnFailure;
use crate::space::{self, Awaited, Ready, WaitOptions};
use crate::target::RepoType;

/// What is to run, and what ran before.
pub(super) struct Target<'a> {
    /// The commit that is to run.
    pub(super) commit: &'a str,
    /// The state before this deploy.
    pub(super) before: &'a RepoInfo,
    /// The commit of this deploy: `None` when nothing changed.
    pub(super) receipt: Option<&'a CommitReceipt>,
    /// Whether this deploy made the Space.
    pub(super) created: bool,
    /// Static Spaces run at once, and say no commit.
    pub(super) fixed: bool,
}

impl Deploy<'_> {
    /// Waits until the commit runs, where there is something to wait for.
    pub(super) async fn go_live(&self, target: &Target<'_>) -> Result<()> {
        let runs_this = self.inputs.repo_type == RepoType::Space
            && self.inputs.revision.is_main()
            && !self.inputs.create_pr;
        let Some(timeout) = self.inputs.space.wait.filter(|_| runs_this) else { return Ok(()) };
        let fresh = target.receipt.is_some() || target.created;
        let live = self.wait_for(target.commit, target.fixed, fresh, timeout).await;
        let Err(failure) = live else { return Ok(()) };
        // What is overtaken is not ours to take back.
        if self.inputs.space.on_failure == OnFailure::Rollback && failure.code != Code::Overtaken {
            self.log.error(&failure.message);
            self.roll_back(target).await;
        }
        Err(failure)
    }

    /// Waits for a commit, and writes down what was seen.
    pub(super) async fn wait_for(
        &self,
        commit: &str,
        fixed: bool,
        fresh: bool,
        timeout: Duration,
    ) -> Result<()> {
        let options = WaitOptions { timeout, commit: commit.to_owned(), fixed, fresh };
        let phase = self.ledger.phase("wait");
        let Awaited { ready, runtime, tails } = space::wait(self.hub, self.log, &self.repo, &options).await;
        drop(phase);
        self.ledger.update(|outcome| {
            outcome.space_stage = runtime.map(|runtime| runtime.stage);
            // After a rollback, the log of what failed is what counts.
            if outcome.log_tails.is_empty() {
                outcome.log_tails = tails;
            }
        });
        match ready {
            Ready::Yes => Ok(()),
            Ready::Unseen(error) => {
                self.log.warning(&format!(
                    "the commit is on the Hub, but whether it runs is not known: {error}; give the token read access to the Space's settings, or set `wait: false`"
                ));
                Ok(())
            }
            Ready::No(failure) => Err(failure),
        }
    }
}
