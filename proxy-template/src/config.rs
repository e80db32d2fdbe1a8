//! The environment, read once: every fault in it is told at once, and a bad one does not start.

mod read;

use std::fmt;
use std::time::Duration;

use http::{HeaderValue, Method};
use rustls::pki_types::CertificateDer;

use self::read::Reader;
use crate::cors::CorsPolicy;
use crate::paths::PathPolicy;
use crate::secret::Secret;
use crate::target::Target;
use crate::values::Rate;

/// Every variable that is read. README's table is held against it by a test.
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

/// Which header carries the token to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// What the self-check finds, `X-HF-Authorization` until then.
    Auto,
    /// `X-HF-Authorization`, which the edge of Spaces takes off before the app.
    XHfAuthorization,
    /// `Authorization`, which the app sees.
    Authorization,
}

/// What becomes of a caller's own `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassAuthorization {
    /// One that carries a Hugging Face token is dropped, any other goes to the app.
    Auto,
    /// It goes to the app.
    Always,
    /// It is dropped.
    Never,
}

/// Whether Hugging Face's edge stands before the target, so that answers without `X-Proxied-Host` are the edge's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EdgeMode {
    /// At `*.hf.space`, and elsewhere once an answer has carried `X-Proxied-Host`.
    Auto,
    /// It does.
    Always,
    /// It does not.
    Never,
}

/// How lines of the access log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object for each request.
    Json,
    /// One line of words for each request.
    Text,
    /// No access log.
    Off,
}

/// Every time after which something is given up. Zero is no limit, where it says so.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// To a TCP connection with the target.
    pub connect: Duration,
    /// To a finished TLS handshake with it.
    pub tls: Duration,
    /// From the first byte of a caller's request to the end of its head.
    pub header_read: Duration,
    /// Between two requests on a caller's connection.
    pub keep_alive: Duration,
    /// From a sent request to the head of its answer; zero is no limit.
    pub response: Duration,
    /// Between two pieces of a body, and how long a caller may refuse to read; zero is no limit.
    pub body_idle: Duration,
    /// To the end of a body that is read before it is sent.
    pub small_body: Duration,
    /// Without a byte in either direction of a WebSocket; zero is no limit.
    pub websocket_idle: Duration,
    /// How long a connection to the target is kept for the next request.
    pub pool_idle: Duration,
    /// How long a request waits for an app that sleeps; zero is not at all.
    pub hold: Duration,
    /// Between two tries of a held request.
    pub hold_interval: Duration,
    /// How long running requests may take after SIGTERM.
    pub drain: Duration,
    /// When the target is asked again how it is.
    pub selfcheck: CheckPauses,
}

/// The pauses of the self-check. No variable sets them.
#[derive(Debug, Clone, Copy)]
pub struct CheckPauses {
    /// Before a check that follows a failed one, or a request whose token was refused.
    pub again: Duration,
    /// After the first refusal of `X-HF-Authorization`; after each further one twice as long.
    pub doubt: Duration,
    /// Until `X-HF-Authorization` is tried again, when `Authorization` had to be used.
    pub look_back: Duration,
    /// Until the app is asked anew what it is, when it is used: another may have been deployed.
    pub renew: Duration,
}

/// What callers may spend.
#[derive(Debug, Clone)]
pub struct Caps {
    /// Requests of one address, those for files apart.
    pub rate: Option<Rate>,
    /// Requests of one address that make a Gradio app compute.
    pub rate_compute: Option<Rate>,
    /// Computations of one address that run in a Gradio app at once; 0 is no limit.
    pub compute_per_ip: usize,
    /// Requests, streams and tunnels at once, of which one address may have a quarter; 0 is no limit.
    pub in_flight: usize,
    /// Event streams and tunnels of one address at once; 0 is no limit.
    pub streams_per_ip: usize,
    /// Connections of callers at once.
    pub connections: usize,
    /// Bytes in the body of a request; 0 is no limit.
    pub body: u64,
}

/// One of the names by which the public reaches this proxy.
#[derive(Debug, Clone)]
pub struct PublicHost {
    /// `host[:port]`, in lower case.
    pub host: String,
    /// The same as a header.
    pub header: HeaderValue,
}

/// All that the environment says.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where requests go.
    pub target: Target,
    /// The token that opens it.
    pub token: Secret,
    /// Whether the edge stands before it.
    pub edge: EdgeMode,
    /// Roots of trust beside the built-in ones.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Which header carries the token.
    pub auth_mode: AuthMode,
    /// What becomes of a caller's `Authorization`.
    pub pass_authorization: PassAuthorization,
    /// Which pages may call.
    pub cors: CorsPolicy,
    /// Which paths are open.
    pub paths: PathPolicy,
    /// Which methods are allowed.
    pub methods: Vec<Method>,
    /// The same, for the header `Allow`.
    pub methods_header: HeaderValue,
    /// The key that callers must present.
    pub api_key: Option<Secret>,
    /// Whether a visitor's own ZeroGPU quota is spent, rather than the owner's.
    pub visitor_quota: bool,
    /// What callers may spend.
    pub caps: Caps,
    /// When things are given up.
    pub timeouts: Timeouts,
    /// How the access log is written.
    pub log_format: LogFormat,
    /// Who may read the metrics; nobody when there is none.
    pub metrics_token: Option<Secret>,
    /// The names of this proxy; any name is taken when there are none.
    pub public_hosts: Vec<PublicHost>,
    /// Where to listen.
    pub port: u16,
}

