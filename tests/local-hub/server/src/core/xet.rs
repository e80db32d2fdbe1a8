//! Large-file content in chunks: Hugging Face's own CAS server, behind this server's port.
//!
//! The CAS listens on another port. Requests to `/v1`, `/v2` and upload grants are forwarded, because faults and
//! recording must cover them. File registrations (shards) map each SHA-256 to a Xet hash, which commits, listings and
//! downloads need.

use std::collections::HashMap;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header, request};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use xet::xet_session::{Sha256Policy, XetConfig, XetSessionBuilder};
use xet_client::cas_client::{DirectAccessClient, LocalServer, LocalServerConfig};
use xet_core_structures::merklehash::MerkleHash;
use xet_core_structures::metadata_shard::file_structs::MDBFileInfo;
use xet_core_structures::metadata_shard::streaming_shard::MDBMinimalShard;
use xet_runtime::core::XetContext;

use crate::http::answer::raw;
use crate::util::{lock, sha256_hex};

/// A file registered at the CAS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct XetFile {
    pub(crate) hash: String,
    /// Bytes.
    pub(crate) size: u64,
}

/// The CAS server and its registered files.
pub(crate) struct Xet {
    /// `host:port` of the CAS.
    upstream: String,
    client: Option<Arc<dyn DirectAccessClient>>,
    /// Files by SHA-256.
    files: Mutex<HashMap<String, XetFile>>,
    journal: PathBuf,
    /// Sizes of all files by Xet hash, also of those that were registered without a SHA-256.
    sizes: Mutex<HashMap<String, u64>>,
    sizes_journal: PathBuf,
    stop: Mutex<Option<tokio::sync::oneshot::Sender<()>>>,
    secret: String,
}

/// A response of the CAS, and the files of a shard.
pub(crate) struct Forwarded {
    pub(crate) response: Response<Body>,
    /// Files of a shard that the CAS accepted.
    pub(crate) uploaded: Option<Uploaded>,
}

/// Files that were uploaded with a token.
pub(crate) struct Uploaded {
    /// Internal id of the repository or bucket of the token.
    pub(crate) owner: String,
    /// SHA-256 of the files that have one.
    pub(crate) sha256: Vec<String>,
    /// Xet hashes of all files.
    pub(crate) hashes: Vec<String>,
}

impl From<Response<Body>> for Forwarded {
    fn from(response: Response<Body>) -> Self {
        Self { response, uploaded: None }
    }
}

/// Media type of the description of a Xet file.
pub(crate) const XET_INFO: &str = "application/vnd.xet-fileinfo+json";

/// Returns true if a path of this server belongs to the CAS.
pub(crate) fn is_cas_path(path: &str) -> bool {
    path.starts_with("/v1/") || path.starts_with("/v2/") || path.starts_with("/simulation/xorb-uploads/")
}

impl Xet {
    /// Starts the CAS inside the process, or uses an external one.
    pub(crate) async fn start(dir: &Path, external: Option<&str>, secret: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let journal = dir.join("files.txt");
        let mut files = HashMap::new();
        for line in std::fs::read_to_string(&journal).unwrap_or_default().lines() {
            if let [sha, hash, size] = line.split(' ').collect::<Vec<_>>()[..]
                && let Ok(size) = size.parse()
            {
                files.insert(sha.to_owned(), XetFile { hash: hash.to_owned(), size });
            }
        }
        let sizes_journal = dir.join("hashes.txt");
        let sizes = std::fs::read_to_string(&sizes_journal).unwrap_or_default();
        let sizes = sizes.lines().filter_map(|line| {
            let (hash, size) = line.split_once(' ')?;
            Some((hash.to_owned(), size.parse().ok()?))
        });
        let sizes = sizes.collect();
        let (upstream, client, stop) = match external {
            Some(url) => {
                let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
                (host.to_owned(), None, None)
            }
            None => {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let port = listener.local_addr()?.port();
                let config = LocalServerConfig {
                    data_directory: dir.join("cas"),
                    host: "127.0.0.1".into(),
                    port,
                    in_memory: false,
                };
                let server = open_cas(config).await?;
                let client = server.client();
                let (stop, stopped) = tokio::sync::oneshot::channel();
                tokio::spawn(async move {
                    if let Err(error) = server.serve_until_stopped(listener, stopped).await {
                        tracing::error!(%error, "the CAS server ended");
                    }
                });
                (format!("127.0.0.1:{port}"), Some(client), Some(stop))
            }
        };
        Ok(Self {
            upstream,
            client,
            files: Mutex::new(files),
            journal,
            sizes: Mutex::new(sizes),
            sizes_journal,
            stop: Mutex::new(stop),
            secret: secret.to_owned(),
        })
    }

