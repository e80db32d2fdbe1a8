//! The pull request on GitHub, as a run sees it: its comment and its deployment.

use std::sync::Arc;

use hub::Repo;
use tokio::sync::OnceCell;

use super::body::{CommentPage, FailureFacts, PreviewFacts};
use super::comments::OwnComments;
use super::connection::{Connection, on_cancel};
use super::deployments::ENVIRONMENT;
use super::options::PreviewOptions;
use super::record::{Record, RecordOptions};
use crate::action::journal::Undo;
use crate::action::{Journal, Log, Recorder};
use crate::failure::Failure;
use crate::github::{DeploymentState, Error, Permission};
use crate::ops::deploy::DeployReport;

/// The pull request of a run. Copies share it. Trouble is logged, and ends nothing.
#[derive(Debug, Clone)]
pub(super) struct PullRequestSide {
    /// `None` without a token for GitHub.
    connection: Option<Connection>,
    log: Log,
    number: u64,
    page: Arc<CommentPage>,
    has_comment: bool,
    own: Arc<OnceCell<OwnComments>>,
    record: Option<Record>,
}

impl PullRequestSide {
    /// Prepares the side of a run about one repo. `page` is the page of that repo on the Hub.
    pub(super) fn open(options: &PreviewOptions, subject: Repo, page: String, log: &Log) -> Self {
        let connection = Connection::of_deploy(options.github.as_ref(), log);
        let record = connection.clone().map(|connection| {
            let record = RecordOptions {
                environment: ENVIRONMENT.to_owned(),
                commit: options.head.sha.clone(),
                is_transient: true,
                run_url: options.run_url.clone(),
            };
            Record::new(connection, record, subject.clone())
        });
        let page = CommentPage {
            subject,
            page,
            head: Some(options.head.clone()),
            run: options.run,
            run_url: options.run_url.clone(),
        };
        Self {
            connection,
            log: log.clone(),
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
        on_cancel(journal, "the comment and the deployment on GitHub", || async move { side.cancel().await })
    }

    /// Writes that the run has begun.
    pub(super) async fn begin(&self, recorder: &Recorder<DeployReport>) {
        let comment = self.write(self.page.building(), recorder);
        let deployment = async {
            if let Some(record) = &self.record {
                record.start(recorder).await;
            }
        };
        tokio::join!(comment, deployment);
    }

    /// Writes that the preview runs.
    pub(super) async fn succeed(&self, facts: &PreviewFacts, recorder: &Recorder<DeployReport>) {
        let comment = self.conclude(self.page.ready(facts), recorder);
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
        let comment = self.conclude(self.page.failed(facts, &FailureFacts::of(failure, &self.log)), recorder);
        let deployment = self.set(DeploymentState::Failure, failure.code.as_str(), None);
        tokio::join!(comment, deployment);
    }

    /// Writes that the preview is deleted: over the comment that is there, and to all of its deployments.
    pub(super) async fn delete(&self, journal: &Journal, recorder: &Recorder<DeployReport>) {
        let (side, recorded) = (self.clone(), recorder.clone());
        // A preview that is gone gets no later run.
        let cancelling = on_cancel(journal, "the end of the preview on GitHub", || async move {
            side.write_deleted(&recorded).await;
        });
        self.write_deleted(recorder).await;
        cancelling.settle();
    }

    async fn write_deleted(&self, recorder: &Recorder<DeployReport>) {
        let comment = async {
            let Some(own) = self.own().await else { return };
            let replaced = own.replace(self.number, &self.page.subject, &self.page.deleted()).await;
            if let Some(Some(comment)) = self.note(replaced) {
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
        let Some(connection) = &self.connection else { return false };
        let found = connection.note(connection.github.pull_request(self.number).await);
        // A token that may not see the pull request gets the same answer as for one that is gone.
        found.flatten().is_some_and(|pull_request| !pull_request.is_open)
    }

    /// Writes the comment at the end of a run, and logs its address.
    pub(super) async fn conclude(&self, body: String, recorder: &Recorder<DeployReport>) {
        if let Some(url) = self.write(body, recorder).await {
            self.log.info(&format!("comment on pull request #{}: {url}", self.number));
        }
    }

    /// Writes the comment, and returns its address.
    async fn write(&self, body: String, recorder: &Recorder<DeployReport>) -> Option<String> {
        let own = self.own().await?;
        let body = self.log.redact_output(&body, &self.page.ordinary());
        let comment = self.note(own.write(self.number, &self.page.subject, &body).await)?;
        recorder.record(|report| report.preview.comment_url = Some(comment.html_url.clone()));
        Some(comment.html_url)
    }

    async fn set(&self, state: DeploymentState, description: &str, url: Option<&str>) {
        if let Some(record) = &self.record {
            record.set(state, description, url).await;
        }
    }

    async fn cancel(&self) {
        let CommentPage { subject, run, .. } = &*self.page;
        let comment = async {
            let own = self.own().await?;
            self.note(own.replace_of_run(self.number, subject, *run, &self.page.cancelled()).await)
        };
        let deployment = async {
            if let Some(record) = &self.record {
                record.cancel().await;
            }
        };
        tokio::join!(comment, deployment);
    }

    async fn own(&self) -> Option<&OwnComments> {
        let connection = self.connection.as_ref()?;
        if !self.has_comment || connection.lacks(Permission::PullRequests) {
            return None;
        }
        let open = async { connection.note(OwnComments::open(connection.github.clone()).await).ok_or(()) };
        self.own.get_or_try_init(|| open).await.ok()
    }

    fn note<T>(&self, result: Result<T, Error>) -> Option<T> {
        self.connection.as_ref()?.note(result)
    }
}
