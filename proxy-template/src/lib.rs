//! A public proxy for a private Hugging Face Space.
//!
//! Requests of all callers go to one target with one token, and the answers come back without a trace of the token.
//! Each module uses only those before it: `policy`, `config`, `http`, `upstream`, `ops`, `serve`.
//!
//! [`Proxy`] runs it. [`config`], [`units`] and [`refusal`] are for programs that set it up and read its answers.

#![forbid(unsafe_code)]

pub mod config;
mod http;
mod ops;
mod policy;
mod secret;
mod serve;
mod sync;
pub mod units;
mod upstream;
mod values;

pub use crate::http::refusal;
pub use crate::ops::health::{HealthReport, UpstreamStatus};
pub use crate::serve::proxy::Proxy;

/// Parts that the tests and the fuzz targets of this repository look into. They change without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::http::body::RequestBody;
    pub use crate::http::outgoing_request::{Credential, RequestSettings, outgoing_head};
    pub use crate::http::request::validate;
    pub use crate::http::request_headers::{EDGE_PREFIXES, EDGES, ENDS_HERE};
    pub use crate::http::response::{
        BodyPlan, ResponseSettings, clean_trailers, client_head, switching_head,
    };
    pub use crate::http::response_values::Addresses;
    pub use crate::http::secret_scan::SecretScanner;
    pub use crate::ops::selfcheck;
    pub use crate::ops::state::ProxyState;
    pub use crate::policy::target::Target;
    pub use crate::serve::server::serve;
    pub use crate::serve::workers::Workers;
    pub use crate::upstream::client::send;
    pub use crate::upstream::connect::Connector;
    pub use crate::upstream::pool::Pool;
}
