//! State that all requests share, and its operation: log, counters, self-check and the proxy's own routes.

pub(crate) mod access_log;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod own_routes;
pub mod selfcheck;
pub(crate) mod state;