    pub(crate) fn stop(&self) {
        if let Some(stop) = lock(&self.stop).take() {
            let _ = stop.send(());
        }
    }

    /// Returns the file with this SHA-256, if a shard registered it.
    pub(crate) fn find(&self, sha256: &str) -> Option<XetFile> {
        lock(&self.files).get(sha256).cloned()
    }

    /// Returns a token for `scope` (`read` or `write`) and a repository (its internal id) that ends at `exp` (seconds since
    /// 1970).
    pub(crate) fn token(&self, scope: &str, exp: u64, repo_id: &str) -> String {
        let proof = sha256_hex(format!("{}/{scope}/{exp}/{repo_id}", self.secret).as_bytes());
        format!("xet_{scope}_{exp}_{repo_id}_{proof}")
    }

    /// Returns the internal id of a valid token's repository.
    fn token_repo(&self, header: Option<&HeaderValue>, write: bool) -> Option<String> {
        let token = header?.to_str().ok()?.strip_prefix("Bearer ")?;
        let [_, scope, exp, repo_id, _] = token.split('_').collect::<Vec<_>>()[..] else { return None };
        let exp: u64 = exp.parse().ok()?;
        let valid = self.token(scope, exp, repo_id) == token && exp * 1000 > crate::util::now_ms();
        (valid && (!write || scope == "write")).then(|| repo_id.to_owned())
    }

    /// Forwards a request to the CAS. Bodies are streamed, except shards, which are read.
    pub(crate) async fn forward(&self, parts: request::Parts, body: Body) -> anyhow::Result<Forwarded> {
        let path = parts.uri.path().to_owned();
        // Presigned transfers and telemetry carry no CAS token.
        let open = ["/simulation/", "/v1/fetch_term", "/v1/get_xorb", "/v1/telemetry"];
        let write = parts.method == Method::POST || parts.method == Method::PUT;
        let repo_id = self.token_repo(parts.headers.get(header::AUTHORIZATION), write);
        if repo_id.is_none() && !open.iter().any(|p| path.starts_with(p)) {
            return Ok(raw(401, "application/json", b"{\"error\":\"Unauthorized\"}".to_vec()).into());
        }
        if parts.method == Method::POST && path.ends_with("/shards") {
            let shard = axum::body::to_bytes(body, 1 << 30).await?;
            let answer = self.send(parts, Body::from(shard.clone())).await?;
            let (head, body) = answer.into_parts();
            let bytes = axum::body::to_bytes(body, 1 << 24).await?;
            let accepted = head.status.is_success() && !String::from_utf8_lossy(&bytes).contains("\"error\"");
            let (sha256, hashes) = if accepted { self.register(&shard)? } else { (vec![], vec![]) };
            let response = Response::from_parts(head, Body::from(bytes));
            let uploaded = repo_id.map(|owner| Uploaded { owner, sha256, hashes });
            return Ok(Forwarded { response, uploaded });
        }
        Ok(self.send(parts, body).await?.into())
    }

