//! The rows and columns of a file, and their limits.

use serde_json::Value;

use super::columns::Fields;

/// Size of the pieces in which files are read.
pub(super) const BUFFER: usize = 64 * 1024;
/// Largest first row that is kept for the card, in bytes.
pub(super) const MAX_EXAMPLE: usize = 64 * 1024;

/// Rows and columns of a file.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Number of rows.
    pub rows: u64,
    /// Columns with their types.
    pub columns: Fields,
    /// The first row, unless it is very large.
    pub example: Option<Value>,
}
