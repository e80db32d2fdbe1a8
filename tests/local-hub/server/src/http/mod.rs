//! Requests and responses.

pub(crate) mod answer;
pub(crate) mod record;
pub(crate) mod request;
