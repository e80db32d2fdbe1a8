//! Deletion of repos that are not needed any more: previews of pull requests, and test repos.
//!
//! Each kind has a rule of its own, in a file of its own. The sweep is the same: one line for each repo, no write in a
//! dry run, a repo that is gone is fine, and what could not be deleted is an error after everything else was tried.

mod leftovers;
pub mod previews;
mod pull_requests;
mod report;
pub mod test_repos;

use std::time::Duration;

use hub::{BucketId, Hub, Repo};
use jiff::Timestamp;

use crate::action::{Log, Recorder};
use crate::failure::{self, Result};
use crate::ops::preview::removal::Removal;

pub use report::{CleanupReport, Decision, Outcome, Status};

/// A clean-up under way.
struct Sweep<'a> {
    hub: &'a Hub,
    log: &'a Log,
    /// `None` for a command that reports nothing but its log.
    recorder: Option<&'a Recorder<CleanupReport>>,
    is_dry_run: bool,
    outcomes: Vec<Outcome>,
    failures: Vec<String>,
}

impl<'a> Sweep<'a> {
    fn new(hub: &'a Hub, log: &'a Log, is_dry_run: bool) -> Self {
        Self { hub, log, recorder: None, is_dry_run, outcomes: Vec::new(), failures: Vec::new() }
    }

    fn recorded(self, recorder: &'a Recorder<CleanupReport>) -> Self {
        recorder.record(|report| report.is_dry_run = self.is_dry_run);
        Self { recorder: Some(recorder), ..self }
    }

    /// Notes a repo that stays.
    fn keep(&mut self, repo: &Repo, reason: &str) {
        self.log.info(&format!("kept the {repo}: {reason}"));
        self.note(repo, Outcome::Kept, reason);
    }

    /// Deletes a repo, except in a dry run. Returns true if it is gone.
    async fn delete(
        &mut self,
        repo: &Repo,
        reason: &str,
        removal: impl Future<Output = Result<Removal, hub::Error>>,
    ) -> bool {
        let log = self.log;
        if self.is_dry_run {
            log.info(&format!("would delete the {repo}: {reason}"));
            self.note(repo, Outcome::Deleted, reason);
            return false;
        }
        match removal.await {
            Ok(Removal::Deleted) => {
                log.info(&format!("deleted the {repo}: {reason}"));
                self.note(repo, Outcome::Deleted, reason);
                true
            }
            Ok(Removal::Gone) => {
                self.pass_over(repo);
                true
            }
            Ok(Removal::Foreign(_)) => {
                self.keep(repo, "its mark changed meanwhile");
                false
            }
            Err(error) => {
                self.fail(repo, &error.to_string());
                false
            }
        }
    }

    /// Deletes a bucket with all its files, except in a dry run.
    async fn delete_bucket(&mut self, bucket: &BucketId, reason: &str) {
        if self.is_dry_run {
            self.log.info(&format!("would delete the bucket `{bucket}`: {reason}"));
            return self.outcomes.push(Outcome::Deleted);
        }
        let (outcome, line) = match self.hub.delete_bucket(bucket).await {
            Ok(true) => (Outcome::Deleted, format!("deleted the bucket `{bucket}`: {reason}")),
            Ok(false) => (Outcome::Gone, format!("the bucket `{bucket}` is gone already")),
            Err(error) => {
                self.outcomes.push(Outcome::Failed);
                return self.fail_at_large(&error.to_string());
            }
        };
        self.log.info(&line);
        self.outcomes.push(outcome);
    }

    /// Notes a bucket that stays.
    fn keep_bucket(&mut self, bucket: &BucketId, reason: &str) {
        self.log.info(&format!("kept the bucket `{bucket}`: {reason}"));
        self.outcomes.push(Outcome::Kept);
    }

    /// Notes a repo that someone else deleted meanwhile.
    fn pass_over(&mut self, repo: &Repo) {
        self.log.info(&format!("the {repo} is gone already"));
        self.note(repo, Outcome::Gone, "it is gone already");
    }

    /// Notes a repo that could not be judged or deleted.
    fn fail(&mut self, repo: &Repo, error: &str) {
        self.note(repo, Outcome::Failed, error);
        self.fail_at_large(error);
    }

    /// Notes a failure of no single repo.
    fn fail_at_large(&mut self, error: &str) {
        self.log.info(error);
        self.failures.push(error.to_owned());
    }

    fn note(&mut self, repo: &Repo, outcome: Outcome, reason: &str) {
        self.outcomes.push(outcome);
        if let Some(recorder) = self.recorder {
            let decision = Decision { repo: repo.clone(), outcome, reason: reason.to_owned() };
            recorder.record(|report| report.decisions.push(decision));
        }
    }

    /// Logs the numbers. Returns an error with everything that failed.
    fn conclude(self) -> Result<()> {
        let count = |wanted| self.outcomes.iter().filter(|outcome| **outcome == wanted).count();
        let (deleted, kept) = (count(Outcome::Deleted), count(Outcome::Kept));
        let verb = if self.is_dry_run { "to delete" } else { "deleted" };
        self.log.info(&format!("{deleted} {verb}, {kept} kept, {} failed", self.failures.len()));
        match self.failures.as_slice() {
            [] => Ok(()),
            failures => Err(failure::cleanup::repos_left(failures)),
        }
    }
}

/// Returns the time since a moment that the Hub reported (RFC 3339). A moment in the future is now.
fn age(moment: Option<&str>, now: Timestamp) -> Option<Duration> {
    let moment: Timestamp = moment?.parse().ok()?;
    Some(Duration::try_from(now.duration_since(moment)).unwrap_or_default())
}
