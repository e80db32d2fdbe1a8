//! Settings that all HTTP clients of a process share.

use std::time::Duration;

use reqwest::ClientBuilder;

/// Time allowed for a connection to be established.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// User agent of this crate, for a program that names no own one.
pub const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Starts a client that trusts the compiled-in roots beside those of the machine, because an image may have none.
///
/// It ignores proxies named by the environment, because such a proxy would see the token.
pub fn client(user_agent: &str) -> ClientBuilder {
    // rustls allows one provider per process. An error means that hf-xet has installed it already: the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|der| reqwest::Certificate::from_der(der).ok());
    reqwest::Client::builder()
        .user_agent(user_agent)
        .connect_timeout(CONNECT_TIMEOUT)
        .tls_certs_merge(roots)
        .no_proxy()
}
