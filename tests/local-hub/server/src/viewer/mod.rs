//! The dataset viewer: `/is-valid`, `/splits` and `/size`, from the files of a dataset and its card.
//!
//! Fields, statuses and codes follow the public source of the dataset viewer. It converts each dataset to Parquet; the
//! numbers of bytes here are those of the files.

mod layout;
mod rows;

use serde_json::{Value, json};

use self::layout::{Config, Split};
use self::rows::{Failed, Table};
use crate::accounts::caller::Caller;
use crate::core::card;
use crate::core::content::Core;
use crate::core::objects::Oid;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok, set};
use crate::http::request::Req;
use crate::util::{lock, now_ms};

/// First segment of the viewer's paths. The real viewer has a host of its own.
pub(crate) const PREFIX: &str = "__viewer";

const NOT_READY: &str =
    "The server is busier than usual and the response is not ready yet. Please retry later.";
const UNKNOWN_TO_ANONYMOUS: &str = "The dataset does not exist, or is not accessible without authentication (private or \
    gated). Please check the spelling of the dataset name or retry with authentication.";
const UNKNOWN: &str = "The dataset does not exist, or is not accessible with the current credentials (private or gated). \
    Please check the spelling of the dataset name or retry with other authentication credentials.";

/// A dataset whose files were read.
struct Dataset {
    id: String,
    /// Each config with the size of its files and the table of each split, or the cause for which it has none.
    configs: Vec<ReadConfig>,
}

struct ReadConfig {
    config: Config,
    original_bytes: u64,
    tables: Result<Vec<Table>, Failed>,
}

/// Returns true for a path of the viewer.
pub(crate) fn is_viewer(path: &str) -> bool {
    path.trim_start_matches('/').split('/').next() == Some(PREFIX)
}

/// Answers a request to the viewer.
pub(crate) async fn route(req: &Req, rest: &[&str]) -> Answer {
    let render = match rest {
        ["is-valid"] => is_valid,
        ["splits"] => splits,
        ["size"] => size,
        _ => return Err(HubError::new(404, "Not Found")),
    };
    let Some(id) = req.param("dataset").filter(|id| !id.trim().is_empty()) else {
        return Err(HubError::coded(422, "MissingRequiredParameter", "Parameter 'dataset' is required"));
    };
    let repo = find(req, id)?;
    let head = supported_head(req, &repo, id)?;
    let configs = read(&req.hub.core, &repo, head, id).await.map_err(|failed| {
        let Failed { code, message } = failed;
        HubError::coded(500, code, message)
    });
    let revision = ("x-revision", head.to_string());
    match configs {
        Ok(configs) => {
            let mut response = json_ok(&render(&Dataset { id: id.to_owned(), configs }));
            set(&mut response, revision.0, &revision.1);
            Ok(response)
        }
        Err(mut error) => {
            error.headers.push(revision);
            Err(error)
        }
    }
}

/// Returns the dataset if the caller can read its files.
fn find(req: &Req, id: &str) -> Result<std::sync::Arc<Repo>, HubError> {
    let found = req.hub.core.repos.get(RepoType::Dataset, id);
    let found = found.filter(|repo| req.caller.can_read(&lock(&repo.state)));
    match found.filter(|repo| req.caller.check_content(repo).is_ok()) {
        Some(repo) => Ok(repo),
        None if req.caller.is_anonymous() => {
            Err(HubError::coded(401, "ExternalUnauthenticatedError", UNKNOWN_TO_ANONYMOUS))
        }
        None => Err(HubError::coded(404, "ExternalAuthenticatedError", UNKNOWN)),
    }
}

/// Returns the head of a dataset that the viewer supports and has read.
fn supported_head(req: &Req, repo: &Repo, id: &str) -> Result<Oid, HubError> {
    let (namespace, is_private) = {
        let state = lock(&repo.state);
        (state.namespace.clone(), state.visibility == "private")
    };
    if is_private && let Caller::User(user) = &req.caller {
        let is_paid = user.org(&namespace).map_or(user.is_pro, |org| org.plan.is_some());
        if !is_paid {
            let text = format!(
                "Not supported: dataset repository {id} is private. Private datasets are only supported for pro users and enterprise organizations."
            );
            return Err(HubError::coded(501, "NotSupportedPrivateRepositoryError", text));
        }
    }
    let head = repo.resolve("main").ok_or_else(|| HubError::coded(404, "ResponseNotFound", "Not found."))?;
    let snapshot = repo.snapshot(head)?;
    let readme = repo.text_at(&snapshot, "README.md").unwrap_or_default();
    if card::front_matter(&readme)["viewer"] == json!(false) {
        let text = format!("Not supported: dataset viewer is disabled in {id} configuration.");
        return Err(HubError::coded(501, "NotSupportedDisabledViewerError", text));
    }
    let delay = u64::try_from(req.hub.policy.get().viewer_delay.as_millis()).unwrap_or(u64::MAX);
    if now_ms() < (repo.commit(head)?.time * 1000).saturating_add(delay) {
        return Err(HubError::coded(500, "ResponseNotReady", NOT_READY));
    }
    Ok(head)
}

