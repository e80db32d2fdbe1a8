//! Completes the card of a dataset in a copy of its README.

use serde_yaml::{Mapping, Value};

use super::edit::{CardEdit, REPAIRED};
use super::error::{CardError, CardFault};
use super::front_matter::{line_end, repair_opening_fence, split, without_bom};
use super::yaml_edit::Editor;

/// Begin of the section that this program writes, up to the name of the configuration.
const BEGIN: &str = "<!-- hf-deploy: begin ";
/// End of that section, up to the name.
const END: &str = "<!-- hf-deploy: end ";
const CLOSE: &str = " -->";

/// Key of the list of tags.
const TAGS: &str = "tags";
/// Key of the list of configurations.
const CONFIGS: &str = "configs";
/// Key of a configuration's name.
const CONFIG_NAME: &str = "config_name";

/// Facts that the card of a dataset should have.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetCard {
    /// Title of a new README.
    pub title: String,
    /// Name of the configuration.
    pub config_name: String,
    /// Its entry in `configs`; `None` for files that the `datasets` library cannot load as one table.
    pub config: Option<Mapping>,
    /// Number of rows, of all configurations.
    pub rows: u64,
    /// Further keys, in their order.
    pub keys: Vec<(&'static str, Value)>,
    /// Tag that the list `tags` gets, also in a README that a person wrote.
    pub required_tag: Option<&'static str>,
    /// Section about the configuration, in Markdown.
    pub section: String,
}

/// Returns the README with a card that has the keys: `None` if nothing needs to change.
///
/// A README that a person wrote only gets the keys that it lacks, and its text stays. One that this program made has a
/// section between marks: that section, the entry of the configuration and the size are written anew.
pub fn complete_dataset(readme: Option<&[u8]>, card: &DatasetCard) -> Result<Option<CardEdit>, CardError> {
    let readme = readme.unwrap_or_default();
    if let Some(repaired) = repair_opening_fence(readme) {
        let unchanged = || CardEdit { bytes: repaired.clone(), changes: Vec::new(), replaced_sdk: None };
        let mut edit = complete_dataset(Some(&repaired), card)?.unwrap_or_else(unchanged);
        edit.changes.insert(0, REPAIRED.to_owned());
        return Ok(Some(edit));
    }
    if without_bom(readme).trim_ascii().is_empty() {
        return new_readme(card).map(Some);
    }
    let Some(matter) = split(readme)? else {
        let (body, end) = (without_bom(readme), line_end(readme));
        let mut editor = Editor::new("", end).map_err(|_| CardFault::CannotWrite.at(1))?;
        let mut changes = vec!["add a metadata block".to_owned()];
        changes.extend(add_keys(&mut editor, card, Owner::Person).map_err(|fault| fault.at(1))?);
        let fence = format!("---{end}");
        let bytes = [fence.as_bytes(), editor.text().as_bytes(), fence.as_bytes(), body].concat();
        return Ok(Some(CardEdit { bytes, changes, replaced_sdk: None }));
    };
    let mut editor = Editor::new(matter.yaml, matter.line_end).map_err(|error| matter.yaml_error(error))?;
    let is_own = contains(matter.tail, BEGIN.as_bytes());
    let owner = if is_own { Owner::Program } else { Owner::Person };
    let mut changes = add_keys(&mut editor, card, owner).map_err(|fault| fault.at(matter.fence))?;
    let tail = if is_own { with_section(matter.tail, card) } else { matter.tail.to_vec() };
    if tail != matter.tail {
        changes.push("write its section on the rows anew".to_owned());
    }
    let bytes = [matter.head, editor.text().as_bytes(), &tail].concat();
    Ok((bytes != readme).then_some(CardEdit { bytes, changes, replaced_sdk: None }))
}

/// Author of a README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Person,
    Program,
}

fn new_readme(card: &DatasetCard) -> Result<CardEdit, CardError> {
    let mut editor = Editor::new("", "\n").map_err(|_| CardFault::CannotWrite.at(1))?;
    let mut changes = vec!["add a README.md".to_owned()];
    changes.extend(add_keys(&mut editor, card, Owner::Program).map_err(|fault| fault.at(1))?);
    let text = format!("---\n{}---\n\n# {}\n\n{}", editor.text(), card.title, marked(card));
    Ok(CardEdit { bytes: text.into_bytes(), changes, replaced_sdk: None })
}

