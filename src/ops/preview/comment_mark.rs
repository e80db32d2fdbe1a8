//! The hidden mark of a comment, by which later runs find it, and the words for the state in its first line.

use std::fmt;

use hub::{Repo, RepoName};

use super::name::is_same;

/// Start of the last line of each comment.
const START: &str = "<!-- hf-deploy preview:";
const END: &str = "-->";

/// State of a preview: one word in the first line of its comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PreviewState {
    Building,
    Ready,
    Failed,
    Cancelled,
    Deleted,
}

impl PreviewState {
    const ALL: [Self; 5] = [Self::Building, Self::Ready, Self::Failed, Self::Cancelled, Self::Deleted];

    /// Returns the beginning of the first line of a comment: sign, word and colon. Names from outside stand behind it.
    pub fn heading(self) -> String {
        format!("### {} {}:", self.sign(), self.as_str())
    }

    /// Reads the state from a comment.
    pub fn read(body: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| body.starts_with(&state.heading()))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Building => "Building",
            Self::Ready => "Ready",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::Deleted => "Deleted",
        }
    }

    /// Returns the sign before the word.
    fn sign(self) -> &'static str {
        match self {
            Self::Building => "⏳",
            Self::Ready => "✅",
            Self::Failed => "❌",
            Self::Cancelled => "🚫",
            Self::Deleted => "🗑️",
        }
    }
}

/// Attempt of a workflow run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAttempt {
    /// `GITHUB_RUN_ID`.
    pub id: u64,
    /// `GITHUB_RUN_ATTEMPT`, from 1.
    pub attempt: u64,
}

/// Mark of a comment: the repo on the Hub that it is about, and the run that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentMark {
    pub subject: Repo,
    pub run: RunAttempt,
}

impl fmt::Display for CommentMark {
    /// Writes the line that GitHub does not show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, run: RunAttempt { id, attempt } } = self;
        write!(f, "{START} {} {} {id} {attempt} {END}", subject.repo_type.as_str(), subject.id)
    }
}

impl CommentMark {
    /// Returns true for a mark about this repo, in whatever case the workflow wrote its name.
    pub fn is_about(&self, repo: &Repo) -> bool {
        self.subject.repo_type == repo.repo_type && is_same(&self.subject.id, &repo.id)
    }

    /// Reads the mark from the last line of a comment. Text from outside can stand in the lines before it only.
    pub fn read(body: &str) -> Option<Self> {
        let line = body.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        let words: Vec<&str> = line.strip_prefix(START)?.strip_suffix(END)?.split_whitespace().collect();
        let [repo_type, name, id, attempt] = words.as_slice() else { return None };
        let id_of_repo = name.parse::<RepoName>().ok()?.full()?;
        Some(Self {
            subject: Repo { repo_type: repo_type.parse().ok()?, id: id_of_repo },
            run: RunAttempt { id: id.parse().ok()?, attempt: attempt.parse().ok()? },
        })
    }
}

#[cfg(test)]
mod tests {
    use hub::RepoType;

    use super::*;

    fn mark() -> CommentMark {
        let id = "ada--x/app-pr-12".parse::<RepoName>().unwrap().full().unwrap();
        let run = RunAttempt { id: 42, attempt: 2 };
        CommentMark { subject: Repo { repo_type: RepoType::Space, id }, run }
    }

    #[test]
    fn mark_is_the_last_line() {
        let line = mark().to_string();
        assert_eq!(line, "<!-- hf-deploy preview: space ada--x/app-pr-12 42 2 -->");
        assert_eq!(CommentMark::read(&format!("### Ready\r\n\r\n{line}\r\n\r\n")), Some(mark()));
        for other in [
            format!("{line}\ntext"),
            format!("> {line}"),
            line.replace("space", "bucket"),
            line.replace(" 2 ", " "),
            String::new(),
        ] {
            assert_eq!(CommentMark::read(&other), None, "{other}");
        }
    }
}
