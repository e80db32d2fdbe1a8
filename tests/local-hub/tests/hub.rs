//! The server from outside, by plain HTTP.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

#[path = "hub/access.rs"]
mod access;
#[path = "hub/billing.rs"]
mod billing;
#[path = "hub/binary.rs"]
mod binary;
#[path = "hub/client.rs"]
mod client;
#[path = "hub/commits.rs"]
mod commits;
#[path = "hub/contract.rs"]
mod contract;
#[path = "hub/copies.rs"]
mod copies;
#[path = "hub/downloads.rs"]
mod downloads;
#[path = "hub/edge.rs"]
mod edge;
#[path = "hub/faults.rs"]
mod faults;
#[path = "hub/git_ids.rs"]
mod git_ids;
#[path = "hub/headers.rs"]
mod headers;
#[path = "hub/jobs.rs"]
mod jobs;
#[path = "hub/large_files.rs"]
mod large_files;
#[path = "hub/listing.rs"]
mod listing;
#[path = "hub/logs.rs"]
mod logs;
#[path = "hub/models.rs"]
mod models;
#[path = "hub/moved.rs"]
mod moved;
#[path = "hub/refs.rs"]
mod refs;
#[path = "hub/runtime.rs"]
mod runtime;
#[path = "hub/scripts.rs"]
mod scripts;
#[path = "hub/spaces.rs"]
mod spaces;
#[path = "hub/viewer.rs"]
mod viewer;
