//! Datasets on the Hub: files with rows, and the card that describes them.

pub mod delete;
pub mod download;
pub mod list;
pub mod upload;
pub mod viewer;

use hub::{Repo, RepoInfo, RepoName};

use crate::action::Log;
use crate::failure::dataset as advice;

/// Returns a dataset under its present name. The Hub redirects requests for an old one.
fn present_name(repo: &Repo, info: &RepoInfo, log: &Log) -> Repo {
    let now = info.id.as_deref().and_then(|id| id.parse::<RepoName>().ok()?.full());
    let Some(id) = now.filter(|now| *now != repo.id) else { return repo.clone() };
    log.warning(&advice::renamed(repo, &id));
    Repo { repo_type: repo.repo_type, id }
}
