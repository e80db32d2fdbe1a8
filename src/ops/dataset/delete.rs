//! The deletion of a dataset.

use hub::{Lookup, Repo, RepoId, RepoName, RepoType, Revision};

use crate::failure::{Result, dataset as advice};
use crate::ops::Session;

use super::list::begin_with;

/// Consent to a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    Given,
    Missing,
}

/// Deletes a dataset of exactly this name with all its content, and looks that it is gone.
///
/// # Errors
///
/// There is no dataset of this name, also if the name is the beginning of others, it has another name by now, or the
/// consent is missing.
pub async fn delete(id: &RepoId, consent: Consent, session: &Session<'_>) -> Result<Repo> {
    let Session { hub, log, .. } = *session;
    let repo = Repo { repo_type: RepoType::Dataset, id: id.clone() };
    let main = Revision::default();
    if let Lookup::NoRepo(refusal) = look_up(session, &repo).await? {
        // The list needs the namespace only, and without it the failure is the same.
        let others = begin_with(hub, &id.namespace, &id.name).await.unwrap_or_default();
        let others: Vec<String> = others.iter().map(|listed| listed.repo.id.to_string()).collect();
        return Err(advice::nothing_to_delete(&repo, &refusal, &others));
    }
    if consent == Consent::Missing {
        return Err(advice::deletion_without_consent(&repo));
    }
    hub.delete_repo(&repo).await?;
    if let Lookup::Found(_) = hub.look_up(&repo, &main).await? {
        return Err(advice::still_there(&repo));
    }
    log.info(&format!("deleted the {repo}"));
    Ok(repo)
}

/// Looks the dataset up. One that has another name by now is not deleted.
async fn look_up(session: &Session<'_>, repo: &Repo) -> Result<Lookup> {
    let lookup = session.hub.look_up(repo, &Revision::default()).await?;
    if let Lookup::Found(info) = &lookup {
        let now = info.id.as_deref().and_then(|id| id.parse::<RepoName>().ok()?.full());
        if let Some(now) = now.filter(|now| *now != repo.id) {
            return Err(advice::renamed_before_delete(repo, &now));
        }
    }
    Ok(lookup)
}
