//! What users rely on, held together: action.yml, the code, and what a run writes.

use std::collections::BTreeSet;

use crate::harness::{Run, hub, static_space};

fn action() -> serde_yaml::Value {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/action.yml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

fn keys(section: &str) -> BTreeSet<String> {
    let action = action();
    let mapping = action[section].as_mapping().unwrap();
    mapping.keys().map(|key| key.as_str().unwrap().to_owned()).collect()
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

#[test]
fn the_readme_lists_every_input_and_output() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for name in keys("inputs").union(&keys("outputs")) {
        assert!(readme.contains(&format!("| `{name}` |")), "README has no row for `{name}`");
    }
}

#[test]
fn each_error_has_its_heading_in_the_troubleshooting() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let section = readme.split("\n## Troubleshooting\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let headings: Vec<&str> =
        section.lines().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`')).collect();
    let codes: Vec<&str> = hf_deploy::failure::Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(headings, codes, "the same, in the same order");
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
