//! Rules of `app.py` beside those of the templates: it still is the app of the run.

use std::sync::LazyLock;

use regex::Regex;

use super::super::editable::APP;
use super::super::job_result::{JobResult, LeftOutReason};
use super::super::refusal::Fault;
use super::placeholders;
use crate::templates::{ENDPOINT, without_texts};
use crate::text::plain;
use hub::shorten;

/// Starts of the lines that name the model and its commit.
const PINNED: [&str; 2] = ["MODEL_ID = ", "REVISION = "];
/// Argument with which the app loads the commit.
const PINNED_LOAD: &str = "revision=REVISION";
/// Longest message of Python that is repeated, in characters.
const MAX_MESSAGE: usize = 300;

/// An assignment of the model or its commit, in any of Python's forms.
static SETTING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:MODEL_ID|REVISION)\b\s*(?::[^=]*)?(?:[+|]?=[^=]|:=)").ok());
static ENDPOINT_NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = regex::escape(ENDPOINT.trim_start_matches('/'));
    Regex::new(&format!(r#"api_name\s*=\s*["']/?{name}["']"#)).ok()
});
static TRUST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"trust_remote_code["']?\s*[=:]\s*\w"#).ok());
static DISTRUST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"trust_remote_code["']?\s*[=:]\s*False\b"#).ok());

/// Returns the faults of the app. `our` is the app that the agent got.
pub(super) fn check(text: &str, our: &str, result: &JobResult) -> Vec<Fault> {
    let mut faults = Vec::new();
    let code = without_texts(text);
    let pinned = our.lines().filter(|line| PINNED.iter().any(|start| line.starts_with(start))).count();
    let mut settings = code.lines().enumerate().filter(|(_, line)| is(&SETTING, line));
    if let Some((at, _)) = settings.nth(pinned) {
        faults.push(Fault::at(APP, at + 1, "sets `MODEL_ID` or `REVISION` again"));
    }
    for line in our.lines().filter(|line| PINNED.iter().any(|start| line.starts_with(start))) {
        if !text.lines().any(|other| other.trim_end() == line) {
            faults
                .push(Fault::whole(APP, format!("lacks the line `{}`", shorten(&plain(line), MAX_MESSAGE))));
        }
    }
    // An argument in the code, and its value in the text.
    let is_argument = |(code, text): (&str, &str)| code.contains("api_name") && is(&ENDPOINT_NAME, text);
    if !code.lines().zip(text.lines()).any(is_argument) {
        faults.push(Fault::whole(APP, format!("has no endpoint with `api_name=\"{}\"`", &ENDPOINT[1..])));
    }
    let our_code = without_texts(our);
    if our_code.contains(PINNED_LOAD) && !code.contains(PINNED_LOAD) {
        faults.push(Fault::whole(APP, format!("loads the model without `{PINNED_LOAD}`")));
    }
    if let Some(at) = trust(text, &code).filter(|_| trust(our, &our_code).is_none()) {
        faults.push(Fault::at(
            APP,
            at + 1,
            "runs the code of the model, which `trust_remote_code` does not allow",
        ));
    }
    faults.extend(missing_modules(&code, result));
    faults.extend(placeholders::find(text, &code));
    faults.extend(compiled(result));
    faults
}

/// Returns the line, from 0, that lets the app run code of the model. A comment runs nothing.
fn trust(text: &str, code: &str) -> Option<usize> {
    let mut lines = text.lines().zip(code.lines());
    lines.position(|(line, code)| !code.trim().is_empty() && is(&TRUST, line) && !is(&DISTRUST, line))
}

fn is(rule: &'static LazyLock<Option<Regex>>, line: &str) -> bool {
    rule.as_ref().is_some_and(|rule| rule.is_match(line))
}

/// Returns the imports of files that the agent may not add.
fn missing_modules(code: &str, result: &JobResult) -> Vec<Fault> {
    let left_out = result.refused.iter().filter(|entry| entry.reason == LeftOutReason::OtherName);
    let modules: Vec<&str> = left_out
        .filter_map(|entry| entry.path.split('/').next())
        .map(|name| name.trim_end_matches(".py"))
        .collect();
    let names = |line: &str, module: &str| {
        let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        matches!(words.next(), Some("import" | "from")) && words.any(|word| word == module)
    };
    let lines = code.lines().enumerate();
    let used = lines.filter_map(|(at, line)| {
        let module = modules.iter().find(|module| names(line.trim_start(), module))?;
        Some(Fault::at(APP, at + 1, format!("imports `{}`, which the agent may not add", plain(module))))
    });
    used.collect()
}

/// Returns the faults that Python's compiler found.
fn compiled(result: &JobResult) -> Vec<Fault> {
    let Some(compiled) = &result.compiled else {
        return vec![Fault::whole(APP, "was not compiled, because the Job has no `python3`")];
    };
    match compiled.iter().find(|one| one.path == APP) {
        None => vec![Fault::whole(APP, "was not compiled")],
        Some(one) if !one.ok => {
            let message = shorten(&plain(one.message.trim()), MAX_MESSAGE);
            vec![Fault::whole(APP, format!("is no valid Python: {message}"))]
        }
        Some(_) => Vec::new(),
    }
}

/// Returns the app with the comment at its start that names its author, its model and its template.
pub(super) fn with_header(text: &str, our: &str) -> String {
    let header: String = our.split_inclusive('\n').take_while(|line| line.starts_with('#')).collect();
    if text.starts_with(&header) { text.to_owned() } else { format!("{header}{text}") }
}
