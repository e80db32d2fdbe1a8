//! Words of GitHub about previews that a killed run left as they were: between the Hub and its word to GitHub, or before
//! it had made anything.

use std::collections::BTreeMap;
use std::time::Duration;

use hub::{Repo, RepoId};
use jiff::Timestamp;

use super::pull_requests::{PullRequests, PullState, look_up_pull};
use super::{Outcome, Sweep, age};
use crate::github::{DeploymentState, Permission};
use crate::ops::preview::comment_mark::{PreviewState, RunAttempt};
use crate::ops::preview::deployments::{ENVIRONMENT, subject_of};
use crate::ops::preview::name::Suffix;

/// Longest time that a job may take on GitHub's runners. A run that has begun earlier, and wrote nothing since, is dead.
const LONGEST_JOB: Duration = Duration::from_secs(6 * 3600);
/// Number of ended previews in a row after which older deployments are not looked at, because earlier runs did it.
const ENDED_IN_A_ROW: usize = 10;

/// Word of GitHub about a preview that is not deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    /// The preview runs.
    Live,
    /// A run is under way.
    Begun,
    /// A run has begun, and cannot be alive.
    Stuck,
    /// The last run failed or was cancelled.
    Ended,
}

/// Correction of what GitHub says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Correction {
    Deleted,
    Cancelled,
}

/// A preview that GitHub knows.
#[derive(Debug)]
struct Known {
    preview: Repo,
    number: u64,
    words: Vec<Word>,
    /// Run that wrote the comment.
    run: Option<RunAttempt>,
}

/// Previews that GitHub knows, by their names.
struct Collection<'a> {
    suffix: &'a Suffix,
    /// The Space that the previews belong to.
    space: &'a Repo,
    /// Spaces with the name of a preview.
    present: &'a [RepoId],
    known: BTreeMap<String, Known>,
}

/// Brings comments and deployments up to date. `present` are the Spaces with the name of a preview of `space`.
pub(super) async fn settle(
    suffix: &Suffix,
    space: &Repo,
    present: &[RepoId],
    on_github: &PullRequests<'_>,
    sweep: &mut Sweep<'_>,
) {
    let mut collection = Collection { suffix, space, present, known: BTreeMap::new() };
    collection.add_comments(on_github).await;
    collection.add_deployments(on_github).await;
    for Known { preview, number, words, run } in std::mem::take(&mut collection.known).into_values() {
        let is_present = collection.is_present(&preview);
        if is_present && !words.contains(&Word::Stuck) {
            continue;
        }
        let looked_up = look_up_pull(&on_github.connection.github, number).await;
        let Some(state) = on_github.connection.note(looked_up) else { continue };
        let Some(correction) = correct(&words, state, is_present) else { continue };
        let reason = match correction {
            Correction::Deleted => format!("its Space `{}` is gone", preview.id),
            Correction::Cancelled => format!("the run for its Space `{}` was killed", preview.id),
        };
        if sweep.is_dry_run {
            sweep.log.info(&format!("would bring pull request #{number} up to date: {reason}"));
        } else if carry_out(correction, number, &preview, run, on_github).await {
            sweep.log.info(&format!("brought pull request #{number} up to date: {reason}"));
        } else {
            continue;
        }
        sweep.note(&preview, Outcome::Settled, &format!("pull request #{number}: {reason}"));
    }
}

/// Returns true if something on GitHub has changed.
async fn carry_out(
    correction: Correction,
    number: u64,
    preview: &Repo,
    run: Option<RunAttempt>,
    on_github: &PullRequests<'_>,
) -> bool {
    match (correction, run) {
        (Correction::Deleted, _) => {
            let is_marked = on_github.mark_as_deleted(number, preview).await;
            is_marked | on_github.end_deployments(preview, "the preview is deleted").await
        }
        (Correction::Cancelled, Some(run)) => {
            // Otherwise another run has begun meanwhile, and its deployment is not to end.
            let is_marked = on_github.mark_as_cancelled(number, preview, run).await;
            is_marked && {
                on_github.end_deployments(preview, "the run was killed").await;
                true
            }
        }
        (Correction::Cancelled, None) => on_github.end_deployments(preview, "the run was killed").await,
    }
}

fn correct(words: &[Word], state: PullState, is_present: bool) -> Option<Correction> {
    let says = |word| words.contains(&word);
    match state {
        // Such a Space is deleted, or its deletion has failed.
        PullState::Closed | PullState::Gone => (!is_present).then_some(Correction::Deleted),
        PullState::Open if says(Word::Live) && !is_present => Some(Correction::Deleted),
        PullState::Open => says(Word::Stuck).then_some(Correction::Cancelled),
    }
}

