//! Files that the agent may change.

/// App of the Space.
pub(super) const APP: &str = "app.py";
/// Files that the agent may change.
pub(super) const EDITABLE: [&str; 3] = [APP, "packages.txt", "requirements.txt"];
/// Largest file. There are four at most, so that all of them have about a megabyte.
pub(super) const MAX_FILE_BYTES: u64 = 256_000;
