//! Snippets that users copy from the pages: each is held to the contract.

use std::collections::BTreeMap;

use hf_deploy::cli::Call;
use hf_deploy::commands::deploy::inputs::Inputs;
use serde_yaml::Value;

use crate::contract::{keys, read};

/// Pages with snippets.
const PAGES: &[&str] =
    &["README.md", ".github/SUPPORT.md", ".github/docs/deploy.md", "tests/bench/README.md", "AGENTS.md"];

/// A fenced block.
struct Snippet<'a> {
    language: &'a str,
    text: String,
    /// The number of its first line.
    line: usize,
}

fn snippets(markdown: &str) -> Vec<Snippet<'_>> {
    let mut snippets = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else { continue };
        let body = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
        let text = body.map(|line| format!("{line}\n")).collect();
        snippets.push(Snippet { language, text, line: number + 2 });
    }
    snippets
}

/// Finds the faults of all snippets, each with its line.
fn faults(markdown: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for snippet in snippets(markdown) {
        let found = match snippet.language {
            "yaml" => yaml_faults(&snippet.text),
            "sh" => snippet.text.lines().filter_map(command_fault).collect(),
            "text" => Vec::new(),
            other => vec![format!("no test checks blocks of `{other}`")],
        };
        faults.extend(found.into_iter().map(|fault| format!("line {}: {fault}", snippet.line)));
    }
    faults
}

/// Finds the faults of a workflow, of the steps of a job, or of a few lines of a step's `with:`.
fn yaml_faults(text: &str) -> Vec<String> {
    let document: Value = match serde_yaml::from_str(text) {
        Ok(document) => document,
        Err(error) => return vec![error.to_string()],
    };
    let mut faults = reference_faults(text, &document);
    if let Some(jobs) = document.get("jobs").and_then(Value::as_mapping) {
        for job in jobs.values() {
            let permissions = job.get("permissions").or(document.get("permissions"));
            let is_keyless = permissions.is_some_and(|permissions| permissions["id-token"] == "write");
            let steps = job["steps"].as_sequence().into_iter().flatten();
            faults.extend(steps.flat_map(|step| step_faults(step, is_keyless)));
        }
    } else if let Some(steps) = document.as_sequence() {
        faults.extend(steps.iter().flat_map(|step| step_faults(step, false)));
    } else {
        faults.extend(unknown_inputs(&document));
    }
    faults
}

/// Finds the faults of a step of this action: unknown inputs, and values that the action refuses.
fn step_faults(step: &Value, is_keyless: bool) -> Vec<String> {
    let Some(uses) = step["uses"].as_str().filter(|uses| !uses.starts_with("actions/")) else {
        return Vec::new();
    };
    if !uses.contains("/hf-deploy@") {
        return vec![format!("`{uses}` is not this action")];
    }
    // A step without inputs shows only how to name the action.
    let Some(with) = step.get("with") else { return Vec::new() };
    let mut faults = unknown_inputs(with);
    let pairs = |value: &Value| -> Vec<(String, String)> {
        let pairs = value.as_mapping().into_iter().flatten();
        pairs.map(|(name, value)| (scalar(name), sample(&scalar(value)))).collect()
    };
    let mut vars = pairs(&step["env"]);
    vars.extend(
        pairs(with).into_iter().map(|(name, value)| (format!("INPUT_{}", name.to_uppercase()), value)),
    );
    if is_keyless {
        let url = "https://token.actions.example/?api-version=2.0".to_owned();
        vars.push(("ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(), url));
        vars.push(("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), "sample".to_owned()));
    }
    match Inputs::from_vars(vars) {
        Ok((_, warnings)) => faults.extend(warnings),
        Err(failure) => faults.push(failure.message),
    }
    faults
}

fn unknown_inputs(with: &Value) -> Vec<String> {
    let inputs = keys("inputs");
    let names = with.as_mapping().into_iter().flat_map(|mapping| mapping.keys()).map(scalar);
    names.filter(|name| !inputs.contains(name)).map(|name| format!("there is no input `{name}`")).collect()
}

/// Returns a scalar as the runner passes it to the action.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        other => panic!("not a scalar: {other:?}"),
    }
}

/// Returns a value with samples in place of its expressions: a token for a secret, `true` for a comparison.
fn sample(value: &str) -> String {
    let mut parts = value.split("${{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (expression, rest) = part.split_once("}}").expect("an expression ends");
        text.push_str(match expression.trim() {
            secret if secret.starts_with("secrets.") => "hf_sample",
            comparison if comparison.contains("==") => "true",
            _ => "sample",
        });
        text.push_str(rest);
    }
    text
}

