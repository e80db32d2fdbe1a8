//! Previews of pull requests: those of one Space whose pull request is closed or gone, and those that did not change for
//! a long time.
//!
//! Candidates have the name of a preview, or of its proxy. Only their mark decides whose they are. Nothing is deleted
//! before GitHub has answered for every pull request.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use hub::{Hub, ListedRepo, Repo, RepoId, RepoName, RepoType};
use jiff::Timestamp;

use super::pull_requests::{PullRequests, PullState, look_up_pull};
use super::{CleanupReport, Sweep, age, leftovers};
use crate::action::{Log, Recorder};
use crate::failure::{self, Result};
use crate::github::{self, Github};
use crate::ops::deploy::resolve_repo;
use crate::ops::preview::comment_mark::RunAttempt;
use crate::ops::preview::marker::{GithubRepository, Marker};
use crate::ops::preview::name::{Suffix, search_text};
use crate::ops::preview::removal::{SpaceMark, delete_marked, mark_of};
use crate::text::{count, human_duration, plain};

/// Number of Spaces whose marks are read at the same time.
const MARKS_AT_ONCE: usize = 8;

/// Previews to clean up.
#[derive(Debug, Clone)]
pub struct PreviewCleanup {
    /// Space that the previews belong to.
    pub space: RepoName,
    pub suffix: Suffix,
    /// Repository of the pull requests.
    pub repository: GithubRepository,
    /// Time without a change after which the preview of an open pull request goes as well.
    pub older_than: Option<Duration>,
    pub dry_run: bool,
    /// Run that writes the comments.
    pub run: RunAttempt,
    /// Page of that run.
    pub run_url: Option<String>,
}

/// A Space with the name of a preview, or of the proxy of one.
#[derive(Debug)]
struct Candidate {
    repo: Repo,
    /// Number of the pull request in its name.
    number: u64,
    /// Text behind the name of the preview: empty for the preview itself.
    rest: String,
    /// Time of its last commit (RFC 3339).
    changed: Option<String>,
}

/// Decision about the Spaces of one pull request, with its reason.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Delete(String),
    Keep(String),
}

/// Deletes the previews of a Space that are not needed any more.
///
/// # Errors
///
/// The Hub lists no Spaces, or GitHub cannot be asked: nothing is deleted then. What could not be deleted, after
/// everything else was tried.
pub async fn delete_previews(
    cleanup: &PreviewCleanup,
    github: &Github,
    hub: &Hub,
    log: &Log,
    recorder: &Recorder<CleanupReport>,
) -> Result<()> {
    let mut sweep = Sweep::new(hub, log, cleanup.dry_run).recorded(recorder);
    let space = resolve_repo(&cleanup.space, RepoType::Space, hub).await?;
    let candidates = find_candidates(cleanup, &space, hub).await?;
    let found = count(candidates.len(), "Space");
    log.info(&format!("found {found} with the name of a preview of `{}`", space.id));
    let mut present: Vec<RepoId> = candidates.iter().map(|candidate| candidate.repo.id.clone()).collect();
    let pulls = by_pull_request(candidates, cleanup, &mut sweep).await;
    let states = look_up_pulls(github, pulls.keys().copied()).await;
    let states = states.map_err(|error| failure::cleanup::github_not_asked(&error))?;
    let on_github = PullRequests::new(github, cleanup.run, cleanup.run_url.as_deref(), log);
    for ((number, spaces), state) in pulls.iter().zip(states) {
        let unchanged = time_unchanged(spaces, Timestamp::now());
        match judge(*number, state, unchanged, cleanup.older_than) {
            Verdict::Keep(reason) => spaces.iter().for_each(|space| sweep.keep(&space.repo, &reason)),
            Verdict::Delete(reason) => {
                if !delete_all(spaces, &reason, cleanup, &mut sweep).await {
                    continue;
                }
                present.retain(|id| spaces.iter().all(|space| space.repo.id != *id));
                for preview in previews_of(spaces) {
                    if state != PullState::Gone {
                        on_github.mark_as_deleted(*number, &preview).await;
                    }
                    on_github.end_deployments(&preview, "the preview is deleted").await;
                }
            }
        }
    }
    leftovers::settle(&cleanup.suffix, &space, &present, &on_github, &mut sweep).await;
    sweep.conclude()
}

