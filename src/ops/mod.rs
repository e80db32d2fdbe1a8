//! The operations: each takes an options struct and does its work on the Hub.

pub mod check;
pub mod deploy;
pub mod janitor;
pub mod log_follower;
pub mod proxy_space;
pub mod space;
