//! The description of a dataset: the card, and the facts for metadata.json.

use serde_json::{Value as Json, json};
use serde_yaml::{Mapping, Value};

use crate::action::markdown;
use crate::dataset_files::{Fields, Kind};
use crate::folder::card::DatasetCard;
use crate::ops::deploy::options::{DatasetFiles, Provenance};
use crate::text::human_bytes;
use crate::traces;

use super::check::Checked;
use super::options::{CardMode, DatasetOptions};
use super::report::{SessionFacts, SplitFacts};

/// Longest text of the example, in characters.
const MAX_TEXT: usize = 200;
/// Largest number of items of a list in the example.
const MAX_ITEMS: usize = 10;
/// Longest type in the table of columns, in characters.
const MAX_TYPE: usize = 200;
/// Largest number of columns in the table.
const MAX_ROWS: usize = 200;

/// Columns that show a task of the Hub: all of one list must be there.
const TASKS: [(&str, &[&str]); 12] = [
    ("question-answering", &["question", "answer"]),
    ("question-answering", &["question", "answers"]),
    ("text-classification", &["text", "label"]),
    ("text-classification", &["sentence", "label"]),
    ("translation", &["translation"]),
    ("summarization", &["document", "summary"]),
    ("summarization", &["article", "summary"]),
    ("text-generation", &["messages"]),
    ("text-generation", &["conversations"]),
    ("text-generation", &["prompt", "completion"]),
    ("text-generation", &["prompt", "chosen", "rejected"]),
    ("text-generation", &["instruction", "output"]),
];

/// Returns the files about the rows, or `None` if the card is not wanted.
pub(super) fn describe(options: &DatasetOptions, checked: &Checked) -> Option<DatasetFiles> {
    if options.card == CardMode::None {
        return None;
    }
    let card = DatasetCard {
        title: options.deploy.repo.name.clone(),
        config_name: options.config_name.clone(),
        config: Some(config(&options.config_name, &checked.splits)),
        rows: checked.splits.iter().map(SplitFacts::rows).sum(),
        keys: keys(options, &checked.columns),
        required_tag: None,
        section: section(&options.config_name, checked),
    };
    let metadata = metadata(&options.deploy.provenance, checked);
    Some(DatasetFiles { card, keeps_readme: options.card == CardMode::Keep, metadata })
}

/// Returns the files about sessions, or `None` if the card is not wanted. The `datasets` library has no table of them.
pub(super) fn describe_sessions(options: &DatasetOptions, facts: &SessionFacts) -> Option<DatasetFiles> {
    if options.card == CardMode::None {
        return None;
    }
    let card = DatasetCard {
        title: options.deploy.repo.name.clone(),
        config_name: options.config_name.clone(),
        config: None,
        rows: facts.rows,
        keys: keys(options, &Fields::default()),
        required_tag: Some(traces::TAG),
        section: session_section(facts),
    };
    let Provenance { repository, sha, .. } = &options.deploy.provenance;
    let metadata = json!({
        "rows": facts.rows,
        "files": facts.files,
        "sessions": facts.sessions,
        "git": { "repository": repository, "commit": sha },
    });
    Some(DatasetFiles { card, keeps_readme: options.card == CardMode::Keep, metadata })
}

fn session_section(facts: &SessionFacts) -> String {
    let SessionFacts { files, rows, .. } = facts;
    let Some(sessions) = facts.sessions else {
        return format!("## Sessions\n\n| files | lines |\n| ---: | ---: |\n| {files} | {rows} |\n");
    };
    let table =
        format!("| files | sessions | lines |\n| ---: | ---: | ---: |\n| {files} | {sessions} | {rows} |");
    format!("## Sessions\n\n{table}\n\n`***` stands in the place of secrets.\n")
}

fn keys(options: &DatasetOptions, columns: &Fields) -> Vec<(&'static str, Value)> {
    let list = |words: &[String]| Value::Sequence(words.iter().map(|word| word.as_str().into()).collect());
    let mut keys = Vec::new();
    if let Some(license) = &options.license {
        keys.push(("license", license.as_str().into()));
    }
    let tasks = match options.task_categories.as_slice() {
        [] => guess_tasks(columns),
        named => named.to_vec(),
    };
    if !tasks.is_empty() {
        keys.push(("task_categories", list(&tasks)));
    }
    let mut tags = options.tags.clone();
    if options.sessions.is_some() && !tags.iter().any(|tag| tag == traces::TAG) {
        tags.push(traces::TAG.to_owned());
    }
    if !tags.is_empty() {
        keys.push(("tags", list(&tags)));
    }
    keys
}

fn guess_tasks(columns: &Fields) -> Vec<String> {
    let has_all = |names: &[&str]| names.iter().all(|name| columns.get(name).is_some());
    let found = TASKS.iter().find(|(_, names)| has_all(names));
    found.map(|(task, _)| (*task).to_owned()).into_iter().collect()
}

