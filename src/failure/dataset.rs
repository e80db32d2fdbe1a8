//! Advice on datasets.

use std::path::Path;

use super::{Code, Failure};
use crate::text::quoted_path;

/// Returns the failure of a file whose name is not UTF-8.
pub fn name_not_text(path: &Path) -> Failure {
    Failure::new(Code::InvalidPath, format!("cannot upload {}: its name is not UTF-8", quoted_path(path)))
        .hint("rename the file")
}
