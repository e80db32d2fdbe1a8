//! What all requests share.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderValue;
use tokio::sync::Notify;

use crate::access_log::Logger;
use crate::config::{AuthMode, Config, EdgeMode};
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::request::Credential;
use crate::response::Guarded;
use crate::secret::Secret;
use crate::selfcheck::Board;
use crate::upstream::Connector;

/// Keys of ours from this length on are looked for in answers, as the token always is.
const GUARDED_KEY: usize = 16;

/// One proxy.
#[derive(Debug)]
pub struct Proxy {
    /// What the environment said.
    pub config: Config,
    /// Makes the connections to the target.
    pub connector: Arc<Connector>,
    /// What callers may spend.
    pub limits: Limits,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where it is told.
    pub logger: Arc<Logger>,
    /// What must not leave.
    pub guarded: Arc<Guarded>,
    /// What the self-check found.
    pub board: Board,
    /// `Bearer <token>`.
    credential: HeaderValue,
    /// `1.1 <pseudonym>`, new in each process.
    pub via: HeaderValue,
    /// Whether the process is about to end.
    pub draining: AtomicBool,
    /// Wakes the self-check.
    pub doubt: Notify,
    /// Whether an answer has carried `X-Proxied-Host`.
    edge_seen: AtomicBool,
    ids: AtomicU64,
}

impl Proxy {
    /// Makes one that logs to `sink`. The error is a sentence about the configuration.
    pub fn new(config: Config, sink: impl Write + Send + 'static) -> Result<Arc<Self>, String> {
        let credential =
            config.token.bearer().ok_or("`TARGET_TOKEN`: holds what a header cannot carry; set it again")?;
        // A short key is likely to be part of an innocent value.
        let keys = [config.api_key.as_ref(), config.metrics_token.as_ref()];
        let keys = keys.into_iter().flatten().filter(|key| key.expose().len() >= GUARDED_KEY);
        let guarded = Guarded::new([&config.token].into_iter().chain(keys).map(Secret::expose));
        let seed = RandomState::new().build_hasher().finish();
        let via = HeaderValue::from_str(&format!("1.1 hf-proxy-{:08x}", seed >> 32));
        let metrics = Arc::<Metrics>::default();
        Ok(Arc::new(Self {
            connector: Arc::new(Connector::new(&config, metrics.clone())?),
            limits: Limits::new(&config.caps),
            logger: Arc::new(Logger::start(config.log_format, sink, metrics.clone())),
            metrics,
            guarded: Arc::new(guarded),
            board: Board::new(config.auth_mode),
            credential,
            via: via.map_err(|error| error.to_string())?,
            draining: AtomicBool::new(false),
            doubt: Notify::new(),
            edge_seen: AtomicBool::new(false),
            ids: AtomicU64::new(seed),
            config,
        }))
    }

    /// What opens the target, in the header that is known to work.
    pub fn credential(&self) -> Credential<'_> {
        let hf_header = match self.config.auth_mode {
            AuthMode::XHfAuthorization => true,
            AuthMode::Authorization => false,
            AuthMode::Auto => self.board.hf_header(),
        };
        self.credential_in(hf_header)
    }

    /// What opens the target, in the header named.
    pub fn credential_in(&self, hf_header: bool) -> Credential<'_> {
        Credential { hf_header, value: &self.credential }
    }

    /// Whether answers without `X-Proxied-Host` are the edge's own.
    pub fn behind_edge(&self) -> bool {
        match self.config.edge {
            EdgeMode::Always => true,
            EdgeMode::Never => false,
            EdgeMode::Auto => self.config.target.is_space() || self.edge_seen.load(Ordering::Relaxed),
        }
    }

    /// An answer has carried `X-Proxied-Host`.
    pub fn saw_edge(&self) {
        if !self.edge_seen.load(Ordering::Relaxed) {
            self.edge_seen.store(true, Ordering::Relaxed);
        }
    }

    /// A new id, which is another for each request of this process. It is a name and no secret.
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
    fn nothing_secret_in_debug_and_ids_differ() {
        let config = Config::read(|name| match name {
            "TARGET_URL" => Some("http://127.0.0.1:1".to_owned()),
            "TARGET_TOKEN" => Some("hf_s3cret".to_owned()),
            "METRICS_TOKEN" => Some("m3trics".to_owned()),
            _ => None,
        });
        let proxy = Proxy::new(config.unwrap(), std::io::sink()).unwrap();
        let shown = format!("{proxy:?} {:#?}", proxy.credential());
        assert!(!shown.contains("hf_s3cret") && !shown.contains("m3trics"));
        assert_ne!(proxy.next_id(), proxy.next_id());
        assert_eq!(proxy.next_id().len(), 16);
    }
}
