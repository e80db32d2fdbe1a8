//! Targets with TLS, as all Spaces have.

use std::sync::Arc;

use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::world::{Caller, TOKEN, World, ok, values};

/// Makes a root certificate, and a server with a certificate for these names.
fn authority(names: &[&str]) -> (String, ServerConfig) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &root).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (root.pem(), server)
}

/// Starts a server that echoes requests. Returns its address, and the root certificate as a file.
async fn server(names: &[&str]) -> (std::net::SocketAddr, tempfile::Pem) {
    let (root, config) = authority(names);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
                let mut caller = Caller::new(stream);
                while let Some((head, body)) = caller.request().await {
                    caller.send(ok(&[head.as_bytes(), &body].concat())).await;
                }
            });
        }
    });
    (addr, tempfile::Pem::new(&root))
}

/// A file that is deleted with its test.
mod tempfile {
    use std::path::PathBuf;

    pub(super) struct Pem(pub PathBuf);

    impl Pem {
        pub(super) fn new(text: &str) -> Self {
            use std::sync::atomic::{AtomicUsize, Ordering};
            static NUMBER: AtomicUsize = AtomicUsize::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("hf-proxy-{}-{number}.pem", std::process::id()));
            std::fs::write(&path, text).unwrap();
            Self(path)
        }
    }

    impl Drop for Pem {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_tls_is_reached() {
    let (addr, root) = server(&["localhost", "127.0.0.1"]).await;
    let file = root.0.to_string_lossy().into_owned();
    for target in [format!("https://localhost:{}", addr.port()), format!("https://{addr}")] {
        let world = World::start_with(&target, &[("TARGET_CA_FILE", &file)], |_| {}).await;
        for _ in 0..3 {
            let reply = world.get("/x", "").await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            assert_eq!(values(&reply.text(), "x-hf-authorization"), [format!("Bearer {TOKEN}")]);
        }
        let body = "x".repeat(2_000_000);
        let reply = world
            .ask(&format!("POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 2000000\r\n\r\n{body}"))
            .await;
        assert!(reply.status == 200 && reply.whole && reply.body.ends_with(body.as_bytes()));
        assert_eq!(world.proxy.connector.counts().connected.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}

/// A server with another certificate must not get the token.
#[tokio::test(flavor = "multi_thread")]
async fn invalid_certificates_are_refused() {
    let (addr, _root) = server(&["localhost"]).await;
    let unknown = World::start_with(&format!("https://localhost:{}", addr.port()), &[], |_| {}).await;
    let reply = unknown.get("/", "").await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "upstream_unreachable"));
    let (addr, root) = server(&["other.example"]).await;
    let file = root.0.to_string_lossy().into_owned();
    let named = World::start_with(
        &format!("https://localhost:{}", addr.port()),
        &[("TARGET_CA_FILE", &file)],
        |_| {},
    )
    .await;
    assert_eq!(named.get("/", "").await.status, 502);
}
