//! Reads all variables: their defaults with the reasons, and their faults.

use std::time::Duration;

use http::{HeaderValue, Method};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::settings::{
    AuthMode, CheckPauses, Config, EdgeMode, Fault, LogFormat, PassAuthorization, PublicHost, Timeouts,
};
use crate::policy::cors::CorsPolicy;
use crate::policy::limits::Caps;
use crate::policy::paths::PathPolicy;
use crate::policy::target::{Target, host_of, is_loopback_host};
use crate::secret::Secret;
use crate::values;

/// The port at which Spaces are reached.
const PORT: u16 = 7860;
/// The methods of pages and clients of all apps. CONNECT and TRACE are never passed on.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// Enough for an office: eight people at work, and a page of a hundred requests for each.
const RATE_LIMIT: &str = "100/s:1000";
/// Off, because each typed letter may be a call. The calls that run at once are limited instead.
const RATE_LIMIT_COMPUTE: &str = "off";
/// More than the waiting calls of a person who types, and of the queue of a script.
const MAX_COMPUTE_PER_IP: &str = "100";
/// Five hundred pages of a Gradio app, with two requests and 20 kB of memory each.
const MAX_IN_FLIGHT: &str = "1024";
/// Sixty-four pages of a Gradio app behind one address.
const MAX_STREAMS_PER_IP: &str = "128";
/// More than requests, because the edge keeps connections open for later ones.
const MAX_CONNECTIONS: &str = "4096";
/// Video uploads are rarely larger.
const MAX_BODY: &str = "200MB";
/// A host in the same cloud answers within milliseconds.
const CONNECT_TIMEOUT: &str = "5s";
/// Two round trips, and some computing on a busy edge.
const TLS_TIMEOUT: &str = "10s";
/// Long enough for the slowest honest line, and short enough against slowloris.
const HEADER_READ_TIMEOUT: &str = "15s";
/// Longer than the 60 s of load balancers, so that they close first and no request meets the close.
const KEEP_ALIVE_TIMEOUT: &str = "75s";
/// Synchronous calls to a model take minutes.
const RESPONSE_TIMEOUT: &str = "300s";
/// Eight missed heartbeats of Gradio, which sends one each 15 s.
const BODY_IDLE_TIMEOUT: &str = "120s";
/// Four missed pings of servers, which send one each 20 to 30 s.
const WEBSOCKET_IDLE_TIMEOUT: &str = "120s";
/// A third of the 60 s of load balancers, so that a request seldom meets their close.
const POOL_IDLE_TIMEOUT: &str = "20s";
/// Below the 60 s after which the public edge ends a silent answer.
const HOLD_TIMEOUT: &str = "55s";
/// Below the 30 s that orchestrators commonly leave between SIGTERM and SIGKILL.
const DRAIN_TIMEOUT: &str = "25s";
/// A kilobyte a second, which each line can carry.
const SMALL_BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between two attempts of a held request.
const HOLD_INTERVAL: Duration = Duration::from_secs(2);
/// Four probes take fourteen seconds. All of the edge knows a new Space by then.
const SELFCHECK: CheckPauses = CheckPauses {
    retry: Duration::from_secs(5),
    refusal: Duration::from_secs(2),
    restore: Duration::from_secs(600),
    renew: Duration::from_secs(120),
};

impl Config {
    /// Reads all variables by `get`. An empty one counts as unset.
    ///
    /// # Errors
    ///
    /// All faults at once.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Fault>> {
        let get = |name: &str| get(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut reader = Reader { get: &get, faults: vec![] };
        match reader.config() {
            Some(config) if reader.faults.is_empty() => Ok(config),
            _ => Err(reader.faults),
        }
    }
}

/// Reader that collects faults beside values.
struct Reader<'a> {
    /// Returns the value of a variable.
    get: &'a dyn Fn(&str) -> Option<String>,
    /// Faults so far.
    faults: Vec<Fault>,
}

