//! The files of a bundle.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::redact::Redactor;
use crate::workspace::OwnFolder;

/// Name of the folder with all bundles, in `.hf-deploy` and in a bucket.
pub const RUNS: &str = "runs";
/// Names of files that each bundle has.
pub const STATE: &str = "state.json";
pub const EVENTS: &str = "events.jsonl";

/// A file that a report adds to the bundle.
#[derive(Debug)]
pub struct BundleFile {
    /// Path in the bundle, such as `tests/test_result.json`.
    pub path: String,
    pub content: BundleContent,
}

/// Content of a file that a report adds to the bundle.
#[derive(Debug)]
pub enum BundleContent {
    /// Secrets in its texts are masked.
    Json(Value),
    /// Secrets are masked.
    Text(String),
    /// A file of this machine, which is left out if it holds a secret.
    File(PathBuf),
}

/// Result of adding a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    Kept,
    /// The file holds a secret, and is not in the bundle.
    HoldsSecret,
}

/// Writes a file into a bundle.
pub(super) fn put(
    folder: &OwnFolder,
    redactor: &Redactor,
    path: &str,
    content: BundleContent,
) -> io::Result<Added> {
    let (folder, name) = place_of(folder, path)?;
    match content {
        BundleContent::Json(value) => {
            folder.write(name, &json(&redactor.redact_json(value), serde_json::to_vec_pretty))?;
        }
        BundleContent::Text(text) => folder.write(name, redactor.redact(&text).as_bytes())?,
        BundleContent::File(from) => {
            if redactor.finds_in(open_file(&from)?)? {
                return Ok(Added::HoldsSecret);
            }
            let to = folder.path().join(name);
            // A copy would empty the file if the name were a link to it.
            let _ = fs::remove_file(&to);
            // A link takes no room, and not every file system has them.
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop))?;
        }
    }
    Ok(Added::Kept)
}

/// Returns the folder and the name of a file in a bundle, and creates the folder.
pub(super) fn place_of<'a>(bundle: &OwnFolder, path: &'a str) -> io::Result<(OwnFolder, &'a str)> {
    let mut parts = path.split('/');
    let name = parts.next_back().unwrap_or_default();
    let mut folder = bundle.clone();
    for part in parts {
        folder = folder.subfolder(part)?;
    }
    Ok((folder, name))
}

/// Opens a file that is no link.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    File::open(path)
}

/// Serializes a value with a line end.
pub(super) fn json<T: Serialize>(value: &T, serialize: fn(&T) -> serde_json::Result<Vec<u8>>) -> Vec<u8> {
    // The types of this module have no keys that JSON lacks.
    let mut content = serialize(value).unwrap_or_default();
    content.push(b'\n');
    content
}
