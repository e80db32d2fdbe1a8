//! The draft pull request in which the parts of a large deploy are collected: opened, found again by the next run,
//! closed.

use crate::action::Log;
use crate::action::Recorder;
use crate::action::journal::{Undo, Undone};
use crate::failure::deploy_log as advice;
use crate::folder::{Source, hash};
use hub::{
    CommitId, CommitReceipt, Hub, Lookup, NewDraft, PullRow, PullStatus, Repo, RepoInfo, Revision,
    pull_request_ref,
};

use super::context::Context;
use super::message::Message;
use super::pending_write::LAST_LOOK_TIMEOUT;
use super::report::{DeployReport, Unanswered};

/// Number of the user's newest pull requests among which an interrupted deploy is looked for.
const LOOKED_AT: usize = 5;

/// An open draft of this deploy. It is closed if the run ends before the merge.
pub(super) struct OpenDraft {
    pub(super) number: u64,
    /// Its ref.
    pub(super) revision: Revision,
    /// Last commit on its ref.
    pub(super) tip: CommitId,
    pub(super) closing: Closing,
}

/// Registered end of a pull request that will not be merged.
pub(super) struct Closing {
    pull_request: PullRequest,
    undo: Undo,
}

/// A pull request that this run has to end.
#[derive(Clone)]
struct PullRequest {
    hub: Hub,
    repo: Repo,
    log: Log,
    recorder: Recorder<DeployReport>,
    number: u64,
    /// Its page.
    url: String,
    /// Head of `main` that it was opened on, if it is known.
    base: Option<CommitId>,
    /// True once the Hub was asked to merge it.
    is_merging: bool,
}

/// Purpose of a draft, in the words of its description.
#[derive(Debug, PartialEq, Eq)]
struct Description {
    /// Head that the draft was opened on.
    base: CommitId,
    /// Digest of the files that the deploy decides about.
    scope: String,
}

impl Description {
    fn lines(&self) -> String {
        format!("Deploy-Base: {}\nDeploy-Scope: {}", self.base, self.scope)
    }

    fn read(description: &str) -> Option<Self> {
        let value =
            |key: &str| description.lines().find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()));
        Some(Self { base: CommitId::new(value("Deploy-Base:")?), scope: value("Deploy-Scope:")? })
    }
}

/// Opens a draft on the head that the change was planned for.
pub(super) async fn open_draft(
    context: &Context<'_>,
    message: &Message,
    base: Option<&CommitId>,
    scope: &str,
) -> Result<OpenDraft, hub::Error> {
    let what = || format!("open a draft pull request in the {}", context.repo);
    let Some(base) = base else {
        return Err(hub::Error::unexpected(what(), "a branch without a commit"));
    };
    let description = format!(
        "The parts of one deploy are collected here, and merged at once when all of them are there. If the run ends before that, it closes this draft, and the next run continues with it.\n\n{}\n{}",
        Description { base: base.clone(), scope: scope.to_owned() }.lines(),
        message.description
    );
    // The Hub requires at least three characters.
    let title = match message.summary.chars().count() {
        0..3 => format!("Deploy: {}", message.summary),
        _ => message.summary.clone(),
    };
    let draft = NewDraft { title, description, marker: message.marker.clone() };
    let number = context.hub.open_draft(&context.repo, &draft).await?;
    let closing = Closing::register(context, number, Some(base));
    let revision =
        pull_request_ref(number).map_err(|error| hub::Error::unexpected(what(), error.to_string()))?;
    let url = closing.url().to_owned();
    context.journal.event(
        "draft_opened",
        format!("opened the draft {url}"),
        serde_json::json!({ "url": url }),
    );
    Ok(OpenDraft { number, revision, tip: base.clone(), closing })
}

/// Logs that a change is put together in a draft.
pub(super) fn log_staging(context: &Context<'_>, draft: &OpenDraft) {
    context.log.info(&format!(
        "too large for one commit: put together in the draft {}, and merged at once",
        draft.closing.url()
    ));
}

