//! The deletion of previews: only a Space with exactly the mark of the pull request is deleted.

use hub::{Hub, Lookup, Repo, RepoName, Revision};

use super::marker::{Marker, VARIABLE};
use super::name::is_same;

/// Result of an attempt to delete a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    Deleted,
    /// It was gone already, or never there.
    Gone,
    /// It stays, because it does not belong to the pull request: its mark, if it has one.
    Foreign(Option<String>),
}

/// The mark of a Space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpaceMark {
    NoSpace,
    /// The value of the variable, if the Space has it.
    Found(Option<String>),
}

/// Reads the mark of a Space.
///
/// # Errors
///
/// The Hub refuses, or cannot be reached.
pub async fn mark_of(hub: &Hub, space: &Repo) -> Result<SpaceMark, hub::Error> {
    Ok(find(hub, space).await?.map_or(SpaceMark::NoSpace, |(_, mark)| SpaceMark::Found(mark)))
}

/// Returns a Space as the Hub spells it, and its mark.
async fn find(hub: &Hub, space: &Repo) -> Result<Option<(Repo, Option<String>)>, hub::Error> {
    let Lookup::Found(info) = hub.look_up(space, &Revision::default()).await? else {
        return Ok(None);
    };
    match hub.variables(space).await {
        Ok(mut variables) => Ok(Some((spelled(space, info.id.as_deref()), variables.remove(VARIABLE)))),
        // It was deleted between the two requests.
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the Space with the name that the Hub gives it, if that is the same name in another case.
fn spelled(space: &Repo, id: Option<&str>) -> Repo {
    let on_hub = id.and_then(|id| id.parse::<RepoName>().ok()?.full());
    match on_hub.filter(|on_hub| is_same(on_hub, &space.id)) {
        Some(id) => Repo { id, ..space.clone() },
        None => space.clone(),
    }
}

/// Deletes a Space if it has exactly this mark. The same holds for the proxy of a preview, which carries it too.
///
/// # Errors
///
/// The Hub refuses, or cannot be reached.
pub async fn delete_marked(hub: &Hub, space: &Repo, marker: &Marker) -> Result<Removal, hub::Error> {
    match find(hub, space).await? {
        None => Ok(Removal::Gone),
        Some((_, mark)) if mark.as_deref() != Some(&marker.to_string()) => Ok(Removal::Foreign(mark)),
        Some((space, _)) if hub.delete_repo(&space).await? => Ok(Removal::Deleted),
        Some(_) => Ok(Removal::Gone),
    }
}
