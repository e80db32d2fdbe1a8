//! Large files by Git LFS, for Hubs without Xet: one `PUT` per file, or one per part of a file.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use reqwest::header::{ACCEPT, ETAG, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use url::Url;

use crate::call::{Answer, Body, Call, EndedEarly, StreamBody};
use crate::client::Hub;
use crate::content::{Content, ContentError};
use crate::error::{Cause, Error};
use crate::large_file::{LargeFile, Transfer, Uploaded};
use crate::lock::lock;
use crate::operation::OnBytes;
use crate::types::Sha256;

/// Media type of the LFS batch API.
const LFS_JSON: &str = "application/vnd.git-lfs+json";
/// Number of objects in one batch request, as in the official client.
const BATCH: usize = 256;
/// Number of files, and of parts of one file, that are sent at the same time.
const PARALLEL: usize = 4;
/// Size of one read.
const BLOCK: usize = 256 * 1024;

#[derive(Serialize)]
struct BatchQuestion<'a> {
    operation: &'static str,
    transfers: [&'static str; 2],
    objects: Vec<Object>,
    hash_algo: &'static str,
    /// Absent if the commit will open a pull request, because that is how the Hub recognizes an upload for one.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<Reference<'a>>,
}

#[derive(Serialize)]
struct Object {
    oid: Sha256,
    size: u64,
}

#[derive(Serialize)]
struct Reference<'a> {
    name: &'a str,
}

#[derive(Deserialize)]
struct BatchReply {
    objects: Vec<ObjectReply>,
}

#[derive(Deserialize)]
struct ObjectReply {
    oid: Sha256,
    error: Option<ObjectError>,
    /// Absent for content that the storage has already.
    #[serde(default)]
    actions: Actions,
}

#[derive(Deserialize)]
struct ObjectError {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize, Default)]
struct Actions {
    upload: Option<Action>,
    verify: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    href: Url,
    #[serde(default)]
    header: BTreeMap<String, serde_json::Value>,
}

/// Hashes files, and sends those that the storage does not have.
pub(crate) async fn upload(
    hub: &Hub,
    transfer: &Transfer,
    files: &[LargeFile],
    on_bytes: OnBytes,
) -> Result<(Vec<Uploaded>, u64), Error> {
    let hashed: Vec<Hashed> = stream::iter(files.to_vec()).map(hash).buffered(PARALLEL).try_collect().await?;
    let mut sent = 0;
    for batch in hashed.chunks(BATCH) {
        let actions = ask(hub, transfer, batch).await?;
        sent += stream::iter(batch.iter().zip(actions))
            .map(|(file, actions)| {
                let on_bytes = Arc::clone(&on_bytes);
                Upload { hub, transfer, file, on_bytes }.send(actions)
            })
            .buffer_unordered(PARALLEL)
            .try_fold(0, |sum, bytes| async move { Ok(sum + bytes) })
            .await?;
    }
    let uploaded = hashed
        .into_iter()
        .map(|file| Uploaded { sha256: file.sha256, size: file.file.content.size() })
        .collect();
    Ok((uploaded, sent))
}

struct Hashed {
    file: LargeFile,
    sha256: Sha256,
}

async fn hash(file: LargeFile) -> Result<Hashed, Error> {
    let content = Arc::clone(&file.content);
    let known = file.sha256;
    let hash = move || known.map_or_else(|| content.sha256(), Ok);
    let sha256 = tokio::task::spawn_blocking(hash).await.map_err(io::Error::other).flatten();
    let sha256 = sha256.map_err(|error| {
        let cause = Cause::Content(ContentError::reading(&*file.content, error));
        Error::new(format!("upload `{}`", file.path), cause)
    })?;
    Ok(Hashed { sha256, file })
}