impl Collection<'_> {
    /// Adds the previews of our comments that changed last.
    async fn add_comments(&mut self, on_github: &PullRequests<'_>) {
        let Some(own) = on_github.own_comments().await else { return };
        let Some(comments) = on_github.connection.note(own.find_recent().await) else { return };
        for (comment, mark) in comments {
            let word = match PreviewState::read(&comment.body) {
                Some(PreviewState::Ready) => Word::Live,
                Some(PreviewState::Building) => begun(age(Some(&comment.updated_at), Timestamp::now())),
                Some(PreviewState::Failed | PreviewState::Cancelled) => Word::Ended,
                Some(PreviewState::Deleted) | None => continue,
            };
            let number = self.number_of(&mark.subject);
            if let Some(number) = number.filter(|number| comment.number() == Some(*number)) {
                self.add(mark.subject, number, word).run = Some(mark.run);
            }
        }
    }

    /// Adds the previews of the last deployments, because the workflow may write no comments.
    async fn add_deployments(&mut self, on_github: &PullRequests<'_>) {
        let connection = &on_github.connection;
        if connection.lacks(Permission::Deployments) {
            return;
        }
        let listed = connection.github.list_deployments(ENVIRONMENT, None).await;
        let Some(deployments) = connection.note(listed) else { return };
        let mut seen = Vec::new();
        let mut ended = 0;
        for deployment in deployments {
            let Some(preview) = subject_of(&deployment.task) else { continue };
            let Some(number) = self.number_of(&preview) else { continue };
            let begun = begun(age(Some(&deployment.created_at), Timestamp::now()));
            let is_present = self.is_present(&preview);
            // Only the newest of a preview counts.
            if seen.contains(&preview) || (is_present && begun == Word::Begun) {
                continue;
            }
            if ended == ENDED_IN_A_ROW {
                break;
            }
            let state = connection.note(connection.github.deployment_state(deployment.id).await);
            let Some(state) = state else { return };
            seen.push(preview.clone());
            let word = match state {
                Some(DeploymentState::Inactive) => None,
                Some(DeploymentState::Failure) => Some(Word::Ended),
                Some(DeploymentState::Success) => Some(Word::Live),
                Some(DeploymentState::InProgress) | None => Some(begun),
            };
            ended = if word.is_some() || is_present { 0 } else { ended + 1 };
            if let Some(word) = word {
                self.add(preview, number, word);
            }
        }
    }

    fn add(&mut self, preview: Repo, number: u64, word: Word) -> &mut Known {
        let name = preview.id.name.to_ascii_lowercase();
        let new = || Known { preview, number, words: Vec::new(), run: None };
        let known = self.known.entry(name).or_insert_with(new);
        known.words.push(word);
        known
    }

    fn is_present(&self, preview: &Repo) -> bool {
        self.present.iter().any(|id| id.name.eq_ignore_ascii_case(&preview.id.name))
    }

    /// Returns the number of the pull request, if the repo is a preview of the Space by its name.
    fn number_of(&self, preview: &Repo) -> Option<u64> {
        let Self { suffix, space, .. } = self;
        let is_beside = preview.repo_type == space.repo_type
            && preview.id.namespace.eq_ignore_ascii_case(&space.id.namespace);
        let parts = suffix.parts(&space.id.name, &preview.id.name).filter(|_| is_beside)?;
        parts.rest.is_empty().then_some(parts.number)
    }
}

fn begun(age: Option<Duration>) -> Word {
    if age.is_some_and(|age| age > LONGEST_JOB) { Word::Stuck } else { Word::Begun }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_github_says_is_corrected_only_if_it_cannot_be_true() {
        use PullState::{Closed, Gone, Open};
        use Word::{Begun, Ended, Live, Stuck};
        let (deleted, cancelled) = (Some(Correction::Deleted), Some(Correction::Cancelled));
        for (words, state, is_present, expected) in [
            (vec![Live], Closed, false, deleted),
            (vec![Ended], Gone, false, deleted),
            (vec![Begun], Closed, false, deleted),
            (vec![Live], Closed, true, None),
            (vec![Stuck], Closed, true, None),
            (vec![Live, Ended], Open, false, deleted),
            (vec![Ended], Open, false, None),
            (vec![Begun], Open, false, None),
            (vec![Stuck], Open, false, cancelled),
            (vec![Ended, Stuck], Open, true, cancelled),
            (vec![Live, Begun], Open, true, None),
        ] {
            assert_eq!(correct(&words, state, is_present), expected, "{words:?} {state:?} {is_present}");
        }
    }

    #[test]
    fn a_run_is_dead_after_the_longest_job() {
        assert_eq!(begun(None), Word::Begun);
        assert_eq!(begun(Some(LONGEST_JOB)), Word::Begun);
        assert_eq!(begun(Some(LONGEST_JOB + Duration::from_secs(1))), Word::Stuck);
    }
}
