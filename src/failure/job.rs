//! Failures of Jobs, with their advice.

use std::io;

use hub::{Access, BucketId, BucketPath, Error, Job, JobId, ParseError, RefusalKind};

use super::token_page::token_page;
use super::{Code, Failure};
use crate::setting::{BUCKET, FLAVOR, IMAGE, JOB_ID, MAX_COST, NAMESPACE, SPACE, TIMEOUT};
use crate::text::plain;

const CREDITS: &str =
    "Jobs are paid with credits of their namespace: add some at https://huggingface.co/settings/billing";
/// Reason of the Hub for cancelling a Job without credits (`status.cancelReason`).
const NO_CREDITS: &str = "NO_CREDITS";

/// A Job that may cost more than its limit.
#[derive(Debug)]
pub struct Expense<'a> {
    pub flavor: &'a str,
    pub timeout: String,
    pub attempts: u32,
    pub cost: f64,
    pub max_cost: f64,
    /// Longest timeout that stays within the limit.
    pub longest: Option<String>,
}

/// Returns the failure of a Job that may cost more than `max_cost`.
pub fn too_expensive(expense: &Expense<'_>) -> Failure {
    let Expense { flavor, timeout, attempts, cost, max_cost, longest } = expense;
    let times = if *attempts == 1 { String::new() } else { format!(" × {attempts} attempts") };
    let failure = Failure::new(
        Code::CostExceeded,
        format!(
            "cannot create the Job: {timeout}{times} on `{flavor}` may cost ${cost:.4}, and the limit is ${max_cost:.4} (nothing was created)"
        ),
    );
    match longest {
        Some(longest) => {
            let timeout = TIMEOUT.with(longest);
            failure.hint(format!("set {timeout}, raise {MAX_COST}, or choose a cheaper {FLAVOR}"))
        }
        None => failure.hint(format!("no timeout fits: raise {MAX_COST}, or choose a cheaper {FLAVOR}")),
    }
}

/// Returns the failure of hardware whose price has an unknown unit.
pub fn unknown_price(flavor: &str, unit: &str) -> Failure {
    let unit = plain(unit);
    Failure::new(
        Code::CostExceeded,
        format!("cannot compare {MAX_COST} with the price of `{flavor}`: it is per `{unit}`"),
    )
    .hint(format!("leave {MAX_COST} out, or choose another {FLAVOR}"))
}

/// Returns the failure of a flavor that the Hub does not have for Jobs.
pub fn unknown_flavor(flavor: &str, nearest: Option<&str>, all: &[&str]) -> Failure {
    let flavor = plain(flavor);
    let failure =
        Failure::new(Code::InvalidInput, format!("the Hub has no `{flavor}` for Jobs (nothing was created)"));
    match nearest {
        Some(name) => failure.hint(format!("set {}", FLAVOR.with(plain(name)))),
        None => failure.hint(format!("set {FLAVOR} to one of {}", plain(&all.join(", ")))),
    }
}

/// Returns the failure of a creation that the Hub refused.
pub fn creation_refused(error: Error, namespace: &str) -> Failure {
    let kind = error.kind();
    let mut failure = Failure::from(error);
    match kind {
        Some(RefusalKind::Forbidden) => {
            failure.hints = vec![format!(
                "the token needs the permission `job.write` for `{namespace}`: make one at {}",
                token_page(Access::Write, None)
            )];
        }
        Some(RefusalKind::PaymentRequired(_)) => failure.hints = vec![CREDITS.to_owned()],
        Some(RefusalKind::RepoNotFound) => {
            failure.hints =
                vec![format!("check {NAMESPACE}, and {SPACE} if the Job has the image of a Space")];
        }
        _ => {}
    }
    failure
}

/// Returns the failure of a Job that cannot be found.
pub fn not_found(error: Error, id: &JobId) -> Failure {
    if error.kind() != Some(RefusalKind::RepoNotFound) {
        return error.into();
    }
    Failure::new(Code::JobNotFound, error.to_string())
        .hint(format!("check {JOB_ID}, or set {NAMESPACE} to the owner of the Job `{id}`"))
}

/// Returns the failure of a Job whose id cannot name a folder.
pub fn unusable_id(id: &JobId) -> Failure {
    Failure::new(Code::Internal, format!("cannot name a folder after the Job `{id}`"))
}

/// Returns the failure of a Job whose state cannot be read any more.
pub fn cannot_follow(error: Error) -> Failure {
    if error.kind() == Some(RefusalKind::RepoNotFound) {
        return Failure::new(Code::JobDeleted, format!("the Job is gone: {error}")).hint(DELETED);
    }
    error.into()
}

