//! The YAML block at the head of a README.

use serde_json::{Value, json};

/// Returns the YAML block of a README, by the Hub's expression (`huggingface_hub`'s `REGEX_YAML_BLOCK`):
/// `^(\s*---(?:\r\n|\r|\n))([\S\s]*?)((?:\r\n|\r|\n)---[ \t]*(\r\n|\n|$))`.
pub(crate) fn block(text: &str) -> Option<&str> {
    let after =
        text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').strip_prefix("---")?;
    let yaml = after.strip_prefix("\r\n").or_else(|| after.strip_prefix(['\r', '\n']))?;
    let is_closing = |fence: &str| {
        let after = fence.trim_start_matches([' ', '\t']);
        after.is_empty() || after.starts_with("\r\n") || after.starts_with('\n')
    };
    let mut breaks = yaml.match_indices(['\r', '\n']).map(|(at, _)| at);
    breaks.find_map(|at| {
        let line = yaml[at..].strip_prefix("\r\n").unwrap_or(&yaml[at + 1..]);
        line.strip_prefix("---").filter(|fence| is_closing(fence)).map(|_| &yaml[..at])
    })
}

/// Returns the metadata of a README; an empty object if it is missing or invalid.
pub(crate) fn front_matter(text: &str) -> Value {
    block(text)
        .and_then(|b| serde_yaml::from_str::<Value>(b).ok())
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}))
}

/// Returns the errors and warnings of `POST /api/validate-yaml`. A missing block is a warning; an empty block or
/// one that is not a mapping is an error.
pub(crate) fn validate(content: &str, repo_type: &str) -> (Vec<Value>, Vec<Value>) {
    let message = |text: &str| json!({ "message": text });
    let Some(block) = block(content) else {
        return (vec![], vec![message("empty or missing yaml metadata in repo card")]);
    };
    let card: Value = match serde_yaml::from_str(block) {
        Ok(card) => card,
        Err(error) => return (vec![message(&format!("Invalid YAML metadata: {error}"))], vec![]),
    };
    let Some(card) = card.as_object() else {
        return (vec![message("YAML metadata must be a mapping")], vec![]);
    };
    let mut errors = Vec::new();
    let one_of = |key: &str, allowed: &[&str], errors: &mut Vec<Value>| {
        if let Some(value) = card.get(key)
            && !value.as_str().is_some_and(|v| allowed.contains(&v))
        {
            errors.push(message(&format!("\"{key}\" must be one of [{}]", allowed.join(", "))));
        }
    };
    check_license(card.get("license"), &mut errors);
    if repo_type == "model" && card.get("model-index").is_some_and(|index| !index.is_array()) {
        errors.push(message("\"model-index\" must be an array"));
    }
    if repo_type == "space" {
        one_of("sdk", &["gradio", "docker", "static"], &mut errors);
        let colors = ["red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"];
        one_of("colorFrom", &colors, &mut errors);
        one_of("colorTo", &colors, &mut errors);
        if !card.contains_key("sdk") {
            errors.push(message("\"sdk\" is required"));
        }
        if card.get("short_description").and_then(Value::as_str).is_some_and(|d| d.chars().count() > 60) {
            errors.push(message(
                "\"short_description\" length must be less than or equal to 60 characters long",
            ));
        }
    }
    (errors, vec![])
}

/// Checks that the license is a known one, or a list of known ones.
fn check_license(license: Option<&Value>, errors: &mut Vec<Value>) {
    let known = |value: &Value| value.as_str().is_some_and(|license| LICENSES.contains(&license));
    let fits = match license {
        None => true,
        Some(Value::Array(list)) => list.iter().all(known),
        Some(value) => known(value),
    };
    if !fits {
        errors.push(json!({"message": format!("\"license\" must be one of [{}]", LICENSES.join(", "))}));
    }
}

