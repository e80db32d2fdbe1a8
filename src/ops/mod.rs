//! The operations: each takes an options struct and does its work on the Hub.

pub mod account;
pub mod buckets;
pub mod build_space;
pub mod bundle_bucket;
pub mod check;
pub mod cleanup;
pub mod dataset;
pub mod deploy;
pub mod inference;
pub mod job;
pub mod log_follower;
pub mod preview;
pub mod proxy_space;
mod replay;
pub mod space;
pub mod space_operation;
pub mod verify;

use crate::action::{Journal, Log};
use hub::Hub;

/// Handles that every operation works with.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    pub hub: &'a Hub,
    pub log: &'a Log,
    pub journal: &'a Journal,
}
