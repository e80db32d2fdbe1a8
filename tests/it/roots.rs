//! Roots of trust: the compiled-in ones, and those of the machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local_hub::RepoType;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::harness::{Folder, Ran, Run, TestHub, hub};

const LARGE: &[u8] = &[7; 11_000_000];

/// A Hub whose storage is reached by TLS.
struct Tls {
    hub: TestHub,
    /// The root of its certificate, as PEM.
    root: String,
    /// The number of connections.
    connections: Arc<AtomicUsize>,
}

async fn hub_with_tls_storage() -> Tls {
    let hub = hub().await;
    let (root, config) = authority();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let upstream = hub.endpoint().trim_start_matches("http://").to_owned();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, upstream, counter) = (acceptor.clone(), upstream.clone(), Arc::clone(&counter));
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                counter.fetch_add(1, Ordering::Relaxed);
                let mut upstream = TcpStream::connect(upstream).await.unwrap();
                // Who hangs up first is no matter here.
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut upstream).await;
            });
        }
    });
    hub.set_policy(|policy| policy.xet_url = Some(format!("https://{address}")));
    Tls { hub, root, connections }
}

/// A root of this test's own, and a server that it vouches for.
fn authority() -> (String, ServerConfig) {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &root).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (root.pem(), server)
}

async fn deploy(hub: &TestHub, roots: &Path) -> Ran {
    let folder = Folder::new(&[]);
    folder.write("model.bin", LARGE);
    let run = Run::new(hub, &folder).input("repo_type", "model");
    run.var("SSL_CERT_FILE", &roots.to_string_lossy()).run().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_is_trusted_by_the_roots_that_the_machine_names() {
    let Tls { hub, root, connections } = hub_with_tls_storage().await;
    let scratch = tempfile::tempdir().unwrap();
    let roots = scratch.path().join("roots.pem");
    std::fs::write(&roots, &root).unwrap();
    deploy(&hub, &roots).await.ended(0, "deployed");
    let stored = hub.repo(RepoType::Model, "ada/app").read_file_async("main", "model.bin").await.unwrap();
    assert!(stored == LARGE);
    assert!(connections.load(Ordering::Relaxed) > 0);
    // What is the machine's is left as it is.
    assert_eq!(std::fs::read_to_string(&roots).unwrap(), root);
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_that_are_named_and_missing_are_the_compiled_in_ones() {
    let hub = hub().await;
    let scratch = tempfile::tempdir().unwrap();
    let roots = scratch.path().join("roots.pem");
    deploy(&hub, &roots).await.ended(0, "deployed");
    let written: Vec<CertificateDer<'_>> =
        CertificateDer::pem_file_iter(&roots).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(written, webpki_root_certs::TLS_SERVER_ROOT_CERTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_a_place_for_temporary_files_gets_one() {
    let hub = hub().await;
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("not/there");
    let folder = Folder::new(&[]);
    folder.write("model.bin", LARGE);
    let run = Run::new(&hub, &folder).input("repo_type", "model").var("TMPDIR", &place.to_string_lossy());
    run.run().await.ended(0, "deployed");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn unwritable_roots_are_reported() {
    let hub = hub().await;
    // Without any, the transfer engine does not start.
    let ran = deploy(&hub, Path::new("/proc/roots.pem")).await.failed(1, "upload_failed");
    let warning = "::warning::cannot write the roots of trust to `SSL_CERT_FILE`, `/proc/roots.pem`: ";
    assert!(ran.log.contains(warning), "{}", ran.log);
}
