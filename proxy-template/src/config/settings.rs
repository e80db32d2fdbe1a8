//! The settings, as types.

use std::fmt;
use std::time::Duration;

use http::{HeaderValue, Method};
use rustls::pki_types::CertificateDer;

use crate::policy::cors::CorsPolicy;
use crate::policy::limits::Caps;
use crate::policy::paths::PathPolicy;
use crate::policy::target::Target;
use crate::secret::Secret;

/// Names of all variables. A test compares README's table with them.
pub const VARIABLES: &[&str] = &[
    "TARGET_URL",
    "TARGET_TOKEN",
    "TARGET_EDGE",
    "TARGET_CA_FILE",
    "ALLOW_ANY_TARGET",
    "AUTH_MODE",
    "PASS_AUTHORIZATION",
    "ALLOW_ORIGINS",
    "ENFORCE_ORIGIN",
    "ALLOW_CREDENTIALS",
    "ALLOW_PATHS",
    "DENY_PATHS",
    "ALLOW_METHODS",
    "PROXY_API_KEY",
    "ZEROGPU_QUOTA",
    "RATE_LIMIT",
    "RATE_LIMIT_COMPUTE",
    "MAX_COMPUTE_PER_IP",
    "MAX_IN_FLIGHT",
    "MAX_STREAMS_PER_IP",
    "MAX_CONNECTIONS",
    "MAX_BODY",
    "CONNECT_TIMEOUT",
    "TLS_TIMEOUT",
    "HEADER_READ_TIMEOUT",
    "KEEP_ALIVE_TIMEOUT",
    "RESPONSE_TIMEOUT",
    "BODY_IDLE_TIMEOUT",
    "WEBSOCKET_IDLE_TIMEOUT",
    "POOL_IDLE_TIMEOUT",
    "HOLD_TIMEOUT",
    "DRAIN_TIMEOUT",
    "LOG_FORMAT",
    "METRICS_TOKEN",
    "SPACE_HOST",
    "PORT",
];

/// The header that carries the token to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// The one that the self-check finds, `X-HF-Authorization` until then.
    Auto,
    /// `X-HF-Authorization`, which the edge of Spaces removes before the app.
    XHfAuthorization,
    /// `Authorization`, which the app sees.
    Authorization,
}

/// Treatment of a caller's own `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassAuthorization {
    /// It goes to the app, unless it carries a Hugging Face token.
    Auto,
    /// It goes to the app.
    Always,
    /// It is dropped.
    Never,
}

/// Presence of Hugging Face's edge in front of the target. With it, answers without `X-Proxied-Host` are the edge's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeMode {
    /// Present at `*.hf.space`, and elsewhere once an answer has had `X-Proxied-Host`.
    Auto,
    /// Present.
    Always,
    /// Absent.
    Never,
}

/// Format of the access log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object for each request.
    Json,
    /// One line of text for each request.
    Text,
    /// No access log.
    Off,
}

/// Time limits. Zero is no limit where the field says so.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// For a TCP connection to the target.
    pub connect: Duration,
    /// For the TLS handshake with it.
    pub tls: Duration,
    /// From the first byte of a caller's request to the end of its head.
    pub header_read: Duration,
    /// Between two requests on a caller's connection.
    pub keep_alive: Duration,
    /// From a sent request to the head of its answer; zero is no limit.
    pub response: Duration,
    /// Between two pieces of a body, in both directions; zero is no limit.
    pub body_idle: Duration,
    /// For the whole of a body that is read before it is sent.
    pub small_body: Duration,
    /// Without a byte in either direction of a WebSocket; zero is no limit.
    pub websocket_idle: Duration,
    /// For an idle connection to the target; zero keeps none.
    pub pool_idle: Duration,
    /// For the wait of a request for an app that sleeps; zero does not wait.
    pub hold: Duration,
    /// Between two attempts of a held request.
    pub hold_interval: Duration,
    /// For running requests after SIGTERM.
    pub drain: Duration,
    /// Between self-checks.
    pub selfcheck: CheckPauses,
}

/// Pauses of the self-check. No variable sets them.
#[derive(Debug, Clone, Copy)]
pub struct CheckPauses {
    /// Before a check after a failed one, or after a request whose token was refused.
    pub retry: Duration,
    /// After the first refusal of `X-HF-Authorization`, and twice as long after each further one.
    pub refusal: Duration,
    /// Until `X-HF-Authorization` is tried again after a switch to `Authorization`.
    pub restore: Duration,
    /// Until an app in use is checked again, because another may have been deployed.
    pub renew: Duration,
}

/// One of the public names of this proxy.
#[derive(Debug, Clone)]
pub struct PublicHost {
    /// `host[:port]`, in lower case.
    pub host: String,
    /// The same as a header.
    pub header: HeaderValue,
}

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The app that requests go to.
    pub target: Target,
    /// The token that opens it.
    pub token: Secret,
    /// Presence of the edge in front of it.
    pub edge: EdgeMode,
    /// Root certificates beside the built-in ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// The header that carries the token.
    pub auth_mode: AuthMode,
    /// Treatment of a caller's own `Authorization`.
    pub pass_authorization: PassAuthorization,
    /// The pages that may call.
    pub cors: CorsPolicy,
    /// The open paths.
    pub paths: PathPolicy,
    /// The allowed methods.
    pub methods: Vec<Method>,
    /// The same, for the header `Allow`.
    pub methods_header: HeaderValue,
    /// The key that callers must present.
    pub api_key: Option<Secret>,
    /// True if a visitor's own ZeroGPU quota is spent, false for the owner's.
    pub visitor_quota: bool,
    /// The limits of callers.
    pub caps: Caps,
    /// The time limits.
    pub timeouts: Timeouts,
    /// The format of the access log.
    pub log_format: LogFormat,
    /// The token that opens the metrics. Without one they are closed.
    pub metrics_token: Option<Secret>,
    /// The names of this proxy. Without any, the proxy takes every name.
    pub public_hosts: Vec<PublicHost>,
    /// The port to listen on.
    pub port: u16,
}

/// Fault of one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable.
    pub name: &'static str,
    /// The fault and its fix, as the end of a sentence.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.message)
    }
}
