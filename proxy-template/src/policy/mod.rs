//! Decisions about a request that need no connection: who may call, which paths are open, how much one caller may use.

pub mod address;
pub mod cors;
pub mod credentials;
pub mod gradio;
pub mod jobs;
pub mod limits;
pub mod paths;
pub mod pattern;
pub mod target;
