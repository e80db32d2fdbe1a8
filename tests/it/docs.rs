//! Snippets that users copy from the pages: each is held to the contract.

use std::collections::BTreeMap;

use hf_deploy::cli::Call;
use hf_deploy::commands::deploy::inputs::Inputs;
use serde_yaml::Value;

use crate::contract::{DEPLOY, action_folders, keys, read, yaml};
use crate::refusing::RefusingHosts;

/// Pages with snippets, beside those of the further actions.
const PAGES: &[&str] = &[
    "README.md",
    ".github/SUPPORT.md",
    ".github/docs/deploy.md",
    ".github/docs/run-bundle.md",
    ".github/docs/previews.md",
    "tests/bench/README.md",
    "AGENTS.md",
];

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

/// Finds the faults of all snippets of a page about the deploy, each with its line.
fn faults(markdown: &str) -> Vec<String> {
    page_faults(markdown, DEPLOY)
}

/// Finds the faults of all snippets of a page about the action with this action.yml, each with its line.
fn page_faults(markdown: &str, manifest: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for snippet in snippets(markdown) {
        let found = match snippet.language {
            "yaml" => yaml_faults(&snippet.text, manifest),
            "sh" => snippet.text.lines().filter_map(command_fault).collect(),
            "text" => Vec::new(),
            other => vec![format!("no test checks blocks of `{other}`")],
        };
        faults.extend(found.into_iter().map(|fault| format!("line {}: {fault}", snippet.line)));
    }
    faults
}

/// Finds the faults of a workflow, of the steps of a job, or of a few lines of a step's `with:`.
fn yaml_faults(text: &str, manifest: &str) -> Vec<String> {
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
        faults.extend(unknown_inputs(&document, manifest));
    }
    faults
}

/// Returns the action.yml of an action of this repository.
fn manifest_of(uses: &str) -> Option<String> {
    let folder = match uses.strip_prefix("./") {
        Some(folder) => folder,
        None => uses.split_once('@')?.0.split_once("/hf-deploy")?.1,
    };
    let folder = folder.trim_matches('/');
    if folder.is_empty() {
        return Some(DEPLOY.to_owned());
    }
    action_folders().iter().any(|other| other == folder).then(|| format!("{folder}/action.yml"))
}

/// Finds the faults of a step of this repository: unknown inputs, and values that the action refuses.
fn step_faults(step: &Value, is_keyless: bool) -> Vec<String> {
    let Some(uses) = step["uses"].as_str().filter(|uses| !uses.starts_with("actions/")) else {
        return Vec::new();
    };
    let Some(manifest) = manifest_of(uses) else {
        return vec![format!("`{uses}` is not this action")];
    };
    // A step without inputs shows only how to name the action.
    let Some(with) = step.get("with") else { return Vec::new() };
    let mut faults = unknown_inputs(with, &manifest);
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
    if manifest != DEPLOY {
        faults.extend(value_faults(&manifest, vars));
        return faults;
    }
    match Inputs::from_vars(vars) {
        Ok((_, warnings)) => faults.extend(warnings),
        Err(failure) => faults.push(failure.message),
    }
    faults
}

