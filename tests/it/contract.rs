//! What users rely on, held together: action.yml, the code, and what a run writes.

use std::collections::BTreeSet;

use crate::harness::{Run, hub, static_space};

/// A file of this repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

pub(crate) fn yaml(text: &str) -> serde_yaml::Value {
    serde_yaml::from_str(text).unwrap()
}

/// The names in a section of action.yml.
pub(crate) fn keys(section: &str) -> BTreeSet<String> {
    let action = yaml(&read("action.yml"));
    let mapping = action[section].as_mapping().unwrap();
    mapping.keys().map(|key| key.as_str().unwrap().to_owned()).collect()
}

/// The text below a heading of README, up to the next one of its rank.
fn section<'a>(readme: &'a str, heading: &str) -> &'a str {
    let rest = readme.split_once(&format!("\n## {heading}\n")).map_or("", |(_, rest)| rest);
    rest.split("\n## ").next().unwrap()
}

/// The rows of the tables in a text whose first cell is a name in backticks, with all their cells.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// What two lists do not have in common, in the order that they should have.
fn differences<T: std::fmt::Debug + PartialEq>(found: &[T], wanted: &[T], place: &str) -> Vec<String> {
    let missing = wanted.iter().filter(|item| !found.contains(item));
    let missing = missing.map(|item| format!("{place} lacks {item:?}"));
    let beyond = found.iter().filter(|item| !wanted.contains(item));
    let faults: Vec<String> =
        missing.chain(beyond.map(|item| format!("{place} has {item:?} beyond what there is"))).collect();
    match faults.is_empty() && found != wanted {
        true => vec![format!("{place} has another order: {found:?}")],
        false => faults,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_output_of_action_yml_is_written_on_success_and_on_failure() {
    let (hub, folder) = (hub().await, static_space());
    let names = |ran: &crate::harness::Ran| ran.outputs.keys().cloned().collect::<BTreeSet<String>>();
    let good = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(names(&good), keys("outputs"));
    let bad = Run::new(&hub, &folder).input("repo_type", "x").run().await.failed(2, "invalid_input");
    assert_eq!(names(&bad), keys("outputs"));
    assert!(!bad.summary.is_empty());
}

#[test]
fn the_names_that_users_rely_on() {
    let inputs = keys("inputs");
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
    let outputs = keys("outputs");
    for name in ["repo_id", "repo_url", "space_url", "proxy_enabled", "proxy_repo_id", "proxy_url"] {
        assert!(outputs.contains(name), "{name}");
    }
    let snake_case = |name: &String| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    assert!(inputs.iter().chain(&outputs).all(snake_case));
}

/// README's tables of inputs and outputs against action.yml, to which unit tests hold the code.
fn table_faults(action: &serde_yaml::Value, readme: &str) -> Vec<String> {
    let cell = |value: &serde_yaml::Value| value.as_str().unwrap().to_owned();
    let described = |section: &str, with_default: bool| -> Vec<Vec<String>> {
        let entries = action[section].as_mapping().unwrap().iter();
        let row = |(name, spec): (&serde_yaml::Value, &serde_yaml::Value)| {
            let default = spec.get("default").map(|default| format!("`{}`", cell(default)));
            let default = with_default.then(|| default.unwrap_or_default());
            let cells = [Some(format!("`{}`", cell(name))), default, Some(cell(&spec["description"]))];
            cells.into_iter().flatten().collect()
        };
        entries.map(row).collect()
    };
    let written = |heading: &str| -> Vec<Vec<String>> {
        rows(section(readme, heading))
            .into_iter()
            .map(|row| row.into_iter().map(str::to_owned).collect())
            .collect()
    };
    let mut faults = differences(&written("Inputs"), &described("inputs", true), "README's inputs");
    faults.extend(differences(&written("Outputs"), &described("outputs", false), "README's outputs"));
    faults
}

/// What action.yml says of itself and of each name: short, and for each input what empty means.
fn description_faults(action: &serde_yaml::Value) -> Vec<String> {
    let mut faults = Vec::new();
    if action["description"].as_str().unwrap().len() >= 125 {
        faults.push("the Marketplace cuts the description at 125 characters".to_owned());
    }
    for part in ["inputs", "outputs"] {
        for (name, spec) in action[part].as_mapping().unwrap() {
            let (name, text) = (name.as_str().unwrap(), spec["description"].as_str().unwrap_or_default());
            if !text.ends_with('.') || text.contains(". ") || text.contains('\n') {
                faults.push(format!("`{name}` is not described by one sentence"));
            }
            if part == "inputs" && !text.contains("empty ") {
                faults.push(format!("`{name}` does not say what empty means"));
            }
        }
    }
    faults
}

/// Each error code has its heading, in the order of the table.
fn troubleshooting_faults(readme: &str) -> Vec<String> {
    let lines = section(readme, "Troubleshooting").lines();
    let headings: Vec<&str> =
        lines.filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let codes: Vec<&str> = hf_deploy::failure::Code::ALL.iter().map(|code| code.as_str()).collect();
    differences(&headings, &codes, "the troubleshooting")
}

/// README names each dependency, of the action first and then of the proxy.
fn dependency_faults(manifests: [&str; 2], readme: &str) -> Vec<String> {
    let wanted: Vec<&str> = manifests.into_iter().flat_map(dependencies).collect();
    let rows = rows(section(readme, "Dependencies"));
    let found: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let mut faults = differences(&found, &wanted, "README's dependencies");
    let silent = rows.iter().filter(|row| row.get(1).is_none_or(|why| why.is_empty()));
    faults.extend(silent.map(|row| format!("README does not say what {} is for", row[0])));
    faults
}

/// The names in the `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> Vec<&str> {
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty())
        .collect()
}

