//! The report of an upload.

use crate::ops::deploy::DeployReport;

/// Facts about an upload.
#[derive(Debug, Default)]
pub struct DatasetReport {
    /// The deploy of the files.
    pub deploy: DeployReport,
    /// Number of files in the folder.
    pub files: Option<usize>,
}
