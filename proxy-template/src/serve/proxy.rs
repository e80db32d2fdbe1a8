//! A proxy as a value, for the program and for programs that link it in.

use std::future::Future;
use std::io;
use std::io::Write;
use std::num::NonZero;
use std::sync::Arc;

use tokio::net::TcpListener;

use crate::config::{Config, Fault};
use crate::ops::health::HealthReport;
use crate::ops::selfcheck;
use crate::ops::state::ProxyState;
use crate::serve::server;
use crate::serve::workers::Workers;

/// A configured proxy.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let variables = [("TARGET_URL", "https://ada-demo.hf.space"), ("TARGET_TOKEN", "hf_example")];
/// let get = |name: &str| Some(variables.iter().find(|(known, _)| *known == name)?.1.to_owned());
/// let proxy = hf_proxy::Proxy::from_variables(get, std::io::stdout()).map_err(|faults| format!("{faults:?}"))?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// proxy.run(listener, async { _ = tokio::signal::ctrl_c().await }).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Proxy {
    state: Arc<ProxyState>,
}

impl Proxy {
    /// Makes a proxy from the variables that `get` returns, which logs to `log`.
    ///
    /// # Errors
    ///
    /// All invalid variables at once.
    pub fn from_variables(
        get: impl Fn(&str) -> Option<String>,
        log: impl Write + Send + 'static,
    ) -> Result<Self, Vec<Fault>> {
        Self::new(Config::read(get)?, log).map_err(|fault| vec![fault])
    }

    /// Makes a proxy from settings, which logs to `log`.
    ///
    /// # Errors
    ///
    /// A setting that only its use shows to be invalid.
    pub fn new(config: Config, log: impl Write + Send + 'static) -> Result<Self, Fault> {
        Ok(Self { state: ProxyState::new(config, log)? })
    }

    /// Returns the settings.
    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// Serves `listener` with a worker for each core until `shutdown`, then drains. Needs a Tokio runtime with IO and time;
    /// the workers have threads of their own. The setting `PORT` is not used.
    ///
    /// # Errors
    ///
    /// The workers cannot start.
    pub async fn run(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let workers = Workers::start(cores, &self.state.connector)?;
        let port = listener.local_addr()?.port();
        let version = env!("CARGO_PKG_VERSION");
        self.state.logger.event("info", &format!("hf-proxy {version} listens on port {port}"));
        let check = tokio::spawn(selfcheck::run(self.state.clone()));
        server::serve(listener, self.state.clone(), workers, shutdown).await;
        check.abort();
        Ok(())
    }

    /// Probes the target and returns the result.
    pub async fn check(&self) -> HealthReport {
        selfcheck::check(&self.state).await
    }

    /// Writes the rest of the log, within half a second. The log ends with it.
    pub fn flush_log(&self) {
        self.state.logger.flush();
    }
}
