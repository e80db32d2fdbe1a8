//! The outputs of the clean-up.

use crate::commands::outputs::{ERROR_CODE, Output, error_code, outputs};
use crate::ops::cleanup::{CleanupReport, Outcome};

outputs! {
    pub(super), (report: &CleanupReport, _timings),
    Output::own_word(
        "status",
        "Result of the run: `deleted`, `unchanged` (nothing to delete), `dry-run`, `failed` or `cancelled`.",
    ) => report.status().as_str().to_owned();
    Output::own_word(
        "deleted",
        "Number of deleted Spaces. In a dry run, the number of those that would be.",
    ) => report.count(Outcome::Deleted).to_string();
    Output::own_word(
        "kept",
        "Number of Spaces with the name of a preview that stay.",
    ) => report.count(Outcome::Kept).to_string();
    Output::own_word(
        "failed",
        "Number of Spaces that could not be judged or deleted.",
    ) => report.count(Outcome::Failed).to_string();
    Output::text(
        "deleted_spaces",
        "Names of the deleted Spaces, one on each line. In a dry run, of those that would be.",
    ) => names(report);
    ERROR_CODE => error_code(report.failure.as_ref());
}

fn names(report: &CleanupReport) -> String {
    let deleted = report.decisions.iter().filter(|decision| decision.outcome == Outcome::Deleted);
    deleted.map(|decision| decision.repo.id.to_string()).collect::<Vec<_>>().join("\n")
}
