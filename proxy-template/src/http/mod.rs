//! Rules of HTTP messages, from head to body: what is valid, what is passed on, and the proxy's own answers.

pub mod activity;
pub mod body;
pub mod fields;
pub mod outgoing_request;
pub mod pages;
pub mod refusal;
pub mod request;
pub mod request_headers;
pub mod response;
pub mod response_values;
pub mod rewrite;
pub mod secret_scan;
pub mod watch;
