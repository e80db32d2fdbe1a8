//! Connections to the target, and requests on them.

pub mod client;
pub mod connect;
pub mod connection;
pub mod io;
pub mod pool;