/// Sends a batch request (Git LFS API, "Batch API"). Returns the actions for each object, in order.
async fn ask(hub: &Hub, transfer: &Transfer, batch: &[Hashed]) -> Result<Vec<Actions>, Error> {
    let operation = format!("open the storage of the {}", transfer.repo);
    let url = hub.url(&format!("/{}.git/info/lfs/objects/batch", transfer.repo.page()))?;
    let objects =
        batch.iter().map(|file| Object { oid: file.sha256, size: file.file.content.size() }).collect();
    let question = BatchQuestion {
        operation: "upload",
        transfers: ["basic", "multipart"],
        objects,
        hash_algo: "sha256",
        reference: (!transfer.create_pr).then(|| Reference { name: transfer.revision.as_str() }),
    };
    let mut call = Call::new(&operation, Method::POST, url).json(&question);
    if let Body::Bytes { content_type, .. } = &mut call.body {
        *content_type = LFS_JSON;
    }
    call.headers.insert(ACCEPT, HeaderValue::from_static(LFS_JSON));
    let reply: BatchReply = hub.call(&call).await?.json(&operation)?;
    let mut by_oid: BTreeMap<Sha256, ObjectReply> =
        reply.objects.into_iter().map(|object| (object.oid, object)).collect();
    let mut actions = Vec::with_capacity(batch.len());
    for file in batch {
        // The same content under two paths is one object, which is uploaded once.
        let Some(object) = by_oid.remove(&file.sha256) else {
            actions.push(Actions::default());
            continue;
        };
        if let Some(error) = object.error {
            let cause = Cause::ObjectRefused { message: error.message };
            return Err(Error::new(format!("upload `{}`", file.file.path), cause));
        }
        actions.push(object.actions);
    }
    Ok(actions)
}

/// Upload of one file.
struct Upload<'a> {
    hub: &'a Hub,
    transfer: &'a Transfer,
    file: &'a Hashed,
    on_bytes: OnBytes,
}

impl Upload<'_> {
    fn operation(&self) -> String {
        format!("upload `{}`", self.file.file.path)
    }

    fn size(&self) -> u64 {
        self.file.file.content.size()
    }

    /// Carries out the actions of an object. Returns the number of bytes that were sent.
    async fn send(self, actions: Actions) -> Result<u64, Error> {
        let size = self.size();
        let Some(upload) = actions.upload else {
            (self.on_bytes)(size);
            return Ok(0);
        };
        match upload.header.get("chunk_size").map(number).transpose() {
            Ok(None) => {
                let headers = action_headers(&upload)?;
                self.put(upload.href, headers, 0..size).await?;
            }
            Ok(Some(chunk)) if chunk > 0 => self.send_parts(&upload, chunk).await?,
            _ => return Err(Error::unexpected(self.operation(), "a part size that is no number")),
        }
        if let Some(verify) = actions.verify {
            let operation = format!("confirm `{}`", self.file.file.path);
            let object = Object { oid: self.file.sha256, size };
            let mut call = Call::new(operation, Method::POST, verify.href.clone()).json(&object);
            call.headers = action_headers(&verify)?;
            self.hub.call(&call).await?;
        }
        Ok(size)
    }

    /// Sends a file in parts. Each part is repeated on its own, so that a fault costs one part and not the file.
    async fn send_parts(&self, upload: &Action, chunk: u64) -> Result<(), Error> {
        let (operation, size) = (self.operation(), self.size());
        let parts =
            part_addresses(upload).ok_or_else(|| Error::unexpected(&operation, "a bad address of a part"))?;
        if parts.len() as u64 != size.div_ceil(chunk) {
            let detail = format!("{} parts of {chunk} bytes for {size} bytes", parts.len());
            return Err(Error::unexpected(operation, detail));
        }
        let operation = &operation;
        let done: Vec<Part> = stream::iter(parts.into_iter().enumerate())
            .map(|(index, (part_number, url))| async move {
                let start = index as u64 * chunk;
                let answer = self.put(url, HeaderMap::new(), start..size.min(start + chunk)).await?;
                let etag = answer.headers.get(ETAG).and_then(|value| value.to_str().ok());
                let etag =
                    etag.ok_or_else(|| Error::unexpected(operation, "a part without an ETag"))?.to_owned();
                Ok::<Part, Error>(Part { part_number, etag })
            })
            .buffered(PARALLEL)
            .try_collect()
            .await?;
        let completion = Completion { oid: self.file.sha256, parts: done };
        let mut call = Call::new(operation, Method::POST, upload.href.clone()).json(&completion);
        call.with_token = false;
        if let Body::Bytes { content_type, .. } = &mut call.body {
            *content_type = LFS_JSON;
        }
        call.headers.insert(ACCEPT, HeaderValue::from_static(LFS_JSON));
        let Err(error) = self.hub.call(&call).await else { return Ok(()) };
        // After a lost answer, the completion is sent again, and the storage refuses it because the upload is complete.
        if error.status().is_some() && self.is_stored().await {
            return Ok(());
        }
        Err(of_storage(error))
    }

    /// Returns true if the storage has the content by now.
    async fn is_stored(&self) -> bool {
        let actions = ask(self.hub, self.transfer, std::slice::from_ref(self.file)).await;
        actions.is_ok_and(|actions| actions.iter().all(|actions| actions.upload.is_none()))
    }

    /// Sends a range of the content.
    async fn put(&self, url: Url, headers: HeaderMap, range: Range<u64>) -> Result<Answer, Error> {
        let mut call = Call::new(self.operation(), Method::PUT, url);
        call.with_token = false;
        call.headers = headers;
        let content = Arc::clone(&self.file.file.content);
        call.body = Body::Stream(range_body(content, range, Arc::clone(&self.on_bytes)));
        self.hub.call(&call).await.map_err(of_storage)
    }
}