/// Reads the files of all configs.
async fn read(core: &Core, repo: &Repo, head: Oid, id: &str) -> Result<Vec<ReadConfig>, Failed> {
    let unreadable = |error: anyhow::Error| Failed::new("FileSystemError", format!("{error:#}"));
    let tree = Core::tree(repo, &head.to_string()).map_err(unreadable)?;
    let snapshot = repo.snapshot(head).map_err(unreadable)?;
    let readme = repo.text_at(&snapshot, "README.md").unwrap_or_default();
    let paths: Vec<&str> = tree.keys().map(String::as_str).collect();
    let configs = layout::configs(&card::front_matter(&readme), &paths).map_err(|missing| {
        Failed::new("DataFilesNotFoundError", format!("No (supported) data files found in {id}{missing}"))
    })?;
    if configs.is_empty() {
        return Err(Failed::new("EmptyDatasetError", "The dataset is empty."));
    }
    let mut read = Vec::new();
    for config in configs {
        let files = || config.splits.iter().flat_map(|split| &split.files);
        let original_bytes = files().filter_map(|path| tree.get(path)).map(|file| file.size).sum();
        let tables = read_splits(core, repo, head, &config.splits).await;
        read.push(ReadConfig { config, original_bytes, tables });
    }
    Ok(read)
}

async fn read_splits(core: &Core, repo: &Repo, head: Oid, splits: &[Split]) -> Result<Vec<Table>, Failed> {
    let mut tables = Vec::new();
    for split in splits {
        let mut table = Table::default();
        for path in &split.files {
            let content = core.read_file(repo, &head.to_string(), path).await;
            let content = content.map_err(|error| Failed::new("FileSystemError", format!("{error:#}")))?;
            table.append(rows::read(path, &content)?)?;
        }
        tables.push(table);
    }
    Ok(tables)
}

fn is_valid(dataset: &Dataset) -> Value {
    let has_viewer = dataset.configs.iter().any(|config| config.tables.is_ok());
    let tables = dataset.configs.iter().filter_map(|config| config.tables.as_ref().ok()).flatten();
    let has_text = tables.into_iter().any(Table::has_text);
    json!({
        "preview": true, "viewer": has_viewer, "search": has_text, "filter": has_viewer,
        "statistics": has_viewer,
    })
}

fn splits(dataset: &Dataset) -> Value {
    let rows: Vec<Value> = dataset
        .configs
        .iter()
        .flat_map(|ReadConfig { config, .. }| {
            let row =
                |split: &Split| json!({"dataset": dataset.id, "config": config.name, "split": split.name});
            config.splits.iter().map(row).collect::<Vec<_>>()
        })
        .collect();
    json!({ "splits": rows, "pending": [], "failed": [] })
}

fn size(dataset: &Dataset) -> Value {
    let (mut configs, mut splits, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    let (mut all_rows, mut all_original, mut all_memory) = (0, 0, 0);
    for ReadConfig { config, original_bytes, tables } in &dataset.configs {
        let name = &config.name;
        let Ok(tables) = tables else {
            failed.push(json!({"kind": "config-size", "dataset": dataset.id, "config": name, "split": null}));
            continue;
        };
        let rows: u64 = tables.iter().map(|table| table.rows).sum();
        let memory: u64 = tables.iter().map(|table| table.bytes).sum();
        let columns = tables.iter().map(Table::columns).max().unwrap_or_default();
        configs.push(json!({
            "dataset": dataset.id, "config": name, "num_bytes_original_files": original_bytes,
            "num_bytes_parquet_files": original_bytes, "num_bytes_memory": memory, "num_rows": rows,
            "num_columns": columns, "estimated_num_rows": null,
        }));
        for (split, table) in config.splits.iter().zip(tables) {
            splits.push(json!({
                "dataset": dataset.id, "config": name, "split": split.name,
                "num_bytes_parquet_files": table.bytes, "num_bytes_memory": table.bytes,
                "num_rows": table.rows, "num_columns": table.columns(), "estimated_num_rows": null,
            }));
        }
        all_rows += rows;
        all_original += original_bytes;
        all_memory += memory;
    }
    json!({
        "size": {
            "dataset": {
                "dataset": dataset.id, "num_bytes_original_files": all_original,
                "num_bytes_parquet_files": all_original, "num_bytes_memory": all_memory, "num_rows": all_rows,
                "estimated_num_rows": null,
            },
            "configs": configs,
            "splits": splits,
        },
        "pending": [], "failed": failed, "partial": false,
    })
}
