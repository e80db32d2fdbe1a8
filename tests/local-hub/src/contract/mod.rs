//! The Hub's contract: requests and responses are compared with the OpenAPI document.

mod schema;
mod tables;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use anyhow::Context as _;
use jsonschema::Validator;
use local_hub_server::{CheckedRequest, Contract, LineKind};
use serde_json::{Value, json};

use self::schema::{clean, open_combinations, query_breach, unknown_members};
use self::tables::{
    ANSWER_EXCEPTIONS, BATCH_LINES, COMMIT_LINES, EXTRA_MEDIA, EXTRA_QUERY, REQUEST_EXCEPTIONS, UNDOCUMENTED,
};

/// One operation of the Hub.
struct Operation {
    method: String,
    segments: Vec<String>,
    /// Declared query parameters with their schemas; `None` allows any.
    query: Option<HashMap<String, Value>>,
    /// Allowed values of path parameters.
    path_enums: HashMap<String, Vec<String>>,
    /// Schema of the body.
    body: Option<Value>,
    /// JSON schemas of answers by status.
    answers: HashMap<u16, Value>,
    media_in_header: bool,
}

/// The document. A validator is built at its first use.
pub struct OpenApi {
    operations: Vec<Operation>,
    components: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl std::fmt::Debug for OpenApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenApi").field("operations", &self.operations.len()).finish_non_exhaustive()
    }
}

impl OpenApi {
    /// Returns the document at `path`, or else at `HUB_OPENAPI`; `None` without both.
    ///
    /// # Errors
    /// If the document cannot be read.
    #[expect(clippy::disallowed_methods, reason = "the document is given to all tests alike")]
    pub fn find(path: Option<&Path>) -> anyhow::Result<Option<Arc<Self>>> {
        if let Some(path) = path {
            return Self::load(path).map(Some);
        }
        if let Some(path) = std::env::var_os("HUB_OPENAPI").filter(|p| !p.is_empty()) {
            return Self::load(Path::new(&path)).map(Some);
        }
        Ok(None)
    }

    /// Returns the document for a test that cannot run without it.
    ///
    /// # Panics
    /// If there is no document.
    #[expect(clippy::panic, reason = "a test without its document fails")]
    pub fn required() -> Arc<Self> {
        match Self::find(None) {
            Ok(Some(found)) => found,
            Ok(None) => panic!(
                "the Hub's OpenAPI document is missing: run `tests/local-hub/openapi FILE` and set HUB_OPENAPI=FILE"
            ),
            Err(error) => panic!("{error:#}"),
        }
    }

    fn load(path: &Path) -> anyhow::Result<Arc<Self>> {
        static LOADED: OnceLock<Mutex<HashMap<PathBuf, Arc<OpenApi>>>> = OnceLock::new();
        let mut loaded = lock(LOADED.get_or_init(Mutex::default));
        if let Some(found) = loaded.get(path) {
            return Ok(found.clone());
        }
        let text = std::fs::read(path).with_context(|| format!("OpenAPI document {}", path.display()))?;
        let contract = Arc::new(Self::parse(&serde_json::from_slice(&text)?));
        loaded.insert(path.to_owned(), contract.clone());
        Ok(contract)
    }

    fn parse(document: &Value) -> Self {
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, op) in methods.as_object().into_iter().flatten() {
                operations.push(Operation::documented(method, path, op));
            }
        }
        operations.extend(UNDOCUMENTED.iter().map(Operation::undocumented));
        Self { operations, components: document["components"].clone(), validators: Mutex::default() }
    }

    /// Returns the operation of a path, also of a repository without a namespace.
    fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        self.literal_operation(method, path)
            .or_else(|| self.literal_operation(method, &with_namespace(path)?))
    }

    /// Returns the operation of a path: the one with the most literal segments.
    fn literal_operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        self.operations
            .iter()
            .filter(|op| op.method == method && op.matches(&segments))
            .max_by_key(|op| op.segments.iter().filter(|s| !s.starts_with('{')).count())
    }

    /// # Panics
    /// If the schema is invalid, because a request without a check has not kept the contract.
    fn validator(&self, key: &str, schema: &Value) -> Arc<Validator> {
        let mut cache = lock(&self.validators);
        if let Some(found) = cache.get(key) {
            return found.clone();
        }
        let mut schema = schema.clone();
        clean(&mut schema);
        if let Some(map) = schema.as_object_mut() {
            let mut components = self.components.clone();
            clean(&mut components);
            map.insert("components".into(), components);
        }
        let made = jsonschema::draft202012::options().build(&schema);
        let made = Arc::new(made.unwrap_or_else(|error| panic!("the schema of {key}: {error}")));
        cache.insert(key.to_owned(), made.clone());
        made
    }

    fn against(&self, key: &str, schema: &Value, value: &Value) -> Vec<String> {
        self.validator(key, schema)
            .iter_errors(value)
            .take(5)
            .map(|e| {
                let mut text = e.to_string();
                if let Some((cut, _)) = text.char_indices().nth(300) {
                    text.truncate(cut);
                }
                format!("at {:?}: {text}", e.instance_path().to_string())
            })
            .collect()
    }
}

