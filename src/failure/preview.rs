//! Advice on previews of pull requests, and on trouble with GitHub.

use std::fmt::Display;

use hub::{Repo, shorten};

use super::{Code, Failure};
use crate::github::{self, Cause};
use crate::setting::{GITHUB_TOKEN, PREVIEW_SUFFIX};
use crate::text::quoted;

/// Longest mark that a message repeats.
const LONGEST_MARK: usize = 120;

/// Returns the notice for a run that has no token for GitHub.
pub fn no_github_token() -> String {
    format!(
        "no comment and no deployment on GitHub: {GITHUB_TOKEN} is empty (leave it out, which passes the token of the workflow)"
    )
}
/// Reason for which the run of a closed pull request deletes nothing.
pub const FOREIGN_STAYS: &str = "the Space of that name is no preview of this pull request, and stays";
/// Reason for which the run of a closed pull request of a model or a dataset does nothing.
pub const NOTHING_TO_DELETE: &str = "the pull request is closed, and there is nothing to delete";
/// Reason for which the run of a fork does nothing.
pub const WITHOUT_SECRETS: &str =
    "GitHub gives no secrets to this run (a fork, or Dependabot), so there is no preview";

/// Returns the failure of a preview whose name another Space has. `mark` is the value of the variable `name` there.
pub fn name_taken(space: &Repo, name: &str, mark: Option<&str>) -> Failure {
    let message = format!(
        "the {space} is there already, and it is no preview of this pull request: {}",
        marked(name, mark)
    );
    Failure::new(Code::PreviewNameTaken, message).hint(format!(
        "rename or delete that Space, or set {PREVIEW_SUFFIX} to another ending; nothing was changed"
    ))
}

/// Returns the warning about a Space that a closed pull request leaves alone.
pub fn foreign_kept(space: &Repo, name: &str, mark: Option<&str>) -> String {
    format!("kept the {space}, because it is no preview of this pull request: {}", marked(name, mark))
}

fn marked(name: &str, mark: Option<&str>) -> String {
    match mark {
        Some(mark) => format!("its variable `{name}` is {}", quoted(&shorten(mark, LONGEST_MARK))),
        None => format!("it has no variable `{name}`"),
    }
}

/// Returns the failure of a preview that stays on the Hub. `page` has its settings.
pub fn not_deleted(mut failure: Failure, space: &Repo, page: &str) -> Failure {
    failure.message = format!("the preview {space} stays: {}", failure.message);
    failure.hint(format!("run the job again, or delete the Space at {page}"))
}

/// Part of a run that trouble with GitHub leaves as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unaffected {
    Deploy,
    CleanUp,
}

impl Unaffected {
    fn words(self) -> &'static str {
        match self {
            Self::Deploy => "the deploy itself is not affected",
            Self::CleanUp => "the deletions on the Hub are not affected",
        }
    }
}

/// Returns the notice about a permission that the token for GitHub lacks.
pub fn missing_permission(error: &dyn Display, key: &str, unaffected: Unaffected) -> String {
    format!("{error}: add `{key}: write` to the `permissions:` of the job; {}", unaffected.words())
}

/// Returns the warning about a request that GitHub did not carry out.
pub fn github_trouble(error: &github::Error, unaffected: Unaffected) -> String {
    let fix = match error.cause {
        Cause::Status { status: 401, .. } => {
            format!("check {GITHUB_TOKEN}, whose default is the token of the job; ")
        }
        _ => String::new(),
    };
    format!("{error}; {fix}{}", unaffected.words())
}
