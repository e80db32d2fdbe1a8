//! The pull request on GitHub, as a run sees it: its comment and its deployment.

use std::sync::Arc;

use hub::Repo;
use tokio::sync::OnceCell;

use super::body::{CommentPage, FailureFacts, PreviewFacts};
use super::comment_mark::RunAttempt;
use super::comments::OwnComments;
use super::deployments::ENVIRONMENT;
use super::options::PreviewOptions;
use super::record::{CANCEL_TIMEOUT, Record, RecordOptions};
use super::trouble::Trouble;
use crate::action::journal::{EndCause, Undo, Undone};
use crate::action::{Journal, Log, Recorder};
use crate::failure::{Failure, preview as advice};
use crate::github::{DeploymentState, Error, Github, Permission};
use crate::ops::deploy::DeployReport;

/// The pull request of a run. Copies share it. Trouble is logged, and ends nothing.
#[derive(Debug, Clone)]
pub(super) struct PullRequestSide {
    /// `None` without a token for GitHub.
    github: Option<Github>,
    log: Log,
    trouble: Trouble,
    number: u64,
    page: Arc<CommentPage>,
    has_comment: bool,
    own: Arc<OnceCell<OwnComments>>,
    record: Option<Record>,
}

impl PullRequestSide {
    /// Prepares the side of a run about one repo. `page` is the page of that repo on the Hub.
    pub(super) fn open(options: &PreviewOptions, subject: Repo, page: String, log: &Log) -> Self {
        let trouble = Trouble::new(log);
        let github = match &options.github {
            None => {
                log.notice(advice::NO_GITHUB_TOKEN);
                None
            }
            Some(options) => trouble.note(Github::new(options.clone())),
        };
        let record = github.clone().map(|github| {
            let record = RecordOptions {
                environment: ENVIRONMENT.to_owned(),
                commit: options.head.sha.clone(),
                is_transient: true,
                run_url: options.run_url.clone(),
            };
            Record::new(github, trouble.clone(), record, subject.clone())
        });
        let page = CommentPage {
            subject,
            page,
            head: Some(options.head.clone()),
            run: options.run,
            run_url: options.run_url.clone(),
        };
        Self {
            github,
            log: log.clone(),
            trouble,
            number: options.marker.number,
            page: Arc::new(page),
            has_comment: options.has_comment,
            own: Arc::default(),
            record,
        }
    }

    pub(super) fn page(&self) -> &CommentPage {
        &self.page
    }

    /// Registers the end of a run that is cancelled.
    pub(super) fn on_cancel(&self, journal: &Journal) -> Undo {
        let side = self.clone();
        journal.on_early_end("the comment and the deployment on GitHub", move |unwinding| async move {
            if unwinding.cause == EndCause::Cancelled {
                // The next run writes what is missing here.
                let _ = tokio::time::timeout(CANCEL_TIMEOUT, side.cancel()).await;
            }
            Undone::TakenBack
        })
    }

    /// Writes that the run has begun.
    pub(super) async fn begin(&self, recorder: &Recorder<DeployReport>) {
        let comment = self.write(self.page.building(), recorder);
        let deployment = async {
            let Some(record) = &self.record else { return };
            if let Some(id) = record.start().await {
                recorder.record(|report| report.preview.deployment_id = Some(id));
            }
        };
        tokio::join!(comment, deployment);
    }

    /// Writes that the preview runs.
    pub(super) async fn succeed(&self, facts: &PreviewFacts, recorder: &Recorder<DeployReport>) {
        let comment = self.write(self.page.ready(facts), recorder);
        let deployment =
            self.set(DeploymentState::Success, "the preview is up to date", facts.address.as_deref());
        tokio::join!(comment, deployment);
    }

    /// Writes that the run has failed.
    pub(super) async fn fail(
        &self,
        facts: &PreviewFacts,
        failure: &Failure,
        recorder: &Recorder<DeployReport>,
    ) {
        let comment = self.write(self.page.failed(facts, &FailureFacts::of(failure, &self.log)), recorder);
        let deployment = self.set(DeploymentState::Failure, failure.code.as_str(), None);
        tokio::join!(comment, deployment);
    }

    /// Writes that the preview is deleted: over the comment that is there, and to all of its deployments.
    pub(super) async fn delete(&self, journal: &Journal, recorder: &Recorder<DeployReport>) {
        let (side, recorded) = (self.clone(), recorder.clone());
        let cancelling =
            journal.on_early_end("the end of the preview on GitHub", move |unwinding| async move {
                if unwinding.cause == EndCause::Cancelled {
                    // No later run knows about a preview that is gone.
                    let _ = tokio::time::timeout(CANCEL_TIMEOUT, side.write_deleted(&recorded)).await;
                }
                Undone::TakenBack
            });
        self.write_deleted(recorder).await;
        cancelling.settle();
    }

    async fn write_deleted(&self, recorder: &Recorder<DeployReport>) {
        let comment = async {
            let Some(own) = self.own().await else { return };
            let replaced = own.replace(self.number, &self.page.subject, &self.page.deleted()).await;
            if let Some(Some(comment)) = self.trouble.note(replaced) {
                recorder.record(|report| report.preview.comment_url = Some(comment.html_url));
            }
        };
        let deployments = async {
            if let Some(record) = &self.record {
                record.end_all("the preview is deleted").await;
            }
        };
        tokio::join!(comment, deployments);
    }

    /// Returns true if GitHub says that the pull request is closed.
    pub(super) async fn is_closed(&self) -> bool {
        let Some(github) = &self.github else { return false };
        let found = self.trouble.note(github.pull_request(self.number).await);
        // A token that may not see the pull request gets the same answer as for one that is gone.
        found.flatten().is_some_and(|pull_request| !pull_request.is_open)
    }

    /// Writes the comment.
    pub(super) async fn write(&self, body: String, recorder: &Recorder<DeployReport>) {
        let Some(own) = self.own().await else { return };
        let body = self.log.redact_output(&body, &self.page.ordinary());
        let written = own.write(self.number, &self.page.subject, &body).await;
        if let Some(comment) = self.trouble.note(written) {
            recorder.record(|report| report.preview.comment_url = Some(comment.html_url));
        }
    }

    async fn set(&self, state: DeploymentState, description: &str, url: Option<&str>) {
        if let Some(record) = &self.record {
            record.set(state, description, url).await;
        }
    }

    async fn cancel(&self) {
        let comment = async {
            let own = self.own().await?;
            self.trouble.note(self.cancel_own_text(own).await)
        };
        tokio::join!(comment, self.set(DeploymentState::Inactive, "the run was cancelled", None));
    }

    /// Writes only over text of this attempt of this run, because another run may go on.
    async fn cancel_own_text(&self, own: &OwnComments) -> Result<(), Error> {
        let is_own = |run: RunAttempt| run == self.page.run;
        let found = own.find(self.number, &self.page.subject).await?;
        if found.first().is_some_and(|(_, mark)| is_own(mark.run)) {
            own.replace(self.number, &self.page.subject, &self.page.cancelled()).await?;
        }
        Ok(())
    }

    async fn own(&self) -> Option<&OwnComments> {
        if !self.has_comment || self.trouble.lacks(Permission::PullRequests) {
            return None;
        }
        let github = self.github.clone()?;
        let open = async { self.trouble.note(OwnComments::open(github).await).ok_or(()) };
        self.own.get_or_try_init(|| open).await.ok()
    }
}
