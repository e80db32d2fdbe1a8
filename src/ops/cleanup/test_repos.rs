//! Test repos: those that a run recorded, and those that a killed run left behind.
//!
//! A repo is deleted only with the prefix of test repos in its name and with their tag in its card. One that no run
//! recorded must also be old. A bucket has no card, so that its name and its age decide.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hub::{BucketId, Hub, ListedBucket, ListedRepo, Lookup, Repo, RepoName, RepoType, Revision};
use jiff::Timestamp;

use super::{Sweep, age};
use crate::action::Log;
use crate::failure::{self, Result};
use crate::ops::preview::removal::Removal;
use crate::templates::OWNERSHIP_TAG;

/// Tags of cards that mark what tests make: their own repos, and the proxies and Spaces of models that this action makes
/// for them.
const MARKERS: [&str; 3] = ["hf-deploy-test", "hf-deploy-proxy", OWNERSHIP_TAG];
/// Minimum length, because a shorter prefix matches too many names.
const SHORTEST_PREFIX: usize = 6;
/// A job of GitHub's runners ends after six hours at the latest.
const LONGEST_RUN: Duration = Duration::from_secs(6 * 3600);
const TYPES: [RepoType; 3] = [RepoType::Space, RepoType::Model, RepoType::Dataset];

/// Forgotten test repos of a namespace.
#[derive(Debug, Clone)]
pub struct Forgotten {
    pub namespace: String,
    pub prefix: Prefix,
    pub older_than: Duration,
    /// Print the repos without deleting them.
    pub dry_run: bool,
}

/// Test repos that a run recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// File with one `type namespace/name` per line.
    pub list: PathBuf,
    pub prefix: Prefix,
}

/// The beginning of the names of test repos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(String);

impl std::str::FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let plain =
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if text.len() < SHORTEST_PREFIX || !plain {
            return Err(format!(
                "must be at least {SHORTEST_PREFIX} letters, digits, `-`, `_` or `.`: everything that begins with it may be deleted"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Deletes the forgotten test repos and buckets of a namespace.
///
/// # Errors
///
/// What could not be listed or deleted, after everything else was tried.
pub async fn delete_forgotten(forgotten: &Forgotten, hub: &Hub, log: &Log) -> Result<()> {
    let mut sweep = Sweep::new(hub, log, forgotten.dry_run);
    for repo_type in TYPES {
        let listed = match hub.list_repos(&forgotten.namespace, repo_type, &forgotten.prefix.0).await {
            Ok(listed) => listed,
            Err(error) => {
                sweep.fail_at_large(&error.to_string());
                continue;
            }
        };
        for listed in listed {
            let repo = &listed.repo;
            if let Some(reason) = why_kept(&listed, forgotten, Timestamp::now()) {
                sweep.keep(repo, reason.as_str());
            } else {
                sweep.delete(repo, "it is old enough", delete(hub, repo)).await;
            }
        }
    }
    match hub.list_buckets(&forgotten.namespace, &forgotten.prefix.0).await {
        Ok(listed) => sweep_buckets(&listed, forgotten, &mut sweep).await,
        Err(error) => sweep.fail_at_large(&error.to_string()),
    }
    sweep.conclude()
}

async fn sweep_buckets(listed: &[ListedBucket], forgotten: &Forgotten, sweep: &mut Sweep<'_>) {
    for ListedBucket { id, created_at } in listed {
        match why_kept_by_name_and_age(id.name(), created_at.as_deref(), forgotten, Timestamp::now()) {
            Some(reason) => sweep.keep_bucket(id, reason.as_str()),
            None => sweep.delete_bucket(id, "it is old enough").await,
        }
    }
}

/// Deletes the repos and buckets that a run recorded as it made them. Each must have the prefix, and a repo also the
/// marker or the age of this run: one that was killed between the repo and its first commit left no card.
///
/// # Errors
///
/// What could not be deleted, after everything else was tried; a line that names no repo.
pub async fn delete_recorded(recorded: &Recorded, hub: &Hub, log: &Log) -> Result<()> {
    let Some(text) = read_list(&recorded.list)? else {
        log.info("no list: nothing was made");
        return Ok(());
    };
    let mut sweep = Sweep::new(hub, log, false);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(bucket) = bucket_of(line) {
            if bucket.name().starts_with(&recorded.prefix.0) {
                sweep.delete_bucket(&bucket, "it is in the list").await;
            } else {
                sweep.fail_at_large(&format!("the bucket `{bucket}` is in the list, and has not the prefix"));
            }
            continue;
        }
        let Some(repo) = repo_of(line) else {
            sweep.fail_at_large(&format!("the list names no repo: `{line}`"));
            continue;
        };
        if !repo.id.name.starts_with(&recorded.prefix.0) {
            sweep.fail(&repo, &format!("the {repo} is in the list, and has not the prefix"));
            continue;
        }
        match is_of_a_test(hub, &repo).await {
            Ok(None) => sweep.pass_over(&repo),
            Ok(Some(true)) => {
                sweep.delete(&repo, "it is in the list", delete(hub, &repo)).await;
            }
            Ok(Some(false)) => sweep.fail(
                &repo,
                &format!("the {repo} is in the list, and has neither the marker nor the age of a test"),
            ),
            Err(error) => sweep.fail(&repo, &error.to_string()),
        }
    }
    sweep.conclude()
}

async fn delete(hub: &Hub, repo: &Repo) -> std::result::Result<Removal, hub::Error> {
    let was_there = hub.delete_repo(repo).await?;
    Ok(if was_there { Removal::Deleted } else { Removal::Gone })
}

/// Reads the list of a run: `None` if the run wrote none.
fn read_list(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure::cleanup::list_unreadable(path, error)),
    }
}

