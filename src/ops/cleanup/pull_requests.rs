//! Pull requests on GitHub, brought up to date about their previews: the comment and the deployments.

use hub::Repo;
use tokio::sync::OnceCell;

use crate::action::Log;
use crate::failure::preview::Unaffected;
use crate::github::{Error, Github, Permission};
use crate::ops::preview::body::CommentPage;
use crate::ops::preview::comment_mark::RunAttempt;
use crate::ops::preview::comments::OwnComments;
use crate::ops::preview::connection::Connection;
use crate::ops::preview::deployments::{ENVIRONMENT, deactivate};

/// State of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PullState {
    Open,
    Closed,
    Gone,
}

/// Asks GitHub for the state of a pull request.
pub(super) async fn look_up_pull(github: &Github, number: u64) -> Result<PullState, Error> {
    Ok(match github.pull_request(number).await? {
        Some(pull) if pull.is_open => PullState::Open,
        Some(_) => PullState::Closed,
        None => PullState::Gone,
    })
}

/// Pull requests of a clean-up. Trouble is logged, and ends nothing, because the previews are gone by then.
pub(super) struct PullRequests<'a> {
    pub(super) connection: Connection,
    /// Run that writes the comments.
    run: RunAttempt,
    /// Page of that run.
    run_url: Option<&'a str>,
    own: OnceCell<Option<OwnComments>>,
}

impl<'a> PullRequests<'a> {
    pub(super) fn new(github: &Github, run: RunAttempt, run_url: Option<&'a str>, log: &Log) -> Self {
        let connection = Connection::new(github.clone(), log, Unaffected::CleanUp);
        Self { connection, run, run_url, own: OnceCell::new() }
    }

    /// Writes that a preview is deleted, over the comment that is there. Returns true if there was one.
    pub(super) async fn mark_as_deleted(&self, number: u64, preview: &Repo) -> bool {
        let Some(own) = self.own_comments().await else { return false };
        let replaced = own.replace(number, preview, &self.page(preview).deleted()).await;
        self.connection.note(replaced).flatten().is_some()
    }

    /// Writes that a run was cancelled, over its own comment. Returns true if that was there.
    pub(super) async fn mark_as_cancelled(&self, number: u64, preview: &Repo, run: RunAttempt) -> bool {
        let Some(own) = self.own_comments().await else { return false };
        let replaced = own.replace_of_run(number, preview, run, &self.page(preview).killed()).await;
        self.connection.note(replaced) == Some(true)
    }

    /// Ends the deployments of a preview. Returns true if there were any.
    pub(super) async fn end_deployments(&self, preview: &Repo, reason: &str) -> bool {
        if self.connection.lacks(Permission::Deployments) {
            return false;
        }
        let ended = deactivate(&self.connection.github, ENVIRONMENT, preview, None, reason).await;
        self.connection.note(ended).is_some_and(|number| number > 0)
    }

    /// Returns the comments that the account of the token has written: `None` if GitHub refuses them.
    pub(super) async fn own_comments(&self) -> Option<&OwnComments> {
        if self.connection.lacks(Permission::PullRequests) {
            return None;
        }
        let open = async { self.connection.note(OwnComments::open(self.connection.github.clone()).await) };
        self.own.get_or_init(|| open).await.as_ref()
    }

    fn page(&self, preview: &Repo) -> CommentPage {
        CommentPage {
            subject: preview.clone(),
            page: String::new(),
            head: None,
            run: self.run,
            run_url: self.run_url.map(str::to_owned),
        }
    }
}
