//! The mark of a preview: a Space of its name that does not have the mark is never written to.

use std::collections::BTreeMap;

use crate::failure::{self, Result};
use crate::ops::space::Variable;
use hub::Repo;

use super::context::Context;

/// Refuses a Space whose variables do not have the mark.
///
/// # Errors
///
/// `preview_name_taken`: the mark is missing, or is that of another pull request.
pub(crate) fn check_mark(space: &Repo, mark: &Variable, variables: &BTreeMap<String, String>) -> Result<()> {
    let found = variables.get(&mark.key).map(String::as_str);
    if found == Some(mark.value.as_str()) {
        return Ok(());
    }
    Err(failure::preview::name_taken(space, &mark.key, found))
}

/// Refuses a Space without the mark that appeared since the first look, and may be that of another writer.
pub(super) async fn check_mark_again(context: &Context<'_>) -> Result<()> {
    let Some(preview) = &context.options.preview else { return Ok(()) };
    check_mark(&context.repo, &preview.mark, &context.hub.variables(&context.repo).await?)
}
