//! The GitHub runner's protocol: workflow commands, masks, groups, output and summary files.
//!
//! All output goes through this module, so that text from outside is escaped and secrets are masked in one place.

pub mod bundle;
pub mod commands;
mod context;
pub mod driver;
mod files;
mod help;
mod id_token;
pub mod journal;
mod log;
pub mod markdown;
pub mod outputs;
mod post_state;
mod progress;
pub mod trace;

pub use context::GithubContext;
pub use driver::{Handles, Report, drive};
pub use files::OutputFiles;
pub use help::HelpPage;
pub use id_token::{IdTokenError, IdTokens};
pub use journal::{Journal, Recorder};
pub use log::{Group, Log, Mode};
pub use post_state::{PostState, SavedState};
pub use progress::{Counted, Counter, Progress};
