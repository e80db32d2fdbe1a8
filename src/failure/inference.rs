//! Advice on calls of Inference Providers.

use std::path::Path;

use hub::{Error, RefusalKind, RepoId};

use super::{Code, Failure, Result};
use crate::ops::inference::ResultsError;
use crate::setting::{BILL_TO, MAX_TOKENS, MODEL, OPERATION, OUTPUT_FILE, ROUTING};
use crate::text::{count, quoted_path};

/// Address at which a user buys credits.
const BILLING: &str = "https://huggingface.co/settings/billing";

/// Maps an error of a request to its code and hints. `providers` are those that have the model, with their states.
pub fn request_failed(
    error: Error,
    model: &RepoId,
    providers: &[(String, String)],
    endpoint: &str,
) -> Failure {
    let message = error.to_string();
    let kind = error.kind();
    match kind {
        Some(RefusalKind::PaymentRequired(_)) => Failure::new(Code::PaymentRequired, message)
            .hint(format!("add credits at {BILLING}, or take a larger plan"))
            .hint(format!("or bill an organization with {BILL_TO}")),
        Some(RefusalKind::ModelNotSupported) => {
            Failure::new(Code::ModelNotSupported, message).hint(choose_another(model, providers))
        }
        Some(RefusalKind::Gated) => Failure::new(Code::PermissionDenied, message)
            .hint(format!("accept the terms of the model at {endpoint}/{model}, as the user of the token")),
        Some(RefusalKind::Forbidden) => Failure::new(Code::PermissionDenied, message).hint(
            "give the token the permission \"Make calls to Inference Providers\" (`inference.serverless.write`)",
        ),
        Some(RefusalKind::ServerError) => Failure::new(Code::HubUnavailable, message)
            .hint("run the job again: the model may still be loading")
            .hint(format!("with {OUTPUT_FILE}, the run goes on with the inputs that are left")),
        _ => Failure::from(error),
    }
}

fn choose_another(model: &RepoId, providers: &[(String, String)]) -> String {
    let live: Vec<String> =
        providers.iter().filter(|(_, state)| state == "live").map(|(name, _)| format!("`{name}`")).collect();
    if live.is_empty() {
        format!("choose another {MODEL}: no provider has `{model}`")
    } else {
        format!(
            "set {ROUTING} to one of {}, and enable it at https://huggingface.co/settings/inference-providers",
            live.join(", ")
        )
    }
}

/// Ends a run whose results are all there.
///
/// # Errors
///
/// `check_failed`: some are not as expected.
pub fn conclude(matched: usize, all: usize) -> Result<()> {
    if matched == all {
        return Ok(());
    }
    let failed = all - matched;
    let verb = if failed == 1 { "is" } else { "are" };
    let message = format!("{failed} of {} {verb} not as expected", count(all, "result"));
    Err(Failure::new(Code::CheckFailed, message)
        .hint("read the results in the file of the output `result_path`"))
}

/// Returns the failure of a run that reached its limit of cost.
pub fn cost_limit(limit: f64, done: usize, all: usize) -> Failure {
    let message = format!("the next input could exceed `max_cost` of {limit} USD: {done} of {all} are done");
    Failure::new(Code::CostLimitReached, message)
        .hint("raise `max_cost`; with `output_file`, the next run goes on with the inputs that are left")
}

/// Returns the failure of a limit that cannot be held.
pub fn no_price(model: &RepoId) -> Failure {
    let message = format!("cannot hold `max_cost`: no provider names a price for `{model}`");
    Failure::new(Code::ModelNotSupported, message)
        .hint("check the name of the model, or leave `max_cost` out and limit `max_tokens`")
}

/// Returns the failure of an answer without text.
pub fn no_text(id: &str) -> Failure {
    Failure::new(Code::CheckFailed, format!("the model answered `{id}` without text"))
        .hint(format!("raise {MAX_TOKENS}: a model that thinks first may have used all of them"))
}

/// Returns the failure of a stream that ended in an error.
pub fn stream_failed(model: &RepoId, message: &str) -> Failure {
    Failure::new(
        Code::HubUnavailable,
        format!("cannot generate with `{model}`: the provider failed: {message}"),
    )
    .hint(format!("run the job again, or choose another provider with {ROUTING}"))
}

/// Returns the failure of an answer in an unknown form.
pub fn unreadable(model: &RepoId, wanted: &str) -> Failure {
    let message = format!("cannot read the answer of `{model}`: it is no {wanted}");
    Failure::new(Code::ModelNotSupported, message)
        .hint(format!("choose a model that is made for this {OPERATION}"))
}

/// Returns the failure of a file of results that cannot be used.
pub fn results_unusable(path: &Path, error: ResultsError) -> Failure {
    let message = format!("cannot use the file of results {}: {error}", quoted_path(path));
    match error {
        ResultsError::Io(error) => Failure::new(Code::LocalIo, message).caused_by(error),
        ResultsError::NoResult { .. } | ResultsError::OtherInput { .. } => {
            Failure::new(Code::InvalidInput, message)
                .hint(format!("name another {OUTPUT_FILE}, or delete this one to start anew"))
        }
    }
}

/// Returns the failure of a result that cannot be written.
pub fn results_not_written(path: &Path, error: std::io::Error) -> Failure {
    Failure::new(Code::LocalIo, format!("cannot write to the file of results {}", quoted_path(path)))
        .caused_by(error)
        .hint("free some space on the disk; the next run goes on with the inputs that are left")
}

/// Returns the failure of a usage that the token may not read.
pub fn usage_closed(error: &Error) -> Failure {
    Failure::new(Code::PermissionDenied, error.to_string())
        .hint("give the token the permission to read the billing of its user (`user.billing.read`)")
}
