//! Pull requests on GitHub after their previews are deleted: the comment and the deployments.

use hub::Repo;
use tokio::sync::OnceCell;

use crate::action::Log;
use crate::github::{Github, Permission};
use crate::ops::preview::body::CommentPage;
use crate::ops::preview::comment_mark::RunAttempt;
use crate::ops::preview::comments::OwnComments;
use crate::ops::preview::deployments::{ENVIRONMENT, deactivate};
use crate::ops::preview::trouble::Trouble;

/// Pull requests of a clean-up. Trouble is logged, and ends nothing, because the previews are gone by then.
pub(super) struct PullRequests<'a> {
    github: &'a Github,
    /// Run that writes the comments.
    run: RunAttempt,
    /// Page of that run.
    run_url: Option<&'a str>,
    trouble: Trouble,
    own: OnceCell<Option<OwnComments>>,
}

impl<'a> PullRequests<'a> {
    pub(super) fn new(github: &'a Github, run: RunAttempt, run_url: Option<&'a str>, log: &Log) -> Self {
        Self { github, run, run_url, trouble: Trouble::new(log), own: OnceCell::new() }
    }

    /// Writes that a preview is deleted, over the comment that is there.
    pub(super) async fn mark_as_deleted(&self, number: u64, preview: &Repo) {
        let Some(own) = self.own_comments().await else { return };
        let page = CommentPage {
            subject: preview.clone(),
            page: String::new(),
            head: None,
            run: self.run,
            run_url: self.run_url.map(str::to_owned),
        };
        self.trouble.note(own.replace(number, preview, &page.deleted()).await);
    }

    /// Ends the deployments of a preview.
    pub(super) async fn end_deployments(&self, preview: &Repo) {
        if !self.trouble.lacks(Permission::Deployments) {
            let ended = deactivate(self.github, ENVIRONMENT, preview, None, "the preview is deleted").await;
            self.trouble.note(ended);
        }
    }

    async fn own_comments(&self) -> Option<&OwnComments> {
        if self.trouble.lacks(Permission::PullRequests) {
            return None;
        }
        let open = async { self.trouble.note(OwnComments::open(self.github.clone()).await) };
        self.own.get_or_init(|| open).await.as_ref()
    }
}