/// One version everywhere: what was released last, or what nobody has released yet.
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

/// The one job that branch rules ask for waits for all others.
fn gate_faults(workflow: &serde_yaml::Value) -> Vec<String> {
    let jobs = workflow["jobs"].as_mapping().unwrap().keys().filter_map(|name| name.as_str());
    let needs = workflow["jobs"]["gate"]["needs"].as_sequence().into_iter().flatten();
    let needs: Vec<&str> = needs.filter_map(|name| name.as_str()).collect();
    differences(&needs, &jobs.filter(|name| *name != "gate").collect::<Vec<_>>(), "the gate of CI")
}

/// What each workflow has to have: no permission that nobody named, actions by commit, no token left behind.
/// Dependabot looks into each folder that has a lock file of its own.
fn dependabot_faults(config: &serde_yaml::Value, lock_files: &[&str]) -> Vec<String> {
    let updates = config["updates"].as_sequence().unwrap().iter();
    let cargo = updates.filter(|update| update["package-ecosystem"].as_str() == Some("cargo"));
    let folders = cargo.filter_map(|update| update["directories"].as_sequence()).flatten();
    let folders: Vec<&str> = folders.filter_map(serde_yaml::Value::as_str).collect();
    let wanted: Vec<String> = lock_files
        .iter()
        .map(|path| format!("/{}", path.trim_end_matches("Cargo.lock").trim_end_matches('/')))
        .collect();
    differences(&folders, &wanted.iter().map(String::as_str).collect::<Vec<_>>(), "dependabot.yml")
}

