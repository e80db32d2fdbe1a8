//! README agrees with the program.

use hf_proxy::config::VARIABLES;
use hf_proxy::internals::{EDGE_PREFIXES, EDGES, ENDS_HERE};
use hf_proxy::refusal;

const README: &str = include_str!("../../README.md");

#[test]
fn each_variable_has_a_row() {
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

/// In the row of its status.
#[test]
fn each_code_has_a_row() {
    for refusal in refusal::ALL {
        let (status, code) = (refusal.status.to_string(), format!("`{}`", refusal.code));
        let mut rows = README.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | "));
        let found =
            rows.any(|(statuses, rest)| statuses.split(", ").any(|s| s == status) && rest.contains(&code));
        assert!(found, "{status} {code}");
    }
}

/// So that a caller who misses a header finds it.
#[test]
fn each_dropped_header_is_named() {
    let names = ENDS_HERE.iter().chain(EDGES).map(|name| format!("`{name}`"));
    let prefixes = EDGE_PREFIXES.iter().map(|prefix| format!("`{prefix}*`"));
    for name in names.chain(prefixes).chain(["`x-zerogpu-*`".to_owned(), "`x-ip-token`".to_owned()]) {
        assert!(README.contains(&name), "{name}");
    }
}

#[test]
fn the_card_has_the_fields_that_the_action_needs() {
    let card = README.strip_prefix("---\n").and_then(|rest| rest.split("\n---\n").next()).unwrap();
    for line in ["sdk: docker", "app_port: 7860", "pinned: false", "tags:", "  - hf-deploy-proxy"] {
        assert!(card.lines().any(|other| other == line), "{line}");
    }
}

#[test]
fn each_test_file_is_run() {
    let main = include_str!("main.rs");
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "{name}");
    }
}
