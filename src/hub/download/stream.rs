//! Streams of content: from the Xet storage, or plain from the address that the Hub redirects to.

use std::time::Duration;

use ::xet::xet_session::{XetDownloadStream, XetDownloadStreamGroup, XetFileInfo};
use bytes::{Bytes, BytesMut};
use reqwest::header::{ACCEPT_ENCODING, HeaderValue, LOCATION, RANGE};
use reqwest::{Method, StatusCode};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::types::{Download, DownloadFrom};
use crate::call::Call;
use crate::client::Hub;
use crate::error::{Cause, Error};
use crate::operation::OnBytes;
use crate::transport::unreachable_cause;
use crate::types::XetHash;
use crate::url::{encode, encode_path};
use crate::xet;
use crate::xet_feed::fault_of;

/// Time that a stream may go without a byte.
const QUIET_TIMEOUT: Duration = Duration::from_secs(75);
/// The same for the transfer engine, which retries on its own meanwhile.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(300);
/// Maximum number of redirects.
const MAX_REDIRECTS: usize = 5;
/// Maximum size of a file that is read into memory.
const MAX_IN_MEMORY: usize = 32 << 20;

/// Source of content for all files of a download.
pub(super) struct Reader<'a> {
    pub(super) hub: &'a Hub,
    from: &'a DownloadFrom,
    on_bytes: &'a OnBytes,
    /// The open storage; `None` inside if the Hub has no Xet storage there.
    storage: OnceCell<Option<Storage>>,
}

/// The Xet storage, open for reading.
struct Storage {
    group: XetDownloadStreamGroup,
    /// Folder of the engine, deleted with it.
    _scratch: TempDir,
}

impl Drop for Storage {
    /// Stops streams that still run after an error.
    fn drop(&mut self) {
        let _ = self.group.abort();
    }
}

/// Content from some offset to the end.
pub(super) enum Stream {
    Plain(reqwest::Response),
    Xet(Box<XetDownloadStream>),
}

impl<'a> Reader<'a> {
    pub(super) fn new(hub: &'a Hub, from: &'a DownloadFrom, on_bytes: &'a OnBytes) -> Self {
        Self { hub, from, on_bytes, storage: OnceCell::new() }
    }

    /// Reports bytes that came.
    pub(super) fn report(&self, bytes: &Bytes) {
        (self.on_bytes)(bytes.len() as u64);
    }

    /// Makes the plain request of a file.
    pub(super) fn call(&self, path: &str) -> Result<Call, Error> {
        let operation = format!("download `{path}` of the {}", self.from);
        let address = match self.from {
            DownloadFrom::Bucket(bucket) => format!("/{}/resolve/{}", bucket.encoded(), encode_path(path)),
            DownloadFrom::Repo { repo, commit } => {
                format!("/{}/resolve/{}/{}", repo.page(), encode(commit), encode_path(path))
            }
        };
        let mut call = Call::new(operation, Method::GET, self.hub.url(&address)?);
        call.headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        call.accepts = &[301, 302, 303, 307, 308];
        Ok(call)
    }

    /// Opens a file at the byte `offset`. Returns false if the stream begins at byte 0 instead.
    pub(super) async fn open(
        &self,
        file: &Download,
        call: &Call,
        offset: u64,
    ) -> Result<(Stream, bool), Error> {
        if let Some(hash) = file.xet_hash
            && let Some(storage) = self.storage().await?
        {
            let stream = open_xet(storage, hash, file.size, offset).await;
            let stream = stream.map_err(|error| download_error(&call.operation, &error))?;
            return Ok((Stream::Xet(Box::new(stream)), true));
        }
        let response = self.open_plain(call, offset).await?;
        let continues = offset == 0 || response.status() == StatusCode::PARTIAL_CONTENT;
        Ok((Stream::Plain(response), continues))
    }

