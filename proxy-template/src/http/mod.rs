//! Rules of HTTP messages, from head to body: what is valid, what is passed on, and the proxy's own answers.

pub(crate) mod activity;
pub(crate) mod body;
pub(crate) mod fields;
pub(crate) mod outgoing_request;
pub(crate) mod pages;
pub mod refusal;
pub(crate) mod request;
pub(crate) mod request_headers;
pub(crate) mod response;
pub(crate) mod response_values;
pub(crate) mod rewrite;
pub(crate) mod secret_scan;
pub(crate) mod watch;
