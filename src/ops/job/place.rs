//! The folder of a Job in the workspace: `.hf-deploy/job/<run>/`.

use std::io;
use std::path::Path;

use super::options::RunId;
use crate::workspace::{FOLDER, OwnFolder};

/// Name of the folder of all Jobs.
const JOBS: &str = "job";

/// Opens the folder, and creates it if it is missing.
///
/// # Errors
///
/// A link or a file has the name of one of the folders, or the workspace cannot be written.
pub(super) fn open(workspace: &Path, run: &RunId) -> io::Result<OwnFolder> {
    OwnFolder::open(workspace)?.subfolder(JOBS)?.subfolder(run.as_str())
}

/// Returns the path of a file or folder in it, relative to the workspace.
pub(super) fn path(run: &RunId, name: &str) -> String {
    format!("{FOLDER}/{JOBS}/{run}/{name}")
}
