//! The report of an upload.

use crate::ops::dataset::viewer::ViewerAnswer;
use crate::ops::deploy::DeployReport;

/// Facts about an upload.
#[derive(Debug, Default)]
pub struct DatasetReport {
    /// The deploy of the files.
    pub deploy: DeployReport,
    /// Number of data files.
    pub files: Option<usize>,
    /// The splits, once all rows were checked.
    pub splits: Option<Vec<SplitFacts>>,
    /// Answer of the dataset viewer after the commit.
    pub viewer: Option<ViewerAnswer>,
    /// Number of values that were removed.
    pub redactions: u64,
}

/// Facts about a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitFacts {
    pub name: String,
    pub files: Vec<FileFacts>,
}

/// Facts about a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Path in the repo.
    pub path: String,
    pub format: &'static str,
    pub rows: u64,
    pub bytes: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
}

impl SplitFacts {
    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Returns the size in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl DatasetReport {
    /// Returns the number of rows of all splits.
    pub fn rows(&self) -> Option<u64> {
        Some(self.splits.as_ref()?.iter().map(SplitFacts::rows).sum())
    }
}
