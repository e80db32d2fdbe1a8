//! The value of an output: its texts and its files. Pure.

use std::borrow::Cow;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::Formatter;

use super::api::promised;
use super::options::Expect;

/// The parts of the value of one output.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// All words and numbers, one per line, or the JSON of a component that returns JSON. Without files.
    pub(super) text: String,
    pub(super) files: Vec<File>,
    /// The value itself, if it has keys or items.
    pub(super) structure: Option<Value>,
    /// The properties that an update without a value changes.
    pub(super) update: Option<Vec<String>>,
}

/// A file in a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum File {
    /// Gradio's `FileData`: the app serves it.
    Served(Value),
    /// A `data:` address, which holds the content in Base64.
    Embedded(String),
}

/// Splits the value of an output into its parts.
pub(super) fn take_apart(component: &str, mut value: Value) -> Contents {
    let mut contents = Contents::default();
    // The value of a component that an update changes: `{"__type__": "update", "value": …}`.
    if value.get("__type__").is_some() {
        match value.get_mut("value") {
            Some(inner) => value = inner.take(),
            None => {
                let keys = value.as_object().into_iter().flat_map(|map| map.keys());
                contents.update = Some(keys.filter(|key| *key != "__type__").cloned().collect());
                return contents;
            }
        }
    }
    let is_json = component.eq_ignore_ascii_case("json");
    let holds_media = !is_json && promised(component) != Some(Expect::Text);
    match value {
        // A plain text can be large, so it is moved.
        Value::String(text) if !(holds_media && is_embedded(&text)) => contents.text = trimmed(text),
        value => {
            let is_structure = value.is_object() || value.is_array();
            let rules = Rules { is_json, holds_media, has_words: !(is_json && is_structure) };
            let mut texts = Vec::new();
            sort(&value, &rules, &mut texts, &mut contents.files);
            contents.text = if is_json && is_structure {
                json(&value, Spacing::Wide)
            } else {
                texts.join("\n").trim().to_owned()
            };
            contents.structure = Some(value).filter(|_| is_structure);
        }
    }
    contents
}

fn trimmed(mut text: String) -> String {
    text.truncate(text.trim_end().len());
    let start = text.len() - text.trim_start().len();
    text.drain(..start);
    text
}

/// Treatment of the values of a component.
struct Rules {
    /// Only values with a mark are files, because JSON of any app may have a field `path`.
    is_json: bool,
    /// A `data:` address is a file, not a text.
    holds_media: bool,
    /// Words and numbers are collected. Not if the JSON itself is the text, which can be large.
    has_words: bool,
}