/// Licenses of the OpenAPI document (`POST /api/repos/create`).
pub const LICENSES: &[&str] = &[
    "apache-2.0",
    "mit",
    "openrail",
    "bigscience-openrail-m",
    "creativeml-openrail-m",
    "bigscience-bloom-rail-1.0",
    "bigcode-openrail-m",
    "afl-3.0",
    "artistic-2.0",
    "bsl-1.0",
    "bsd",
    "bsd-2-clause",
    "bsd-3-clause",
    "bsd-3-clause-clear",
    "c-uda",
    "cc",
    "cc0-1.0",
    "cc-by-2.0",
    "cc-by-2.5",
    "cc-by-3.0",
    "cc-by-4.0",
    "cc-by-sa-3.0",
    "cc-by-sa-4.0",
    "cc-by-nc-2.0",
    "cc-by-nc-3.0",
    "cc-by-nc-4.0",
    "cc-by-nd-4.0",
    "cc-by-nc-nd-3.0",
    "cc-by-nc-nd-4.0",
    "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0",
    "cc-by-nc-sa-4.0",
    "cdla-sharing-1.0",
    "cdla-permissive-1.0",
    "cdla-permissive-2.0",
    "wtfpl",
    "ecl-2.0",
    "epl-1.0",
    "epl-2.0",
    "etalab-2.0",
    "eupl-1.1",
    "eupl-1.2",
    "agpl-3.0",
    "gfdl",
    "gpl",
    "gpl-2.0",
    "gpl-3.0",
    "lgpl",
    "lgpl-2.1",
    "lgpl-3.0",
    "isc",
    "h-research",
    "intel-research",
    "lppl-1.3c",
    "ms-pl",
    "apple-ascl",
    "apple-amlr",
    "mpl-2.0",
    "odc-by",
    "odbl",
    "openmdw-1.0",
    "openmdw-1.1",
    "openrail++",
    "osl-3.0",
    "postgresql",
    "ofl-1.1",
    "ncsa",
    "unlicense",
    "zlib",
    "pddl",
    "lgpl-lr",
    "deepfloyd-if-license",
    "fair-noncommercial-research-license",
    "llama2",
    "llama3",
    "llama3.1",
    "llama3.2",
    "llama3.3",
    "llama4",
    "grok2-community",
    "gemma",
    "unknown",
    "other",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_follows_the_hubs_expression() {
        assert_eq!(block("---\na: 1\n---\ntext"), Some("a: 1"));
        assert_eq!(block("---\r\na: 1\r\n---\r\n"), Some("a: 1"));
        assert_eq!(block("\n\n---\na: 1\n--- \t\n"), Some("a: 1"));
        assert_eq!(block("  ---\ra: 1\r---"), Some("a: 1"));
        assert_eq!(block("---\n\n---\n"), Some(""));
        assert_eq!(block("---\n---\n"), None);
        assert_eq!(block("--- \na: 1\n---\n"), None);
        assert_eq!(block("---\t\r\na: 1\n---\n"), None);
        assert_eq!(block("---\na: 1\n"), None);
        assert_eq!(block("# Title"), None);
        assert_eq!(front_matter("---\nsdk: docker\n---\n")["sdk"], "docker");
    }

    #[test]
    fn validation_reports_errors_and_warnings() {
        assert_eq!(validate("no block", "model").1.len(), 1);
        assert_eq!(validate("---\n\n---\n", "model").0.len(), 1);
        assert_eq!(validate("---\n---\n", "model").1.len(), 1);
        let refused = |card: &str, why: &str| {
            let (errors, _) = validate(card, "model");
            assert!(
                errors.len() == 1 && errors[0]["message"].as_str().is_some_and(|m| m.contains(why)),
                "{card}"
            );
        };
        refused("---\nlicense: asdf\n---\n", "\"license\" must be one of [apache-2.0, ");
        refused("---\nlicense: [mit, asdf]\n---\n", "\"license\" must be one of [");
        refused("\n---\nmodel-index: foo\n---\n", "\"model-index\" must be an array");
        assert_eq!(validate("---\nlicense: [mit, other]\nmodel-index: []\n---\n", "model"), (vec![], vec![]));
        assert_eq!(validate("---\nsdk: rails\n---\n", "space").0.len(), 1);
        assert_eq!(validate("---\nsdk: static\ncolorFrom: red\n---\n", "space"), (vec![], vec![]));
    }
}