    /// Reads a small file into memory, with retries.
    pub(super) async fn read_whole(&self, path: &str) -> Result<Bytes, Error> {
        let call = self.call(path)?;
        let mut failures = 0;
        loop {
            match self.read_once(&call).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => self.hub.wait_for_retry(&call, error, &mut failures).await?,
            }
        }
    }

    async fn read_once(&self, call: &Call) -> Result<Bytes, Error> {
        let mut stream = Stream::Plain(self.open_plain(call, 0).await?);
        let mut content = BytesMut::new();
        while let Some(bytes) = stream.next(&call.operation).await? {
            if content.len() + bytes.len() > MAX_IN_MEMORY {
                return Err(Error::unexpected(&call.operation, format!("more than {MAX_IN_MEMORY} bytes")));
            }
            content.extend_from_slice(&bytes);
        }
        Ok(content.freeze())
    }

    /// Sends the request, and follows redirects to the storage. The token goes to the Hub's own origin only.
    async fn open_plain(&self, call: &Call, offset: u64) -> Result<reqwest::Response, Error> {
        let mut next = Call::new(&call.operation, call.method.clone(), call.url.clone());
        (next.headers, next.accepts) = (call.headers.clone(), call.accepts);
        if offset > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={offset}-"))
        {
            next.headers.insert(RANGE, range);
        }
        for _ in 0..=MAX_REDIRECTS {
            let response = self.hub.open_stream(&next).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let target = target.and_then(|target| response.url().join(target).ok());
            next.url =
                target.ok_or_else(|| Error::unexpected(&call.operation, "a redirect without an address"))?;
        }
        Err(Error::unexpected(&call.operation, "too many redirects"))
    }

    /// Opens the Xet storage once. Returns `None` if the Hub has none there.
    async fn storage(&self) -> Result<Option<&Storage>, Error> {
        Ok(self.storage.get_or_try_init(|| self.open_storage()).await?.as_ref())
    }

    async fn open_storage(&self) -> Result<Option<Storage>, Error> {
        let operation = format!("open the storage of the {}", self.from);
        let path = match self.from {
            DownloadFrom::Bucket(bucket) => format!("{}/xet-read-token", bucket.api()),
            DownloadFrom::Repo { repo, commit } => {
                format!("{}/xet-read-token/{}", repo.api(), encode(commit))
            }
        };
        let Some(access) = xet::access_at(self.hub, &operation, &path).await? else { return Ok(None) };
        let scratch = xet::temporary_folder(self.hub.scratch())
            .map_err(|error| Error::new("make a temporary folder for the download", Cause::Scratch(error)))?;
        let authorization = self.hub.authorization().await?;
        let group = xet::open_for_reading(access, authorization, scratch.path())
            .await
            .map_err(|error| download_error(&operation, &error))?;
        Ok(Some(Storage { group, _scratch: scratch }))
    }
}

async fn open_xet(
    storage: &Storage,
    hash: XetHash,
    size: u64,
    offset: u64,
) -> Result<XetDownloadStream, ::xet::XetError> {
    let range = (offset > 0).then_some(offset..size);
    storage.group.download_stream(XetFileInfo::new(hash.to_string(), size), range).await
}

impl Stream {
    /// Returns the next bytes, `None` at the end.
    pub(super) async fn next(&mut self, operation: &str) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Plain(response) => match tokio::time::timeout(QUIET_TIMEOUT, response.chunk()).await {
                Ok(Ok(bytes)) => Ok(bytes),
                Ok(Err(error)) => Err(Error::new(operation, unreachable_cause(&error))),
                Err(_) => Err(Error::new(operation, Cause::TimedOut { after: QUIET_TIMEOUT })),
            },
            Self::Xet(stream) => match tokio::time::timeout(ENGINE_TIMEOUT, stream.next()).await {
                Ok(Ok(bytes)) => Ok(bytes),
                Ok(Err(error)) => Err(download_error(operation, &error)),
                Err(_) => Err(Error::new(operation, Cause::TimedOut { after: ENGINE_TIMEOUT })),
            },
        }
    }
}

fn download_error(operation: &str, error: &::xet::XetError) -> Error {
    Error::new(operation, Cause::Download { fault: fault_of(error), detail: error.to_string() })
}
