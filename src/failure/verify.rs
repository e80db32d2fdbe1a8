//! Advice on a verification.

use std::path::Path;

use hub::{BucketId, Repo, RepoId};

use super::{Code, Failure, Result, SourceLocation};
use crate::ops::verify::EndedCheck;
use crate::setting::{BUNDLE_BUCKET, HF_TOKEN, JUNIT_PATH, RUN_ID, in_workflow_or_terminal};
use crate::text::{count, name_some, quoted, quoted_path};

/// Number of failed checks whose hints are part of the failure.
const MAX_HINTED: usize = 5;

/// Ends a verification of several checks.
///
/// # Errors
///
/// `check_failed` with the failed checks, and their places in the file of the checks.
pub fn conclude(checks: &[EndedCheck]) -> Result<()> {
    let failed: Vec<&EndedCheck> = checks.iter().filter(|check| check.has_failed).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = failed.iter().map(|check| format!("`{}`", check.name)).collect();
    let message =
        format!("{} of {} did not pass: {}", failed.len(), count(checks.len(), "check"), name_some(&names));
    let places = failed.iter().filter_map(|check| {
        let place = check.place.as_ref()?;
        let message = format!("`{}`: {}", check.name, check.result.detail);
        Some(SourceLocation { file: place.file.clone(), line: Some(place.line), message })
    });
    let hints = failed.iter().take(MAX_HINTED).filter_map(|check| {
        let hint = check.hints.first()?;
        Some(format!("`{}`: {hint}", check.name))
    });
    let failure = Failure::new(Code::CheckFailed, message).at(places.collect::<Vec<_>>());
    Err(hints.fold(failure, Failure::hint))
}

/// Returns the failure of a run whose bundle is neither in the workspace nor in the bucket.
pub fn no_earlier_run(id: &str, bucket: Option<&BucketId>) -> Failure {
    let run = quoted(id);
    let message = match bucket {
        Some(bucket) => format!(
            "cannot complete the run {run}: its bundle is neither in the workspace nor in the bucket `{bucket}`"
        ),
        None => format!("cannot complete the run {run}: its bundle is not in the workspace"),
    };
    let failure = Failure::new(Code::InvalidInput, message);
    let failure = failure.hint(format!("set {RUN_ID} to the output `run_id` of the earlier step"));
    match bucket {
        Some(_) => failure,
        None => {
            let here = in_workflow_or_terminal(
                "run this step in the same job as the earlier one",
                "run this command in the folder of the earlier one",
            );
            failure.hint(format!("{here}, or set {BUNDLE_BUCKET} of both to the same bucket"))
        }
    }
}

/// Returns the failure of a bundle that cannot be read.
pub fn earlier_unreadable(id: &str, error: std::io::Error) -> Failure {
    let message = format!("cannot read the bundle of the run {}", quoted(id));
    Failure::new(Code::InvalidInput, message).caused_by(error)
}

/// Returns the failure of a run that was about another Space.
pub fn run_of_other_space(id: &str, found: Option<&str>, space: &RepoId) -> Failure {
    let of = found.map_or_else(|| "no Space".to_owned(), |found| format!("the Space {}", quoted(found)));
    let message = format!("cannot complete the run {}: it is about {of}, and not `{space}`", quoted(id));
    Failure::new(Code::InvalidInput, message)
        .hint(format!("set {RUN_ID} to the output `run_id` of the step that made this Space"))
}

/// Returns the failure for a Space that is not found, or that has no app.
pub fn space_not_found(space: &Repo, has_token: bool) -> Failure {
    let failure = Failure::new(Code::RepoNotFound, format!("cannot find the app of the {space}"));
    if has_token {
        failure.hint(format!("the Space does not exist, or the token in {HF_TOKEN} has no access to it"))
    } else {
        failure.hint(format!("if the Space is private, set {HF_TOKEN} to a token with read access"))
    }
}

/// Returns the warning about a Space whose state the token may not read.
pub fn state_unknown(error: &hub::Error) -> String {
    format!("the Space was not waited for, because its state is not known: {error}")
}

/// Returns the failure for results that cannot be written.
pub fn junit_not_written(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, format!("cannot write the results to {}", quoted_path(path)))
        .caused_by(error)
        .hint(format!("name a file in a folder that exists with {JUNIT_PATH}"))
}

/// Returns the warning about results that cannot be written after another failure.
pub fn junit_lost(path: &Path, error: &std::io::Error) -> String {
    format!("cannot write the results to {}: {error}", quoted_path(path))
}
