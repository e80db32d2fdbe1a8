//! What every HTTP client of this process has in common.

use std::time::Duration;

use reqwest::ClientBuilder;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A client with the roots compiled in, for an image without any, beside those of the machine. Proxies that
/// the environment names are not used: whoever sets them would see the token.
pub(crate) fn client() -> ClientBuilder {
    // Whoever is first in this process decides; the transfer engine takes the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|der| reqwest::Certificate::from_der(der).ok());
    reqwest::Client::builder()
        .user_agent(concat!("hf-deploy/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .tls_certs_merge(roots)
        .no_proxy()
}