/// Finds the words and the files in a value.
fn sort<'a>(value: &'a Value, rules: &Rules, texts: &mut Vec<Cow<'a, str>>, files: &mut Vec<File>) {
    match value {
        Value::String(text) if rules.holds_media && is_embedded(text) => {
            files.push(File::Embedded(text.clone()));
        }
        Value::String(text) if rules.has_words => texts.push(text.into()),
        Value::Number(number) if rules.has_words => texts.push(number.to_string().into()),
        Value::Bool(bool) if rules.has_words => texts.push(bool.to_string().into()),
        Value::Array(items) => items.iter().for_each(|item| sort(item, rules, texts, files)),
        Value::Object(_) if is_file(value, rules) => files.push(file(value)),
        Value::Object(map) => map.values().for_each(|value| sort(value, rules, texts, files)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// Returns true if a value is gradio's `FileData`.
fn is_file(value: &Value, rules: &Rules) -> bool {
    let has = |name: &str| value.get(name).is_some();
    value.pointer("/meta/_type").and_then(Value::as_str) == Some("gradio.FileData")
        || (!rules.is_json && has("path") && (has("orig_name") || has("mime_type") || has("is_stream")))
}

fn file(value: &Value) -> File {
    match value.get("url").and_then(Value::as_str).filter(|url| is_embedded(url)) {
        Some(url) => File::Embedded(url.to_owned()),
        None => File::Served(value.clone()),
    }
}

/// Returns true if a text is a `data:` address of an image, a film or a sound, in Base64.
fn is_embedded(text: &str) -> bool {
    let Some((kind, _)) = text.split_once(',').filter(|(kind, _)| kind.len() < 200) else { return false };
    let kind = kind.to_ascii_lowercase();
    kind.ends_with(";base64")
        && ["data:image/", "data:video/", "data:audio/"].iter().any(|start| kind.starts_with(start))
}

/// Returns the content of a `data:` address.
pub(super) fn embedded(address: &str) -> Option<Vec<u8>> {
    let (_, content) = address.split_once(',')?;
    STANDARD.decode(content.trim()).ok()
}

/// The spelling of JSON.
#[derive(Debug, Clone, Copy)]
pub(super) enum Spacing {
    /// `{"a":1,"b":2}`, as JavaScript and Gradio's server write it.
    Compact,
    /// `{"a": 1, "b": 2}`, as Python writes it.
    Wide,
}

/// Writes a value as JSON on one line, keys in alphabetical order.
pub(super) fn json(value: &Value, spacing: Spacing) -> String {
    let Spacing::Wide = spacing else { return value.to_string() };
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Wide);
    // A value that was read as JSON can be written as JSON.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

struct Wide;

impl Formatter for Wide {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

/// Returns true if a value has these keys with these values, at any depth and in any order.
pub(super) fn includes(value: &Value, wanted: &Value) -> bool {
    let here = match (value, wanted) {
        (Value::Object(map), Value::Object(wanted)) if !wanted.is_empty() => {
            wanted.iter().all(|(key, wanted)| map.get(key).is_some_and(|value| value == wanted))
        }
        _ => false,
    };
    here || match value {
        Value::Array(items) => items.iter().any(|item| includes(item, wanted)),
        Value::Object(map) => map.values().any(|value| includes(value, wanted)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(component: &str, value: Value) -> String {
        take_apart(component, value).text
    }

    #[test]
    fn words_and_files_are_separated() {
        let file = json!({"path": "p", "meta": {"_type": "gradio.FileData"}});
        let contents = take_apart("Gallery", json!([{"image": file, "caption": "small"}, 7]));
        assert_eq!((contents.text.as_str(), contents.files), ("small\n7", vec![File::Served(file)]));
        assert_eq!(text("Textbox", json!(" hi\n")), "hi");
        assert_eq!(text("Number", json!(2.5)), "2.5");
        assert_eq!(text("Checkbox", json!(false)), "false");
        assert_eq!(text("Textbox", Value::Null), "");
    }

    #[test]
    fn json_keeps_its_keys() {
        let value = json!({"status": "ok", "n": 3, "nested": {"x": [1, 2.5, true]}});
        let wide = r#"{"n": 3, "nested": {"x": [1, 2.5, true]}, "status": "ok"}"#;
        assert_eq!(text("Json", value.clone()), wide);
        assert_eq!(text("JSON", value.clone()), wide);
        assert_eq!(json(&value, Spacing::Compact), r#"{"n":3,"nested":{"x":[1,2.5,true]},"status":"ok"}"#);
        assert_eq!((text("Json", json!({})), text("Json", json!([]))), ("{}".into(), "[]".into()));
        assert_eq!(text("Json", json!({"v": null, "items": []})), r#"{"items": [], "v": null}"#);
        assert_eq!(
            (text("Json", json!("You said: hi")), text("Json", Value::Null)),
            ("You said: hi".into(), String::new())
        );
    }

    #[test]
    fn path_in_json_is_data() {
        let value = json!({"path": "/etc/hosts", "mime_type": "text/plain"});
        assert_eq!(take_apart("Json", value.clone()).files, []);
        assert_eq!(take_apart("File", value).files.len(), 1);
        let marked = json!([{"path": "p", "meta": {"_type": "gradio.FileData"}}]);
        assert_eq!(take_apart("Json", marked).files.len(), 1);
    }

    #[test]
    fn data_address_of_a_picture_is_a_file() {
        let picture = "data:image/webp;base64,aGk=";
        let contents = take_apart("Plot", json!({"type": "matplotlib", "plot": picture}));
        assert_eq!(
            (contents.text.as_str(), contents.files.as_slice()),
            ("matplotlib", &[File::Embedded(picture.into())][..])
        );
        assert_eq!(embedded(picture).unwrap(), b"hi");
        assert_eq!(embedded("data:image/png;base64,???"), None);
        let image = json!({"path": null, "url": picture, "meta": {"_type": "gradio.FileData"}});
        assert_eq!(take_apart("Image", image).files, [File::Embedded(picture.into())]);
        assert_eq!(take_apart("Textbox", json!(picture)).text, picture);
        assert_eq!(take_apart("Json", json!([picture])).text, format!("[\"{picture}\"]"));
    }

    #[test]
    fn update_is_its_value_or_the_changed_properties() {
        assert_eq!(text("Textbox", json!({"__type__": "update", "value": "x"})), "x");
        let contents = take_apart("Dropdown", json!({"choices": [["c", "c"]], "__type__": "update"}));
        assert_eq!((contents.update, contents.text), (Some(vec!["choices".to_owned()]), String::new()));
    }

    #[test]
    fn keys_are_found_at_any_depth() {
        let value = json!([{"status": "ok", "n": 3, "more": {"id": 7}}]);
        for (wanted, found) in [
            (json!({"n": 3, "status": "ok"}), true),
            (json!({"id": 7}), true),
            (json!({"n": 4}), false),
            (json!({}), false),
        ] {
            assert_eq!(includes(&value, &wanted), found, "{wanted}");
        }
    }
}