/// Runs a further action with these variables, and finds what it says about its inputs before it gives up, because no
/// host accepts a token. A snippet of its page that begins with a comment is the file of that name.
fn value_faults(manifest: &str, given: Vec<(String, String)>) -> Vec<String> {
    let action = yaml(&read(manifest));
    let arguments = action["runs"]["args"].as_sequence().expect("a further action has arguments");
    let defaults = action["inputs"].as_mapping().into_iter().flatten();
    let defaults = defaults.map(|(name, spec)| {
        let default = spec.get("default").map(|default| sample(&scalar(default)));
        (format!("INPUT_{}", scalar(name).to_uppercase()), default.unwrap_or_default())
    });
    let hosts = RefusingHosts::start();
    let folder = tempfile::tempdir().unwrap();
    let page = read(&manifest.replace("action.yml", "README.md"));
    for Snippet { text, .. } in snippets(&page) {
        let first = text.split_once('\n').and_then(|(line, rest)| Some((line.strip_prefix("# ")?, rest)));
        if let Some((name, rest)) = first {
            std::fs::write(folder.path().join(name), rest).unwrap();
        }
    }
    let given = given.into_iter().map(|(name, value)| {
        let is_address = value.starts_with("https://");
        (name, if is_address { hosts.address().to_owned() } else { value })
    });
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
        .args(arguments.iter().map(scalar))
        .env_clear()
        .envs(defaults)
        .envs(given)
        .env("HF_ENDPOINT", hosts.address())
        .env("HF_ROUTER_ENDPOINT", hosts.address())
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_API_URL", hosts.address())
        .env("GITHUB_REPOSITORY", "octo/hello")
        .env("GITHUB_SERVER_URL", "https://github.example")
        .env("GITHUB_WORKSPACE", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let log = String::from_utf8(output.stdout).unwrap();
    // No host answers here, and that is no fault of an input.
    let is_about_the_host =
        |line: &str| line.contains("could not be judged") || line.contains("the cost is not known");
    let is_fault = |line: &&str| {
        (line.starts_with("::warning") && !is_about_the_host(line))
            || line.starts_with("::error title=invalid_input")
            || line.starts_with("::error title=token_missing")
    };
    log.lines().filter(is_fault).map(str::to_owned).collect()
}

fn unknown_inputs(with: &Value, manifest: &str) -> Vec<String> {
    let inputs = keys(manifest, "inputs");
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
            "secrets.MODEL_READ_TOKEN" => "hf_sample_of_a_reader",
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
    let outputs = |step: &Value| Some(keys(&manifest_of(step["uses"].as_str()?)?, "outputs"));
    let ids: BTreeMap<&str, _> =
        steps.filter_map(|step| Some((step.get("id")?.as_str()?, outputs(step)))).collect();
    let mut faults = Vec::new();
    for reference in text.split("steps.").skip(1).filter_map(|rest| rest.split([' ', '}']).next()) {
        let Some((id, name)) = reference.split_once(".outputs.") else { continue };
        match ids.get(id) {
            None => faults.push(format!("there is no step `{id}`")),
            Some(Some(outputs)) if !outputs.contains(name) => {
                faults.push(format!("there is no output `{name}`"));
            }
            Some(_) => {}
        }
    }
    faults
}

/// Finds the faults of steps of our own workflows that use an action of this repository.
fn workflow_faults(text: &str) -> Vec<String> {
    let document: Value = serde_yaml::from_str(text).unwrap();
    let jobs = document["jobs"].as_mapping().unwrap().values();
    let steps = jobs.filter_map(|job| job["steps"].as_sequence()).flatten();
    let unknown = steps
        .filter_map(|step| Some((step, manifest_of(step["uses"].as_str()?)?)))
        .flat_map(|(step, manifest)| unknown_inputs(&step["with"], &manifest));
    unknown.chain(reference_faults(text, &document)).collect()
}

/// Finds the fault of a line of a shell. Arguments of the program, of `cargo run` and steps of `tests/run` must exist.
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
        ["hf-deploy", ..] => Call::parse(words).err().map(|error| error.to_string()),
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
    for folder in action_folders() {
        let text = read(&format!("{folder}/README.md"));
        assert_eq!(page_faults(&text, &format!("{folder}/action.yml")), Vec::<String>::new(), "{folder}");
        assert!(
            snippets(&text).iter().any(|snippet| snippet.text.contains("uses: ")),
            "{folder} shows no use"
        );
    }
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
        ("yaml", "- uses: a/hf-deploy/.github/actions/none@v1", "not this action"),
        (
            "yaml",
            "- uses: a/hf-deploy/.github/actions/cleanup@v1\n  with:\n    huggingface_repo: a/b\n    hf_token: hf_x\n    source_dir: x",
            "no input `source_dir`",
        ),
        (
            "yaml",
            "- uses: a/hf-deploy/.github/actions/cleanup@v1\n  with:\n    huggingface_repo: a/b\n    hf_token: hf_x\n    preview_suffix: x",
            "must hold `{number}`",
        ),
        (
            "yaml",
            "- uses: a/hf-deploy/.github/actions/cleanup@v1\n  with:\n    huggingface_repo: a/b",
            "must hold a token",
        ),
        (
            "yaml",
            "- id: a\n  uses: a/hf-deploy/.github/actions/cleanup@v1\n- run: echo ${{ steps.a.outputs.space_url }}",
            "no output `space_url`",
        ),
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