/// Lists pull requests that an interrupted run may have left. Only those of the token's own user count.
pub(super) async fn list_own_pull_requests(context: &Context<'_>) -> Vec<PullRow> {
    if context.hub.uses_trusted_publishing() {
        return Vec::new();
    }
    let (user, rows) = tokio::join!(context.hub.whoami_once(), context.hub.pull_requests(&context.repo));
    let (Ok(user), Ok(rows)) = (user, rows) else { return Vec::new() };
    let is_own = |row: &PullRow| {
        row.author.as_ref() == Some(&user.name)
            && !matches!(row.status, PullStatus::Merged | PullStatus::Unknown)
    };
    rows.into_iter().filter(is_own).take(LOOKED_AT).collect()
}

/// Looks for the draft that an interrupted run has left for the same files on the same head, and opens it again.
///
/// A draft for an older head is closed, because a run that was killed has left it open.
pub(super) async fn find_draft(
    context: &Context<'_>,
    rows: Vec<PullRow>,
    scope: &str,
    base: &CommitId,
) -> Option<(OpenDraft, Box<RepoInfo>)> {
    for row in rows {
        let Ok(found) = context.hub.pull_request(&context.repo, row.number).await else { continue };
        let Some(purpose) = Description::read(&found.description) else { continue };
        if purpose.base != *base {
            if found.status == PullStatus::Draft && is_outdated(context, &purpose.base).await {
                Closing::register(context, row.number, Some(&purpose.base)).close().await;
            }
            continue;
        }
        if purpose.scope != scope {
            continue;
        }
        let closing = Closing::register(context, row.number, Some(base));
        match resume(context, row.number, found.status).await {
            Some((revision, tip, info)) => {
                let url = closing.url();
                context.log.info(&format!("resuming the interrupted deploy in {url}"));
                return Some((OpenDraft { number: row.number, revision, tip, closing }, info));
            }
            None => drop(closing.close().await),
        }
    }
    None
}

/// Returns true if the branch has left this head. Another run may know a newer head than this one.
async fn is_outdated(context: &Context<'_>, base: &CommitId) -> bool {
    let now = context.hub.look_up(&context.repo, &context.options.revision).await;
    matches!(now, Ok(Lookup::Found(info)) if info.sha.as_ref().is_some_and(|sha| sha != base))
}

/// Opens a draft again: `None` if its commits are gone.
async fn resume(
    context: &Context<'_>,
    number: u64,
    status: PullStatus,
) -> Option<(Revision, CommitId, Box<RepoInfo>)> {
    let revision = pull_request_ref(number).ok()?;
    let Ok(Lookup::Found(info)) = context.hub.look_up(&context.repo, &revision).await else { return None };
    let tip = info.sha.clone()?;
    if status == PullStatus::Closed {
        context.hub.open_pull_request(&context.repo, number).await.ok()?;
    }
    Some((revision, tip, info))
}

/// Returns the digest of the files that a deploy decides about, and of the way in which it does. Two deploys of the
/// same scope on the same head differ only in the contents of files, which the Hub knows.
pub(super) fn scope(context: &Context<'_>, source: &Source, git_ignore: Option<&str>) -> String {
    let options = context.options;
    let mut text = format!(
        "{:?}\n{}\n{:?}\n{:?}\n{git_ignore:?}\n",
        options.path_in_repo.as_ref().map(|path| path.as_str()),
        options.prunes(),
        options.include,
        options.exclude
    );
    for file in &source.files {
        text.push_str(file.path.as_str());
        text.push('\n');
    }
    hash::sha256(text.as_bytes()).map(|digest| digest.to_string()).unwrap_or_default()
}

impl Closing {
    /// Registers a pull request to be closed if the run ends before the merge. `base` is the head that it was opened
    /// on.
    pub(super) fn register(context: &Context<'_>, number: u64, base: Option<&CommitId>) -> Self {
        let pull_request = PullRequest {
            hub: context.hub.clone(),
            repo: context.repo.clone(),
            log: context.log.clone(),
            recorder: context.recorder.clone(),
            number,
            url: context.hub.pull_request_url(&context.repo, number),
            base: base.cloned(),
            is_merging: false,
        };
        Self::of(context, pull_request)
    }

