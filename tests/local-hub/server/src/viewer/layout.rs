//! Configs and splits of a dataset, from its card or from the names of its files. Pure.
//!
//! The names follow the `datasets` library: `train`, `validation` and `test` with their synonyms as words of a path, and
//! shards `data/NAME-00000-of-00001`.

use serde_json::Value;

/// Endings of files with rows.
const ENDINGS: [&str; 7] = ["jsonl", "ndjson", "json", "csv", "tsv", "parquet", "txt"];
/// Files that never hold rows.
const IGNORED: [&str; 5] =
    ["config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "dummy_data.zip"];
const KEYWORDS: [(&str, &[&str]); 3] = [
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// A config with its splits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) name: String,
    pub(super) splits: Vec<Split>,
}

/// A split with the paths of its files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) name: String,
    pub(super) files: Vec<String>,
}

/// Returns the configs; none without files. The error is the end of a sentence about patterns that match no file.
pub(super) fn configs(card: &Value, paths: &[&str]) -> Result<Vec<Config>, String> {
    let data: Vec<&str> = paths.iter().copied().filter(|path| is_data(path)).collect();
    let Some(listed) = card["configs"].as_array().filter(|list| has_patterns(list)) else {
        let splits = by_names(&data);
        let config = Config { name: "default".to_owned(), splits };
        return Ok(if config.splits.is_empty() { Vec::new() } else { vec![config] });
    };
    listed.iter().map(|config| in_card(config, &data)).collect()
}

fn has_patterns(configs: &[Value]) -> bool {
    configs.iter().any(|config| !config["data_files"].is_null() || !config["data_dir"].is_null())
}

fn is_data(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_hidden = path.split('/').any(|part| part.starts_with(['.', '_']));
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    !is_hidden && !IGNORED.contains(&name) && ENDINGS.contains(&ending.as_str())
}

