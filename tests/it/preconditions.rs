//! Tests that need something prepared are ignored without it, so that `cargo test` alone never reports them as passed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use local_hub::contract::OpenApi;
use regex::Regex;

use crate::contract::planted;

const IGNORED: &str = r#"#[ignore = "needs tests/run setup"]"#;

/// Calls that need something prepared, in their only form.
const NEEDS: [&str; 3] = ["prepared_variable(", "OpenApi::required(", "prepared_python("];

/// A function of a test file, with its attributes.
struct Function {
    attributes: String,
    body: String,
}

/// Functions by file and name.
type Functions = BTreeMap<(String, String), Function>;

/// Reads the functions of a file by the shape that rustfmt gives them.
fn functions(file: &str, text: &str) -> Functions {
    let head = Regex::new(r"^\s*(?:pub(?:\([^)]*\))? )?(?:async )?fn (\$?\w+)").unwrap();
    let mut found = Functions::new();
    let (mut attributes, mut name) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(captures) = head.captures(line) {
            name = captures[1].to_owned();
            let attributes = std::mem::take(&mut attributes);
            found.insert((file.to_owned(), name.clone()), Function { attributes, body: String::new() });
        }
        let trimmed = line.trim();
        if trimmed.starts_with("#[") {
            attributes.push_str(trimmed);
        } else if !trimmed.starts_with("//") && !trimmed.is_empty() && !head.is_match(line) {
            attributes.clear();
        }
        if let Some(function) = found.get_mut(&(file.to_owned(), name.clone())) {
            function.body.push_str(line);
            function.body.push('\n');
        }
    }
    found
}

/// Reads the names that a file imports from others of the same tests, each with its file.
fn imports(text: &str) -> BTreeMap<String, String> {
    let uses = Regex::new(r"use crate::(\w+)::(\{[^}]*\}|\w+);").unwrap();
    let word = Regex::new(r"\w+").unwrap();
    let mut found = BTreeMap::new();
    for captures in uses.captures_iter(text) {
        let names = word.find_iter(captures.get(2).unwrap().as_str());
        found.extend(names.map(|name| (name.as_str().to_owned(), captures[1].to_owned())));
    }
    found
}

/// Returns the tests that need something prepared and are not ignored, by the names of the functions they call.
fn breaches(files: &[(String, String)]) -> Vec<String> {
    let call = Regex::new(r"\b(\w+)\(").unwrap();
    let all: Functions = files.iter().flat_map(|(file, text)| functions(file, text)).collect();
    let imports: BTreeMap<&str, _> =
        files.iter().map(|(file, text)| (file.as_str(), imports(text))).collect();
    let needs = |start: &(String, String)| {
        let (mut pending, mut seen) = (vec![start.clone()], BTreeSet::new());
        while let Some(at) = pending.pop() {
            let Some(function) = all.get(&at) else { continue };
            if !seen.insert(at.clone()) {
                continue;
            }
            if NEEDS.iter().any(|need| function.body.contains(need)) {
                return true;
            }
            pending.extend(call.captures_iter(&function.body).map(|captures| {
                let file = imports[at.0.as_str()].get(&captures[1]).unwrap_or(&at.0);
                (file.clone(), captures[1].to_owned())
            }));
        }
        false
    };
    all.iter()
        .filter(|(_, function)| ["#[test]", "#[tokio::test"].iter().any(|a| function.attributes.contains(a)))
        .filter(|(at, function)| !function.attributes.contains(IGNORED) && needs(at))
        .map(|((file, name), _)| format!("{file}::{name} needs something prepared: add {IGNORED}"))
        .collect()
}

/// Reads the test files of a folder, by the names of their modules.
fn sources(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            found.push((name, std::fs::read_to_string(path).unwrap()));
        }
    }
    assert!(!found.is_empty(), "{folder} has no tests");
    found
}

#[test]
fn tests_with_a_precondition_are_ignored() {
    for folder in ["tests/it", "tests/local-hub/tests/hub", "tests/local-hub/src/contract"] {
        let mut files = sources(folder);
        // This file has the calls in its texts.
        files.retain(|(name, _)| name != "preconditions");
        assert_eq!(breaches(&files), [""; 0], "in {folder}");
    }
}

#[test]
fn test_without_its_ignore_is_found() {
    let breaches = |text: &str| breaches(&[("a".to_owned(), text.to_owned())]);
    let direct = "#[test]\nIGNORED\nfn t() {\n    let x = prepared_variable(\"X\");\n}\n";
    let helper = "fn help() -> String {\n    prepared_variable(\"X\")\n}\n\n#[tokio::test]\nIGNORED\nasync fn t() {\n    help();\n}\n";
    for text in [direct, helper] {
        let text = text.replace("IGNORED", IGNORED);
        planted(breaches, &text, &format!("{IGNORED}\n"), "", "a::t needs something prepared");
    }
}

/// Reads prepared variables in one place only, because `tests_with_a_precondition_are_ignored` looks for its name.
#[test]
fn prepared_variables_are_read_in_one_place() {
    for (name, text) in sources("tests/it") {
        let reads = text.contains("env::var(\"HF_DEPLOY_") || text.contains("env::var(\"HUB_OPENAPI");
        assert!(!reads, "{name}.rs reads a prepared variable itself: call `harness::prepared_variable`");
    }
}

#[test]
#[ignore = "needs tests/run setup"]
fn requests_are_checked_against_the_document() {
    OpenApi::required();
}
