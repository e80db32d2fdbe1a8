//! GitHub's contract: requests and answers are compared with the OpenAPI document.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// Path of the GraphQL API, which the document does not describe.
const GRAPHQL: &str = "/graphql";
/// Operations that the local GitHub serves. The document has a thousand more.
const SERVED: &[&str] = &[
    "/repos/{owner}/{repo}",
    "/repos/{owner}/{repo}/deployments",
    "/repos/{owner}/{repo}/deployments/{deployment_id}",
    "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
    "/repos/{owner}/{repo}/issues/comments",
    "/repos/{owner}/{repo}/issues/comments/{comment_id}",
    "/repos/{owner}/{repo}/issues/{issue_number}/comments",
    "/repos/{owner}/{repo}/pulls",
    "/repos/{owner}/{repo}/pulls/{pull_number}",
    "/user",
];

/// Variable that names the file with GitHub's OpenAPI document.
pub(crate) const DOCUMENT: &str = "GITHUB_OPENAPI";

/// The part of GitHub's OpenAPI document that is served here, ready to be compared with.
#[derive(Debug)]
pub struct Contract {
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    method: String,
    segments: Vec<String>,
    /// Names of the query parameters.
    query: BTreeSet<String>,
    body: Option<Body>,
    answers: BTreeMap<u16, Validator>,
}

#[derive(Debug)]
struct Body {
    validator: Validator,
    /// Members that the schema declares.
    members: BTreeSet<String>,
}

impl Contract {
    /// Reads the document that the variable `GITHUB_OPENAPI` names: `None` without the variable.
    ///
    /// # Errors
    ///
    /// The document cannot be read, or lacks an operation that is served here.
    #[expect(clippy::disallowed_methods, reason = "the document is given to all tests alike")]
    pub fn from_env() -> anyhow::Result<Option<Arc<Self>>> {
        // The document has 13 MB, so that a process reads it once.
        static READ: Mutex<Option<Arc<Contract>>> = Mutex::new(None);
        let Some(path) = std::env::var_os(DOCUMENT).filter(|path| !path.is_empty()) else { return Ok(None) };
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        if read.is_none() {
            *read = Some(Arc::new(Self::read(Path::new(&path))?));
        }
        Ok(read.clone())
    }

    /// Reads `api.github.com.json` of the npm package `@octokit/openapi`.
    ///
    /// # Errors
    ///
    /// The document cannot be read, or lacks an operation that is served here.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let document: Value = serde_json::from_slice(&text)?;
        let mut operations = Vec::new();
        for path in SERVED {
            let methods = document["paths"][path].as_object();
            let methods = methods.with_context(|| format!("the document does not have `{path}`"))?;
            for (method, operation) in methods {
                if matches!(method.as_str(), "get" | "post" | "patch" | "put" | "delete") {
                    operations.push(Operation::read(method, path, operation, &document)?);
                }
            }
        }
        Ok(Self { operations })
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Operation> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let fitting = self.operations.iter().filter(|one| one.method == method && one.matches(&segments));
        fitting.max_by_key(|one| one.segments.iter().filter(|segment| !segment.starts_with('{')).count())
    }

    /// Returns the breaches of a request.
    pub(crate) fn check_request(
        &self,
        method: &str,
        path: &str,
        query: &[(String, String)],
        body: &[u8],
    ) -> Vec<String> {
        if path == GRAPHQL {
            return Vec::new();
        }
        let Some(operation) = self.operation(method, path) else {
            return vec![format!("the document has no {method} {path}")];
        };
        let unknown = query.iter().filter(|(name, _)| !operation.query.contains(name));
        let mut breaches: Vec<String> =
            unknown.map(|(name, _)| format!("unknown query parameter `{name}`")).collect();
        let Some(schema) = &operation.body else {
            if !body.is_empty() {
                breaches.push("a body where the document has none".to_owned());
            }
            return breaches;
        };
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => {
                breaches.extend(errors(&schema.validator, &value));
                let members = value.as_object().into_iter().flat_map(Map::keys);
                let unknown = members.filter(|name| !schema.members.contains(*name));
                breaches.extend(unknown.map(|name| format!("unknown member `{name}`")));
            }
            Err(error) => breaches.push(format!("the body is not JSON: {error}")),
        }
        breaches
    }

    /// Returns the differences between an answer of this server and the document.
    pub(crate) fn check_answer(&self, method: &str, path: &str, status: u16, body: &[u8]) -> Vec<String> {
        let operation = self.operation(method, path);
        let Some(validator) = operation.and_then(|one| one.answers.get(&status)) else { return Vec::new() };
        match serde_json::from_slice(body) {
            Ok(value) => {
                let mut differences = errors(validator, &value);
                // The ends of a pull request have short repositories here, because no client reads more.
                differences.retain(|text| !["/head", "/base"].iter().any(|part| text.contains(part)));
                differences
            }
            Err(error) => vec![format!("the answer is not JSON: {error}")],
        }
    }
}

