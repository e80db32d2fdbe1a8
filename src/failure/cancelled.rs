//! Failures of runs that a signal ended.

use hub::{RepoType, Stage};

use super::{Code, Failure};
use crate::ops::deploy::DeployReport;
use crate::ops::deploy::report::{Status, Unanswered};

const AGAIN: &str = "run the job again, unless a newer run replaces it";

/// Returns the failure of a run whose process was killed, so that it could not end.
pub fn killed() -> Failure {
    Failure::new(Code::Cancelled, "the process was killed before it could end the run")
        .hint("look at the end of the log: the runner kills a step after a timeout or a cancellation")
        .hint("if neither was the reason, the memory of the machine may be used up")
}

/// Returns the failure of a deploy that was cancelled, with the state of the Hub after it.
pub fn deploy(report: &DeployReport) -> Failure {
    let is_space = report.repo.as_ref().is_some_and(|repo| repo.repo_type == RepoType::Space);
    let is_building = is_space && report.revision.is_none() && report.space_stage != Some(Stage::Running);
    let builds = if is_building { ", and the Space goes on building it" } else { "" };
    let short = |sha: &str| sha.get(..7).unwrap_or(sha).to_owned();
    let repo = report.repo.as_ref().map(|repo| format!("the {repo}")).unwrap_or_default();
    let landed = |sha: &str| {
        let message = format!("cancelled: commit {} is on the Hub{builds}", short(sha));
        let runs = is_space && report.revision.is_none();
        (message, runs.then_some("run the job again to wait for the Space, and to check its app"))
    };
    let (message, hint) = if report.status == Some(Status::Deleted) {
        ("cancelled after the preview was deleted".to_owned(), None)
    } else if let Some((done, of)) = report.parts_on_branch {
        let message = format!("cancelled: {done} of {of} parts are on the branch");
        (message, Some("run the job again now: it completes the branch"))
    } else if let Some(sha) = &report.rollback_commit {
        let message = format!("cancelled: commit {} is the previous tree again{builds}", short(sha));
        (message, Some("correct the app, and deploy it again"))
    } else if let Some(commit) = &report.commit {
        match &commit.pull_request_url {
            Some(url) => {
                let message = format!("cancelled: the deploy is proposed in {url}");
                (message, Some("review the pull request on the Hub"))
            }
            None => landed(&commit.oid),
        }
    } else if report.unanswered == Unanswered::Unknown {
        let message = format!("cancelled: look at {repo}, it may have this deploy");
        (message, Some("run the job again: it compares the folder with the Hub first"))
    } else if report.unanswered == Unanswered::NotSeen {
        let message =
            format!("cancelled while a write to {repo} was on its way: the Hub does not have it yet");
        (message, Some("run the job again: it compares the folder with the Hub first"))
    } else if let (Some(head), Some(Status::Deployed)) = (&report.head, report.status) {
        landed(head)
    } else if report.created {
        let message = format!("cancelled: {repo} is created, and nothing was committed after that");
        (message, Some(AGAIN))
    } else {
        ("cancelled before anything was committed".to_owned(), Some(AGAIN))
    };
    let failure = Failure::new(Code::Cancelled, message);
    hint.into_iter().fold(failure, Failure::hint)
}

/// Returns the failure of another command that was cancelled.
pub fn command(message: impl Into<String>) -> Failure {
    Failure::new(Code::Cancelled, message).hint(AGAIN)
}

#[cfg(test)]
mod tests {
    use hub::{CommitId, CommitReceipt, Repo, Revision};

    use super::*;

    fn report() -> DeployReport {
        let id = "ada/app".parse::<hub::RepoName>().unwrap().full().unwrap();
        DeployReport { repo: Some(Repo { repo_type: RepoType::Space, id }), ..DeployReport::default() }
    }

    fn committed(url: Option<&str>) -> Option<CommitReceipt> {
        Some(CommitReceipt {
            oid: CommitId::new("0123456789abcdef0123456789abcdef01234567"),
            url: "https://hub/commit".to_owned(),
            pull_request_url: url.map(str::to_owned),
            recovered: false,
        })
    }

    #[test]
    fn next_step_depends_on_the_state_of_the_hub() {
        let branch = Some("side".parse::<Revision>().unwrap());
        for (report, message, hint) in [
            (report(), "cancelled before anything was committed", AGAIN),
            (
                DeployReport { commit: committed(None), ..report() },
                "cancelled: commit 0123456 is on the Hub, and the Space goes on building it",
                "run the job again to wait for the Space, and to check its app",
            ),
            (
                DeployReport { commit: committed(None), revision: branch, ..report() },
                "cancelled: commit 0123456 is on the Hub",
                "",
            ),
            (
                DeployReport { commit: committed(Some("https://hub/1")), ..report() },
                "cancelled: the deploy is proposed in https://hub/1",
                "review the pull request on the Hub",
            ),
            (
                DeployReport { parts_on_branch: Some((1, 2)), ..report() },
                "cancelled: 1 of 2 parts are on the branch",
                "run the job again now: it completes the branch",
            ),
            (
                DeployReport { unanswered: Unanswered::Unknown, ..report() },
                "cancelled: look at the Space `ada/app`, it may have this deploy",
                "run the job again: it compares the folder with the Hub first",
            ),
        ] {
            let failure = deploy(&report);
            assert_eq!((failure.message.as_str(), failure.hints.concat().as_str()), (message, hint));
        }
    }
}
