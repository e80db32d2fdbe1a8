//! The list of datasets, or of the files of one.

use hub::{ListedRepo, RemoteFile, Revision};
use serde_json::{Value, json};

use super::access::{READ_ACCESS, read_access};
use crate::action::Journal;
use crate::commands::answer::{Answer, answer, reader};
use crate::commands::command::{Command, Invocation};
use crate::commands::inputs::declaration::{DefaultValue, Group, Input, ValueKind, inputs};
use crate::commands::inputs::values::Field;
use crate::ops::Session;
use crate::ops::dataset::list::{ListSubject, Listed, list};
use crate::text::{count, human_bytes, plain};

const GROUPS: &[Group] = &[LIST, READ_ACCESS];

inputs! {
    /// Inputs of the list.
    LIST: "List", "";
    PREFIX = Input {
        kind: ValueKind::Text("PREFIX"),
        summary: "Beginning of the names, such as `acme/` or `acme/ques`, or of paths in a dataset, such as `acme/questions/data/`",
        default: DefaultValue::Words("all datasets of the user of the token"),
        is_positional: true,
        ..Input::new("prefix")
    };
    REVISION = Input {
        kind: ValueKind::Text("REVISION"),
        summary: "Branch, tag or commit of the files",
        default: DefaultValue::Words("`main`"),
        ..Input::new("revision")
    };
}

pub(crate) static COMMAND: Command = reader(
    "dataset list",
    "List datasets, or the files of one, with their sizes",
    "The size of a dataset is what the Hub stores for it, earlier versions included.",
    GROUPS,
    |call| Box::pin(run(call)),
);

async fn run(call: Invocation) -> u8 {
    answer(call, &COMMAND, async |values, log| {
        let mut diagnostics = values.diagnostics();
        let all = ListSubject::Datasets { namespace: None, prefix: String::new() };
        let subject = values.field(&PREFIX, str::parse::<ListSubject>, &mut diagnostics).or(all);
        let revision = values.field(&REVISION, Revision::to_read, &mut diagnostics);
        let subject = match (subject, revision) {
            (ListSubject::Files { repo, prefix, .. }, Field::Given(revision)) => {
                ListSubject::Files { repo, prefix, revision }
            }
            (subject @ ListSubject::Datasets { .. }, Field::Given(_)) => {
                diagnostics.warn_without_effect(&[&REVISION], "a list of datasets has no revision");
                subject
            }
            (subject, _) => subject,
        };
        let needs_user = matches!(subject, ListSubject::Datasets { namespace: None, .. });
        if needs_user && values.given(&super::access::READ_TOKEN).is_none() {
            diagnostics.fault(&PREFIX, "must have a namespace, such as `acme/`, if there is no token");
        }
        let (hub, subject) = read_access(values, diagnostics, Some(subject), log)?;
        let session = Session { hub: &hub, log, journal: &Journal::default() };
        Ok(match list(&subject, &session).await? {
            Listed::Datasets(datasets) => of_datasets(&datasets),
            Listed::Files(files) => of_files(&files),
        })
    })
    .await
}

fn of_datasets(datasets: &[ListedRepo]) -> Answer {
    let json = datasets.iter().map(|listed| {
        json!({
            "id": listed.repo.id.to_string(), "private": listed.is_private, "size": listed.used_storage,
            "last_modified": listed.last_modified,
        })
    });
    let rows = datasets.iter().map(|listed| {
        let size = listed.used_storage.map_or_else(|| "?".to_owned(), human_bytes);
        let audience = if listed.is_private { "private" } else { "public" };
        let modified = listed.last_modified.as_deref().unwrap_or_default();
        format!("{size:>10}  {audience:<7}  {:<24}  {}\n", plain(modified), listed.repo.id)
    });
    let total = datasets.iter().filter_map(|listed| listed.used_storage).sum();
    table(json.collect(), rows.collect(), datasets.len(), ("dataset", total))
}

fn of_files(files: &[RemoteFile]) -> Answer {
    let json = files.iter().map(|file| {
        let sha256 = file.sha256.map(|id| id.to_string());
        json!({ "path": file.path, "size": file.size, "oid": file.oid.map(|id| id.to_string()), "sha256": sha256 })
    });
    let rows = files.iter().map(|file| format!("{:>10}  {}\n", human_bytes(file.size), plain(&file.path)));
    let total = files.iter().map(|file| file.size).sum();
    table(json.collect(), rows.collect(), files.len(), ("file", total))
}

fn table(json: Value, rows: String, number: usize, (noun, bytes): (&str, u64)) -> Answer {
    Answer { json, text: format!("{rows}{}, {}\n", count(number, noun), human_bytes(bytes)) }
}