/// One variable and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it and what to set.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.name, self.message)
    }
}

impl Config {
    /// Reads every variable by `get`. An empty one counts as unset.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Fault>> {
        let get = |name: &str| get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut reader = Reader { get: &get, faults: vec![] };
        match reader.config() {
            Some(config) if reader.faults.is_empty() => Ok(config),
            _ => Err(reader.faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, Vec<Fault>> {
        let base = [("TARGET_URL", "https://ada-demo.hf.space"), ("TARGET_TOKEN", "hf_secret")];
        Config::read(|name| {
            let all = base.iter().chain(pairs);
            all.rev().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn faults(pairs: &[(&str, &str)]) -> String {
        read(pairs).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!(config.port, 7860);
        assert_eq!(config.auth_mode, AuthMode::Auto);
        assert_eq!(config.caps.body, 200_000_000);
        assert_eq!(config.timeouts.keep_alive, Duration::from_secs(75));
        assert!(config.visitor_quota && config.public_hosts.is_empty() && config.api_key.is_none());
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let all = faults(&[
            ("TARGET_URL", "http://ada-demo.hf.space"),
            ("TARGET_TOKEN", "two words"),
            ("AUTH_MODE", "cookie"),
            ("MAX_BODY", "much"),
            ("CONNECT_TIMEOUT", "0"),
            ("ALLOW_ORIGINS", "https://a.example/"),
            ("ALLOW_PATHS", "docs"),
            ("PORT", "0"),
            ("ALLOW_METHODS", "GET, TRACE"),
            ("RATE_LIMIT", "fast"),
            ("ENFORCE_ORIGIN", "yes"),
            ("TARGET_CA_FILE", "/does/not/exist"),
        ]);
        for name in [
            "TARGET_URL",
            "TARGET_TOKEN",
            "AUTH_MODE",
            "MAX_BODY",
            "CONNECT_TIMEOUT",
            "ALLOW_ORIGINS",
            "ALLOW_PATHS",
            "PORT",
            "ALLOW_METHODS",
            "RATE_LIMIT",
            "ENFORCE_ORIGIN",
            "TARGET_CA_FILE",
        ] {
            assert_eq!(all.matches(&format!("`{name}`:")).count(), 1, "{name} in\n{all}");
        }
        assert!(!all.contains("two words"));
    }

    #[test]
    fn what_is_missing() {
        let faults = Config::read(|_| None).unwrap_err();
        let names: Vec<_> = faults.iter().map(|f| f.name).collect();
        assert_eq!(names, ["TARGET_URL", "TARGET_TOKEN"]);
    }

    #[test]
    fn the_token_goes_to_spaces_and_loopback_only() {
        assert!(faults(&[("TARGET_URL", "https://example.org")]).contains("ALLOW_ANY_TARGET"));
        assert!(read(&[("TARGET_URL", "https://example.org"), ("ALLOW_ANY_TARGET", "true")]).is_ok());
        assert!(read(&[("TARGET_URL", "http://127.0.0.1:8080")]).is_ok());
        assert!(read(&[("TARGET_URL", "http://example.org"), ("ALLOW_ANY_TARGET", "true")]).is_err());
    }

    #[test]
    fn it_does_not_forward_to_itself() {
        assert!(faults(&[("SPACE_HOST", "x.example, ADA-demo.hf.space")]).contains("this proxy itself"));
        let local = ("TARGET_URL", "http://127.0.0.1:7861");
        assert!(read(&[local, ("SPACE_HOST", "127.0.0.1:7860")]).is_ok());
        assert!(read(&[local, ("SPACE_HOST", "127.0.0.1:7861")]).is_err());
    }

    #[test]
    fn debug_shows_no_secret() {
        let config =
            read(&[("TARGET_TOKEN", "hf_s3"), ("PROXY_API_KEY", "k3y"), ("METRICS_TOKEN", "m3t")]).unwrap();
        let shown = format!("{config:?}");
        assert!(!shown.contains("hf_s3") && !shown.contains("k3y") && !shown.contains("m3t"), "{shown}");
    }

    #[test]
    fn the_caller_s_authorization_needs_its_header() {
        assert!(
            faults(&[("AUTH_MODE", "authorization"), ("PASS_AUTHORIZATION", "always")]).contains("taken")
        );
    }
}
