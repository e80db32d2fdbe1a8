//! A Hugging Face Hub that runs on this machine, for tests: the server of `local-hub-server`, and the check of its
//! requests and responses against the Hub's OpenAPI document.
//!
//! The check is a crate of its own because it needs a JSON Schema validator, which takes long to build.

pub mod contract;

pub use local_hub_server::*;
