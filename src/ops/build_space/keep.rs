//! Files of the run bundle that a later stage, or a killed run, must not lose.

use serde::Serialize;

use super::generate::Generated;
use crate::action::Log;
use crate::agent::AgentBlocker;
use crate::model::{Analysis, Blocker};
use crate::run_bundle::{BundleContent, BundleFile};

const RECOMMENDATION: &str = "runtime_recommendation.json";
const BLOCKERS: &str = "TECHNICAL_BLOCKERS.json";
/// Folder of an agent's sessions, without their secrets.
const SESSIONS: &str = "traces/redacted";

/// Keeps the recommendation, and the obstacles if there are any.
pub(super) fn recommendation(analysis: &Analysis, log: &Log) {
    keep(RECOMMENDATION, &analysis.recommendation, log);
    if !analysis.blockers.is_empty() {
        keep(BLOCKERS, &analysis.blockers, log);
    }
}

/// Keeps the generated files.
pub(super) fn files(generated: &Generated, log: &Log) {
    for file in generated.bundle_files() {
        log.keep_in_bundle(|bundle| bundle.add_file(file));
    }
}

/// Keeps the obstacles that an agent found, with those that were found before.
pub(super) fn agent_blockers(blockers: &[AgentBlocker], analysis: &Analysis, log: &Log) {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Found<'a> {
        ByAgent(&'a AgentBlocker),
        Before(&'a Blocker),
    }
    let before = analysis.blockers.iter().map(Found::Before);
    let all: Vec<Found<'_>> = blockers.iter().map(Found::ByAgent).chain(before).collect();
    keep(BLOCKERS, &all, log);
}

/// Keeps a session of an agent.
pub(super) fn session(name: &str, text: String, log: &Log) {
    let file = BundleFile { path: format!("{SESSIONS}/{name}"), content: BundleContent::Text(text) };
    log.keep_in_bundle(|bundle| bundle.add_file(file));
}

fn keep(path: &str, value: &impl Serialize, log: &Log) {
    // The types have no keys that JSON lacks.
    let Ok(value) = serde_json::to_value(value) else { return };
    let file = BundleFile { path: path.to_owned(), content: BundleContent::Json(value) };
    log.keep_in_bundle(|bundle| bundle.add_file(file));
}
