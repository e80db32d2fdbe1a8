//! Secrets in places that others can read: files of well-known names, private keys, tokens, and variables.
//!
//! No result has the secret itself.

mod file_names;
mod scan;
mod tokens;
mod variables;

pub use file_names::in_file_name;
pub use scan::in_file;
pub use tokens::{in_text, token_ranges};
pub use variables::{in_variable, is_harmless};

/// Kind of a secret that is found by name and by content.
const PRIVATE_KEY: &str = "a private key";

/// A secret, or a text that looks like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leak {
    /// Line, counted from 1. `None` for a file that is found by its name.
    pub line: Option<u32>,
    /// Kind of secret, as a noun phrase.
    pub kind: &'static str,
}
