//! Spaces: settings, builds, apps, logs and the edge in front of the apps.

pub(crate) mod app;
mod build;
pub(crate) mod build_check;
pub(crate) mod edge;
pub(crate) mod log_stream;
pub(crate) mod logs;
pub(crate) mod process;
pub(crate) mod rebuild;
pub(crate) mod registry;
pub(crate) mod script;
pub(crate) mod space;
pub(crate) mod state;
