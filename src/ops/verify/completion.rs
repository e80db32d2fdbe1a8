//! The result of a verification in the bundle of an earlier run, such as one that waited for hardware.

use serde_json::{Value, json};

use super::options::{Target, VerifyOptions};
use super::report::EndedCheck;
use crate::failure::{Result, verify as advice};
use crate::ops::{Session, check};
use crate::run_bundle::{BundleContent, BundleFile, Completion, EarlierBundle};

/// Name of the file with the verdict.
const GATE: &str = "inference_gate.json";

/// Opens the bundle of the run to complete, before anything is checked.
///
/// # Errors
///
/// `invalid_input`: there is no such bundle, or it is that of another Space.
pub(super) fn open(options: &VerifyOptions, session: &Session<'_>) -> Result<Option<EarlierBundle>> {
    let (Some(id), Target::Space(space)) = (&options.completes, &options.target) else { return Ok(None) };
    let Some(bundle) = session.log.bundle() else { return Err(advice::no_earlier_run(id)) };
    let earlier = bundle.earlier(id).map_err(|error| advice::earlier_unreadable(id, error))?;
    let Some(earlier) = earlier else { return Err(advice::no_earlier_run(id)) };
    match earlier.space() {
        Some(other) if other.eq_ignore_ascii_case(&space.to_string()) => Ok(Some(earlier)),
        other => Err(advice::run_of_other_space(id, other, space)),
    }
}

/// Adds the result to the bundle. Without a result, the bundle stays as it is.
pub(super) fn complete(
    earlier: EarlierBundle,
    ended: &[EndedCheck],
    has_failed: bool,
    session: &Session<'_>,
) {
    let Some(worst) = ended.iter().max_by_key(|check| check.result.status.rank()) else { return };
    let status = worst.result.status.as_str();
    let gate = json!({
        "status": status,
        "reasons": Value::from_iter(ended.iter().map(|check| check.result.detail.as_str())),
        "evidence": {
            "space": earlier.space(),
            "endpoint": worst.result.endpoint,
            "detail": worst.result.detail,
            "outputs": worst.result.outputs,
        },
    });
    let gate = BundleFile { path: GATE.to_owned(), content: BundleContent::Json(gate) };
    let folder = |index: usize| match ended.len() {
        1 => "tests".to_owned(),
        _ => format!("tests/check-{}", index + 1),
    };
    let of_checks = ended
        .iter()
        .enumerate()
        .flat_map(|(index, check)| check::bundle_files(&check.result, &folder(index)));
    let by = session.log.bundle().map(|bundle| bundle.id().to_string()).unwrap_or_default();
    let files = [gate].into_iter().chain(of_checks).collect();
    let path = earlier.path().display().to_string();
    match earlier.complete(Completion { by, gate_status: status, files, has_failed }) {
        Ok(left_out) => {
            session.log.info(&format!("completed the run bundle in {path}: {status}"));
            for file in left_out {
                session
                    .log
                    .warning(&format!("left `{file}` out of the run bundle, because it holds a secret"));
            }
        }
        Err(error) => session.log.warning(&format!("cannot complete the run bundle in {path}: {error}")),
    }
}