fn workflow_faults(text: &str) -> Vec<String> {
    let workflow = yaml(text);
    let mut faults = Vec::new();
    if workflow["permissions"].as_mapping().is_none_or(|permissions| !permissions.is_empty()) {
        faults.push("`permissions: {}` is not at the top".to_owned());
    }
    // What is called runs in the group of its caller.
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

/// No fault here, and one where a fault is planted.
pub(crate) fn planted(faults: impl Fn(&str) -> Vec<String>, text: &str, from: &str, to: &str, said: &str) {
    assert_eq!(faults(text), Vec::<String>::new());
    assert!(text.contains(from), "there is no `{from}` to plant a fault at");
    let found = faults(&text.replacen(from, to, 1));
    assert!(found.iter().any(|fault| fault.contains(said)), "`{from}` → `{to}`: {found:?}");
}

#[test]
fn the_tables_of_the_readme_are_action_yml() {
    let (action, readme) = (read("action.yml"), read("README.md"));
    let faults = |readme: &str| table_faults(&yaml(&action), readme);
    planted(faults, &readme, "| `prune` | `auto` |", "| `prune` | `true` |", "prune");
    planted(faults, &readme, "| `hf_token` |  | A ", "| `hf_token` |  | The ", "A Hugging Face token");
    planted(faults, &readme, "| `space_stage` |", "| `space_stages` |", "`space_stage`");
    planted(faults, &readme, "\n| `repo_id` |", "\n| `new_output` | New. |\n| `repo_id` |", "`new_output`");
    let faults = |action: &str| table_faults(&yaml(action), &readme);
    planted(
        faults,
        &action,
        "  hf_token:\n",
        "  new_input:\n    description: X.\n  hf_token:\n",
        "`new_input`",
    );
}

#[test]
fn the_descriptions_are_short_and_say_what_empty_means() {
    let faults = |text: &str| description_faults(&yaml(text));
    let text = read("action.yml");
    planted(
        faults,
        &text,
        "description: Deploy a",
        &format!("description: {} Deploy a", "x".repeat(60)),
        "125",
    );
    planted(faults, &text, "; empty means any answer", "", "`health_contains` does not say");
    planted(faults, &text, "How many files are new.", "How many", "`files_added` is not described");
}

#[test]
fn each_error_has_its_heading_in_the_troubleshooting() {
    let readme = read("README.md");
    planted(
        troubleshooting_faults,
        &readme,
        "### `lfs_pointer`",
        "### `lfs_pointers`",
        "lacks \"lfs_pointer\"",
    );
    planted(troubleshooting_faults, &readme, "### `conflict`", "### `conflict`\n### `odd`", "\"odd\"");
}

#[test]
fn the_readme_names_each_dependency() {
    let (action, proxy) = (read("Cargo.toml"), read("proxy-template/Cargo.toml"));
    let readme = read("README.md");
    let faults = |readme: &str| dependency_faults([&action, &proxy], readme);
    planted(faults, &readme, "| `envy` |", "| `envoy` |", "lacks \"envy\"");
    planted(faults, &readme, "| `subtle` | ", "| `subtle` |  | ", "what `subtle` is for");
    let faults = |action: &str| dependency_faults([action, &proxy], &readme);
    planted(
        faults,
        &action,
        "\n[dependencies]\n",
        "\n[dependencies]\nleft-pad = \"1\"\n",
        "lacks \"left-pad\"",
    );
}

#[test]
fn there_is_one_version() {
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
fn dependabot_knows_every_lock_file() {
    let config = yaml(&read(".github/dependabot.yml"));
    let mut found: Vec<String> = ignore::Walk::new(env!("CARGO_MANIFEST_DIR"))
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.ends_with("Cargo.lock"))
        .map(|path| path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(dependabot_faults(&config, &found), [""; 0]);
    let planted = [&found[..], &["new/Cargo.lock"]].concat();
    assert_eq!(dependabot_faults(&config, &planted), ["dependabot.yml lacks \"/new\""]);
}

#[test]
fn the_gate_of_ci_waits_for_every_job() {
    let faults = |text: &str| gate_faults(&yaml(text));
    let text = read(".github/workflows/ci.yml");
    planted(faults, &text, "\njobs:\n", "\njobs:\n  new:\n    steps: []\n", "lacks \"new\"");
    planted(faults, &text, "needs: [tests, ", "needs: [", "lacks \"tests\"");
}

#[test]
fn the_workflows_ask_for_little_and_pin_all() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.len() >= 6, "{names:?}");
    for name in names {
        let name = name.into_string().unwrap();
        let text = read(&format!(".github/workflows/{name}"));
        assert_eq!(workflow_faults(&text), Vec::<String>::new(), "{name}");
    }
    let text = read(".github/workflows/ci.yml");
    for (from, to, said) in [
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
        planted(workflow_faults, &text, from, to, said);
    }
}

#[test]
fn on_main_the_action_is_built_from_its_source() {
    let action = yaml(&read("action.yml"));
    assert_eq!(
        (action["runs"]["using"].as_str(), action["runs"]["image"].as_str()),
        (Some("docker"), Some("Dockerfile"))
    );
}

#[test]
fn the_page_for_contributors_is_one_that_is_read() {
    assert!(read("AGENTS.md").lines().count() <= 200);
}

/// Whoever searches for an error finds it: what the section quotes stands in the sources, ours or the Hub's.
#[test]
fn the_troubleshooting_quotes_errors_literally() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = String::new();
    let mut folders = vec![root.join("src"), root.join("tests/local-hub/src"), root.join("tests/it")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                sources.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let section = readme.split("\n## Troubleshooting\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
    let quotes: Vec<&str> = section.split('"').skip(1).step_by(2).collect();
    assert!(quotes.len() >= 12, "{quotes:?}");
    for quote in quotes {
        for part in quote.split('…').map(|part| part.trim_matches(|c: char| c == ':' || c.is_whitespace()))
        {
            let part = part.trim_matches('`').trim();
            assert!(sources.contains(part), "README quotes `{part}`, and nothing says it");
        }
    }
}
