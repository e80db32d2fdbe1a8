//! Deploys a folder to a Hugging Face Space, model or dataset.
//!
//! Data moves in one direction: inputs → auth → source → plan → hub → space → verify → report. Each room knows its left
//! neighbour's types and nothing of its right neighbour's.

pub mod auth;
pub mod cli;
pub mod deploy;
pub mod failure;
#[cfg(test)]
mod fuzz;
mod http;
pub mod hub;
mod image;
pub mod inputs;
pub mod janitor;
pub mod leaks;
mod ordinary;
pub mod plan;
pub mod proxy;
pub mod report;
mod run;
pub mod runner;
pub mod source;
pub mod space;
pub mod sse;
pub mod target;
pub mod verify;

pub use run::{panic_exit_code, run};
