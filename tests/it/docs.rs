//! What README tells users to copy: every snippet is held to the contract.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser as _;
use hf_deploy::cli::Cli;
use hf_deploy::commands::deploy::inputs::Inputs;
use serde_yaml::Value;

use crate::contract::{keys, read};

/// A fenced block.
struct Snippet<'a> {
    language: &'a str,
    text: String,
    /// Where its first line stands.
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

/// What is wrong with the snippets, each with its line.
fn faults(markdown: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for snippet in snippets(markdown) {
        let found = match snippet.language {
            "yaml" => yaml_faults(&snippet.text),
            "sh" => snippet.text.lines().filter_map(command_fault).collect(),
            "text" => Vec::new(),
            other => vec![format!("nobody checks blocks of `{other}`")],
        };
        faults.extend(found.into_iter().map(|fault| format!("line {}: {fault}", snippet.line)));
    }
    faults
}

/// A snippet is a workflow, or the steps of a job, or a few lines of a step's `with:`.
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

/// A step of this action has inputs that there are, with values that it takes.
fn step_faults(step: &Value, is_keyless: bool) -> Vec<String> {
    let Some(uses) = step["uses"].as_str().filter(|uses| !uses.starts_with("actions/")) else {
        return Vec::new();
    };
    if !uses.contains("/hf-deploy@") {
        return vec![format!("`{uses}` is not this action")];
    }
    // A line that shows how to name the action, and nothing else.
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

/// A scalar as the runner passes it on.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        other => panic!("not a scalar: {other:?}"),
    }
}

/// A value with what GitHub would put in place of its expressions: a token for a secret, a truth for a comparison.
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

/// `steps.ID.outputs.NAME` names a step of the same snippet, and an output where that step is this action.
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

/// The steps of our own workflows that use the action: its inputs, and its outputs.
fn workflow_faults(text: &str) -> Vec<String> {
    let document: Value = serde_yaml::from_str(text).unwrap();
    let jobs = document["jobs"].as_mapping().unwrap().values();
    let steps = jobs.filter_map(|job| job["steps"].as_sequence()).flatten();
    let unknown = steps.filter(|step| is_this_action(step)).flat_map(|step| unknown_inputs(&step["with"]));
    unknown.chain(reference_faults(text, &document)).collect()
}

/// What is wrong with a line of a shell: `cargo run` and `tests/run` are held to what there is.
fn command_fault(line: &str) -> Option<String> {
    let line = line.split(" # ").next().unwrap_or_default().split("   #").next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let words = &words[words.iter().take_while(|word| word.contains('=')).count()..];
    match words {
        [] => None,
        ["cargo", "run", rest @ ..] => {
            if let Some(at) = rest.iter().position(|word| *word == "--") {
                let arguments = std::iter::once("hf-deploy").chain(rest[at + 1..].iter().copied());
                return Cli::try_parse_from(arguments).err().map(|error| error.to_string());
            }
            let example = rest.iter().position(|word| *word == "--example").and_then(|at| rest.get(at + 1));
            let manifest = read("Cargo.toml");
            let is_there =
                example.is_some_and(|name| manifest.contains(&format!("[[example]]\nname = \"{name}\"")));
            (!is_there).then(|| format!("there is nothing to run: `{line}`"))
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
        _ => Some(format!("nobody checks `{line}`")),
    }
}

/// Links to files and headings of this repository lead somewhere.
fn link_faults(markdown: &str) -> Vec<String> {
    let anchors: BTreeSet<String> =
        markdown.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
    let targets = markdown.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let pictures = markdown.split(['"', '\'']).filter(|text| text.starts_with(".github/"));
    let mut faults = Vec::new();
    for target in targets.chain(pictures) {
        let is_there = match target.strip_prefix('#') {
            Some(anchor) => anchors.contains(anchor),
            // Seen from the page of a file, two steps up is the repository on GitHub.
            None => match target.strip_prefix("../../actions/workflows/") {
                Some(workflow) => {
                    exists(&format!(".github/workflows/{}", workflow.trim_end_matches("/badge.svg")))
                }
                None => target.starts_with("https://") || exists(target),
            },
        };
        if !is_there {
            faults.push(format!("`{target}` leads nowhere"));
        }
    }
    faults
}

fn exists(path: &str) -> bool {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()
}

/// The anchor that GitHub gives to a heading.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn what_the_readme_says_to_copy_works() {
    let readme = read("README.md");
    assert_eq!(faults(&readme), Vec::<String>::new());
    let found = snippets(&readme);
    let of = |language: &str| found.iter().filter(|snippet| snippet.language == language).count();
    assert!(of("yaml") >= 15 && of("sh") >= 3, "{} and {}", of("yaml"), of("sh"));
    assert!(found.iter().filter(|snippet| snippet.text.contains("jobs:")).count() >= 4);
}

#[test]
fn each_fault_of_a_snippet_is_found() {
    for (language, text, said) in [
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
        ("sh", "rm -rf /", "nobody checks `rm"),
        ("python", "print()", "nobody checks blocks of `python`"),
    ] {
        let found = faults(&format!("```{language}\n{text}\n```\n"));
        assert!(found.iter().any(|fault| fault.contains(said)), "{text}: {found:?}");
    }
    let keyless = "permissions:\n  id-token: write\njobs:\n  a:\n    steps:\n      - uses: a/hf-deploy@v1\n        with:\n          huggingface_repo: a/b";
    assert_eq!(faults(&format!("```yaml\n{keyless}\n```\n")), Vec::<String>::new());
}

#[test]
fn our_own_workflows_keep_to_the_contract() {
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

#[test]
fn the_links_of_the_pages_lead_somewhere() {
    for page in ["README.md", "AGENTS.md", "SECURITY.md", "CHANGELOG.md"] {
        assert_eq!(link_faults(&read(page)), Vec::<String>::new(), "{page}");
    }
    for (page, said) in [
        ("[a](#b)\n# C d", "#b"),
        ("[a](nowhere.md)", "nowhere.md"),
        ("[a](../../actions/workflows/none.yml)", "none.yml"),
        ("<img src=\".github/none.png\">", "none.png"),
    ] {
        assert!(link_faults(page).iter().any(|fault| fault.contains(said)), "{page}");
    }
    assert_eq!(link_faults("[a](#c-d_e)\n## C `d_e`!"), Vec::<String>::new());
}
