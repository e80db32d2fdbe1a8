//! Files of the run bundle that a later stage, or a killed run, must not lose.

use serde::Serialize;

use super::generate::Generated;
use crate::action::Log;
use crate::model::Analysis;
use crate::run_bundle::{BundleContent, BundleFile};

const RECOMMENDATION: &str = "runtime_recommendation.json";
const BLOCKERS: &str = "TECHNICAL_BLOCKERS.json";

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

fn keep(path: &str, value: &impl Serialize, log: &Log) {
    // The types have no keys that JSON lacks.
    let Ok(value) = serde_json::to_value(value) else { return };
    let file = BundleFile { path: path.to_owned(), content: BundleContent::Json(value) };
    log.keep_in_bundle(|bundle| bundle.add_file(file));
}
