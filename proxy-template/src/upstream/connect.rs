//! New connections to the target: DNS, TCP and TLS.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::{Config, Fault, Timeouts};
use crate::policy::target::Target;
use crate::upstream::connection::Lease;
use crate::upstream::io::UpstreamIo;

/// Makes connections to the target.
#[derive(Debug)]
pub struct Connector {
    target: Target,
    timeouts: Timeouts,
    tls: Option<Tls>,
    counts: ConnectCounts,
}

/// Numbers of attempts to connect.
#[derive(Debug, Default)]
pub struct ConnectCounts {
    /// Connections that were made.
    pub connected: AtomicU64,
    /// Attempts that failed.
    pub failed: AtomicU64,
}

struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Cause of a failed connection.
#[derive(Debug)]
pub enum ConnectError {
    /// The name has no address, the port is closed, or the certificate is invalid.
    Failed(String),
    /// The attempt took too long.
    TimedOut,
}

impl ConnectError {
    fn failed(error: &dyn Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause) => f.write_str(cause),
            Self::TimedOut => f.write_str("timed out"),
        }
    }
}

impl Error for ConnectError {}

impl Connector {
    /// Prepares connections to the target of `config`.
    ///
    /// # Errors
    ///
    /// A fault of `TARGET_CA_FILE` or `TARGET_URL`.
    pub fn new(config: &Config) -> Result<Self, Fault> {
        Ok(Self {
            target: config.target.clone(),
            timeouts: config.timeouts.clone(),
            tls: config.target.tls.then(|| tls(config)).transpose()?,
            counts: ConnectCounts::default(),
        })
    }

    /// Returns the numbers of attempts so far.
    pub fn counts(&self) -> &ConnectCounts {
        &self.counts
    }

    /// Returns the time limits of connections.
    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    pub(super) async fn connect(&self) -> Result<Lease, ConnectError> {
        let lease = self.open().await;
        let count = if lease.is_ok() { &self.counts.connected } else { &self.counts.failed };
        count.fetch_add(1, Ordering::Relaxed);
        lease
    }

    async fn open(&self) -> Result<Lease, ConnectError> {
        let stream =
            timeout(self.timeouts.connect, self.dial()).await.map_err(|_| ConnectError::TimedOut)??;
        stream.set_nodelay(true).map_err(|error| ConnectError::failed(&error))?;
        let io = match &self.tls {
            None => UpstreamIo::plain(stream),
            Some(tls) => {
                let handshake = tls.connector.connect(tls.name.clone(), stream);
                let stream =
                    timeout(self.timeouts.tls, handshake).await.map_err(|_| ConnectError::TimedOut)?;
                UpstreamIo::tls(stream.map_err(|error| ConnectError::failed(&error))?)
            }
        };
        Lease::start(io).await.map_err(|error| ConnectError::failed(&error))
    }

    /// Resolves the host anew, because a Space moves, and tries one address after the other.
    async fn dial(&self) -> Result<TcpStream, ConnectError> {
        let addresses = tokio::net::lookup_host((self.target.host.as_str(), self.target.port)).await;
        let addresses: Vec<SocketAddr> = addresses.map_err(|error| ConnectError::failed(&error))?.collect();
        let share = self.timeouts.connect / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut last = ConnectError::Failed("the host has no address".to_owned());
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = ConnectError::failed(&error),
                Err(_) => last = ConnectError::TimedOut,
            }
        }
        Err(last)
    }
}

/// Prepares TLS. Only HTTP/1.1 is offered, because load balancers before Spaces limit the streams of an HTTP/2
/// connection, and WebSockets need HTTP/1.1 anyway.
fn tls(config: &Config) -> Result<Tls, Fault> {
    let fault = |name, message| Fault { name, message };
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for root in &config.extra_roots {
        roots.add(root.clone()).map_err(|error| fault("TARGET_CA_FILE", error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fault("TARGET_URL", format!("needs TLS, which cannot start: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(config.target.host.clone()).map_err(|_| {
        fault("TARGET_URL", format!("no certificate can name this host: `{}`", config.target.host))
    })?;
    Ok(Tls { connector: TlsConnector::from(Arc::new(client)), name })
}
