//! Jobs: containers that run a command, as processes of this machine.

pub(crate) mod attempt;
pub(crate) mod flavors;
pub(crate) mod job;
pub(crate) mod log_stream;
pub(crate) mod metrics;
pub(crate) mod policy;
pub(crate) mod registry;
mod sandbox;
pub(crate) mod spec;
mod volumes;