/// Finds references `steps.ID.outputs.NAME` to a missing step, or to a missing output of this action.
fn reference_faults(text: &str, document: &Value) -> Vec<String> {
    let jobs = document.get("jobs").and_then(Value::as_mapping);
    let of_jobs =
        jobs.into_iter().flat_map(|jobs| jobs.values()).filter_map(|job| job["steps"].as_sequence());
    let steps = of_jobs.chain(document.as_sequence()).flatten();
    let ids: BTreeMap<&str, bool> =
        steps.filter_map(|step| Some((step.get("id")?.as_str()?, is_this_action(step)))).collect();
    let outputs = keys("outputs");
    let mut faults = Vec::new();
    for reference in text.split("steps.").skip(1).filter_map(|rest| rest.split([' ', '}']).next()) {
        let Some((id, name)) = reference.split_once(".outputs.") else { continue };
        match ids.get(id) {
            None => faults.push(format!("there is no step `{id}`")),
            Some(true) if !outputs.contains(name) => faults.push(format!("there is no output `{name}`")),
            Some(_) => {}
        }
    }
    faults
}

fn is_this_action(step: &Value) -> bool {
    step["uses"].as_str().is_some_and(|uses| uses == "./" || uses.contains("/hf-deploy@"))
}

/// Finds the faults of steps of our own workflows that use the action.
fn workflow_faults(text: &str) -> Vec<String> {
    let document: Value = serde_yaml::from_str(text).unwrap();
    let jobs = document["jobs"].as_mapping().unwrap().values();
    let steps = jobs.filter_map(|job| job["steps"].as_sequence()).flatten();
    let unknown = steps.filter(|step| is_this_action(step)).flat_map(|step| unknown_inputs(&step["with"]));
    unknown.chain(reference_faults(text, &document)).collect()
}

/// Finds the fault of a line of a shell. Arguments of `cargo run` and steps of `tests/run` must exist.
fn command_fault(line: &str) -> Option<String> {
    let line = line.split(" # ").next().unwrap_or_default().split("   #").next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let words = &words[words.iter().take_while(|word| word.contains('=')).count()..];
    match words {
        [] => None,
        ["cargo", "run", rest @ ..] => {
            if let Some(at) = rest.iter().position(|word| *word == "--") {
                let arguments = std::iter::once("hf-deploy").chain(rest[at + 1..].iter().copied());
                return Call::parse(arguments).err().map(|error| error.to_string());
            }
            let example = rest.iter().position(|word| *word == "--example").and_then(|at| rest.get(at + 1));
            // The default members of the workspace.
            let manifest = read("Cargo.toml") + &read("tests/quickstart/Cargo.toml");
            let exists =
                example.is_some_and(|name| manifest.contains(&format!("[[example]]\nname = \"{name}\"")));
            (!exists).then(|| format!("there is nothing to run: `{line}`"))
        }
        ["tests/run", steps @ ..] => {
            let script = read("tests/run");
            let unknown = steps.iter().find(|step| !script.contains(&format!("\nstep_{step}() {{")));
            unknown.map(|step| format!("there is no step `{step}`"))
        }
        ["gh", "attestation", "verify", reference, "--repo", _]
            if reference.starts_with("oci://ghcr.io/") =>
        {
            None
        }
        _ => Some(format!("no test checks `{line}`")),
    }
}

