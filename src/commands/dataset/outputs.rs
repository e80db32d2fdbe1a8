//! The outputs of an upload of a dataset.

use serde_json::Value;

use crate::commands::outputs::{ERROR_CODE, Output, error_code, outputs};
use crate::ops::dataset::upload::{DatasetReport, SplitFacts};

outputs! {
    pub(super), (report: &DatasetReport, _timings),
    Output::own_word(
        "status",
        "Result of the run: `deployed`, `unchanged`, `dry-run`, `skipped`, `failed` or `cancelled`.",
    ) => report.deploy.status().as_str().to_owned();
    Output::text(
        "repo_id",
        "The dataset, as `namespace/name`.",
    ) => report.deploy.repo.as_ref().map(|repo| repo.id.to_string()).unwrap_or_default();
    Output::text(
        "repo_url",
        "Page of the dataset on the Hub.",
    ) => report.deploy.repo_url().unwrap_or_default();
    Output::text(
        "commit_sha",
        "Commit of the upload, on the pull request with `create_pr`. Without changes, the current commit of the branch.",
    ) => report.deploy.commit_sha().unwrap_or_default().to_owned();
    Output::own_word(
        "rows",
        "Number of rows of all splits, or of lines of all sessions. Empty if the check failed.",
    ) => report.rows().map(|rows| rows.to_string()).unwrap_or_default();
    Output::own_word(
        "files",
        "Number of data files, or of files with sessions.",
    ) => report.files.map(|files| files.to_string()).unwrap_or_default();
    Output::text(
        "splits",
        "Rows of each split, as a JSON object such as `{\"train\":900,\"test\":100}`. Empty if the check failed.",
    ) => report.splits.as_ref().map(|splits| splits_json(splits)).unwrap_or_default();
    Output::own_word(
        "redactions",
        "Number of secrets that were replaced before the upload, with `kind: traces`.",
    ) => report.redactions().to_string();
    ERROR_CODE => error_code(report.deploy.failure.as_ref());
}

/// Renders the splits in their order, which a map of JSON does not keep.
fn splits_json(splits: &[SplitFacts]) -> String {
    let rows = splits.iter().map(|split| format!("{}:{}", Value::from(split.name.as_str()), split.rows()));
    format!("{{{}}}", rows.collect::<Vec<_>>().join(","))
}