/// Finds the Spaces with the name of a preview, or of the proxy of one.
async fn find_candidates(cleanup: &PreviewCleanup, space: &Repo, hub: &Hub) -> Result<Vec<Candidate>> {
    let RepoId { namespace, name } = &space.id;
    let listed = hub.list_repos(namespace, RepoType::Space, search_text(name)).await?;
    Ok(listed.into_iter().filter_map(|listed| candidate(listed, name, &cleanup.suffix)).collect())
}

fn candidate(listed: ListedRepo, base: &str, suffix: &Suffix) -> Option<Candidate> {
    let parts = suffix.parts(base, &listed.repo.id.name)?;
    let (number, rest) = (parts.number, parts.rest.to_owned());
    Some(Candidate { repo: listed.repo, number, rest, changed: listed.last_modified })
}

/// Returns the candidates with exactly the mark of their pull request, by its number. All others are left alone.
async fn by_pull_request(
    candidates: Vec<Candidate>,
    cleanup: &PreviewCleanup,
    sweep: &mut Sweep<'_>,
) -> BTreeMap<u64, Vec<Candidate>> {
    let hub = sweep.hub;
    let read = |candidate: Candidate| async move { (mark_of(hub, &candidate.repo).await, candidate) };
    let mut marks = futures_util::stream::iter(candidates).map(read).buffered(MARKS_AT_ONCE);
    let mut pulls = BTreeMap::<u64, Vec<Candidate>>::new();
    while let Some((mark, candidate)) = marks.next().await {
        let own = cleanup.marker(candidate.number).to_string();
        match mark {
            Ok(SpaceMark::Found(Some(mark))) if mark == own => {
                pulls.entry(candidate.number).or_default().push(candidate);
            }
            Ok(SpaceMark::Found(Some(mark))) => {
                let mark = plain(&mark);
                sweep.keep(&candidate.repo, &format!("its mark is `{mark}`, and not `{own}`"));
            }
            Ok(SpaceMark::Found(None)) => sweep.keep(&candidate.repo, "it has no mark of a preview"),
            Ok(SpaceMark::NoSpace) => sweep.pass_over(&candidate.repo),
            Err(error) => sweep.fail(&candidate.repo, &error.to_string()),
        }
    }
    pulls
}

/// Asks GitHub for the states of pull requests, in the order of their numbers.
async fn look_up_pulls(
    github: &Github,
    numbers: impl Iterator<Item = u64>,
) -> std::result::Result<Vec<PullState>, github::Error> {
    let mut states = Vec::new();
    for number in numbers {
        states.push(look_up_pull(github, number).await?);
    }
    if states.contains(&PullState::Gone) {
        // A token without access gets the same answer for each of them.
        github.check_access_to_pull_requests().await?;
    }
    Ok(states)
}

/// Returns the time since the last change of any of the Spaces: `None` if the Hub does not report one of them. A proxy
/// stays with its preview, although it changes less often.
fn time_unchanged(spaces: &[Candidate], now: Timestamp) -> Option<Duration> {
    let times = spaces.iter().map(|space| age(space.changed.as_deref(), now));
    times.collect::<Option<Vec<Duration>>>()?.into_iter().min()
}

fn judge(
    number: u64,
    state: PullState,
    unchanged: Option<Duration>,
    older_than: Option<Duration>,
) -> Verdict {
    match state {
        PullState::Closed => Verdict::Delete(format!("pull request #{number} is closed")),
        PullState::Gone => Verdict::Delete(format!("pull request #{number} is gone")),
        PullState::Open => judge_open(number, unchanged, older_than),
    }
}

fn judge_open(number: u64, unchanged: Option<Duration>, older_than: Option<Duration>) -> Verdict {
    let is_open = format!("pull request #{number} is open");
    let Some(limit) = older_than else { return Verdict::Keep(is_open) };
    let Some(unchanged) = unchanged else {
        return Verdict::Keep(format!("{is_open}, and the Hub does not report the last change"));
    };
    let time = human_duration(unchanged);
    if unchanged < limit {
        return Verdict::Keep(format!("{is_open}, and the last change was {time} ago"));
    }
    Verdict::Delete(format!("{is_open}, but the last change was {time} ago"))
}