#[test]
fn snippets_of_the_pages_work() {
    let mut found = Vec::new();
    let pages: Vec<String> = PAGES.iter().map(|page| read(page)).collect();
    for (page, text) in PAGES.iter().zip(&pages) {
        assert_eq!(faults(text), Vec::<String>::new(), "{page}");
        found.extend(snippets(text));
    }
    let of = |language: &str| found.iter().filter(|snippet| snippet.language == language).count();
    assert!(of("yaml") >= 20 && of("sh") >= 3, "{} and {}", of("yaml"), of("sh"));
    assert!(found.iter().filter(|snippet| snippet.text.contains("jobs:")).count() >= 5);
}

#[test]
fn faults_of_snippets_are_found() {
    for (language, text, expected) in [
        ("yaml", "jobs: [", "line 2"),
        (
            "yaml",
            "- uses: a/hf-deploy@v1\n  with:\n    hugging_repo: a/b\n    hf_token: hf_x",
            "no input `hugging_repo`",
        ),
        (
            "yaml",
            "- uses: a/hf-deploy@v1\n  with:\n    huggingface_repo: a/b/c\n    hf_token: hf_x",
            "`huggingface_repo`",
        ),
        ("yaml", "- uses: a/hf-deploy@v1\n  with:\n    huggingface_repo: a/b", "`hf_token` is empty"),
        (
            "yaml",
            "- uses: a/hf-deploy@v1\n  with:\n    huggingface_repo: a/b\n    hf_token: secret",
            "does not look like",
        ),
        (
            "yaml",
            "- uses: a/hf-deploy@v1\n  with:\n    huggingface_repo: a/b\n    hf_token: hf_x\n    secrets: KEY",
            "`KEY`",
        ),
        ("yaml", "- uses: a/another@v1", "not this action"),
        (
            "yaml",
            "jobs:\n  a:\n    steps:\n      - uses: a/hf-deploy@v1\n        with:\n          huggingface_repo: a/b",
            "`hf_token`",
        ),
        ("yaml", "health_paths: /", "no input `health_paths`"),
        ("yaml", "- run: echo ${{ steps.deploy.outputs.status }}", "no step `deploy`"),
        (
            "yaml",
            "- id: a\n  uses: a/hf-deploy@v1\n- run: echo ${{ steps.a.outputs.state }}",
            "no output `state`",
        ),
        ("sh", "HF_TOKEN=… cargo run --release -- verify --spaces a/b", "--spaces"),
        ("sh", "cargo run --example slowstart   # slow", "nothing to run"),
        ("sh", "tests/run nothing", "no step `nothing`"),
        ("sh", "rm -rf /", "no test checks `rm"),
        ("python", "print()", "no test checks blocks of `python`"),
    ] {
        let found = faults(&format!("```{language}\n{text}\n```\n"));
        assert!(found.iter().any(|fault| fault.contains(expected)), "{text}: {found:?}");
    }
    let keyless = "permissions:\n  id-token: write\njobs:\n  a:\n    steps:\n      - uses: a/hf-deploy@v1\n        with:\n          huggingface_repo: a/b";
    assert_eq!(faults(&format!("```yaml\n{keyless}\n```\n")), Vec::<String>::new());
}

#[test]
fn own_workflows_use_known_inputs_and_outputs() {
    for name in ["deploy", "integration-hf"] {
        let text = read(&format!(".github/workflows/{name}.yml"));
        assert_eq!(workflow_faults(&text), Vec::<String>::new(), "{name}");
        let misspelt = text.replacen("huggingface_repo: ${{", "huggingface_repos: ${{", 1);
        assert_eq!(workflow_faults(&misspelt), ["there is no input `huggingface_repos`"], "{name}");
    }
    let text = read(".github/workflows/integration-hf.yml")
        .replace("steps.deploy.outputs.auth", "steps.deploy.outputs.sign_in");
    assert_eq!(workflow_faults(&text), ["there is no output `sign_in`"; 2]);
}
