//! The comment of a preview on its pull request: found by its mark, one for each repo, never a second one.

use hub::Repo;

use super::comment_mark::{CommentMark, RunAttempt};
use crate::github::{Comment, Error, Github};

/// Comments that the account of the token has written.
#[derive(Debug, Clone)]
pub struct OwnComments {
    github: Github,
    /// `None` if GitHub does not name it.
    login: Option<String>,
}

impl OwnComments {
    /// Looks up the account of the token, because a person's copy of a comment must be left alone.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn open(github: Github) -> Result<Self, Error> {
        let login = github.login().await?;
        Ok(Self { github, login })
    }

    /// Returns our comments about a repo, the oldest first, with their marks.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn find(&self, number: u64, subject: &Repo) -> Result<Vec<(Comment, CommentMark)>, Error> {
        let ours = self.marked(self.github.list_comments(number).await?);
        Ok(ours.filter(|(_, mark)| mark.is_about(subject)).collect())
    }

    /// Returns our comments in the repository that changed last, with their marks.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn find_recent(&self) -> Result<Vec<(Comment, CommentMark)>, Error> {
        Ok(self.marked(self.github.list_recent_comments().await?).collect())
    }

    fn marked(&self, comments: Vec<Comment>) -> impl Iterator<Item = (Comment, CommentMark)> {
        let ours = comments.into_iter().filter(|comment| comment.is_by(self.login.as_deref()));
        ours.filter_map(|comment| CommentMark::read(&comment.body).map(|mark| (comment, mark)))
    }

    /// Writes the comment about a repo: over the one that is there, or as a new one. Several of ours, of runs at the
    /// same time, become one.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn write(&self, number: u64, subject: &Repo, body: &str) -> Result<Comment, Error> {
        if let Some(comment) = self.replace(number, subject, body).await? {
            return Ok(comment);
        }
        match self.github.create_comment(number, body).await {
            // GitHub may have written it before the answer was lost.
            Err(error) if error.is_ambiguous() => {
                match self.find(number, subject).await?.into_iter().next() {
                    Some((comment, _)) => Ok(comment),
                    None => self.github.create_comment(number, body).await,
                }
            }
            created => created,
        }
    }

    /// Replaces the comment about a repo: `None` if there is none.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn replace(&self, number: u64, subject: &Repo, body: &str) -> Result<Option<Comment>, Error> {
        let mut written = None;
        for (comment, _) in self.find(number, subject).await? {
            if written.is_some() {
                self.github.delete_comment(comment.id).await?;
                continue;
            }
            match self.github.update_comment(comment.id, body).await {
                Ok(comment) => written = Some(comment),
                // A person has deleted it meanwhile.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Replaces the comment about a repo if this run wrote it last, because another run may go on. Returns true if it
    /// did.
    ///
    /// # Errors
    ///
    /// GitHub refuses, or cannot be reached.
    pub async fn replace_of_run(
        &self,
        number: u64,
        subject: &Repo,
        run: RunAttempt,
        body: &str,
    ) -> Result<bool, Error> {
        let found = self.find(number, subject).await?;
        let is_of_run = found.first().is_some_and(|(_, mark)| mark.run == run);
        Ok(is_of_run && self.replace(number, subject, body).await?.is_some())
    }
}
