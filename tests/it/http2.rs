//! HTTP/2 where the Hub offers it, and few connections for many requests.

use std::sync::{Arc, Mutex};

use local_hub::RepoType;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::harness::{Folder, Run, hub, paths};

/// A certificate for `localhost` that only this test trusts, and its key.
const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tls/localhost.pem");
const KEY: &[u8] = include_bytes!("../tls/localhost.key.der");

/// The protocol of each connection (ALPN, RFC 7301).
type Agreed = Arc<Mutex<Vec<String>>>;

/// TLS in front of a Hub, which speaks both versions of HTTP: its address, and the connections that it took.
async fn front(hub: &str, offered: &[&str]) -> (String, Agreed) {
    let hub = hub.trim_start_matches("http://").to_owned();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let key = PrivateKeyDer::try_from(KEY).unwrap();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from_pem_file(CERTIFICATE).unwrap()], key)
        .unwrap();
    config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let agreed = Agreed::default();
    let connections = Arc::clone(&agreed);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, hub, connections) = (acceptor.clone(), hub.clone(), Arc::clone(&connections));
            tokio::spawn(async move {
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let protocol = client.get_ref().1.alpn_protocol().unwrap_or_default();
                connections.lock().unwrap().push(String::from_utf8_lossy(protocol).into_owned());
                let mut server = TcpStream::connect(hub).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (format!("https://localhost:{port}"), agreed)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_few_connections_by_the_best_protocol_on_offer() {
    for (offered, protocol) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let hub = hub().await;
        let (endpoint, agreed) = front(&hub.endpoint(), offered).await;
        let folder = Folder::new(&[]);
        for index in 0..30 {
            folder.write(&format!("{index}.txt"), format!("{index}\n"));
        }
        let run = Run::at(&endpoint, &folder)
            .var("SSL_CERT_FILE", CERTIFICATE)
            .input("repo_type", "model")
            .input("max_commit_files", "2");
        run.run().await.ended(0, "deployed");
        assert_eq!(paths(&hub, RepoType::Model).len(), 31);
        let (requests, agreed) = (hub.requests().len(), agreed.lock().unwrap().clone());
        assert!(agreed.iter().all(|name| name == protocol), "{agreed:?}");
        // Those that began side by side, before anything was agreed on, may have brought one each.
        assert!(requests > 20 && agreed.len() <= 3, "{requests} requests, {} connections", agreed.len());
    }
}
