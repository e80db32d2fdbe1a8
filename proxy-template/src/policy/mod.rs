//! Decisions about a request that need no connection: who may call, which paths are open, how much one caller may use.

pub(crate) mod address;
pub(crate) mod cors;
pub(crate) mod credentials;
pub(crate) mod gradio;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod paths;
pub(crate) mod pattern;
pub(crate) mod target;
