//! Injected faults: wrong responses, delays, lost connections.

pub(crate) mod connection;
pub(crate) mod fault;
pub(crate) mod response;
