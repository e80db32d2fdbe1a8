//! The GitHub runner's protocol: workflow commands, masks, groups, output and summary files.
//!
//! Everything that the action says goes through here, so that text from outside is escaped, and secrets
//! are taken out, in one place.

pub mod commands;
mod context;
mod files;
mod log;
pub mod markdown;
mod progress;
mod redact;
mod text;

use std::hash::{BuildHasher, Hasher};

pub use context::GithubContext;
pub use files::{OUTPUTS, OutputFiles};
pub use log::{Group, Log, Mode};
pub use progress::{Counter, Progress, human_bytes};
pub use redact::Redactor;
pub use text::{log_lines, plain, without_colors};

/// A word that nobody outside this process can foresee: the end mark of a value in an output file, or of
/// text that must not be taken for commands.
///
/// The standard library keys its hasher with the operating system's randomness; 128 bits of it are plenty
/// here, and need no further dependency.
pub fn random_token() -> String {
    let half = || std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}
