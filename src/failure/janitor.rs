//! Advice on test repos that could not be deleted.

use super::{Code, Failure};

/// Returns the failure of a clean-up that left repos behind, with a line for each.
pub fn repos_left(errors: &[String]) -> Failure {
    let message = format!("{} of the repos are not cleaned up:\n{}", errors.len(), errors.join("\n"));
    Failure::new(Code::HubRefused, message).hint("delete them by hand, or run this again")
}