const DELETED: &str = "find out who deleted it: Jobs of an organization can be deleted by its members";

/// Returns the failure of a Job whose command failed.
pub fn failed(job: &Job, exit_code: Option<i32>) -> Failure {
    let message = match (exit_code.filter(|code| *code != 0), message_of(job)) {
        (Some(code), _) => format!("the script of the Job `{}` failed with exit code {code}", job.name()),
        (None, Some(message)) => format!("the Job `{}` failed: {message}", job.name()),
        (None, None) => format!("the Job `{}` failed", job.name()),
    };
    let failure = Failure::new(Code::JobFailed, message).hint("read the end of its log");
    // 128 plus the number of SIGKILL, which the kernel sends when memory runs out.
    if exit_code == Some(137) {
        return failure.hint(format!(
            "exit code 137 often means that the memory was used up: choose a larger {FLAVOR}"
        ));
    }
    failure
}

/// Returns the failure of a Job that ended before its command started.
pub fn not_started(job: &Job) -> Failure {
    let reason = message_of(job).unwrap_or_else(|| "the Hub gives no reason".to_owned());
    Failure::new(Code::JobNotStarted, format!("the Job `{}` could not start: {reason}", job.name()))
        .hint(format!("check that {IMAGE} exists and can be pulled without a password"))
}

/// Returns the failure of a Job whose time was over.
pub fn timed_out(job: &Job) -> Failure {
    let after = job.timeout.map(|seconds| format!(" after {seconds} s")).unwrap_or_default();
    Failure::new(Code::JobTimeout, format!("the Job `{}` was stopped by its timeout{after}", job.name()))
        .hint(format!("raise {TIMEOUT}, or choose a faster {FLAVOR}"))
}

/// Returns the failure of a Job that another user, another run or the Hub cancelled.
pub fn cancelled(job: &Job) -> Failure {
    match job.status.cancel_reason.as_deref() {
        Some(NO_CREDITS) => Failure::new(
            Code::PaymentRequired,
            format!("the Hub cancelled the Job `{}`: the credits are used up", job.name()),
        )
        .hint(CREDITS),
        Some(reason) => Failure::new(
            Code::JobCancelled,
            format!("the Hub cancelled the Job `{}`: {}", job.name(), plain(reason)),
        )
        .hint("see the page of the Job"),
        None => Failure::new(
            Code::JobCancelled,
            format!("the Job `{}` was cancelled by another user or run", job.name()),
        )
        .hint("run the step again if the cancellation was a mistake"),
    }
}

/// Returns the failure of a Job that was deleted while it was followed.
pub fn deleted(job: &Job) -> Failure {
    Failure::new(Code::JobDeleted, format!("the Job `{}` was deleted", job.name())).hint(DELETED)
}

/// Returns the failure of a place in a bucket that has no valid name.
pub fn unusable_bucket(error: &ParseError) -> Failure {
    Failure::new(Code::InvalidInput, format!("the bucket of the Job {error}"))
        .hint(format!("set {BUCKET} to `namespace/name`"))
}

/// Returns the failure of a file or folder for the log or the output that cannot be created.
pub fn cannot_create(path: &str, error: io::Error) -> Failure {
    Failure::new(Code::LocalIo, format!("cannot create `{path}`"))
        .caused_by(error)
        .hint("make the workspace writable, with a `.hf-deploy` that is a folder or missing")
}

/// Returns the failure of a state that cannot be saved for the post step.
pub fn cannot_save_state(error: io::Error) -> Failure {
    Failure::new(Code::LocalIo, "cannot save the state for the post step")
        .caused_by(error)
        .hint("run the step on a runner whose `GITHUB_STATE` can be written")
}

/// Returns the advice on a Job that could not be cancelled.
pub fn cancel_by_hand(namespace: &str, error: Option<&Error>) -> String {
    let reason = error.map(|error| format!(" ({error})")).unwrap_or_default();
    format!(
        "the Job may still run and cost money{reason}: cancel it at https://huggingface.co/jobs/{namespace}"
    )
}

/// Returns the advice on a checkout that stays in a bucket.
pub fn delete_checkout_by_hand(bucket: &BucketId, folder: &BucketPath) -> String {
    format!("delete the folder `{folder}` of the bucket `{bucket}`")
}

fn message_of(job: &Job) -> Option<String> {
    job.status.message.as_deref().map(plain).filter(|message| !message.is_empty())
}
