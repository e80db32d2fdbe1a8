//! Sessions of agents: their formats, and the secrets in them.
//!
//! The Hub shows one session per file. Files of Claude Code, Codex and Pi pass through. Other files become the Hub's
//! simple format for sessions (<https://huggingface.co/docs/hub/session-traces-format>), a file for each conversation.
//! Everything is read and written line by line. Pure.

mod convert;
mod error;
mod format;
mod json_text;
mod message;
mod recognise;
mod redaction;
mod rows;
mod session;

pub use convert::{ConvertOptions, Converted, Sink, convert};
pub use error::{Place, TraceError};
pub use format::Format;
pub use recognise::holds_sessions;
pub use redaction::{Emails, Redaction, RedactionCounts};

/// Tag of a dataset with sessions of agents.
pub const TAG: &str = "agent-traces";
