//! Marks of Spaces that this program made: a Space of a name that does not have the mark is never written to.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::failure::{self, Result};
use crate::folder::card::Card;
use crate::ops::space::Variable;
use hub::{Hub, Lookup, Repo, RepoInfo, Revision};

use super::context::Context;
use super::options::FileMark;

/// The part of a record that names the model.
#[derive(Deserialize)]
struct Record {
    model: String,
}

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
    if context.options.file_mark.is_some() {
        let found = context.hub.look_up(&context.repo, &context.options.revision).await?;
        check_file_mark(context, &found).await?;
    }
    let Some(preview) = &context.options.preview else { return Ok(()) };
    check_mark(&context.repo, &preview.mark, &context.hub.variables(&context.repo).await?)
}

/// Refuses a Space that a deploy with this mark would refuse, before anything is paid for it.
///
/// # Errors
///
/// `space_name_taken`: the mark is missing, or is that of another model.
pub(crate) async fn check_space_is_own(hub: &Hub, space: &Repo, mark: &FileMark) -> Result<()> {
    let found = hub.look_up(space, &Revision::default()).await?;
    check_owner(hub, space, mark, &found).await
}

/// Refuses a Space whose files do not have the mark.
///
/// # Errors
///
/// `space_name_taken`: the mark is missing, or is that of another model.
pub(super) async fn check_file_mark(context: &Context<'_>, lookup: &Lookup) -> Result<()> {
    match &context.options.file_mark {
        Some(mark) => check_owner(&context.hub, &context.repo, mark, lookup).await,
        None => Ok(()),
    }
}

/// Refuses a Space whose files do not have this mark.
async fn check_owner(hub: &Hub, space: &Repo, mark: &FileMark, lookup: &Lookup) -> Result<()> {
    let model = match lookup {
        Lookup::Found(info) => marked_model(hub, space, mark, info).await?,
        Lookup::NoRevision => None,
        Lookup::NoRepo(_) => return Ok(()),
    };
    match model {
        // The Hub does not tell apart names that differ in their case only.
        Some(model) if model.eq_ignore_ascii_case(&mark.model) || mark.overwrite => Ok(()),
        Some(model) => Err(failure::build_space::space_of_other_model(space, &model, &mark.model)),
        None => Err(failure::build_space::space_name_taken(space, mark.tag, mark.record)),
    }
}

/// Returns the model of a Space that has the mark.
async fn marked_model(hub: &Hub, space: &Repo, mark: &FileMark, info: &RepoInfo) -> Result<Option<String>> {
    let Some(sha) = &info.sha else { return Ok(None) };
    let read = |path| hub.read_small_file(space, sha, path);
    let (card, record) = tokio::try_join!(read("README.md"), read(mark.record))?;
    let is_tagged = card.is_some_and(|card| {
        Card::read(&card).is_ok_and(|card| card.is_some_and(|card| card.has_tag(mark.tag)))
    });
    let record = record.and_then(|record| serde_json::from_slice::<Record>(&record).ok());
    Ok(record.filter(|_| is_tagged).map(|record| record.model))
}