impl Reader<'_> {
    /// Returns `None` only after a fault.
    fn config(&mut self) -> Option<Config> {
        let target = self.target();
        let token = self.token();
        let public_hosts = self.public_hosts(target.as_ref());
        let edge = self.choice(
            "TARGET_EDGE",
            &[("auto", EdgeMode::Auto), ("always", EdgeMode::Always), ("never", EdgeMode::Never)],
        );
        let auth_mode = self.choice(
            "AUTH_MODE",
            &[
                ("auto", AuthMode::Auto),
                ("x-hf-authorization", AuthMode::XHfAuthorization),
                ("authorization", AuthMode::Authorization),
            ],
        );
        let pass_authorization = self.choice(
            "PASS_AUTHORIZATION",
            &[
                ("auto", PassAuthorization::Auto),
                ("always", PassAuthorization::Always),
                ("never", PassAuthorization::Never),
            ],
        );
        if (auth_mode, pass_authorization) == (AuthMode::Authorization, PassAuthorization::Always) {
            self.fault(
                "PASS_AUTHORIZATION",
                "`always` cannot be kept when `AUTH_MODE` is `authorization`, since that header is taken; set \
                 `AUTH_MODE` to `x-hf-authorization`, or leave `PASS_AUTHORIZATION` out",
            );
        }
        let log_format = self.choice(
            "LOG_FORMAT",
            &[("json", LogFormat::Json), ("text", LogFormat::Text), ("off", LogFormat::Off)],
        );
        let visitor_quota = self.choice("ZEROGPU_QUOTA", &[("visitor", true), ("owner", false)]);
        let cors = self.cors();
        let paths = self.paths();
        let methods = self.methods();
        let extra_roots = self.extra_roots();
        let api_key = self.secret("PROXY_API_KEY");
        let metrics_token = self.secret("METRICS_TOKEN");
        let caps = self.caps();
        let timeouts = self.timeouts();
        let port = self.parse("PORT", &PORT.to_string(), |text| match text.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!("must be a port from 1 to 65535: `{text}`")),
        });
        let methods = methods?;
        let listed = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
        Some(Config {
            target: target?,
            token: token?,
            edge,
            extra_roots,
            auth_mode,
            pass_authorization,
            cors: cors?,
            paths: paths?,
            methods_header: HeaderValue::from_str(&listed).ok()?,
            methods,
            api_key,
            visitor_quota,
            caps: caps?,
            timeouts: timeouts?,
            log_format,
            metrics_token,
            public_hosts,
            port: port?,
        })
    }

    fn target(&mut self) -> Option<Target> {
        let Some(text) = (self.get)("TARGET_URL") else {
            self.fault(
                "TARGET_URL",
                "is missing; set it to the address of the app, `https://owner-name.hf.space`",
            );
            return None;
        };
        let any = self.boolean("ALLOW_ANY_TARGET", false);
        match Target::parse(&text) {
            Ok(target) if target.is_space() || target.is_loopback() || any => Some(target),
            Ok(_) => {
                self.fault(
                    "TARGET_URL",
                    "must be `https://*.hf.space`, because other hosts see the token; set \
                     `ALLOW_ANY_TARGET` to `true` if the host may see it",
                );
                None
            }
            Err(fault) => {
                self.fault("TARGET_URL", fault);
                None
            }
        }
    }

    fn token(&mut self) -> Option<Secret> {
        let token = self.secret("TARGET_TOKEN");
        if token.is_none() && (self.get)("TARGET_TOKEN").is_none() {
            self.fault(
                "TARGET_TOKEN",
                "is missing; set it, as a secret, to a token that may read the target Space",
            );
        }
        token
    }

    /// Reads a secret. Its faults do not show it.
    fn secret(&mut self, name: &'static str) -> Option<Secret> {
        let text = (self.get)(name)?;
        if text.bytes().all(|b| b.is_ascii_graphic()) {
            return Some(Secret::new(text));
        }
        self.fault(
            name,
            "must be one word of visible ASCII characters; set it again, without spaces or line ends",
        );
        None
    }

    fn public_hosts(&mut self, target: Option<&Target>) -> Vec<PublicHost> {
        let Some(text) = (self.get)("SPACE_HOST") else { return vec![] };
        let mut hosts = vec![];
        for entry in values::list(&text) {
            let host = entry.to_ascii_lowercase();
            let valid = host.parse::<http::uri::Authority>().is_ok() && !host.contains('@');
            let Some(header) = HeaderValue::from_str(&host).ok().filter(|_| valid) else {
                self.fault(
                    "SPACE_HOST",
                    format!("must be hosts without scheme, separated by commas: `{entry}`"),
                );
                continue;
            };
            let same_place = |target: &&Target| {
                let this = host_of(&host);
                // Compared with the port, because several servers share a loopback address.
                this == target.host && (!is_loopback_host(this) || host == target.authority)
            };
            if target.as_ref().is_some_and(same_place) {
                self.fault(
                    "TARGET_URL",
                    format!("is this proxy itself, by `SPACE_HOST`; set it to the private Space: `{host}`"),
                );
            }
            hosts.push(PublicHost { host, header });
        }
        hosts
    }

    fn cors(&mut self) -> Option<CorsPolicy> {
        let origins = (self.get)("ALLOW_ORIGINS").unwrap_or_else(|| "*".to_owned());
        let enforce = self.boolean("ENFORCE_ORIGIN", true);
        let credentials = self.boolean("ALLOW_CREDENTIALS", false);
        let methods = (self.get)("ALLOW_METHODS").unwrap_or_else(|| METHODS.to_owned());
        match CorsPolicy::parse(&origins, enforce, credentials, &values::list(&methods).join(", ")) {
            Ok(policy) => Some(policy),
            Err((name, fault)) => {
                self.fault(name, fault);
                None
            }
        }
    }

    fn paths(&mut self) -> Option<PathPolicy> {
        let allow = (self.get)("ALLOW_PATHS").unwrap_or_else(|| "any".to_owned());
        let deny = (self.get)("DENY_PATHS").unwrap_or_default();
        match PathPolicy::parse(&allow, &deny) {
            Ok(policy) => Some(policy),
            Err((name, fault)) => {
                self.fault(name, fault);
                None
            }
        }
    }

    fn methods(&mut self) -> Option<Vec<Method>> {
        self.parse("ALLOW_METHODS", METHODS, |text| {
            let mut methods = vec![];
            for entry in values::list(text) {
                match Method::from_bytes(entry.as_bytes()) {
                    Ok(method) if method != Method::CONNECT && method != Method::TRACE => {
                        methods.push(method);
                    }
                    _ => return Err(format!("must be methods other than CONNECT and TRACE: `{entry}`")),
                }
            }
            if methods.is_empty() {
                Err("names no method; leave it out to allow all".to_owned())
            } else {
                Ok(methods)
            }
        })
    }

    fn extra_roots(&mut self) -> Vec<CertificateDer<'static>> {
        let Some(file) = (self.get)("TARGET_CA_FILE") else { return vec![] };
        let read = CertificateDer::pem_file_iter(&file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        match read {
            Ok(roots) if !roots.is_empty() => return roots,
            Ok(_) => self.fault("TARGET_CA_FILE", format!("holds no certificate: `{file}`")),
            Err(error) => self.fault("TARGET_CA_FILE", format!("cannot be read as PEM ({error}): `{file}`")),
        }
        vec![]
    }

    fn caps(&mut self) -> Option<Caps> {
        let rate = self.parse("RATE_LIMIT", RATE_LIMIT, values::rate);
        let rate_compute = self.parse("RATE_LIMIT_COMPUTE", RATE_LIMIT_COMPUTE, values::rate);
        let compute_per_ip = self.parse("MAX_COMPUTE_PER_IP", MAX_COMPUTE_PER_IP, values::count);
        let in_flight = self.parse("MAX_IN_FLIGHT", MAX_IN_FLIGHT, values::count);
        let streams_per_ip = self.parse("MAX_STREAMS_PER_IP", MAX_STREAMS_PER_IP, values::count);
        let connections = self.parse("MAX_CONNECTIONS", MAX_CONNECTIONS, |text| match values::count(text)? {
            0 => Err("must be at least `1`: `0`".to_owned()),
            count => Ok(count),
        });
        let body = self.parse("MAX_BODY", MAX_BODY, values::size);
        Some(Caps {
            rate: rate?,
            rate_compute: rate_compute?,
            compute_per_ip: compute_per_ip?,
            in_flight: in_flight?,
            streams_per_ip: streams_per_ip?,
            connections: connections?,
            body: body?,
        })
    }

    fn timeouts(&mut self) -> Option<Timeouts> {
        let connect = self.nonzero_duration("CONNECT_TIMEOUT", CONNECT_TIMEOUT);
        let tls = self.nonzero_duration("TLS_TIMEOUT", TLS_TIMEOUT);
        let header_read = self.nonzero_duration("HEADER_READ_TIMEOUT", HEADER_READ_TIMEOUT);
        let keep_alive = self.nonzero_duration("KEEP_ALIVE_TIMEOUT", KEEP_ALIVE_TIMEOUT);
        let response = self.parse("RESPONSE_TIMEOUT", RESPONSE_TIMEOUT, values::duration);
        let body_idle = self.parse("BODY_IDLE_TIMEOUT", BODY_IDLE_TIMEOUT, values::duration);
        let websocket_idle = self.parse("WEBSOCKET_IDLE_TIMEOUT", WEBSOCKET_IDLE_TIMEOUT, values::duration);
        let pool_idle = self.parse("POOL_IDLE_TIMEOUT", POOL_IDLE_TIMEOUT, values::duration);
        let hold = self.parse("HOLD_TIMEOUT", HOLD_TIMEOUT, values::duration);
        let drain = self.parse("DRAIN_TIMEOUT", DRAIN_TIMEOUT, values::duration);
        Some(Timeouts {
            connect: connect?,
            tls: tls?,
            header_read: header_read?,
            keep_alive: keep_alive?,
            response: response?,
            body_idle: body_idle?,
            small_body: SMALL_BODY_TIMEOUT,
            websocket_idle: websocket_idle?,
            pool_idle: pool_idle?,
            hold: hold?,
            hold_interval: HOLD_INTERVAL,
            drain: drain?,
            selfcheck: SELFCHECK,
        })
    }

    /// Reads a duration other than zero.
    fn nonzero_duration(&mut self, name: &'static str, default: &str) -> Option<Duration> {
        self.parse(name, default, |text| match values::duration(text)? {
            Duration::ZERO => Err(format!("must be longer than zero: `{text}`")),
            wait => Ok(wait),
        })
    }

    fn parse<T>(
        &mut self,
        name: &'static str,
        default: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        match read((self.get)(name).as_deref().unwrap_or(default)) {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(name, fault);
                None
            }
        }
    }

    fn boolean(&mut self, name: &'static str, default: bool) -> bool {
        self.parse(name, if default { "true" } else { "false" }, values::boolean).unwrap_or(default)
    }

    /// Reads one of several words. The first is the default.
    fn choice<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> T {
        let text = (self.get)(name).unwrap_or_else(|| words[0].0.to_owned());
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let all = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" or ");
        self.fault(name, format!("must be {all}: `{text}`"));
        words[0].1
    }

    fn fault(&mut self, name: &'static str, message: impl Into<String>) {
        let fault = Fault { name, message: message.into() };
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