impl Contract for OpenApi {
    fn check_request(&self, request: CheckedRequest<'_>) -> Vec<String> {
        let CheckedRequest { method, path, query, headers, body } = request;
        let Some(op) = self.operation(method, path) else {
            return vec![
                "neither the OpenAPI document nor the list of other known endpoints has this".into(),
            ];
        };
        let mut out = Vec::new();
        op.check_query(path, query, &mut out);
        let media = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        let Some(body) = body else {
            if op.media_in_header && !["application/json", "application/x-ndjson"].contains(&media) {
                out.push(format!("content type {media:?} for a commit"));
            }
            return out;
        };
        let Some(schema) = &op.body else {
            if !body.is_empty() {
                out.push("a body where the contract has none".into());
            }
            return out;
        };
        if EXTRA_MEDIA.iter().any(|(part, kind, _)| path.contains(part) && *kind == media) {
            return out;
        }
        let lfs = path.ends_with("/info/lfs/objects/batch") && media == "application/vnd.git-lfs+json";
        if media != "application/json" && !lfs && !body.is_empty() {
            out.push(format!("content type {media:?} where JSON is expected"));
        }
        let value: Value = match serde_json::from_slice(body) {
            Ok(value) => value,
            Err(_) if body.is_empty() => json!({}),
            Err(error) => {
                out.push(format!("the body is not JSON: {error}"));
                return out;
            }
        };
        out.extend(self.against(&op.key(), schema, &value));
        unknown_members(&[schema], &value, "", &mut out);
        out.retain(|text| !is_excepted(REQUEST_EXCEPTIONS, path, text));
        out
    }

    fn check_line(&self, kind: LineKind, line: &Value) -> Vec<String> {
        if kind == LineKind::Batch {
            let name = line["type"].as_str().unwrap_or_default();
            let Some((_, schema)) = BATCH_LINES.iter().find(|(known, _)| *known == name) else {
                return vec![format!("unknown type {name:?} of a batch line")];
            };
            return self.against(&format!("batch line {name}"), &parsed(schema), line);
        }
        let key = line["key"].as_str().unwrap_or_default();
        let Some((_, schema)) = COMMIT_LINES.iter().find(|(k, _)| *k == key) else {
            return vec![format!("unknown commit line key {key:?}")];
        };
        let mut out = Vec::new();
        for name in line.as_object().into_iter().flat_map(|m| m.keys()) {
            if name != "key" && name != "value" {
                out.push(format!("unknown member {name:?} of a commit line"));
            }
        }
        out.extend(self.against(&format!("commit line {key}"), &parsed(schema), &line["value"]));
        out
    }

    fn check_answer(&self, method: &str, path: &str, status: u16, body: &[u8]) -> Vec<String> {
        let Some(op) = self.operation(method, path) else { return vec![] };
        let Some(schema) = op.answers.get(&status) else { return vec![] };
        match serde_json::from_slice(body) {
            Ok(value) => {
                let mut schema = schema.clone();
                open_combinations(&mut schema, false);
                let mut out = self.against(&format!("{status} {}", op.key()), &schema, &value);
                out.retain(|text| !is_excepted(ANSWER_EXCEPTIONS, path, text));
                out
            }
            Err(error) => vec![format!("answer is not JSON: {error}")],
        }
    }
}

/// Returns true if a table of exceptions has this complaint for this path.
fn is_excepted(exceptions: &[(&str, &str, &str)], path: &str, text: &str) -> bool {
    exceptions.iter().any(|(part, says, _)| path.contains(part) && text.contains(says))
}

/// Returns the path with a namespace before the id, if one can be missing.
fn with_namespace(path: &str) -> Option<String> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let at = match segments[..] {
        ["api", "models" | "datasets" | "spaces", _, ..] => 2,
        [_, "resolve" | "raw", ..] => 0,
        ["datasets" | "spaces", _, "resolve" | "raw", ..] => 1,
        _ => return None,
    };
    let (before, after) = segments.split_at(at);
    Some(["", &before.join("/"), "_", &after.join("/")].join("/").replace("//", "/"))
}

/// Takes a lock. A poisoned one is still valid, because no writer leaves it incomplete.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Parses a schema of the tables.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

