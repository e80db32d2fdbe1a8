//! The obstacles that an agent reports where it cannot make the model work.

use hub::shorten;
use serde::{Deserialize, Serialize};

use super::leaks;
use super::refusal::Fault;
use crate::model::Severity;
use crate::redact::Redactor;

/// File with the obstacles.
pub const BLOCKERS_FILE: &str = "TECHNICAL_BLOCKERS.json";
/// Number of obstacles that are read.
const MAX_BLOCKERS: usize = 20;
/// Longest name of an obstacle.
const MAX_ID: usize = 60;
/// Longest text about an obstacle, in characters.
const MAX_TEXT: usize = 1000;

/// An obstacle, in the words of the agent and without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentBlocker {
    /// Lower-case letters, digits and `_`.
    pub id: String,
    pub severity: Severity,
    pub evidence: String,
    pub fix: String,
}

/// An obstacle as the file has it.
#[derive(Deserialize)]
struct Written {
    id: String,
    severity: Option<String>,
    evidence: String,
    fix: Option<String>,
}

/// Reads the file. An empty list is no obstacle.
pub(super) fn read(text: &str, known: &Redactor) -> Result<Vec<AgentBlocker>, Fault> {
    let fault = |text: String| Fault::whole(BLOCKERS_FILE, text);
    let written: Vec<Written> = serde_json::from_str(text).map_err(|error| {
        fault(format!("must be a list of objects with `id`, `severity`, `evidence` and `fix`: {error}"))
    })?;
    if written.len() > MAX_BLOCKERS {
        return Err(fault(format!("must have at most {MAX_BLOCKERS} obstacles, and has {}", written.len())));
    }
    let is_name = |id: &str| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(is_plain)
    };
    if written.iter().any(|one| !is_name(&one.id)) {
        return Err(fault(format!(
            "must have ids of lower-case letters, digits and `_`, up to {MAX_ID} of them"
        )));
    }
    if written.iter().any(|one| one.evidence.trim().is_empty()) {
        return Err(fault("must have an `evidence` for each obstacle".to_owned()));
    }
    let clean = |text: &str| shorten(leaks::without(text, known).trim(), MAX_TEXT);
    let blocker = |one: &Written| AgentBlocker {
        id: leaks::without(&one.id, known),
        severity: match one.severity.as_deref() {
            Some("warning") => Severity::Warning,
            _ => Severity::Blocker,
        },
        evidence: clean(&one.evidence),
        fix: clean(one.fix.as_deref().unwrap_or_default()),
    };
    let blockers: Vec<AgentBlocker> = written.iter().map(blocker).collect();
    if !blockers.is_empty() && blockers.iter().all(|one| one.severity == Severity::Warning) {
        return Err(fault("must name an obstacle with the severity `blocker`, or not be there".to_owned()));
    }
    Ok(blockers)
}

#[cfg(test)]
mod tests {
    use hub::Secret;

    use super::*;

    fn read_text(text: &str) -> Result<Vec<AgentBlocker>, Fault> {
        let known = Redactor::default();
        known.register(&Secret::new("hf_of_the_run"));
        read(text, &known)
    }

    #[test]
    fn obstacles_are_read_without_secrets_and_at_a_bounded_length() {
        let long = "é".repeat(5000);
        let text = format!(
            r#"[{{"id":"no_processor","severity":"blocker","evidence":"saw hf_of_the_run","fix":"{long}"}},
                {{"id":"slow","severity":"warning","evidence":"x"}}]"#
        );
        let blockers = read_text(&text).unwrap();
        assert_eq!((blockers[0].id.as_str(), blockers[0].evidence.as_str()), ("no_processor", "saw ***"));
        assert!(blockers[0].fix.chars().count() <= MAX_TEXT + 40, "{}", blockers[0].fix.len());
        assert_eq!((blockers[1].severity, blockers[1].fix.as_str()), (Severity::Warning, ""));
        assert_eq!(read_text("[]"), Ok(Vec::new()));
    }

    #[test]
    fn malformed_files_are_faults() {
        let one = |id: &str, severity: &str, evidence: &str| {
            format!(r#"{{"id":"{id}","severity":"{severity}","evidence":"{evidence}","fix":"y"}}"#)
        };
        let many = vec![one("a", "blocker", "x"); MAX_BLOCKERS + 1].join(",");
        for (text, part) in [
            (String::new(), "must be a list"),
            ("{}".to_owned(), "must be a list"),
            (r#"[{"id":"a"}]"#.to_owned(), "missing field `evidence`"),
            (format!("[{}]", one("a,b", "blocker", "x")), "must have ids"),
            (format!("[{}]", one("", "blocker", "x")), "must have ids"),
            (format!("[{}]", one("a", "blocker", " ")), "`evidence`"),
            (format!("[{}]", one("a", "warning", "x")), "severity `blocker`"),
            (format!("[{many}]"), "at most 20"),
        ] {
            let fault = read_text(&text).unwrap_err();
            assert!(fault.text.contains(part), "{text}: {fault}");
        }
    }
}
