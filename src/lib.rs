//! Deploys a folder to a Hugging Face Space, model or dataset.
//!
//! `AGENTS.md` has the table of modules, and which may use which.

pub mod action;
pub mod agent;
pub mod app_check;
pub mod cli;
pub mod commands;
pub mod dataset_files;
pub mod failure;
pub mod folder;
#[cfg(test)]
#[path = "../tests/fuzz/targets.rs"]
mod fuzz;
pub mod github;
mod image;
pub mod model;
pub mod ops;
pub mod redact;
pub mod run_bundle;
pub mod setting;
pub mod templates;
mod text;
pub mod traces;
mod workspace;

/// User agent of all requests.
const USER_AGENT: &str = concat!("hf-deploy/", env!("CARGO_PKG_VERSION"));

pub use ::hub;
pub use action::driver::panic_exit_code;