/// Adds the keys that are missing, and sets those that the program owns. Returns a log phrase for each change.
fn add_keys(editor: &mut Editor, card: &DatasetCard, owner: Owner) -> Result<Vec<String>, CardFault> {
    let mut changes = Vec::new();
    for (key, value) in &card.keys {
        let Some(found) = editor.meaning().get(*key) else {
            set(editor, key, value)?;
            changes.push(format!("add `{key}`"));
            continue;
        };
        let tag = card.required_tag.filter(|_| *key == TAGS);
        if let Some((tag, tags)) = tag.and_then(|tag| Some((tag, with_tag(found, tag)?))) {
            set(editor, key, &tags)?;
            changes.push(format!("add `{tag}` to `{key}`"));
        }
    }
    let size = Value::Sequence(vec![size_category(card.rows).into()]);
    let configs = card.config.as_ref().and_then(|config| configs(editor.meaning(), config, owner));
    for (key, value) in [("size_categories", Some(size)), (CONFIGS, configs)] {
        let Some(value) = value else { continue };
        match editor.meaning().get(key) {
            Some(found) if *found == value || owner == Owner::Person => {}
            Some(_) => {
                set(editor, key, &value)?;
                changes.push(format!("replace `{key}`"));
            }
            None => {
                set(editor, key, &value)?;
                changes.push(format!("add `{key}`"));
            }
        }
    }
    Ok(changes)
}

/// Returns tags with one more; `None` if they have it, or are no tags.
fn with_tag(tags: &Value, tag: &str) -> Option<Value> {
    let mut tags = match tags {
        Value::Sequence(tags) => tags.clone(),
        Value::String(one) => vec![one.as_str().into()],
        Value::Null => Vec::new(),
        _ => return None,
    };
    if tags.iter().any(|found| found.as_str() == Some(tag)) {
        return None;
    }
    tags.push(tag.into());
    Some(Value::Sequence(tags))
}

/// Returns the Hub's word for a number of rows (`size_categories`).
fn size_category(rows: u64) -> &'static str {
    const CATEGORIES: [(u64, &str); 10] = [
        (1_000, "n<1K"),
        (10_000, "1K<n<10K"),
        (100_000, "10K<n<100K"),
        (1_000_000, "100K<n<1M"),
        (10_000_000, "1M<n<10M"),
        (100_000_000, "10M<n<100M"),
        (1_000_000_000, "100M<n<1B"),
        (10_000_000_000, "1B<n<10B"),
        (100_000_000_000, "10B<n<100B"),
        (1_000_000_000_000, "100B<n<1T"),
    ];
    CATEGORIES.iter().find(|(end, _)| rows < *end).map_or("n>1T", |(_, word)| word)
}

/// Returns the list of configurations with this one; `None` if it cannot be extended.
fn configs(keys: &Mapping, config: &Mapping, owner: Owner) -> Option<Value> {
    let found = match keys.get(CONFIGS) {
        Some(Value::Sequence(found)) if owner == Owner::Program => found.clone(),
        None => Vec::new(),
        Some(_) => return None,
    };
    let name = config.get(CONFIG_NAME);
    let mut list: Vec<Value> = Vec::new();
    let mut is_there = false;
    for entry in found {
        if entry.get(CONFIG_NAME) == name {
            is_there = true;
            list.push(Value::Mapping(config.clone()));
        } else {
            list.push(entry);
        }
    }
    if !is_there {
        list.push(Value::Mapping(config.clone()));
    }
    Some(Value::Sequence(list))
}

fn set(editor: &mut Editor, key: &'static str, value: &Value) -> Result<(), CardFault> {
    let is_block = matches!(value, Value::Sequence(_) | Value::Mapping(_));
    let done = if is_block { editor.set_block(key, value) } else { editor.set(key, value) };
    done.map_err(|_| CardFault::CannotAdd(key))
}

/// Returns the section of the configuration between its marks.
fn marked(card: &DatasetCard) -> String {
    let name = &card.config_name;
    format!("{BEGIN}{name}{CLOSE}\n{}\n{END}{name}{CLOSE}\n", card.section.trim_end())
}

