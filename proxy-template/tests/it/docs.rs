//! README and the program say the same.

use hf_proxy::config::VARIABLES;
use hf_proxy::internals::{EDGE_PREFIXES, EDGES, ENDS_HERE};
use hf_proxy::refusal;

const README: &str = include_str!("../../README.md");

#[test]
fn every_variable_has_its_row() {
    let rows: Vec<&str> = README
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    let mut sorted = rows.clone();
    sorted.sort_unstable();
    let mut known = VARIABLES.to_vec();
    known.sort_unstable();
    assert_eq!(sorted, known);
}

/// Each refusal is in the row of its status.
#[test]
fn every_code_has_its_row() {
    for refusal in refusal::ALL {
        let (status, code) = (refusal.status.to_string(), format!("`{}`", refusal.code));
        let mut rows = README.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
        let told =
            rows.any(|(statuses, rest)| statuses.split(", ").any(|s| s == status) && rest.contains(&code));
        assert!(told, "{status} {code}");
    }
}

/// A caller who misses a header finds it named.
#[test]
fn every_header_that_is_dropped_is_named() {
    let names = ENDS_HERE.iter().chain(EDGES).map(|name| format!("`{name}`"));
    let prefixes = EDGE_PREFIXES.iter().map(|prefix| format!("`{prefix}*`"));
    for name in names.chain(prefixes).chain(["`x-zerogpu-*`".to_owned(), "`x-ip-token`".to_owned()]) {
        assert!(README.contains(&name), "{name}");
    }
}

#[test]
fn it_is_a_card_that_the_action_knows() {
    let card = README.strip_prefix("---\n").and_then(|rest| rest.split("\n---\n").next()).unwrap();
    for line in ["sdk: docker", "app_port: 7860", "pinned: false", "tags:", "  - hf-deploy-proxy"] {
        assert!(card.lines().any(|other| other == line), "{line}");
    }
}

/// Each test file is run.
#[test]
fn no_file_is_forgotten() {
    let main = include_str!("main.rs");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name}");
    }
}