fn config(name: &str, splits: &[SplitFacts]) -> Mapping {
    let files = splits.iter().map(|split| {
        let paths = split.files.iter().map(|file| Value::from(pattern_of(&file.path)));
        Value::Mapping(Mapping::from_iter([
            ("split".into(), split.name.as_str().into()),
            ("path".into(), Value::Sequence(paths.collect())),
        ]))
    });
    Mapping::from_iter([
        ("config_name".into(), name.into()),
        ("data_files".into(), Value::Sequence(files.collect())),
    ])
}

/// Returns the path as a pattern of the `datasets` library that matches it alone.
fn pattern_of(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            c => pattern.push(c),
        }
    }
    pattern
}

fn section(config_name: &str, checked: &Checked) -> String {
    let subject =
        if config_name == "default" { String::new() } else { format!(" of {}", markdown::code(config_name)) };
    let mut text =
        format!("## Rows{subject}\n\n| split | rows | files | size |\n| --- | ---: | ---: | ---: |\n");
    for split in &checked.splits {
        let (rows, files, size) = (split.rows(), split.files.len(), human_bytes(split.bytes()));
        text.push_str(&format!("| {} | {rows} | {files} | {size} |\n", markdown::cell_code(&split.name)));
    }
    text.push_str(&format!("\n## Columns{subject}\n\n| column | type |\n| --- | --- |\n"));
    let columns: Vec<_> = checked.columns.iter().collect();
    for (name, column) in columns.iter().take(MAX_ROWS) {
        let kind = shown(&column.kind);
        text.push_str(&format!("| {} | {} |\n", markdown::cell_code(name), markdown::cell_code(&kind)));
    }
    if columns.len() > MAX_ROWS {
        text.push_str(&format!("\nshowing {MAX_ROWS} of {}\n", columns.len()));
    }
    if let Some(example) = &checked.example {
        let split = checked.splits.first().map(|split| split.name.as_str()).unwrap_or_default();
        let row = in_order(&shortened(example), &checked.columns);
        text.push_str(&format!(
            "\n## Example{subject}\n\nThe first row of {}:\n\n{}",
            markdown::code(split),
            markdown::fenced(&row)
        ));
    }
    text
}

/// Returns a row as JSON with the order of the columns, which a map of JSON does not keep.
fn in_order(row: &Json, columns: &Fields) -> String {
    let cells = columns.iter().filter_map(|(name, _)| {
        let cell = serde_json::to_string_pretty(row.get(name)?).ok()?;
        Some(format!("  {}: {}", Json::from(name), cell.replace('\n', "\n  ")))
    });
    format!("{{\n{}\n}}", cells.collect::<Vec<_>>().join(",\n"))
}

fn shown(kind: &Kind) -> String {
    let text = kind.to_string();
    if text.chars().count() <= MAX_TYPE { text } else { text.chars().take(MAX_TYPE).chain(['…']).collect() }
}

/// Returns an example with short texts and lists.
fn shortened(value: &Json) -> Json {
    match value {
        Json::String(text) if text.chars().count() > MAX_TEXT => {
            text.chars().take(MAX_TEXT).chain(['…']).collect::<String>().into()
        }
        Json::Array(items) => {
            let cut = (items.len() > MAX_ITEMS).then(|| Json::from("…"));
            items.iter().take(MAX_ITEMS).map(shortened).chain(cut).collect()
        }
        Json::Object(keys) => {
            Json::Object(keys.iter().map(|(key, value)| (key.clone(), shortened(value))).collect())
        }
        other => other.clone(),
    }
}

/// Returns the facts for metadata.json.
fn metadata(provenance: &Provenance, checked: &Checked) -> Json {
    let splits = checked.splits.iter().map(|split| {
        let files = split.files.iter().map(|file| {
            json!({
                "path": file.path,
                "format": file.format,
                "rows": file.rows,
                "bytes": file.bytes,
                "sha256": file.sha256,
            })
        });
        json!({
            "name": split.name,
            "rows": split.rows(),
            "bytes": split.bytes(),
            "files": files.collect::<Vec<_>>(),
        })
    });
    let columns =
        checked.columns.iter().map(|(name, column)| json!({ "name": name, "type": column.kind.to_string() }));
    json!({
        "rows": checked.splits.iter().map(SplitFacts::rows).sum::<u64>(),
        "bytes": checked.splits.iter().map(SplitFacts::bytes).sum::<u64>(),
        "columns": columns.collect::<Vec<_>>(),
        "splits": splits.collect::<Vec<_>>(),
        "git": { "repository": provenance.repository, "commit": provenance.sha },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_patterns_of_themselves() {
        assert_eq!(pattern_of("a/b c.csv"), "a/b c.csv");
        assert_eq!(pattern_of("a[1]*?.csv"), "a[[]1][*][?].csv");
    }

    #[test]
    fn example_is_short() {
        let long = json!({ "text": "é".repeat(300), "list": (0..50).collect::<Vec<_>>(), "n": null });
        let short = shortened(&long);
        assert_eq!(short["text"].as_str().unwrap().chars().count(), MAX_TEXT + 1);
        assert_eq!(short["list"].as_array().unwrap().len(), MAX_ITEMS + 1);
        assert_eq!(short["n"], Json::Null);
    }
}