/// Returns the config that an entry of the card describes.
fn in_card(config: &Value, data: &[&str]) -> Result<Config, String> {
    let name = config["config_name"].as_str().unwrap_or("default").to_owned();
    let folder = config["data_dir"].as_str().map(|folder| format!("{}/", folder.trim_matches('/')));
    let below: Vec<&str> = data
        .iter()
        .copied()
        .filter(|path| folder.as_ref().is_none_or(|folder| path.starts_with(folder.as_str())))
        .collect();
    let patterns_of = |value: &Value| -> Vec<String> {
        match value {
            Value::String(pattern) => vec![pattern.clone()],
            Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    };
    let splits: Vec<(String, Vec<String>)> = match &config["data_files"] {
        Value::Null => return Ok(Config { name, splits: by_names(&below) }),
        Value::Array(list) if list.iter().any(Value::is_object) => list
            .iter()
            .map(|entry| (entry["split"].as_str().unwrap_or("train").to_owned(), patterns_of(&entry["path"])))
            .collect(),
        Value::Object(by_split) => {
            by_split.iter().map(|(split, value)| (split.clone(), patterns_of(value))).collect()
        }
        other => vec![("train".to_owned(), patterns_of(other))],
    };
    let splits = splits.into_iter().map(|(split, patterns)| {
        let files: Vec<String> = below
            .iter()
            .filter(|path| patterns.iter().any(|pattern| matches(pattern, path)))
            .map(|path| (*path).to_owned())
            .collect();
        if files.is_empty() {
            return Err(format!(": {}", patterns.join(", ").chars().take(200).collect::<String>()));
        }
        Ok(Split { name: split, files })
    });
    Ok(Config { name, splits: splits.collect::<Result<_, String>>()? })
}

/// Returns the splits that the names of files say.
fn by_names(data: &[&str]) -> Vec<Split> {
    let shards: Vec<Split> = grouped(data, |path| shard_of(path).map(str::to_owned));
    if !shards.is_empty() {
        return shards;
    }
    let named = KEYWORDS.iter().filter_map(|(split, words)| {
        let is_meant = |path: &&&str| words_of(path).any(|word| words.contains(&word));
        let files: Vec<String> = data.iter().filter(is_meant).map(|path| (*path).to_owned()).collect();
        (!files.is_empty()).then(|| Split { name: (*split).to_owned(), files })
    });
    let named: Vec<Split> = named.collect();
    if named.is_empty() { grouped(data, |_| Some("train".to_owned())) } else { named }
}

fn grouped(data: &[&str], split_of: impl Fn(&str) -> Option<String>) -> Vec<Split> {
    let mut splits: Vec<Split> = Vec::new();
    for path in data {
        let Some(name) = split_of(path) else { continue };
        match splits.iter_mut().find(|split| split.name == name) {
            Some(split) => split.files.push((*path).to_owned()),
            None => splits.push(Split { name, files: vec![(*path).to_owned()] }),
        }
    }
    splits
}

/// Returns the split of `data/NAME-00000-of-00001.…`.
fn shard_of(path: &str) -> Option<&str> {
    let (stem, _) = path.strip_prefix("data/")?.split_once('.')?;
    let (rest, of) = stem.rsplit_once("-of-")?;
    let (name, number) = rest.rsplit_once('-')?;
    let is_number = |text: &str| text.len() >= 5 && text.as_bytes()[..5].iter().all(u8::is_ascii_digit);
    (is_number(number) && is_number(of) && !name.is_empty() && !name.contains('/')).then_some(name)
}

/// Returns the words of a path, between the characters that part a keyword from its neighbours.
fn words_of(path: &str) -> impl Iterator<Item = &str> {
    path.split(|c: char| matches!(c, '-' | '.' | '_' | ' ' | '/') || c.is_ascii_digit())
}

/// Returns true if a glob matches a path: `*` and `?` stay within a folder, `**` does not.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    fn rest(pattern: &[u8], path: &[u8]) -> bool {
        match pattern {
            [] => path.is_empty(),
            [b'*', b'*', b'/', more @ ..] => {
                rest(more, path) || (0..path.len()).any(|at| path[at] == b'/' && rest(more, &path[at + 1..]))
            }
            [b'*', b'*', more @ ..] => (0..=path.len()).any(|at| rest(more, &path[at..])),
            [b'*', more @ ..] => {
                let end = path.iter().position(|byte| *byte == b'/').unwrap_or(path.len());
                (0..=end).any(|at| rest(more, &path[at..]))
            }
            [b'?', more @ ..] => path.first().is_some_and(|byte| *byte != b'/') && rest(more, &path[1..]),
            [byte, more @ ..] => path.first() == Some(byte) && rest(more, &path[1..]),
        }
    }
    rest(pattern.trim_start_matches("./").as_bytes(), path.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(card: &Value, paths: &[&str]) -> Vec<String> {
        let configs = configs(card, paths).unwrap_or_else(|missing| panic!("{missing}"));
        let row = |config: &Config| {
            let split = |split: &Split| format!("{}/{}: {}", config.name, split.name, split.files.join(" "));
            config.splits.iter().map(split).collect::<Vec<_>>()
        };
        configs.iter().flat_map(row).collect()
    }

    #[test]
    fn names_of_files_say_the_splits() {
        let card = json!({});
        assert_eq!(
            found(&card, &["README.md", "train.jsonl", "dev.jsonl", "test-1.jsonl"]),
            ["default/train: train.jsonl", "default/validation: dev.jsonl", "default/test: test-1.jsonl"]
        );
        assert_eq!(found(&card, &["data/testing/a.csv"]), ["default/test: data/testing/a.csv"]);
        assert_eq!(found(&card, &["a.csv", "contest.csv"]), ["default/train: a.csv contest.csv"]);
        let shards = ["data/extra-00000-of-00002.parquet", "data/extra-00001-of-00002.parquet"];
        assert_eq!(found(&card, &shards), [format!("default/extra: {}", shards.join(" "))]);
        assert_eq!(found(&card, &["README.md", "picture.png", ".hidden.csv"]), [""; 0]);
    }

    #[test]
    fn the_card_says_the_splits() {
        let card = json!({"configs": [
            {"config_name": "en", "data_files": [
                {"split": "train", "path": "en/*.jsonl"}, {"split": "test", "path": ["more/**/t.jsonl"]},
            ]},
            {"config_name": "all", "data_files": "**/*.jsonl"},
        ]});
        let paths = ["en/a.jsonl", "en/deep/b.jsonl", "more/x/y/t.jsonl"];
        assert_eq!(
            found(&card, &paths),
            [
                "en/train: en/a.jsonl",
                "en/test: more/x/y/t.jsonl",
                "all/train: en/a.jsonl en/deep/b.jsonl more/x/y/t.jsonl"
            ]
        );
        let missing = json!({"configs": [{"data_files": "gone.csv"}]});
        assert_eq!(configs(&missing, &paths), Err(": gone.csv".to_owned()));
    }
}
