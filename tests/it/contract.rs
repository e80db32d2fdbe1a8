//! The contract with users: action.yml, the code and the outputs of a run agree.

mod generated;

use std::collections::BTreeSet;

use crate::harness::{Run, hub, static_space};

/// Reads a file of this repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

pub(crate) fn yaml(text: &str) -> serde_yaml::Value {
    serde_yaml::from_str(text).unwrap()
}

/// Path of the action.yml of the deploy.
pub(crate) const DEPLOY: &str = "action.yml";

/// Returns the names in a section of an action.yml.
pub(crate) fn keys(manifest: &str, section: &str) -> BTreeSet<String> {
    let action = yaml(&read(manifest));
    let mapping = action[section].as_mapping().into_iter().flatten();
    mapping.map(|(key, _)| key.as_str().unwrap().to_owned()).collect()
}

/// Returns the folders of the further actions, sorted.
pub(crate) fn action_folders() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let entries = std::fs::read_dir(root.join(".github/actions")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut folders: Vec<String> = names.map(|name| format!(".github/actions/{name}")).collect();
    folders.sort();
    folders
}

/// Returns the text below a heading of the second rank, up to the next one.
pub(crate) fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let rest = page.split_once(&format!("\n## {heading}\n")).map_or("", |(_, rest)| rest);
    rest.split("\n## ").next().unwrap()
}