/// Returns the addresses of the parts by number. They are among the headers of the action.
fn part_addresses(upload: &Action) -> Option<BTreeMap<u64, Url>> {
    let numbered =
        upload.header.iter().filter_map(|(name, value)| Some((name.parse::<u64>().ok()?, value.as_str()?)));
    numbered.map(|(number, url)| Some((number, url.parse().ok()?))).collect()
}

/// Marks a refusal as one of the storage, which says nothing about the repo or the token, because addresses of the
/// storage carry a permission of their own.
fn of_storage(error: Error) -> Error {
    match *error.cause {
        Cause::Status(refusal) if matches!(refusal.status.as_u16(), 400..=407 | 409..=428) => {
            Error::new(error.operation, Cause::Storage(refusal))
        }
        cause => Error::new(error.operation, cause),
    }
}

#[derive(Serialize)]
struct Completion {
    oid: Sha256,
    parts: Vec<Part>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    part_number: u64,
    etag: String,
}

fn range_body(content: Arc<dyn Content>, range: Range<u64>, on_bytes: OnBytes) -> StreamBody {
    let length = range.end - range.start;
    let repeated = AtomicBool::new(false);
    let make = move |moved: Arc<AtomicU64>, ended_early: EndedEarly| {
        // Bytes that are sent again do not count as progress.
        let on_bytes = (!repeated.swap(true, Ordering::Relaxed)).then(|| Arc::clone(&on_bytes));
        let (content, range) = (Arc::clone(&content), range.clone());
        let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(2);
        tokio::task::spawn_blocking(move || {
            let on_read = |bytes: u64| {
                moved.fetch_add(bytes, Ordering::Relaxed);
                if let Some(on_bytes) = &on_bytes {
                    on_bytes(bytes);
                }
            };
            if let Err(error) = read_range(&*content, range, &sender, on_read) {
                *lock(&ended_early) = Some(ContentError::reading(&*content, error));
                let _ = sender.blocking_send(Err(io::Error::other("the content cannot be read")));
            }
        });
        let chunks = stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        reqwest::Body::wrap_stream(chunks)
    };
    StreamBody { content_type: None, length, make: Box::new(make) }
}

fn read_range(
    content: &dyn Content,
    range: Range<u64>,
    sender: &mpsc::Sender<io::Result<Bytes>>,
    on_read: impl Fn(u64),
) -> io::Result<()> {
    let mut reader = content.open_at(range.start)?;
    let mut left = range.end - range.start;
    while left > 0 {
        let mut block = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
        reader.read_exact(&mut block)?;
        left -= block.len() as u64;
        on_read(block.len() as u64);
        if sender.blocking_send(Ok(block.into())).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Returns the headers that an action asks for.
fn action_headers(action: &Action) -> Result<HeaderMap, Error> {
    let bad = |_| Error::unexpected("upload a large file", "a bad header in an upload action");
    let mut headers = HeaderMap::new();
    for (name, value) in &action.header {
        let Some(value) = value.as_str() else { continue };
        let name = HeaderName::try_from(name.as_str()).map_err(|_| bad(()))?;
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| bad(()))?);
    }
    Ok(headers)
}

/// Reads a number, which some Hubs write as text.
fn number(value: &serde_json::Value) -> Result<u64, ()> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).ok_or(())
}
