//! Connections to the target, and requests on them.

pub(crate) mod client;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod io;
pub(crate) mod pool;
