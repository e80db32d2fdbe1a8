//! Callers' connections, and the handling of the requests on them.

pub(crate) mod admission;
pub(crate) mod client_io;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod forward;
pub(crate) mod handle;
pub(crate) mod proxy;
pub(crate) mod respond;
pub(crate) mod response_body;
pub(crate) mod server;
pub(crate) mod tunnel;
pub(crate) mod upstream_request;
pub(crate) mod workers;