/// Returns a text in which the section of the configuration is replaced, or added at the end.
fn with_section(text: &[u8], card: &DatasetCard) -> Vec<u8> {
    let section = marked(card);
    let begin = format!("{BEGIN}{}{CLOSE}", card.config_name);
    let end = format!("{END}{}{CLOSE}\n", card.config_name);
    let start = find(text, begin.as_bytes());
    let stop = start.and_then(|start| Some(start + find(&text[start..], end.as_bytes())? + end.len()));
    match (start, stop) {
        (Some(start), Some(stop)) => [&text[..start], section.as_bytes(), &text[stop..]].concat(),
        // Without its end, what belongs to the section is not known.
        (Some(_), None) => text.to_vec(),
        (None, _) => [text.trim_ascii_end(), b"\n\n", section.as_bytes()].concat(),
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    find(text, part).is_some()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> DatasetCard {
        let config =
            serde_yaml::from_str("{config_name: default, data_files: [{split: train, path: [a.csv]}]}");
        DatasetCard {
            title: "rows".to_owned(),
            config_name: "default".to_owned(),
            config: config.unwrap(),
            rows: 3,
            keys: vec![("license", "mit".into()), ("tags", Value::Sequence(vec!["x".into()]))],
            required_tag: None,
            section: "3 rows\n".to_owned(),
        }
    }

    fn completed(readme: &str, card: &DatasetCard) -> Option<(String, Vec<String>)> {
        let edit = complete_dataset(Some(readme.as_bytes()), card).unwrap()?;
        assert_eq!(complete_dataset(Some(&edit.bytes), card), Ok(None), "a second time changes nothing");
        Some((String::from_utf8(edit.bytes).unwrap(), edit.changes))
    }

    const CONFIG: &str =
        "configs:\n- config_name: default\n  data_files:\n  - split: train\n    path:\n    - a.csv\n";

    #[test]
    fn missing_readme_is_made() {
        let (text, changes) = completed("", &card()).unwrap();
        let keys = format!("license: mit\ntags:\n- x\nsize_categories:\n- n<1K\n{CONFIG}");
        let body = "\n# rows\n\n<!-- hf-deploy: begin default -->\n3 rows\n<!-- hf-deploy: end default -->\n";
        assert_eq!(text, format!("---\n{keys}---\n{body}"));
        assert_eq!(changes[0], "add a README.md");
        assert_eq!(complete_dataset(None, &card()).unwrap().unwrap().bytes, text.as_bytes());
    }

    #[test]
    fn text_of_a_person_stays() {
        let (text, _) = completed("# Mine\r\n", &card()).unwrap();
        assert!(text.starts_with("---\r\nlicense: mit\r\n") && text.ends_with("---\r\n# Mine\r\n"), "{text}");
        let theirs = "---\nlicense: cc0-1.0 # ours\ntags: [y]\n---\nbody";
        let (text, changes) = completed(theirs, &card()).unwrap();
        let added = format!("size_categories:\n- n<1K\n{CONFIG}");
        assert_eq!(text, format!("---\nlicense: cc0-1.0 # ours\ntags: [y]\n{added}---\nbody"));
        assert_eq!(changes, ["add `size_categories`", "add `configs`"]);
        let complete = "---\nlicense: x\ntags: []\nsize_categories: [n>1T]\nconfigs: []\n---\n";
        assert_eq!(completed(complete, &card()), None);
    }

    #[test]
    fn required_tag_is_added_to_the_tags_of_a_person() {
        let card = DatasetCard { required_tag: Some("sessions"), config: None, ..card() };
        for (tags, after) in [
            ("tags: [y] # ours\n", "tags:\n- y\n- sessions\n"),
            ("tags:\n  - y\nlicense: mit\n", "tags:\n- y\n- sessions\nlicense: mit\n"),
            ("tags: y\n", "tags:\n- y\n- sessions\n"),
            ("tags:\n", "tags:\n- sessions\n"),
        ] {
            let (text, changes) = completed(&format!("---\n{tags}---\nbody"), &card).unwrap();
            assert!(text.starts_with(&format!("---\n{after}")) && text.ends_with("---\nbody"), "{text}");
            assert!(changes.contains(&"add `sessions` to `tags`".to_owned()), "{changes:?}");
        }
        let (_, changes) = completed("---\ntags: [sessions]\n---\n", &card).unwrap();
        assert_eq!(changes, ["add `license`", "add `size_categories`"]);
    }

    #[test]
    fn own_section_is_written_anew_and_other_text_stays() {
        let (first, _) = completed("", &card()).unwrap();
        let edited = first.replace("license: mit", "license: cc0-1.0") + "\nMy words\n";
        let grown = DatasetCard { rows: 3000, section: "3000 rows\n".to_owned(), ..card() };
        let (text, changes) = completed(&edited, &grown).unwrap();
        assert!(text.contains("license: cc0-1.0\n") && text.ends_with("\nMy words\n"), "{text}");
        assert!(
            text.contains("- 1K<n<10K\n") && text.contains("\n3000 rows\n") && !text.contains("\n3 rows")
        );
        assert_eq!(changes, ["replace `size_categories`", "write its section on the rows anew"]);
    }

    #[test]
    fn configurations_stand_side_by_side() {
        let (first, _) = completed("", &card()).unwrap();
        let config = serde_yaml::from_str("{config_name: de, data_files: []}").unwrap();
        let german = DatasetCard { config_name: "de".to_owned(), config, ..card() };
        let (text, _) = completed(&first, &german).unwrap();
        assert!(text.contains(&format!("{CONFIG}- config_name: de\n  data_files: []\n")), "{text}");
        assert!(text.contains("end default -->\n\n<!-- hf-deploy: begin de -->"), "{text}");
    }

    #[test]
    fn sizes_have_the_words_of_the_hub() {
        for (rows, word) in [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (u64::MAX, "n>1T")] {
            assert_eq!(size_category(rows), word);
        }
    }

    #[test]
    fn card_that_cannot_be_edited_is_an_error() {
        let error = complete_dataset(Some(b"---\n{pretty_name: x}\n---\n"), &card()).unwrap_err();
        assert_eq!(error.fault, CardFault::CannotAdd("license"));
    }
}
