//! Models that a test planted: facts and files of which only name and size exist.

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use crate::core::repo::RepoState;
use crate::util::sha256_hex;

/// Size from which a file is a large one, as the Hub stores it.
const LARGE: u64 = 10_000_000;

/// Facts that the repository itself has.
const OWN: [&str; 7] = ["_id", "id", "sha", "private", "gated", "disabled", "siblings"];

/// A file of which only name and size exist.
pub(crate) struct PlantedFile {
    pub(crate) path: String,
    pub(crate) size: u64,
}

impl PlantedFile {
    /// Returns the git id that the file would have for its name.
    fn oid(&self) -> String {
        Sha1::digest(self.path.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn lfs(&self) -> Option<(String, u64)> {
        (self.size >= LARGE).then(|| (sha256_hex(self.path.as_bytes()), 135))
    }

    /// Returns the row of a listing.
    pub(crate) fn row(&self) -> Value {
        let mut row = json!({"type": "file", "oid": self.oid(), "size": self.size, "path": self.path});
        if let Some((oid, pointer)) = self.lfs() {
            row["lfs"] = json!({"oid": oid, "size": self.size, "pointerSize": pointer});
        }
        row
    }

    /// Returns the row of the facts, with the size if it is asked for.
    pub(crate) fn sibling(&self, blobs: bool) -> Value {
        let mut row = json!({"rfilename": self.path});
        if blobs {
            row["blobId"] = json!(self.oid());
            row["size"] = json!(self.size);
            if let Some((sha256, pointer)) = self.lfs() {
                row["lfs"] = json!({"sha256": sha256, "size": self.size, "pointerSize": pointer});
            }
        }
        row
    }
}

/// Returns the planted files.
pub(crate) fn files(state: &RepoState) -> Vec<PlantedFile> {
    let rows = state.planted["siblings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let file = |row: &Value| {
        Some(PlantedFile {
            path: row["rfilename"].as_str()?.to_owned(),
            size: row["size"].as_u64().unwrap_or(0),
        })
    };
    // Every repository has these two files.
    rows.iter()
        .filter_map(file)
        .filter(|file| ![".gitattributes", "README.md"].contains(&file.path.as_str()))
        .collect()
}

/// Adds the planted facts to those of the repository.
pub(crate) fn add_facts(state: &RepoState, out: &mut Value) {
    let facts = state.planted.as_object().into_iter().flatten();
    for (name, value) in facts.filter(|(name, _)| !OWN.contains(&name.as_str())) {
        out[name] = value.clone();
    }
}

/// Returns true if the Hub closed the access to the repository.
pub(crate) fn is_disabled(state: &RepoState) -> bool {
    state.planted["disabled"] == true
}