impl Operation {
    fn documented(method: &str, path: &str, op: &Value) -> Self {
        let mut query = HashMap::new();
        let mut path_enums = HashMap::new();
        let mut media_in_header = false;
        for parameter in op["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            match parameter["in"].as_str() {
                Some("query") => {
                    query.insert(name.trim_end_matches("[]").to_owned(), parameter["schema"].clone());
                }
                Some("path") => {
                    if let Some(values) = parameter["schema"]["enum"].as_array() {
                        let values =
                            values.iter().filter_map(|v| v.as_str().map(ToOwned::to_owned)).collect();
                        path_enums.insert(name.to_owned(), values);
                    }
                }
                Some("header") if name.eq_ignore_ascii_case("content-type") => media_in_header = true,
                _ => {}
            }
        }
        let schema = &op["requestBody"]["content"]["application/json"]["schema"];
        let body = (!schema.is_null()).then(|| schema.clone());
        let answers = op["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(status, r)| {
                let schema = &r["content"]["application/json"]["schema"];
                // An empty schema has no rule for the body.
                let says = schema.as_object().is_some_and(|m| m.keys().any(|k| k != "$schema"));
                says.then(|| Some((status.parse().ok()?, schema.clone())))?
            })
            .collect();
        Self {
            method: method.to_uppercase(),
            segments: path.trim_start_matches('/').split('/').map(ToOwned::to_owned).collect(),
            query: Some(query),
            path_enums,
            body,
            answers,
            media_in_header,
        }
    }

    fn undocumented(row: &tables::Undocumented) -> Self {
        debug_assert!(!row.source.is_empty(), "every row names its source");
        let any = row.query.contains(&"*");
        Self {
            method: row.method.to_owned(),
            segments: row.template.trim_start_matches('/').split('/').map(ToOwned::to_owned).collect(),
            query: (!any).then(|| row.query.iter().map(|q| ((*q).to_owned(), json!({}))).collect()),
            path_enums: HashMap::new(),
            body: row.body.map(parsed),
            answers: HashMap::new(),
            media_in_header: false,
        }
    }

    /// Returns the name of its schemas.
    fn key(&self) -> String {
        format!("{} /{}", self.method, self.segments.join("/"))
    }

    fn matches(&self, segments: &[&str]) -> bool {
        let rest = self.segments.last().is_some_and(|s| s == "{path}");
        if segments.len() < self.segments.len() || (!rest && segments.len() != self.segments.len()) {
            return false;
        }
        self.segments.iter().zip(segments).all(|(template, given)| {
            match template.strip_prefix('{').and_then(|t| t.strip_suffix('}')) {
                None => template == given,
                Some(name) => {
                    self.path_enums.get(name).is_none_or(|values| values.iter().any(|v| v == given))
                }
            }
        })
    }

    fn check_query(&self, path: &str, query: &[(String, String)], out: &mut Vec<String>) {
        let Some(declared) = &self.query else { return };
        for (name, value) in query {
            let name = name.trim_end_matches("[]");
            let Some(schema) = declared.get(name) else {
                if !EXTRA_QUERY
                    .iter()
                    .any(|(part, known, _)| path.contains(part) && (*known == "*" || *known == name))
                {
                    out.push(format!("unknown query parameter {name:?}"));
                }
                continue;
            };
            if let Some(why) = query_breach(schema, value) {
                out.push(format!("query parameter {name}={value:?}: {why}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use local_hub_server::{FLAVORS, LICENSES};

    use super::*;

    #[test]
    #[ignore = "needs tests/run setup"]
    fn flavors_and_licenses_match_the_document() {
        let contract = OpenApi::required();
        let create = contract.operation("POST", "/api/repos/create").and_then(|op| op.body.as_ref());
        let kinds = create.and_then(|schema| schema["allOf"][1]["anyOf"].as_array());
        let flavors =
            kinds.into_iter().flatten().find_map(|kind| kind["properties"]["hardware"]["enum"].as_array());
        assert_eq!(json!(flavors), json!(FLAVORS));
        let mut parts = create.and_then(|schema| schema["allOf"].as_array()).into_iter().flatten();
        let licenses = parts.find_map(|part| part["properties"]["license"]["enum"].as_array());
        assert_eq!(json!(licenses), json!(LICENSES));
    }

    fn build_each_validator(contract: &OpenApi) {
        for op in &contract.operations {
            if let Some(schema) = &op.body {
                contract.validator(&op.key(), schema);
            }
            for (status, schema) in &op.answers {
                let mut schema = schema.clone();
                open_combinations(&mut schema, false);
                contract.validator(&format!("{status} {}", op.key()), &schema);
            }
        }
        for (key, schema) in COMMIT_LINES {
            contract.validator(&format!("commit line {key}"), &parsed(schema));
        }
        for (name, schema) in BATCH_LINES {
            contract.validator(&format!("batch line {name}"), &parsed(schema));
        }
    }

    #[test]
    fn every_schema_of_the_tables_is_valid() {
        build_each_validator(&OpenApi::parse(&Value::Null));
    }

    #[test]
    #[ignore = "needs tests/run setup"]
    fn every_schema_of_the_document_is_valid() {
        build_each_validator(&OpenApi::required());
    }
}
