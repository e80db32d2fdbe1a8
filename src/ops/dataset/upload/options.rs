//! The options of an upload, apart from where they come from.

use crate::dataset_files::NamedSplits;
use crate::ops::deploy::DeployOptions;

use super::sessions::Redacts;

/// An upload of one dataset.
#[derive(Debug, Clone)]
pub struct DatasetOptions {
    /// The deploy of its files. `source_dir` may be a single file.
    pub deploy: DeployOptions,
    /// Treatment of the secrets in sessions of agents; `None` for rows.
    pub sessions: Option<Redacts>,
    /// Splits with the patterns of their files; `None` finds them by names.
    pub splits: Option<NamedSplits>,
    /// Name of the configuration, which the viewer calls a subset.
    pub config_name: String,
    pub card: CardMode,
    pub license: Option<String>,
    pub tags: Vec<String>,
    /// Tasks; an empty list guesses them by the columns.
    pub task_categories: Vec<String>,
    /// Largest row, in bytes.
    pub max_row: u64,
}

/// Reaction to the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardMode {
    /// Writes a missing one, and completes one that is there.
    Auto,
    /// Writes a missing one.
    Keep,
    None,
}