/// Returns the rows of the tables in a text whose first cell is a name in backticks, with all their cells.
pub(crate) fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// Finds the differences between two lists; a different order counts as one.
pub(crate) fn differences<T: std::fmt::Debug + PartialEq>(
    found: &[T],
    wanted: &[T],
    place: &str,
) -> Vec<String> {
    let missing = wanted.iter().filter(|item| !found.contains(item));
    let missing = missing.map(|item| format!("{place} lacks {item:?}"));
    let beyond = found.iter().filter(|item| !wanted.contains(item));
    let faults: Vec<String> =
        missing.chain(beyond.map(|item| format!("{place} has {item:?} beyond what there is"))).collect();
    if faults.is_empty() && found != wanted {
        vec![format!("{place} has another order: {found:?}")]
    } else {
        faults
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_output_is_written_on_success_and_on_failure() {
    let (hub, folder) = (hub().await, static_space());
    let names = |ran: &crate::harness::Ran| ran.outputs.keys().cloned().collect::<BTreeSet<String>>();
    let good = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(names(&good), keys(DEPLOY, "outputs"));
    let bad = Run::new(&hub, &folder).input("repo_type", "x").run().await.failed(2, "invalid_input");
    assert_eq!(names(&bad), keys(DEPLOY, "outputs"));
    assert!(!bad.summary.is_empty());
}

#[test]
fn names_of_the_contract_stay() {
    let inputs = keys(DEPLOY, "inputs");
    for name in [
        "huggingface_repo",
        "hf_token",
        "repo_type",
        "space_sdk",
        "private",
        "source_dir",
        "create_proxy",
        "proxy_space_suffix",
        "proxy_hf_token",
        "proxy_target_url",
        "proxy_allow_origins",
        "commit_message",
    ] {
        assert!(inputs.contains(name), "{name}");
    }
    let outputs = keys(DEPLOY, "outputs");
    for name in ["repo_id", "repo_url", "space_url", "proxy_enabled", "proxy_repo_id", "proxy_url"] {
        assert!(outputs.contains(name), "{name}");
    }
    let snake_case = |name: &String| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    assert!(inputs.iter().chain(&outputs).all(snake_case));
}

/// Finds the faults of the descriptions in an action.yml: sentences, and for each input its default.
fn description_faults(action: &serde_yaml::Value) -> Vec<String> {
    let mut faults = Vec::new();
    if action["description"].as_str().unwrap().len() >= 125 {
        faults.push("the Marketplace cuts the description at 125 characters".to_owned());
    }
    for part in ["inputs", "outputs"] {
        for (name, spec) in action[part].as_mapping().into_iter().flatten() {
            let (name, text) = (name.as_str().unwrap(), spec["description"].as_str().unwrap_or_default());
            if !text.ends_with('.')
                || text.contains('\n')
                || !text.starts_with(|c: char| c.is_uppercase() || c == '`')
            {
                faults.push(format!("`{name}` is not described by sentences"));
            }
            if part == "inputs" && !text.contains(" Default: ") && !text.ends_with(" Required.") {
                faults.push(format!("`{name}` has no default in its description"));
            }
        }
    }
    faults
}

/// Finds places with another version than Cargo.toml.
fn version_faults(version: &str, proxy_manifest: &str, changelog: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !proxy_manifest.contains(&format!("\nversion = \"{version}\"\n")) {
        faults.push(format!("proxy-template/Cargo.toml does not have the version {version}"));
    }
    let entries = changelog.lines().filter_map(|line| line.strip_prefix("## ["));
    let mut versions = entries.filter_map(|entry| entry.split(']').next()).peekable();
    if versions.next_if_eq(&"Unreleased").is_none() && versions.peek().is_none() {
        faults.push("CHANGELOG.md has no entry".to_owned());
    }
    if versions.next().is_some_and(|newest| newest != version) {
        faults.push(format!("CHANGELOG.md does not begin with the version {version}"));
    }
    faults
}

/// Finds jobs that the gate of CI, the one job that branch rules require, does not wait for.
fn gate_faults(workflow: &serde_yaml::Value) -> Vec<String> {
    let jobs = workflow["jobs"].as_mapping().unwrap().keys().filter_map(|name| name.as_str());
    let needs = workflow["jobs"]["gate"]["needs"].as_sequence().into_iter().flatten();
    let needs: Vec<&str> = needs.filter_map(|name| name.as_str()).collect();
    differences(&needs, &jobs.filter(|name| *name != "gate").collect::<Vec<_>>(), "the gate of CI")
}

/// Lock files that Dependabot updates, by its name for their ecosystem.
const LOCK_FILES: [(&str, &str); 2] = [("cargo", "Cargo.lock"), ("npm", "package-lock.json")];

/// Finds folders with a lock file of an ecosystem that Dependabot does not look into.
fn dependabot_faults(
    config: &serde_yaml::Value,
    (ecosystem, name): (&str, &str),
    lock_files: &[&str],
) -> Vec<String> {
    let updates = config["updates"].as_sequence().unwrap().iter();
    let own = updates.filter(|update| update["package-ecosystem"].as_str() == Some(ecosystem));
    let folders = own.filter_map(|update| update["directories"].as_sequence()).flatten();
    let folders: Vec<&str> = folders.filter_map(serde_yaml::Value::as_str).collect();
    let wanted: Vec<String> = lock_files
        .iter()
        .map(|path| format!("/{}", path.trim_end_matches(name).trim_end_matches('/')))
        .collect();
    differences(&folders, &wanted.iter().map(String::as_str).collect::<Vec<_>>(), "dependabot.yml")
}

/// Finds the faults of a workflow: each permission has a reason, each action its commit, and no checkout keeps its token.
fn workflow_faults(text: &str) -> Vec<String> {
    let workflow = yaml(text);
    let mut faults = Vec::new();
    if workflow["permissions"].as_mapping().is_none_or(|permissions| !permissions.is_empty()) {
        faults.push("`permissions: {}` is not at the top".to_owned());
    }
    // A called workflow runs in the concurrency group of its caller.
    if workflow["on"].get("workflow_call").is_none() && workflow.get("concurrency").is_none() {
        faults.push("there is no `concurrency`".to_owned());
    }
    for (name, job) in workflow["jobs"].as_mapping().unwrap() {
        let name = name.as_str().unwrap();
        if job.get("permissions").is_none() {
            faults.push(format!("the job `{name}` names no permissions"));
        }
        for step in job["steps"].as_sequence().into_iter().flatten() {
            let uses = step["uses"].as_str().unwrap_or_default();
            let keeps = step["with"]["persist-credentials"].as_bool() != Some(false);
            if uses.starts_with("actions/checkout@") && keeps {
                faults.push(format!("the checkout of the job `{name}` keeps its token"));
            }
            if step["run"].as_str().is_some_and(|run| run.contains("${{")) {
                faults.push(format!("a script of the job `{name}` is put together by GitHub"));
            }
            // A run of a pull request can poison a cache: only the tests' copy of the Hub's contract is kept in one.
            let keeps_contract = step["with"]["path"].as_str() == Some("hub-openapi.json");
            if (uses.starts_with("actions/cache") && !keeps_contract) || step["with"].get("cache").is_some() {
                faults.push(format!("the job `{name}` uses a cache"));
            }
        }
    }
    for line in text.lines().map(|line| line.trim_start().trim_start_matches("- ")) {
        let granted = line.split_once(": ").is_some_and(|(scope, rest)| {
            scope.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                && (rest.starts_with("read") || rest.starts_with("write"))
        });
        if granted && !line.contains(" # ") {
            faults.push(format!("`{line}` gives no reason"));
        }
        let Some(uses) = line.strip_prefix("uses: ") else { continue };
        let pinned = uses.split_once('@').and_then(|(_, reference)| reference.split_once(" # v"));
        let is_pinned = pinned.is_some_and(|(commit, version)| {
            commit.len() == 40
                && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
                && version.split('.').all(|part| part.parse::<u32>().is_ok())
        });
        if !uses.starts_with("./") && !is_pinned {
            faults.push(format!("`{uses}` is not pinned to a commit, with its version"));
        }
    }
    faults
}

/// Asserts that a text has no fault, and one that contains `expected` after `from` is replaced.
pub(crate) fn planted(
    faults: impl Fn(&str) -> Vec<String>,
    text: &str,
    from: &str,
    to: &str,
    expected: &str,
) {
    assert_eq!(faults(text), Vec::<String>::new());
    assert!(text.contains(from), "there is no `{from}` to plant a fault at");
    let found = faults(&text.replacen(from, to, 1));
    assert!(found.iter().any(|fault| fault.contains(expected)), "`{from}` → `{to}`: {found:?}");
}

#[test]
fn descriptions_are_sentences_with_a_default() {
    let faults = |text: &str| description_faults(&yaml(text));
    for folder in action_folders() {
        assert_eq!(faults(&read(&format!("{folder}/action.yml"))), [""; 0], "{folder}");
    }
    let text = read(DEPLOY);
    planted(
        faults,
        &text,
        "description: Deploy a",
        &format!("description: {} Deploy a", "x".repeat(60)),
        "125",
    );
    planted(faults, &text, " Default: any answer.", "", "`health_contains` has no default");
    planted(faults, &text, "Number of new files.", "Number", "`files_added` is not described");
}

#[test]
fn versions_agree() {
    let (version, proxy) = (env!("CARGO_PKG_VERSION"), read("proxy-template/Cargo.toml"));
    let changelog = read("CHANGELOG.md");
    let line = format!("version = \"{version}\"");
    planted(
        |proxy| version_faults(version, proxy, &changelog),
        &proxy,
        &line,
        "version = \"9.9.9\"",
        "proxy-template",
    );
    let faults = |changelog: &str| version_faults(version, &proxy, changelog);
    planted(faults, &changelog, "\n## [", "\n## [9.9.9] - 2026-01-01\n\n## [", "does not begin with");
    planted(faults, "## [Unreleased]\n", "## [Unreleased]\n", "", "no entry");
    let released = format!("## [Unreleased]\n## [{version}] - 2026-01-01\n## [0.0.1] - 2025-01-01\n");
    planted(faults, &released, &format!("[{version}]"), "[0.0.9]", "does not begin with");
}

#[test]
fn dependabot_lists_every_lock_file() {
    let config = yaml(&read(".github/dependabot.yml"));
    for (ecosystem, name) in LOCK_FILES {
        let mut found: Vec<String> = ignore::Walk::new(env!("CARGO_MANIFEST_DIR"))
            .map(|entry| entry.unwrap().into_path())
            .filter(|path| path.ends_with(name))
            .map(|path| path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap().to_owned())
            .collect();
        found.sort();
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(dependabot_faults(&config, (ecosystem, name), &found), [""; 0]);
        let new = format!("new/{name}");
        let planted = [&found[..], &[new.as_str()]].concat();
        let faults = dependabot_faults(&config, (ecosystem, name), &planted);
        assert_eq!(faults, ["dependabot.yml lacks \"/new\""]);
    }
}

#[test]
fn gate_of_ci_needs_every_job() {
    let faults = |text: &str| gate_faults(&yaml(text));
    let text = read(".github/workflows/ci.yml");
    planted(faults, &text, "\njobs:\n", "\njobs:\n  new:\n    steps: []\n", "lacks \"new\"");
    planted(faults, &text, "needs: [tests, ", "needs: [", "lacks \"tests\"");
}

#[test]
fn workflows_limit_permissions_and_pin_actions() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let name = name.into_string().unwrap();
        let text = read(&format!(".github/workflows/{name}"));
        assert_eq!(workflow_faults(&text), Vec::<String>::new(), "{name}");
    }
    let text = read(".github/workflows/ci.yml");
    for (from, to, expected) in [
        ("\npermissions: {}\n", "\npermissions:\n  contents: write\n", "at the top"),
        ("\npermissions: {}\n", "\n", "at the top"),
        ("\nconcurrency:\n", "\nenv:\n", "no `concurrency`"),
        ("    permissions:\n", "    env:\n", "names no permissions"),
        ("persist-credentials: false", "persist-credentials: true", "keeps its token"),
        ("@9c091bb", "@v7 # 9c091bb", "not pinned"),
        (" # v7.0.0", "", "not pinned"),
        (" # to check out", "", "gives no reason"),
        ("run: docker build", "run: docker build ${{ github.head_ref }}", "put together"),
        ("path: hub-openapi.json", "path: target", "a cache"),
    ] {
        planted(workflow_faults, &text, from, to, expected);
    }
}

/// The runner looks for the image beside the action.yml, and builds it in the folder of the Dockerfile.
#[test]
fn main_builds_each_action_from_the_one_dockerfile() {
    let manifests = action_folders().into_iter().map(|folder| (format!("{folder}/action.yml"), "../../../"));
    for (manifest, up) in std::iter::once((DEPLOY.to_owned(), "")).chain(manifests) {
        let action = yaml(&read(&manifest));
        let found = (action["runs"]["using"].as_str(), action["runs"]["image"].as_str());
        assert_eq!(found, (Some("docker"), Some(format!("{up}Dockerfile").as_str())), "{manifest}");
    }
}

#[test]
fn each_command_with_outputs_prints_json_also_without_its_inputs() {
    let folder = tempfile::tempdir().unwrap();
    for command in hf_deploy::commands::COMMANDS.iter().filter(|command| !command.outputs.is_empty()) {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
            .args(command.name.split(' '))
            .arg("--json")
            .env_clear()
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let name = command.name;
        let stdout = String::from_utf8(output.stdout).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{name}: {error}: {stdout}"));
        assert!(json.is_object(), "{name}: {json}");
        assert_ne!(output.status.code(), Some(0), "{name} ran without its inputs: {json}");
    }
}
