//! Inputs of commands: their declaration, their values from a workflow or a command line, and the parsers that
//! several groups share.

pub mod declaration;
pub(crate) mod diagnostics;
pub(crate) mod environment;
pub(crate) mod lists;
mod names;
pub(crate) mod options;
pub(crate) mod parse;
pub(crate) mod place;
pub(crate) mod time;
pub(crate) mod tokens;
pub(crate) mod urls;
pub(crate) mod values;