/// Deletes the Spaces of a pull request. Returns true if all are gone.
async fn delete_all(
    spaces: &[Candidate],
    reason: &str,
    cleanup: &PreviewCleanup,
    sweep: &mut Sweep<'_>,
) -> bool {
    let mut are_gone = true;
    for space in spaces {
        let marker = cleanup.marker(space.number);
        let removal = delete_marked(sweep.hub, &space.repo, &marker);
        are_gone &= sweep.delete(&space.repo, reason, removal).await;
    }
    are_gone
}

/// Returns the previews that Spaces of one pull request belong to, also if only the proxy of one is left.
fn previews_of(spaces: &[Candidate]) -> Vec<Repo> {
    let preview = |space: &Candidate| {
        let mut repo = space.repo.clone();
        repo.id.name.truncate(repo.id.name.len() - space.rest.len());
        repo
    };
    let mut previews: Vec<Repo> = spaces.iter().map(preview).collect();
    previews.sort_by(|one, other| one.id.name.cmp(&other.id.name));
    previews.dedup();
    previews
}

impl PreviewCleanup {
    fn marker(&self, number: u64) -> Marker {
        Marker { repository: self.repository.clone(), number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(name: &str, rest: &str, changed: Option<&str>) -> Candidate {
        let id = format!("ada/{name}").parse::<RepoName>().unwrap().full().unwrap();
        let repo = Repo { repo_type: RepoType::Space, id };
        Candidate { repo, number: 7, rest: rest.to_owned(), changed: changed.map(str::to_owned) }
    }

    #[test]
    fn candidates_have_the_name_of_a_preview() {
        let suffix: Suffix = "-pr-{number}".parse().unwrap();
        let found = |name: &str| {
            let repo = space(name, "", None).repo;
            let listed = ListedRepo {
                repo,
                created_at: None,
                last_modified: None,
                tags: Vec::new(),
                is_private: false,
                used_storage: None,
            };
            candidate(listed, "app", &suffix).map(|found| (found.number, found.rest))
        };
        assert_eq!(found("app-pr-7"), Some((7, String::new())));
        assert_eq!(found("app-pr-7-proxy"), Some((7, "-proxy".to_owned())));
        for other in ["app", "app-pr-x", "my-app-pr-7", "app-two-pr-7"] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn closed_and_gone_pull_requests_need_no_preview() {
        for (state, reason) in
            [(PullState::Closed, "pull request #7 is closed"), (PullState::Gone, "pull request #7 is gone")]
        {
            for older_than in [None, Some(Duration::MAX)] {
                assert_eq!(judge(7, state, None, older_than), Verdict::Delete(reason.to_owned()));
            }
        }
    }

    #[test]
    fn age_counts_for_open_pull_requests_only_on_request() {
        let day = Duration::from_secs(86_400);
        let open = |unchanged, older_than| judge(7, PullState::Open, unchanged, older_than);
        assert!(matches!(open(Some(day), None), Verdict::Keep(_)));
        assert!(matches!(open(None, Some(day)), Verdict::Keep(_)));
        assert!(matches!(open(Some(day - Duration::from_secs(1)), Some(day)), Verdict::Keep(_)));
        assert!(matches!(open(Some(day), Some(day)), Verdict::Delete(_)));
    }

    #[test]
    fn proxy_is_as_young_as_its_preview() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let preview = space("app-pr-7", "", Some("2026-11-20T11:59:00.000Z"));
        let proxy = space("app-pr-7-proxy", "-proxy", Some("2026-11-01T00:00:00.000Z"));
        assert_eq!(previews_of(&[preview, proxy]).len(), 1);
        let preview = space("app-pr-7", "", Some("2026-11-20T11:59:00.000Z"));
        let proxy = space("app-pr-7-proxy", "-proxy", Some("2026-11-01T00:00:00.000Z"));
        assert_eq!(time_unchanged(&[preview, proxy], now), Some(Duration::from_secs(60)));
        let unknown = space("app-pr-7-proxy", "-proxy", None);
        let preview = space("app-pr-7", "", Some("2026-11-20T11:59:00.000Z"));
        assert_eq!(time_unchanged(&[preview, unknown], now), None);
        let alone = space("app-pr-7-proxy", "-proxy", None);
        assert_eq!(previews_of(&[alone])[0].id.name, "app-pr-7");
    }
}