fn bucket_of(line: &str) -> Option<BucketId> {
    line.strip_prefix("bucket ")?.trim().parse().ok()
}

fn repo_of(line: &str) -> Option<Repo> {
    let (repo_type, name) = line.split_once(' ')?;
    let id = name.trim().parse::<RepoName>().ok()?.full()?;
    Some(Repo { repo_type: repo_type.parse().ok()?, id })
}

/// Reports whether a repo has the marker or is as young as this run; `None` if it is gone.
async fn is_of_a_test(hub: &Hub, repo: &Repo) -> std::result::Result<Option<bool>, hub::Error> {
    let Lookup::Found(info) = hub.look_up(repo, &Revision::default()).await? else { return Ok(None) };
    let is_marked = info.tags.iter().any(|tag| MARKERS.contains(&tag.as_str()));
    let is_young = age(info.created_at.as_deref(), Timestamp::now()).is_some_and(|age| age < LONGEST_RUN);
    Ok(Some(is_marked || is_young))
}

/// Reason for which a repo stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    OtherPrefix,
    NoMarker,
    AgeUnknown,
    TooYoung,
}

fn why_kept(listed: &ListedRepo, forgotten: &Forgotten, now: Timestamp) -> Option<Kept> {
    if !listed.repo.id.name.starts_with(&forgotten.prefix.0) {
        return Some(Kept::OtherPrefix);
    }
    if !listed.tags.iter().any(|tag| MARKERS.contains(&tag.as_str())) {
        return Some(Kept::NoMarker);
    }
    why_kept_by_name_and_age(&listed.repo.id.name, listed.created_at.as_deref(), forgotten, now)
}

fn why_kept_by_name_and_age(
    name: &str,
    created_at: Option<&str>,
    forgotten: &Forgotten,
    now: Timestamp,
) -> Option<Kept> {
    if !name.starts_with(&forgotten.prefix.0) {
        return Some(Kept::OtherPrefix);
    }
    let Some(age) = age(created_at, now) else { return Some(Kept::AgeUnknown) };
    (age < forgotten.older_than).then_some(Kept::TooYoung)
}

impl Kept {
    fn as_str(self) -> &'static str {
        match self {
            Self::OtherPrefix => "its name has another beginning",
            Self::NoMarker => "its card has no marker of a test",
            Self::AgeUnknown => "the Hub does not say when it was made",
            Self::TooYoung => "it is not old enough",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_marker_and_age_are_needed_all_three() {
        let forgotten = Forgotten {
            namespace: "ada".to_owned(),
            prefix: "hfd-test-".parse().unwrap(),
            older_than: Duration::from_secs(86_400),
            dry_run: false,
        };
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let judge = |name: &str, tag: &str, created: Option<&str>| {
            let id = format!("ada/{name}").parse::<RepoName>().unwrap().full().unwrap();
            let repo = Repo { repo_type: RepoType::Space, id };
            let listed = ListedRepo {
                repo,
                created_at: created.map(str::to_owned),
                last_modified: None,
                tags: vec![tag.to_owned()],
                is_private: false,
                used_storage: None,
            };
            why_kept(&listed, &forgotten, now)
        };
        let (old, young) = (Some("2026-11-19T11:59:59.000Z"), Some("2026-11-19T12:00:01.000Z"));
        assert_eq!(judge("hfd-test-1", "hf-deploy-test", old), None);
        assert_eq!(judge("hfd-test-1-proxy", "hf-deploy-proxy", old), None);
        assert_eq!(judge("my-hfd-test-1", "hf-deploy-test", old), Some(Kept::OtherPrefix));
        assert_eq!(judge("hfd-test-1", "test", old), Some(Kept::NoMarker));
        assert_eq!(judge("hfd-test-1", "hf-deploy-test", young), Some(Kept::TooYoung));
        assert_eq!(judge("hfd-test-1", "hf-deploy-test", Some("2027-01-01T00:00:00Z")), Some(Kept::TooYoung));
        assert_eq!(judge("hfd-test-1", "hf-deploy-test", None), Some(Kept::AgeUnknown));
        assert_eq!(judge("hfd-test-1", "hf-deploy-test", Some("soon")), Some(Kept::AgeUnknown));
    }

    #[test]
    fn a_prefix_is_more_than_a_letter() {
        for bad in ["", "hfd", "a/b-test", "*******"] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
    }
}
