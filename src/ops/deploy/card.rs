//! The card of a repo: completed in the uploaded copy of README.md, and checked by the Hub.

use bytes::Bytes;

use crate::failure::deploy_log as advice;
use crate::failure::{self, Code, Failure, Result, SourceLocation};
use crate::folder::{Source, SourceFile, card, sdk};
use hub::{Lookup, SpaceSdk};

use super::context::Context;
use super::options::Origin;

pub(super) const README: &str = "README.md";

/// Removes from the uploaded README.md what hides its metadata from the Hub.
pub(super) fn repair_card(context: &Context<'_>, source: &mut Source) -> Result<()> {
    let Some(readme) = source.get(README).map(read_all).transpose()? else { return Ok(()) };
    let Some(repaired) = card::repair_opening_fence(&readme) else { return Ok(()) };
    log_changes(context, &[card::REPAIRED.to_owned()]);
    insert(source, README, repaired.into())
}

/// Completes the card of the uploaded README.md, because a Space without a card does not run.
pub(super) fn complete_card(
    context: &Context<'_>,
    sdk: SpaceSdk,
    readme: Option<Vec<u8>>,
    source: &mut Source,
) -> Result<()> {
    let is_in_folder = source.get(README).is_some();
    let facts = card::CardFacts {
        title: context.options.preview.as_ref().map_or(&context.repo.id.name, |preview| &preview.title),
        sdk,
        app_file: sdk::app_file(source, sdk),
        app_port: sdk::app_port(source),
        sdk_version: sdk::gradio_version(source),
    };
    let edit = card::complete(readme.as_deref(), &facts).map_err(|error| {
        failure::folder::card_failure(&error, is_in_folder.then(|| context.annotated(README)))
    })?;
    let Some(edit) = edit else { return Ok(()) };
    log_changes(context, &edit.changes);
    if let Some(replaced) = &edit.replaced_sdk
        && sdk != SpaceSdk::Streamlit
    {
        let place = if is_in_folder { "README.md" } else { "README.md on the Hub" };
        context.log.warning(&advice::sdk_differs(place, replaced, sdk));
    }
    insert(source, README, edit.bytes.into())
}

/// Marks the title of a preview in the uploaded README.md, or in `held`, the one on the Hub, if the folder has none.
pub(super) fn mark_title(context: &Context<'_>, held: Option<&[u8]>, source: &mut Source) -> Result<()> {
    let Some(preview) = &context.options.preview else { return Ok(()) };
    if context.options.origin == Origin::Proxy {
        return Ok(());
    }
    let own = source.get(README).map(read_all).transpose()?;
    let Some(readme) = own.as_deref().or(held) else { return Ok(()) };
    let edit = card::end_title(readme, &preview.title, &preview.title_end);
    let edit = edit.map_err(|error| {
        failure::folder::card_failure(&error, own.is_some().then(|| context.annotated(README)))
    })?;
    let Some(edit) = edit else { return Ok(()) };
    log_changes(context, &edit.changes);
    insert(source, README, edit.bytes.into())
}

/// Logs the changes of the uploaded README.md.
pub(super) fn log_changes(context: &Context<'_>, changes: &[String]) {
    context.log.info(&format!("README.md, in the uploaded copy only: {}", changes.join(", ")));
}

/// Reads README.md of an existing repo.
pub(super) async fn readme_on_hub(context: &Context<'_>, lookup: &Lookup) -> Result<Option<Vec<u8>>> {
    let Lookup::Found(info) = lookup else { return Ok(None) };
    let Some(sha) = &info.sha else { return Ok(None) };
    let content = context.hub.read_small_file(&context.repo, sha, README).await?;
    Ok(content.map(|bytes| bytes.to_vec()))
}

/// Lets the Hub check the card, before anything is uploaded.
pub(super) async fn check_card(context: &Context<'_>, readme: &SourceFile) -> Result<()> {
    let bytes = read_all(readme)?;
    let text = String::from_utf8_lossy(&bytes);
    let check = context.hub.check_card(context.options.repo_type, &text).await?;
    if context.options.origin == Origin::Model {
        // No file of the checkout can be annotated.
        check.warnings.iter().for_each(|warning| context.log.warning(warning));
        if check.errors.is_empty() {
            return Ok(());
        }
        return Err(failure::build_space::card_refused(&check.errors));
    }
    let place = |message: &String| SourceLocation {
        file: context.annotated(README),
        line: card::line_of_message(&bytes, message),
        message: message.clone(),
    };
    for warning in &check.warnings {
        context.log.warning_at(&place(warning));
    }
    if check.errors.is_empty() {
        return Ok(());
    }
    let places = check.errors.iter().map(place).collect();
    Err(failure::deploy::card_refused(&check.errors, places))
}

/// Reads a file of the source.
pub(super) fn read_all(file: &SourceFile) -> Result<Vec<u8>> {
    Ok(file.read_to_vec().map_err(|error| file.error(error))?)
}

/// Puts a file into the uploaded copy of the source.
pub(super) fn insert(source: &mut Source, path: &str, content: Bytes) -> Result<()> {
    let path = path.parse().map_err(|error| Failure::new(Code::Internal, format!("`{path}` {error}")))?;
    source.replace_or_insert(path, content);
    Ok(())
}
