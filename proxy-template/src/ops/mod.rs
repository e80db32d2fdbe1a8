//! State that all requests share, and its operation: log, counters, self-check and the proxy's own routes.

pub mod access_log;
pub mod health;
pub mod metrics;
pub mod own_routes;
pub mod selfcheck;
pub mod state;