    async fn send(&self, mut parts: request::Parts, body: Body) -> anyhow::Result<Response<Body>> {
        let stream = TcpStream::connect(&self.upstream).await.context("the CAS is not reachable")?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        if !parts.headers.contains_key(header::HOST)
            && let Some(authority) = parts.uri.authority()
        {
            parts.headers.insert(header::HOST, HeaderValue::try_from(authority.as_str())?);
        }
        for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::UPGRADE] {
            parts.headers.remove(name);
        }
        let target = parts.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let mut request = Request::builder().method(parts.method).uri(target).body(body)?;
        *request.headers_mut() = parts.headers;
        let answer = sender.send_request(request).await?;
        let (mut head, body) = answer.into_parts();
        head.headers.remove(header::CONNECTION);
        head.headers.remove(header::TRANSFER_ENCODING);
        Ok(Response::from_parts(head, Body::new(body)))
    }

    /// Registers every file of a shard. Returns the SHA-256 of those that have one, and all Xet hashes.
    fn register(&self, shard: &[u8]) -> anyhow::Result<(Vec<String>, Vec<String>)> {
        let shard = MDBMinimalShard::from_reader(&mut Cursor::new(shard), true, false)
            .map_err(|e| anyhow::anyhow!("unreadable shard: {e}"))?;
        let mut files = lock(&self.files);
        let mut journal = append_to(&self.journal)?;
        let (mut named, mut hashes) = (Vec::new(), Vec::new());
        for index in 0..shard.num_files() {
            let Some(view) = shard.file(index) else { continue };
            let hash = view.file_hash().hex();
            let sha256 = view.metadata_ext().map(|meta| meta.sha256.hex());
            let file = XetFile { hash: hash.clone(), size: MDBFileInfo::from(view).file_size() };
            self.remember(&file)?;
            hashes.push(hash);
            let Some(sha) = sha256 else { continue };
            if files.get(&sha) != Some(&file) {
                writeln!(journal, "{sha} {} {}", file.hash, file.size)?;
                files.insert(sha.clone(), file);
            }
            named.push(sha);
        }
        Ok((named, hashes))
    }

    /// Remembers the size of a file.
    fn remember(&self, file: &XetFile) -> std::io::Result<()> {
        if lock(&self.sizes).insert(file.hash.clone(), file.size).is_none() {
            writeln!(append_to(&self.sizes_journal)?, "{} {}", file.hash, file.size)?;
        }
        Ok(())
    }

    /// Returns the size of the file with this Xet hash, if a shard registered it.
    pub(crate) fn size_of(&self, hash: &str) -> Option<u64> {
        lock(&self.sizes).get(hash).copied()
    }

    /// Stores content that this process has, and returns its files in order.
    pub(crate) async fn store(&self, contents: Vec<Bytes>) -> anyhow::Result<Vec<XetFile>> {
        // The engine's HTTP client has no provider of its own, and a second installation changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let scratch = tempfile::tempdir()?;
        let config = XetConfig::new().with_config("telemetry.enabled", "false")?;
        let session = XetSessionBuilder::new_with_config(config)
            .with_cache_dir(scratch.path())
            .with_tokio_handle(tokio::runtime::Handle::current())
            .build()?;
        let endpoint = format!("http://{}", self.upstream);
        let commit = session.new_upload_commit()?.with_endpoint(endpoint).build().await?;
        let mut files = Vec::with_capacity(contents.len());
        for content in contents {
            let sink = commit.upload_stream(None, Sha256Policy::Skip).await?;
            let size = content.len() as u64;
            sink.write(content).await?;
            files.push(XetFile { hash: sink.finish().await?.xet_info.hash, size });
        }
        commit.commit().await?;
        for file in &files {
            self.remember(file)?;
        }
        Ok(files)
    }

    /// Returns the content of a file.
    pub(crate) async fn content(&self, file: &XetFile) -> anyhow::Result<Bytes> {
        if file.size == 0 {
            return Ok(Bytes::new());
        }
        if let Some(client) = &self.client {
            let hash = MerkleHash::from_hex(&file.hash).map_err(|e| anyhow::anyhow!("{e:?}"))?;
            return Ok(client.get_file_data(&hash, None).await?);
        }
        let uri = format!("http://{}/simulation/files/{}/data", self.upstream, file.hash);
        let (parts, ()) = Request::builder().uri(uri).body(())?.into_parts();
        let answer = self.send(parts, Body::empty()).await?;
        anyhow::ensure!(answer.status() == StatusCode::OK, "the CAS answered {}", answer.status());
        Ok(answer.into_body().collect().await?.to_bytes())
    }
}

fn append_to(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().append(true).create(true).open(path)
}

/// Opens the CAS. Retries for up to 5 s while a stopping server holds the lock of its database.
async fn open_cas(config: LocalServerConfig) -> anyhow::Result<LocalServer> {
    let mut tries = 0;
    loop {
        match LocalServer::new(XetContext::default()?, config.clone()).await {
            Ok(server) => return Ok(server),
            Err(error) if tries < 50 && error.to_string().contains("lock") => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
