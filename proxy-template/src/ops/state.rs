//! State that all requests share.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderValue;
use tokio::sync::Notify;

use crate::config::{AuthMode, Config, EdgeMode, Fault};
use crate::http::outgoing_request::Credential;
use crate::http::secret_scan::SecretScanner;
use crate::ops::access_log::Logger;
use crate::ops::health::HealthState;
use crate::ops::metrics::Metrics;
use crate::policy::limits::Limits;
use crate::secret::Secret;
use crate::upstream::connect::Connector;

/// Shortest key that is searched for in answers. A shorter one is likely to be part of an innocent value.
const MIN_SCANNED_KEY: usize = 16;

/// State of one proxy.
#[derive(Debug)]
pub struct ProxyState {
    /// The settings.
    pub config: Config,
    /// Makes the connections to the target.
    pub connector: Arc<Connector>,
    /// The limits of callers.
    pub limits: Limits,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The log.
    pub logger: Arc<Logger>,
    /// Secrets that must not leave.
    pub secrets: Arc<SecretScanner>,
    /// The result of the last self-check.
    pub health: HealthState,
    /// `Bearer <token>`.
    credential: HeaderValue,
    /// `1.1 <pseudonym>`, new in each process.
    pub via: HeaderValue,
    /// True while the process is about to end.
    pub draining: AtomicBool,
    /// Wakes the self-check.
    pub check_requested: Notify,
    /// True once an answer has had `X-Proxied-Host`.
    edge_seen: AtomicBool,
    ids: AtomicU64,
}

impl ProxyState {
    /// Makes the state of a proxy that logs to `sink`.
    ///
    /// # Errors
    ///
    /// A variable that only its use shows to be invalid.
    pub fn new(config: Config, sink: impl Write + Send + 'static) -> Result<Arc<Self>, Fault> {
        let credential = config.token.bearer().ok_or_else(|| Fault {
            name: "TARGET_TOKEN",
            message: "holds what a header cannot carry; set it again".to_owned(),
        })?;
        let keys = [config.api_key.as_ref(), config.metrics_token.as_ref()];
        let keys = keys.into_iter().flatten().filter(|key| key.expose().len() >= MIN_SCANNED_KEY);
        let secrets = SecretScanner::new([&config.token].into_iter().chain(keys).map(Secret::expose));
        let seed = RandomState::new().build_hasher().finish();
        let via = HeaderValue::from_str(&format!("1.1 hf-proxy-{:08x}", seed >> 32));
        let metrics = Arc::<Metrics>::default();
        Ok(Arc::new(Self {
            connector: Arc::new(Connector::new(&config)?),
            limits: Limits::new(&config.caps),
            logger: Arc::new(Logger::start(config.log_format, sink, metrics.clone())),
            metrics,
            secrets: Arc::new(secrets),
            health: HealthState::new(config.auth_mode),
            credential,
            via: via.unwrap_or(HeaderValue::from_static("1.1 hf-proxy")),
            draining: AtomicBool::new(false),
            check_requested: Notify::new(),
            edge_seen: AtomicBool::new(false),
            ids: AtomicU64::new(seed),
            config,
        }))
    }

    /// Returns the credential in the header that is known to work.
    pub fn credential(&self) -> Credential<'_> {
        let hf_header = match self.config.auth_mode {
            AuthMode::XHfAuthorization => true,
            AuthMode::Authorization => false,
            AuthMode::Auto => self.health.hf_header(),
        };
        self.credential_in(hf_header)
    }

    /// Returns the credential in `X-HF-Authorization` if `hf_header` is true, else in `Authorization`.
    pub fn credential_in(&self, hf_header: bool) -> Credential<'_> {
        Credential { hf_header, value: &self.credential }
    }

    /// Returns true if answers without `X-Proxied-Host` are the edge's own.
    pub fn is_behind_edge(&self) -> bool {
        match self.config.edge {
            EdgeMode::Always => true,
            EdgeMode::Never => false,
            EdgeMode::Auto => self.config.target.is_space() || self.edge_seen.load(Ordering::Relaxed),
        }
    }

    /// Records that an answer had `X-Proxied-Host`.
    pub fn record_edge(&self) {
        // Read first, because a store would take the cache line from the other workers with each request.
        if !self.edge_seen.load(Ordering::Relaxed) {
            self.edge_seen.store(true, Ordering::Relaxed);
        }
    }

    /// Returns a new id, which is unique in this process. It is a name and not a secret.
    pub fn next_id(&self) -> HeaderValue {
        // SplitMix64 of a counter visits every value once.
        let mut z = self.ids.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let mut hex = [0u8; 16];
        for (at, digit) in hex.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(z >> (60 - 4 * at) & 0xf) as usize];
        }
        HeaderValue::from_bytes(&hex).unwrap_or(HeaderValue::from_static("none"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_secrets_and_ids_are_unique() {
        let config = Config::read(|name| match name {
            "TARGET_URL" => Some("http://127.0.0.1:1".to_owned()),
            "TARGET_TOKEN" => Some("hf_s3cret".to_owned()),
            "METRICS_TOKEN" => Some("m3trics".to_owned()),
            _ => None,
        });
        let state = ProxyState::new(config.unwrap(), std::io::sink()).unwrap();
        let shown = format!("{state:?} {:#?}", state.credential());
        assert!(!shown.contains("hf_s3cret") && !shown.contains("m3trics"));
        assert_ne!(state.next_id(), state.next_id());
        assert_eq!(state.next_id().len(), 16);
    }
}
