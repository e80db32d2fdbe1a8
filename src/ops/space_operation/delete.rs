//! The deletion of a Space.

use hub::{Lookup, Revision};

use crate::failure::{Result, space_operation as advice};

use super::report::Outcome;
use super::target::Target;

/// Deletes the Space, and looks that it is gone. One that another deletion was faster for is gone as well.
pub(super) async fn delete(target: &Target<'_>) -> Result<Outcome> {
    let hub = target.session.hub;
    hub.delete_repo(&target.repo).await?;
    if let Lookup::Found(_) = hub.look_up(&target.repo, &Revision::default()).await? {
        return Err(advice::still_there(&target.repo));
    }
    target.session.log.info(&format!("deleted the {}", target.repo));
    target.recorder.record(|report| (report.runtime, report.space_url) = (None, None));
    Ok(Outcome::Done)
}
