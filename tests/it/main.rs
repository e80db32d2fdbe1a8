//! The real binary against the local Hub, driven as GitHub's runner drives it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod cards;
mod contract;
mod deploys;
mod faults;
mod harness;
mod inputs;
mod large_files;
mod refusals;
mod runs;
mod settings;
mod waiting;
