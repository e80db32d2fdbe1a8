//! Files in arguments: finds them, and replaces them by the files that the app received.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use super::api::Parameter;
use super::arguments::Argument;
use super::error::{CheckError, CheckFailure};
use super::file_shapes::{file_data, shape};
use super::places::{Position, Strings};
use super::quote::quoted;
use super::session::Session;
use super::upload::{find_local, send_local, send_sample};

/// A file that an argument names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Reference {
    /// A path below the workspace.
    Local(String),
    /// An address, which the app itself fetches.
    Remote(String),
}

/// Uploads the files of an argument, and returns the value to send.
///
/// # Errors
///
/// A local file is missing or outside the workspace, or the app refuses an upload.
pub(super) async fn prepare(
    session: &Session<'_>,
    parameter: &Parameter,
    argument: Argument,
) -> Result<Value, CheckError> {
    let given = match argument {
        Argument::Filled(value) => return Ok(value),
        Argument::Sample(sample) => return Ok(shape(parameter, send_sample(session, sample).await?)),
        Argument::Given(value) => value,
    };
    if !takes_files(parameter) {
        return Ok(given);
    }
    if parameter.component.eq_ignore_ascii_case("multimodaltextbox") && given.is_string() {
        return Ok(json!({"text": given, "files": []}));
    }
    let place = Position::root(schema_of(parameter));
    let exists =
        |path: &str| matches!(find_local(&session.check.workspace, path), Ok(Some(full)) if full.is_file());
    let mut found = Vec::new();
    let mut note = |reference: &Reference| {
        found.push(reference.clone());
        Value::Null
    };
    replace(&given, &place, &mut Replacer { exists: &exists, make: &mut note })?;
    let mut sent = BTreeMap::new();
    for reference in found {
        if sent.contains_key(&reference) {
            continue;
        }
        let value = match &reference {
            Reference::Remote(url) => file_data(url, url.rsplit('/').next().unwrap_or_default()),
            Reference::Local(path) => send_local(session, path).await?,
        };
        sent.insert(reference, value);
    }
    let mut make = |reference: &Reference| sent.get(reference).cloned().unwrap_or_default();
    let value = replace(&given, &place, &mut Replacer { exists: &exists, make: &mut make })?;
    Ok(shape(parameter, value))
}

/// Returns true if the value of a parameter may hold files. In other parameters, an `@` is only an `@`.
fn takes_files(parameter: &Parameter) -> bool {
    const COMPONENTS: [&str; 11] = [
        "image",
        "video",
        "audio",
        "file",
        "uploadbutton",
        "model3d",
        "gallery",
        "imageeditor",
        "imageslider",
        "annotatedimage",
        "multimodaltextbox",
    ];
    COMPONENTS.contains(&parameter.component.to_ascii_lowercase().as_str())
        || parameter.schema.to_string().contains("gradio.FileData")
}

/// Returns the schema for finding files. A component of files without a schema gets that of a single file or a list.
fn schema_of(parameter: &Parameter) -> &Value {
    static FILE: LazyLock<Value> = LazyLock::new(|| {
        let file = json!({"type": "object", "properties": {"path": {}, "meta": {}}});
        json!({"anyOf": [file, {"type": "array", "items": {"anyOf": [file, {"type": "array", "prefixItems": [file]}]}}]})
    });
    match parameter.schema.as_object() {
        Some(schema) if !schema.is_empty() => &parameter.schema,
        _ => &FILE,
    }
}

/// Means to replace files in a value.
struct Replacer<'a> {
    /// Returns true if the workspace has a file of this path.
    exists: &'a dyn Fn(&str) -> bool,
    make: &'a mut dyn FnMut(&Reference) -> Value,
}

/// Replaces each file in a value for this place.
fn replace(value: &Value, place: &Position<'_>, with: &mut Replacer<'_>) -> Result<Value, CheckError> {
    Ok(match value {
        Value::String(text) => match reference(text, place, with.exists)? {
            Some(reference) => wrap(place, (with.make)(&reference)),
            None => value.clone(),
        },
        // A picture with its caption, in the spelling of Python.
        Value::Array(pair)
            if pair.len() == 2 && place.wrapper().is_some() && place.strings() == Strings::Files =>
        {
            json!([replace(&pair[0], place, with)?, pair[1]])
        }
        Value::Array(items) => {
            let replaced =
                items.iter().enumerate().map(|(number, item)| replace(item, &place.item(number), with));
            Value::Array(replaced.collect::<Result<_, _>>()?)
        }
        // A file that the server already has.
        Value::Object(map) if map.contains_key("path") && map.contains_key("meta") => value.clone(),
        Value::Object(map) => match named(map).filter(|_| place.strings() != Strings::Text) {
            Some(reference) => wrap(place, (with.make)(&reference)),
            None => {
                let replaced = map
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), replace(value, &place.property(key), with)?)));
                Value::Object(replaced.collect::<Result<_, CheckError>>()?)
            }
        },
        other => other.clone(),
    })
}

