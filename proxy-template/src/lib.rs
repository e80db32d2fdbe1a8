//! A public door to a private Hugging Face Space.
//!
//! Requests of anyone go to one target with one token; answers come back without a trace of it. `request` and
//! `response` are the rules, and pure; `forward` is the way of one request; `server`, `workers` and `upstream` hold
//! the connections.

#![forbid(unsafe_code)]

pub mod access_log;
pub mod body;
pub mod config;
pub mod cors;
pub mod credentials;
pub mod forward;
pub mod gradio;
pub mod headers;
pub mod io;
pub mod jobs;
pub mod limits;
pub mod metrics;
pub mod own;
pub mod pages;
pub mod paths;
pub mod pattern;
pub mod proxy;
pub mod refusal;
pub mod request;
pub mod response;
pub mod rewrite;
pub mod secret;
pub mod selfcheck;
pub mod server;
pub mod target;
pub mod tunnel;
pub mod upstream;
pub mod values;
pub mod within;
pub mod workers;