    fn of(context: &Context<'_>, pull_request: PullRequest) -> Self {
        let description = format!("the pull request {}", pull_request.url);
        let undo = context.journal.on_early_end(description, {
            let pull_request = pull_request.clone();
            move |_| async move { pull_request.end().await.0 }
        });
        Self { pull_request, undo }
    }

    /// Returns the page of the pull request.
    pub(super) fn url(&self) -> &str {
        &self.pull_request.url
    }

    /// Notes that the Hub is asked to merge, so that an early end looks for the merge first.
    #[must_use]
    pub(super) fn merging(self, context: &Context<'_>) -> Self {
        let pull_request = PullRequest { is_merging: true, ..self.pull_request };
        let merging = Self::of(context, pull_request);
        self.undo.settle();
        merging
    }

    /// Leaves the pull request as it is, because it is merged, or is the result.
    pub(super) fn settle(self) {
        self.undo.settle();
    }

    /// Closes the pull request. Returns the commit of its merge, if it was merged before.
    pub(super) async fn close(self) -> Option<CommitReceipt> {
        let (_, merged) = self.pull_request.end().await;
        self.undo.settle();
        merged
    }
}

impl PullRequest {
    /// Closes the pull request, and records a merge that the Hub carried out all the same.
    async fn end(&self) -> (Undone, Option<CommitReceipt>) {
        let Self { log, recorder, url, .. } = self;
        let detail = match tokio::time::timeout(LAST_LOOK_TIMEOUT, self.close_unless_merged()).await {
            Ok(Ok(None)) => {
                log.info(&format!("closed {url}: nothing of it is on the branch"));
                return (Undone::TakenBack, None);
            }
            Ok(Ok(Some(receipt))) => {
                log.warning(&format!(
                    "{url} was merged before it could be closed: the deploy is on the branch"
                ));
                recorder.record(|report| report.commit = Some(receipt.clone()));
                return (Undone::Stands(receipt.oid.to_string()), Some(receipt));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the Hub did not answer in time".to_owned(),
        };
        if self.is_merging {
            recorder.record(|report| report.unanswered = Unanswered::Unknown);
            log.warning(&format!("cannot find out if {url} is merged: {detail}"));
            return (Undone::Unknown, None);
        }
        log.warning(&advice::pull_request_stays_open(url, &detail));
        (Undone::TakenBack, None)
    }

    /// Closes the pull request. Returns the commit of its merge, if it was merged.
    ///
    /// The branch is looked at before and after, because some Hubs also close a merged pull request.
    async fn close_unless_merged(&self) -> Result<Option<CommitReceipt>, hub::Error> {
        let Self { hub, repo, number, base, is_merging, .. } = self;
        let merged = async || {
            let commit = hub.find_merge(repo, *number, base.as_deref()).await?;
            Ok::<_, hub::Error>(commit.map(|commit| hub.receipt(repo, commit, None)))
        };
        if *is_merging && let Some(receipt) = merged().await? {
            return Ok(Some(receipt));
        }
        let closed = hub.close_pull_request(repo, *number).await;
        if closed.is_ok() && !is_merging {
            return Ok(None);
        }
        match merged().await? {
            Some(receipt) => Ok(Some(receipt)),
            None => closed.map(|()| None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn description_of_a_draft_is_read_as_it_was_written() {
        let purpose = Description { base: CommitId::new("a".repeat(40)), scope: "b".repeat(64) };
        let description = format!("For people.\n\n{}\nSource-Commit: {}\n", purpose.lines(), "c".repeat(40));
        assert_eq!(Description::read(&description), Some(purpose));
        assert_eq!(Description::read("A description of another writer\n\nDeploy-Base: x"), None);
    }
}
