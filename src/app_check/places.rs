//! Positions in the value of a parameter, by its JSON schema: those for files and those for text. Pure.

use serde_json::Value;

/// The most schemas that one position is resolved through, because a schema may refer to itself.
const MAX_STEPS: usize = 500;

/// One position in a value: the schemas for it, with references and alternatives resolved.
#[derive(Debug, Clone)]
pub(super) struct Position<'a> {
    /// The whole schema, which holds the definitions.
    root: &'a Value,
    alternatives: Vec<&'a Value>,
}

/// The meaning of a string in a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strings {
    /// The name of a file, or a mistake, because the position takes files only.
    Files,
    /// Text, unless it is spelled as a file.
    Either,
    /// Text, unless it names a file of the workspace as `@path`. The position takes text and files.
    TextOrFile,
    /// Text, sent as it is.
    Text,
}

impl<'a> Position<'a> {
    /// Returns the position of the whole value.
    pub(super) fn root(schema: &'a Value) -> Self {
        Self { root: schema, alternatives: resolve(schema, schema) }
    }

    /// Returns the position of one property of an object.
    pub(super) fn property(&self, name: &str) -> Self {
        let found = self.objects().filter_map(|schema| schema.get("properties")?.get(name));
        let found = found.flat_map(|schema| resolve(self.root, schema)).collect();
        Self { root: self.root, alternatives: found }
    }

    /// Returns the position of one item of a list.
    pub(super) fn item(&self, number: usize) -> Self {
        let item = |schema: &&'a Value| -> Option<&'a Value> {
            let fixed = schema.get("prefixItems").and_then(|items| items.get(number));
            fixed.or_else(|| schema.get("items"))
        };
        let found = self.alternatives.iter().filter_map(item);
        let found = found.flat_map(|schema| resolve(self.root, schema)).collect();
        Self { root: self.root, alternatives: found }
    }

    /// Returns true if this position takes a file without a wrapper.
    pub(super) fn takes_file(&self) -> bool {
        self.alternatives.iter().any(|schema| is_file(schema))
    }

    /// Returns the name of the one property that wraps a file here, such as `image` of an item of a gallery.
    pub(super) fn wrapper(&self) -> Option<&'a str> {
        let wraps = |schema: &'a Value| {
            let properties = schema.get("properties")?.as_object()?;
            let mut files = properties.iter().filter(|(_, schema)| {
                resolve(self.root, schema).iter().any(|alternative| is_file(alternative))
            });
            files.next().map(|(name, _)| name.as_str())
        };
        self.objects().filter(|schema| !is_file(schema)).find_map(wraps)
    }

    /// Returns the meaning of a string here.
    pub(super) fn strings(&self) -> Strings {
        let takes_text = self.alternatives.iter().any(|schema| match schema.get("type") {
            Some(kind) => kind == "string",
            // A schema without a type allows everything.
            None => true,
        });
        let takes_files = self.takes_file() || self.wrapper().is_some() || self.lists_files();
        let takes_others = self.objects().any(|schema| {
            !is_file(schema) && Self { root: self.root, alternatives: vec![schema] }.wrapper().is_none()
        });
        match (takes_files, takes_text) {
            (true, true) => Strings::TextOrFile,
            (true, false) if takes_others => Strings::Either,
            (true, false) => Strings::Files,
            (false, _) => Strings::Text,
        }
    }

    /// Returns true for a list of files, in place of which a single file is allowed.
    fn lists_files(&self) -> bool {
        let is_list = self.alternatives.iter().any(|schema| schema.get("type") == Some(&"array".into()));
        let item = self.item(0);
        is_list && (item.takes_file() || (item.wrapper().is_some() && item.strings() == Strings::Files))
    }

    fn objects(&self) -> impl Iterator<Item = &'a Value> {
        self.alternatives.iter().copied().filter(|schema| schema.get("properties").is_some())
    }
}

