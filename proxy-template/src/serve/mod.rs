//! Callers' connections, and the handling of the requests on them.

pub mod admission;
pub mod client_io;
pub mod connection;
pub mod context;
pub mod forward;
pub mod handle;
pub mod proxy;
pub mod respond;
pub mod response_body;
pub mod server;
pub mod tunnel;
pub mod upstream_request;
pub mod workers;