fn errors(validator: &Validator, value: &Value) -> Vec<String> {
    let text = |error: jsonschema::ValidationError<'_>| {
        let text: String = error.to_string().chars().take(300).collect();
        format!("at `{}`: {text}", error.instance_path())
    };
    validator.iter_errors(value).take(20).map(text).collect()
}

impl Operation {
    fn read(method: &str, path: &str, operation: &Value, document: &Value) -> anyhow::Result<Self> {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.map(|parameter| resolved(parameter, document));
        let query = parameters
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str().map(str::to_owned))
            .collect();
        let json_of = |value: &Value| {
            let schema = &resolved(value, document)["content"]["application/json"]["schema"];
            (!schema.is_null()).then(|| resolved(schema, document).clone())
        };
        let body = match json_of(&operation["requestBody"]) {
            Some(schema) => {
                let members = schema["properties"].as_object().into_iter().flat_map(Map::keys).cloned();
                Some(Body { members: members.collect(), validator: validator(&schema, document)? })
            }
            None => None,
        };
        let mut answers = BTreeMap::new();
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            if let (Ok(status), Some(schema)) = (status.parse(), json_of(answer)) {
                answers.insert(status, validator(&schema, document)?);
            }
        }
        let segments = path.trim_start_matches('/').split('/').map(str::to_owned).collect();
        Ok(Self { method: method.to_uppercase(), segments, query, body, answers })
    }

    fn matches(&self, segments: &[&str]) -> bool {
        self.segments.len() == segments.len()
            && self.segments.iter().zip(segments).all(|(own, given)| own.starts_with('{') || own == given)
    }
}

/// Follows a reference within the document.
fn resolved<'a>(value: &'a Value, document: &'a Value) -> &'a Value {
    let target =
        value["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    target.unwrap_or(value)
}

/// Makes a validator of a schema, with those that it refers to.
fn validator(schema: &Value, document: &Value) -> anyhow::Result<Validator> {
    let mut schemas = Map::new();
    let mut open = vec![schema.clone()];
    while let Some(next) = open.pop() {
        let mut references = BTreeSet::new();
        collect_references(&next, &mut references);
        for name in references {
            if !schemas.contains_key(&name) {
                let target = document["components"]["schemas"][&name].clone();
                open.push(target.clone());
                schemas.insert(name, target);
            }
        }
    }
    let mut whole = schema.clone();
    if let Some(members) = whole.as_object_mut() {
        members.insert("components".to_owned(), json!({ "schemas": schemas }));
    }
    to_json_schema(&mut whole);
    jsonschema::draft202012::new(&whole).map_err(|error| anyhow!("cannot use a schema: {error}"))
}

fn collect_references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let reference = members.get("$ref").and_then(Value::as_str);
            found
                .extend(reference.and_then(|it| it.strip_prefix("#/components/schemas/")).map(str::to_owned));
            members.values().for_each(|member| collect_references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

/// Turns a schema of OpenAPI 3.0 into JSON Schema: `nullable` is a type there.
fn to_json_schema(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("example");
            members.values_mut().for_each(to_json_schema);
            if members.remove("nullable") != Some(Value::Bool(true)) {
                return;
            }
            let own = std::mem::take(members);
            *value = json!({ "anyOf": [own, { "type": "null" }] });
        }
        Value::Array(items) => items.iter_mut().for_each(to_json_schema),
        _ => {}
    }
}