/// Returns true if a schema is that of gradio's `FileData` or `ImageData`.
fn is_file(schema: &Value) -> bool {
    let Some(properties) = schema.get("properties") else { return false };
    let has = |name: &str| properties.get(name).is_some();
    has("path") && (has("orig_name") || has("meta"))
}

/// Follows references and alternatives. Skips null, because no argument stands for it.
fn resolve<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut found = Vec::new();
    let mut open = vec![schema];
    for _ in 0..MAX_STEPS {
        let Some(schema) = open.pop() else { break };
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        if let Some(target) = reference.and_then(|path| root.pointer(path)) {
            open.push(target);
            continue;
        }
        let alternatives = ["anyOf", "oneOf", "allOf"].iter().find_map(|name| schema.get(name)?.as_array());
        match alternatives {
            Some(all) => open.extend(all.iter().rev()),
            None if schema.get("type") == Some(&"null".into()) => {}
            None => found.push(schema),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The shapes of Gradio 4 and 5, and of 6.
    fn chat(content: Value) -> Value {
        json!({
            "$defs": {
                "FileData": {"properties": {"path": {"type": "string"}, "orig_name": {}, "meta": {}}, "type": "object"},
                "FileMessage": {"properties": {"file": {"$ref": "#/$defs/FileData"}, "alt_text": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "type": "object"},
                "TextMessage": {"properties": {"text": {"type": "string"}, "type": {"const": "text", "type": "string"}}, "type": "object"},
                "Message": {"properties": {"role": {"type": "string"}, "content": content}, "type": "object"},
            },
            "type": "array",
            "items": {"$ref": "#/$defs/Message"},
        })
    }

    #[test]
    fn chat_message_is_text() {
        let schema = chat(json!({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/FileMessage"}]}));
        let message = Position::root(&schema).item(0);
        assert_eq!(message.property("role").strings(), Strings::Text);
        let content = message.property("content");
        assert_eq!((content.strings(), content.wrapper()), (Strings::TextOrFile, Some("file")));
        assert_eq!(content.property("file").strings(), Strings::Files);
        assert_eq!(content.property("alt_text").strings(), Strings::Text);
        let items = json!({"anyOf": [{"$ref": "#/$defs/TextMessage"}, {"$ref": "#/$defs/FileMessage"}]});
        let schema = chat(json!({"type": "array", "items": items}));
        let content = Position::root(&schema).item(0).property("content");
        assert_eq!(content.strings(), Strings::Text);
        assert_eq!(content.item(0).strings(), Strings::Either);
        assert_eq!(content.item(0).property("text").strings(), Strings::Text);
        assert_eq!(content.item(0).property("type").strings(), Strings::Text);
    }

    #[test]
    fn chat_of_pairs_is_text() {
        let schema = json!({"type": "array", "items": {"type": "array", "prefixItems": [
            {"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string"},
        ]}});
        assert_eq!(Position::root(&schema).item(3).item(0).strings(), Strings::Text);
    }

    #[test]
    fn files_are_found_alone_in_lists_and_in_wrappers() {
        let file = json!({"type": "object", "properties": {"path": {}, "meta": {}}});
        let image = json!({"type": "object", "properties": {"image": file, "caption": {"type": "string"}}});
        let either = json!({"anyOf": [{"type": "null"}, file]});
        for schema in [&file, &either, &image, &json!({"type": "array", "items": file})] {
            assert_eq!(Position::root(schema).strings(), Strings::Files, "{schema}");
        }
        let gallery = json!({"type": "array", "items": image});
        let gallery = Position::root(&gallery);
        assert_eq!((gallery.strings(), gallery.item(7).wrapper()), (Strings::Files, Some("image")));
        assert_eq!(gallery.item(7).property("caption").strings(), Strings::Text);
    }

    #[test]
    fn recursive_schema_is_resolved() {
        let itself = json!({"$ref": "#/$defs/A"});
        let schema =
            json!({"$defs": {"A": {"anyOf": [{"type": "string"}, itself, itself]}}, "$ref": "#/$defs/A"});
        assert_eq!(Position::root(&schema).strings(), Strings::Text);
    }
}
