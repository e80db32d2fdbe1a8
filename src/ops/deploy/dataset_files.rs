//! Files about the rows of a dataset: the card, which is completed, and metadata.json.

use serde_json::{Map, Value, json};

use crate::failure::{self, Result};
use crate::folder::Source;
use crate::folder::card::{self, Card, DatasetCard};
use hub::Lookup;

use super::card::{README, check_card, insert, log_changes, read_all, readme_on_hub};
use super::context::Context;
use super::options::DatasetFiles;

const METADATA: &str = "metadata.json";
/// Key and value by which this program knows its own metadata.json.
const GENERATOR: (&str, &str) = ("generator", "hf-deploy");
/// Key of the configurations in it.
const CONFIGS: &str = "configs";
/// Key of the facts that differ from commit to commit of the source.
const GIT: &str = "git";

/// Looks the repo up, and adds the files to the uploaded copy. The card on the Hub is completed if the folder has none,
/// because people edit it there.
pub(super) async fn add_dataset_files(
    context: &Context<'_>,
    files: &DatasetFiles,
    source: &mut Source,
) -> Result<Lookup> {
    let lookup = context.hub.look_up(&context.repo, &context.options.revision).await?;
    let own = source.get(README).map(read_all).transpose()?;
    let readme = match &own {
        Some(_) => own.clone(),
        None => readme_on_hub(context, &lookup).await?,
    };
    let metadata = merge(metadata_on_hub(context, &lookup).await?.as_deref(), files);
    let rows = metadata.as_ref().map_or(files.card.rows, |metadata| metadata.rows);
    let card = DatasetCard { rows, ..files.card.clone() };
    let is_kept = files.keeps_readme && readme.is_some();
    if let (None, Some(held)) = (&own, &readme) {
        // Also if it stays as it is, because it must not be pruned.
        insert(source, README, held.clone().into())?;
    }
    if !is_kept && !is_excluded(context, source, README) {
        let edit = card::complete_dataset(readme.as_deref(), &card).map_err(|error| {
            failure::folder::card_failure(&error, own.is_some().then(|| context.annotated(README)))
        })?;
        if let Some(edit) = edit {
            log_changes(context, &edit.changes);
            insert(source, README, edit.bytes.into())?;
        }
    }
    if let Some(readme) = source.get(README) {
        check_card(context, readme).await?;
    }
    add_metadata(context, metadata, source)?;
    Ok(lookup)
}

/// Returns true for a file that `exclude` names. With `include`, which is about data, no other file is excluded.
fn is_excluded(context: &Context<'_>, source: &Source, path: &str) -> bool {
    context.options.include.is_empty() && source.filter.hides(path)
}

/// Adds metadata.json, if the card names the data files. Without that, the `datasets` library would read it as data.
fn add_metadata(context: &Context<'_>, metadata: Option<Merged>, source: &mut Source) -> Result<()> {
    let readme = source.get(README).map(read_all).transpose()?;
    let card = readme.and_then(|readme| Card::read(&readme).ok().flatten());
    if !card.is_some_and(|card| card.has(CONFIGS)) || is_excluded(context, source, METADATA) {
        return Ok(());
    }
    if source.get(METADATA).is_some() {
        context
            .log
            .info(&format!("`{METADATA}` of the folder is deployed as it is, without the facts on the rows"));
        return Ok(());
    }
    match metadata {
        Some(metadata) => insert(source, METADATA, metadata.bytes.into()),
        None => {
            context
                .log
                .info(&format!("`{METADATA}` on the Hub stays as it is, because another program wrote it"));
            Ok(())
        }
    }
}

async fn metadata_on_hub(context: &Context<'_>, lookup: &Lookup) -> Result<Option<Vec<u8>>> {
    let Lookup::Found(info) = lookup else { return Ok(None) };
    let Some(sha) = &info.sha else { return Ok(None) };
    let content = context.hub.read_small_file(&context.repo, sha, METADATA).await?;
    Ok(content.map(|bytes| bytes.to_vec()))
}

/// The content of metadata.json.
struct Merged {
    bytes: Vec<u8>,
    /// Rows of all configurations.
    rows: u64,
}

/// Puts the facts beside those of other configurations. `None` if another program wrote the file.
///
/// The file stays as it is if only the commit of the source differs, so that the same rows need no commit on the Hub.
fn merge(on_hub: Option<&[u8]>, files: &DatasetFiles) -> Option<Merged> {
    let (key, generator) = GENERATOR;
    let held: Option<Value> = on_hub.map(serde_json::from_slice).transpose().ok()?;
    let mut configs = match &held {
        Some(held) if held[key] == generator => held[CONFIGS].as_object()?.clone(),
        Some(_) => return None,
        None => Map::new(),
    };
    let name = &files.card.config_name;
    let is_same = configs.get(name).is_some_and(|held| without_git(held) == without_git(&files.metadata));
    if !is_same {
        configs.insert(name.clone(), files.metadata.clone());
    }
    let rows = configs.values().filter_map(|config| config["rows"].as_u64()).sum();
    if let (true, Some(bytes)) = (is_same, on_hub) {
        return Some(Merged { bytes: bytes.to_vec(), rows });
    }
    let all = json!({ key: generator, CONFIGS: configs });
    let text = serde_json::to_string_pretty(&all).ok()?;
    Some(Merged { bytes: format!("{text}\n").into_bytes(), rows })
}

fn without_git(config: &Value) -> Value {
    let mut config = config.clone();
    if let Some(object) = config.as_object_mut() {
        object.remove(GIT);
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(name: &str, rows: u64, commit: &str) -> DatasetFiles {
        let card = DatasetCard {
            title: "x".to_owned(),
            config_name: name.to_owned(),
            config: None,
            rows,
            keys: Vec::new(),
            required_tag: None,
            section: String::new(),
        };
        DatasetFiles {
            card,
            keeps_readme: false,
            metadata: json!({ "rows": rows, GIT: { "commit": commit } }),
        }
    }

    #[test]
    fn configurations_stand_side_by_side_in_the_metadata() {
        let first = merge(None, &files("default", 3, "a")).unwrap();
        assert_eq!(first.rows, 3);
        let second = merge(Some(&first.bytes), &files("de", 4, "a")).unwrap();
        assert_eq!(second.rows, 7);
        let again = merge(Some(&second.bytes), &files("de", 4, "b")).unwrap();
        assert_eq!((again.rows, &again.bytes), (7, &second.bytes), "only the commit differs");
        let grown = merge(Some(&second.bytes), &files("de", 5, "b")).unwrap();
        assert_eq!(grown.rows, 8);
        for foreign in ["{}", "[]", "x", "{\"generator\": \"other\"}"] {
            assert!(merge(Some(foreign.as_bytes()), &files("de", 5, "b")).is_none(), "{foreign}");
        }
    }
}
