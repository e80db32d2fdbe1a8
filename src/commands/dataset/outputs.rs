//! The outputs of an upload of a dataset.

use crate::commands::outputs::{ERROR_CODE, Output, error_code, outputs};
use crate::ops::dataset::upload::DatasetReport;

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
        "files",
        "Number of files in the folder.",
    ) => report.files.map(|files| files.to_string()).unwrap_or_default();
    ERROR_CODE => error_code(report.deploy.failure.as_ref());
}
