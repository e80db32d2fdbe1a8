//! The options of an upload, apart from where they come from.

use crate::ops::deploy::DeployOptions;

/// An upload of one dataset.
#[derive(Debug, Clone)]
pub struct DatasetOptions {
    /// The deploy of its files. `source_dir` may be a single file.
    pub deploy: DeployOptions,
}
