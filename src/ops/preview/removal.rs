//! The deletion of previews: only a Space with exactly the mark of the pull request is deleted.

use hub::{Hub, Lookup, Repo, Revision};

use super::marker::{Marker, VARIABLE};

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
    let Lookup::Found(_) = hub.look_up(space, &Revision::default()).await? else {
        return Ok(SpaceMark::NoSpace);
    };
    match hub.variables(space).await {
        Ok(mut variables) => Ok(SpaceMark::Found(variables.remove(VARIABLE))),
        // It was deleted between the two requests.
        Err(error) if error.status() == Some(404) => Ok(SpaceMark::NoSpace),
        Err(error) => Err(error),
    }
}

/// Deletes a Space if it has exactly this mark. The same holds for the proxy of a preview, which carries it too.
///
/// # Errors
///
/// The Hub refuses, or cannot be reached.
pub async fn delete_marked(hub: &Hub, space: &Repo, marker: &Marker) -> Result<Removal, hub::Error> {
    match mark_of(hub, space).await? {
        SpaceMark::NoSpace => Ok(Removal::Gone),
        SpaceMark::Found(mark) if mark.as_deref() != Some(&marker.to_string()) => Ok(Removal::Foreign(mark)),
        SpaceMark::Found(_) if hub.delete_repo(space).await? => Ok(Removal::Deleted),
        SpaceMark::Found(_) => Ok(Removal::Gone),
    }
}
