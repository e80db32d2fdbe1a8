//! Advice about run bundles in buckets.

use std::path::Path;

use hub::{BucketId, BucketPath};

use super::{Code, Failure};
use crate::setting::BUCKET;
use crate::text::{quoted, quoted_path};

/// Returns the warning about a bundle that could not be pushed.
pub fn not_pushed(failure: &Failure) -> String {
    let hints: Vec<String> = failure.hints.iter().map(|hint| format!(" ({hint})")).collect();
    format!("the run bundle is not in its bucket: {}{}", failure.message, hints.concat())
}

/// Returns the warning about a completed bundle that could not be pushed.
pub fn earlier_not_pushed(run_id: &str, failure: &Failure) -> String {
    let hints: Vec<String> = failure.hints.iter().map(|hint| format!(" ({hint})")).collect();
    let (run_id, message) = (quoted(run_id), &failure.message);
    format!("the bucket does not have the result in the bundle of {run_id}: {message}{}", hints.concat())
}

/// Returns the failure of an earlier bundle that cannot be written to the workspace.
pub fn earlier_not_written(run_id: &str, error: std::io::Error) -> Failure {
    Failure::new(
        Code::LocalIo,
        format!("cannot write the bundle of the run {} to the workspace", quoted(run_id)),
    )
    .caused_by(error)
}

/// Returns the warning about a run without a bundle to push.
pub fn nothing_to_push(bucket: &BucketId) -> String {
    format!("nothing is pushed to the bucket `{bucket}`, because this run has no bundle")
}

/// Returns the warning about a bundle whose folder in the bucket has another name, because another run has its id.
pub fn other_folder(run_id: &str, folder: &BucketPath) -> String {
    format!("the bucket has another run with the id `{run_id}`: the bundle of this one is in `{folder}`")
}

/// Returns the failure of a push for which every folder is taken.
pub fn no_folder(run_id: &str) -> Failure {
    Failure::new(
        Code::Conflict,
        format!("the folders of the run `{run_id}` in the bucket belong to other runs"),
    )
}

/// Returns the failure of a push after the bundle could not be written.
pub fn lost() -> Failure {
    Failure::new(Code::LocalIo, "the bundle could not be written on this machine")
}

/// Returns the failure for a run that the workspace does not have.
pub fn run_not_here(run_id: &str, runs: &Path) -> Failure {
    let message = format!("the folder {} has no run {}", quoted_path(runs), quoted(run_id));
    Failure::new(Code::SourceMissing, message)
        .hint(format!("run this in the folder of that run, or name its bucket with {BUCKET}"))
}

/// Returns the failure of a file of a bundle that cannot be read.
pub fn unreadable(run_id: &str, error: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, format!("cannot read the bundle of the run {}", quoted(run_id)))
        .caused_by(error)
}

/// Returns the warning about the bundle of a killed step that did not get its end.
pub fn not_ended(run_id: &str, error: &std::io::Error) -> String {
    format!("cannot write the end of the run into the bundle of {}: {error}", quoted(run_id))
}

/// Returns the failure for a run that a bucket does not have.
pub fn run_not_found(run_id: &str, bucket: &BucketId, page: &str) -> Failure {
    Failure::new(Code::RepoNotFound, format!("the bucket `{bucket}` has no run `{run_id}`"))
        .hint(format!("look up the id of the run at {page}, or in the output `run_id` of the step"))
}
