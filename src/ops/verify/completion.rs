//! The result of a verification in the bundle of an earlier run, such as one that waited for hardware.

use serde_json::{Value, json};

use super::options::{Target, VerifyOptions};
use super::report::EndedCheck;
use crate::failure::{Result, bundle, verify as advice};
use crate::ops::bundle_bucket::{self, BundleBucket};
use crate::ops::{Session, check};
use crate::run_bundle::{BundleContent, BundleFile, Completion, EarlierBundle};

/// Name of the file with the verdict.
const GATE: &str = "inference_gate.json";

/// Bundle of the run to complete.
pub(super) struct Earlier {
    bundle: EarlierBundle,
    id: String,
    /// Bucket that has it as well.
    bucket: Option<BundleBucket>,
}

/// Opens the bundle of the run to complete, before anything is checked. It comes from the bucket if the workspace does not
/// have it.
///
/// # Errors
///
/// `invalid_input`: there is no such bundle, or it is that of another Space. Others: the bucket cannot be read.
pub(super) async fn open(options: &VerifyOptions, session: &Session<'_>) -> Result<Option<Earlier>> {
    let (Some(id), Target::Space(space)) = (&options.completes, &options.target) else { return Ok(None) };
    let bucket = options.bundle_bucket.as_ref();
    let missing = || advice::no_earlier_run(id, bucket.map(|bucket| &bucket.bucket));
    let Some(own) = session.log.bundle() else { return Err(missing()) };
    let open = || own.earlier(id).map_err(|error| advice::earlier_unreadable(id, error));
    let (found, is_stored) = match (open()?, bucket) {
        (Some(found), Some(bucket)) => {
            let is_stored = bundle_bucket::has_earlier(session, bucket, id, &found).await;
            let is_stored = is_stored.unwrap_or_else(|failure| {
                session.log.warning(&bundle::earlier_not_pushed(id, &failure));
                false
            });
            (Some(found), is_stored)
        }
        (None, Some(bucket)) if bundle_bucket::fetch_earlier(session, bucket, id).await? => (open()?, true),
        (found, _) => (found, false),
    };
    let Some(found) = found else { return Err(missing()) };
    match found.space() {
        Some(other) if other.eq_ignore_ascii_case(&space.to_string()) => {
            let bucket = bucket.filter(|_| is_stored).cloned();
            Ok(Some(Earlier { bundle: found, id: id.clone(), bucket }))
        }
        other => Err(advice::run_of_other_space(id, other, space)),
    }
}

/// Adds the result to the bundle, also to the one in the bucket. Without a result, the bundle stays as it is.
pub(super) async fn complete(
    earlier: Earlier,
    ended: &[EndedCheck],
    has_failed: bool,
    session: &Session<'_>,
) {
    let Earlier { bundle: earlier, id, bucket } = earlier;
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
    let root = earlier.path().to_owned();
    let path = root.display();
    match earlier.complete(Completion { by, gate_status: status, files, has_failed }) {
        Ok(left_out) => {
            session.log.info(&format!("completed the run bundle in {path}: {status}"));
            for file in left_out {
                session
                    .log
                    .warning(&format!("left `{file}` out of the run bundle, because it holds a secret"));
            }
            let Some(bucket) = bucket else { return };
            if let Err(failure) = bundle_bucket::push_earlier(session, &bucket, &id, root.clone()).await {
                session.log.warning(&bundle::earlier_not_pushed(&id, &failure));
            }
        }
        Err(error) => session.log.warning(&format!("cannot complete the run bundle in {path}: {error}")),
    }
}
