//! The job summary of an upload of a dataset: the report, in GitHub's Markdown.

use crate::commands::deploy::summary;
use crate::ops::dataset::upload::DatasetReport;

/// Renders the job summary.
pub(super) fn summary(report: &DatasetReport, warnings: &[String]) -> String {
    summary::summary(&report.deploy, warnings)
}