/// Returns the file that a string names, or `None` for text.
fn reference(
    text: &str,
    place: &Position<'_>,
    exists: &dyn Fn(&str) -> bool,
) -> Result<Option<Reference>, CheckError> {
    let local = text.strip_prefix('@').map(|path| Reference::Local(path.to_owned()));
    let remote = || is_remote(text).then(|| Reference::Remote(text.to_owned()));
    match place.strings() {
        Strings::Text => Ok(None),
        Strings::TextOrFile => Ok(local.filter(|_| exists(&text[1..]))),
        Strings::Either => Ok(local.or_else(remote)),
        // Only a file fits, so the bare name of one is enough.
        Strings::Files => {
            match local.or_else(remote).or_else(|| exists(text).then(|| Reference::Local(text.into()))) {
                Some(reference) => Ok(Some(reference)),
                None => {
                    let detail = format!("cannot send `{}`: it does not name a file", quoted(text));
                    Err(CheckError::new(CheckFailure::FileNotNamed, detail))
                }
            }
        }
    }
}

/// Returns the file that an object names: `{"path": "…"}` or `{"url": "…"}`.
fn named(map: &Map<String, Value>) -> Option<Reference> {
    let text = map.get("path").or_else(|| map.get("url")).and_then(Value::as_str)?;
    Some(if is_remote(text) {
        Reference::Remote(text.to_owned())
    } else {
        Reference::Local(text.trim_start_matches('@').to_owned())
    })
}

/// Wraps a file in the message of a chat. Other wrappers belong to their component: see [`shape`].
fn wrap(place: &Position<'_>, file: Value) -> Value {
    match place.wrapper() {
        Some("file") if !place.takes_file() => json!({"file": file}),
        _ => file,
    }
}

fn is_remote(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Value {
        json!({"type": "object", "properties": {"path": {"type": "string"}, "meta": {}}})
    }

    /// Returns the files of a value, and the value with a mark in place of each.
    fn found(schema: &Value, value: Value) -> (Vec<Reference>, Value) {
        let mut found = Vec::new();
        let mut note = |reference: &Reference| {
            found.push(reference.clone());
            "FILE".into()
        };
        let mut with = Replacer { exists: &|path| path == "cat.png", make: &mut note };
        let value = replace(&value, &Position::root(schema), &mut with).unwrap();
        (found, value)
    }

    #[test]
    fn files_are_found_in_all_spellings() {
        let schema = json!({"type": "object", "properties": {
            "text": {"type": "string"}, "files": {"type": "array", "items": file()},
        }});
        let value =
            json!({"text": "@ada", "files": ["@a", {"path": "b"}, {"path": "c", "meta": {}}, "https://x/d"]});
        let local = |path: &str| Reference::Local(path.into());
        assert_eq!(
            found(&schema, value),
            (
                vec![local("a"), local("b"), Reference::Remote("https://x/d".into())],
                json!({"text": "@ada", "files": ["FILE", "FILE", {"path": "c", "meta": {}}, "FILE"]})
            )
        );
        let mut with = Replacer { exists: &|_| false, make: &mut |_| Value::Null };
        assert!(replace(&json!("cat.png"), &Position::root(&file()), &mut with).is_err());
    }

    #[test]
    fn chat_history_is_text_unless_it_names_a_file() {
        let message = |content: Value| {
            json!({"type": "array", "items": {"type": "object", "properties": {
                "role": {"type": "string"}, "content": content,
            }}})
        };
        let file_message =
            json!({"type": "object", "properties": {"file": file(), "alt_text": {"type": "string"}}});
        let text_message =
            json!({"type": "object", "properties": {"text": {"type": "string"}, "type": {"type": "string"}}});
        let old = message(json!({"anyOf": [{"type": "string"}, file_message]}));
        let new = message(json!({"type": "array", "items": {"anyOf": [text_message, file_message]}}));
        for (schema, content) in [
            (&old, json!("hi there")),
            (&old, json!("https://example.org/cat.png")),
            (&old, json!("/tmp/cat.png")),
            (&old, json!("@ada, are you there?")),
            (&new, json!([{"type": "text", "text": "@cat.png"}])),
            (&new, json!("hi there")),
        ] {
            let history = json!([{"role": "user", "content": content}]);
            assert_eq!(found(schema, history.clone()), (vec![], history));
        }
        for (schema, content, sent) in [
            (&old, json!("@cat.png"), json!({"file": "FILE"})),
            (&old, json!({"file": "@cat.png"}), json!({"file": "FILE"})),
            (&old, json!({"path": "cat.png"}), json!({"file": "FILE"})),
            (&new, json!([{"file": {"path": "cat.png"}}]), json!([{"file": "FILE"}])),
            (&new, json!(["@cat.png"]), json!([{"file": "FILE"}])),
        ] {
            let value = json!([{"role": "user", "content": content}]);
            let (files, value) = found(schema, value);
            assert_eq!(files, [Reference::Local("cat.png".into())]);
            assert_eq!(value, json!([{"role": "user", "content": sent}]));
        }
    }

    #[test]
    fn gallery_item_may_have_a_caption() {
        let item = json!({"type": "object", "properties": {"image": file(), "caption": {"type": "string"}}});
        let schema = json!({"type": "array", "items": item});
        let value = json!(["@cat.png", ["@cat.png", "caption"], {"image": "@cat.png", "caption": "@small"}]);
        let (files, value) = found(&schema, value);
        assert_eq!(files.len(), 3);
        assert_eq!(value, json!(["FILE", ["FILE", "caption"], {"image": "FILE", "caption": "@small"}]));
        let no_schema = Parameter { component: "Gallery".into(), ..Parameter::default() };
        // A bare name is enough where nothing but a file fits.
        assert_eq!(found(&schema, json!(["cat.png"])).0, [Reference::Local("cat.png".into())]);
        let (files, _) = found(schema_of(&no_schema), json!(["@cat.png", ["@cat.png", "caption"]]));
        assert_eq!(files.len(), 2);
    }
}
