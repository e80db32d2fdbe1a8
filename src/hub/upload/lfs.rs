//! Large files by Git LFS, for Hubs without Xet: one `PUT`, or many for the parts of one file.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use reqwest::header::{ACCEPT, ETAG, HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use url::Url;

use super::{LargeFile, OnBytes, Transfer, Uploaded};
use crate::failure::{Code, Failure};
use crate::folder::SourceFile;
use crate::hub::call::{Answer, Body, Call, StreamBody};
use crate::hub::client::{Hub, lock};
use crate::hub::error::{Cause, HubError};

/// The media type of the LFS batch API.
const LFS_JSON: &str = "application/vnd.git-lfs+json";
/// Objects in one batch request, as the official client sends them.
const BATCH: usize = 256;
/// Files, and parts of one file, that are sent at once.
const PARALLEL: usize = 4;
/// How much of a file is read at a time.
const BLOCK: usize = 256 * 1024;

#[derive(Serialize)]
struct BatchQuestion<'a> {
    operation: &'static str,
    transfers: [&'static str; 2],
    objects: Vec<Object<'a>>,
    hash_algo: &'static str,
    /// Absent for a pull request that a commit will open: so the Hub knows an upload for one.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<Reference<'a>>,
}

#[derive(Serialize)]
struct Object<'a> {
    oid: &'a str,
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
    oid: String,
    error: Option<ObjectError>,
    /// Absent for what the storage has already.
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

/// Hashes, asks what is missing, and sends that.
pub(super) async fn upload(
    hub: &Hub,
    transfer: &Transfer,
    files: &[LargeFile],
    on_bytes: OnBytes,
) -> Result<(Vec<Uploaded>, u64), Failure> {
    let hashed: Vec<Hashed> = stream::iter(files.to_vec()).map(hash).buffered(PARALLEL).try_collect().await?;
    let mut sent = 0;
    for batch in hashed.chunks(BATCH) {
        let actions = ask(hub, transfer, batch).await?;
        sent += stream::iter(batch.iter().zip(actions))
            .map(|(file, actions)| send(hub, transfer, file, actions, Arc::clone(&on_bytes)))
            .buffer_unordered(PARALLEL)
            .try_fold(0, |sum, bytes| async move { Ok(sum + bytes) })
            .await?;
    }
    let uploaded = hashed
        .into_iter()
        .map(|file| Uploaded { sha256: file.sha256, size: file.file.source.size })
        .collect();
    Ok((uploaded, sent))
}

struct Hashed {
    file: LargeFile,
    sha256: String,
}

async fn hash(file: LargeFile) -> Result<Hashed, Failure> {
    let source = Arc::clone(&file.source);
    let known = file.sha256;
    let hash = move || known.map_or_else(|| source.sha256(), Ok);
    let sha256 = tokio::task::spawn_blocking(hash)
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| file.source.failure(error))?
        .to_string();
    Ok(Hashed { file, sha256 })
}

/// The batch request (Git LFS API, "Batch API"): what to do for each object, in order.
async fn ask(hub: &Hub, transfer: &Transfer, batch: &[Hashed]) -> Result<Vec<Actions>, Failure> {
    let what = format!("open the storage of the {}", transfer.repo);
    let url = hub.url(&format!("/{}.git/info/lfs/objects/batch", transfer.repo.page()))?;
    let objects =
        batch.iter().map(|file| Object { oid: &file.sha256, size: file.file.source.size }).collect();
    let question = BatchQuestion {
        operation: "upload",
        transfers: ["basic", "multipart"],
        objects,
        hash_algo: "sha256",
        reference: (!transfer.create_pr).then(|| Reference { name: transfer.revision.as_str() }),
    };
    let mut call = Call::new(&what, Method::POST, url).json(&question);
    if let Body::Bytes { content_type, .. } = &mut call.body {
        *content_type = LFS_JSON;
    }
    call.headers.insert(ACCEPT, HeaderValue::from_static(LFS_JSON));
    let reply: BatchReply = hub.call(&call).await?.json(&what)?;
    let mut by_oid: BTreeMap<String, ObjectReply> =
        reply.objects.into_iter().map(|object| (object.oid.clone(), object)).collect();
    let mut actions = Vec::with_capacity(batch.len());
    for file in batch {
        // The same content under two paths is one object: what comes second needs no upload.
        let Some(object) = by_oid.remove(&file.sha256) else {
            actions.push(Actions::default());
            continue;
        };
        if let Some(error) = object.error {
            let message = format!("the Hub refuses `{}`: {}", file.file.path, error.message);
            return Err(Failure::new(Code::UploadFailed, message));
        }
        actions.push(object.actions);
    }
    Ok(actions)
}

/// Sends one object as its actions say. Returns the bytes sent.
async fn send(
    hub: &Hub,
    transfer: &Transfer,
    hashed: &Hashed,
    actions: Actions,
    on_bytes: OnBytes,
) -> Result<u64, Failure> {
    let file = &hashed.file;
    let size = file.source.size;
    let what = format!("upload `{}`", file.path);
    let Some(upload) = actions.upload else {
        on_bytes(size);
        return Ok(0);
    };
    match upload.header.get("chunk_size").map(number).transpose() {
        Ok(None) => {
            let headers = action_headers(&upload)?;
            put(hub, &what, upload.href, headers, file, 0..size, on_bytes).await?;
        }
        Ok(Some(chunk)) if chunk > 0 => {
            send_parts(hub, transfer, hashed, &upload, chunk, on_bytes).await?;
        }
        _ => return Err(unexpected(&what, "a part size that is no number").into()),
    }
    if let Some(verify) = actions.verify {
        let mut call = Call::new(format!("confirm `{}`", file.path), Method::POST, verify.href.clone())
            .json(&Object { oid: &hashed.sha256, size });
        call.headers = action_headers(&verify)?;
        hub.call(&call).await?;
    }
    Ok(size)
}

/// Sends a file in parts. Each part is tried on its own, so that a fault costs one part, not the file.
async fn send_parts(
    hub: &Hub,
    transfer: &Transfer,
    hashed: &Hashed,
    upload: &Action,
    chunk: u64,
    on_bytes: OnBytes,
) -> Result<(), Failure> {
    let what = &format!("upload `{}`", hashed.file.path);
    let size = hashed.file.source.size;
    // The parts stand among the headers, under their numbers.
    let mut parts = BTreeMap::new();
    for (name, value) in &upload.header {
        if let (Ok(number), Some(url)) = (name.parse::<u64>(), value.as_str()) {
            parts
                .insert(number, url.parse::<Url>().map_err(|_| unexpected(what, "a bad address of a part"))?);
        }
    }
    if parts.len() as u64 != size.div_ceil(chunk) {
        let detail = format!("{} parts of {chunk} bytes for {size} bytes", parts.len());
        return Err(unexpected(what, &detail).into());
    }
    let done: Vec<Part> = stream::iter(parts.into_iter().enumerate())
        .map(|(index, (number, url))| {
            let start = index as u64 * chunk;
            let range = start..size.min(start + chunk);
            let on_bytes = Arc::clone(&on_bytes);
            async move {
                let answer = put(hub, what, url, HeaderMap::new(), &hashed.file, range, on_bytes).await?;
                let etag = answer.headers.get(ETAG).and_then(|value| value.to_str().ok());
                let etag = etag.ok_or_else(|| unexpected(what, "a part without an ETag"))?.to_owned();
                Ok::<Part, Failure>(Part { part_number: number, etag })
            }
        })
        .buffered(PARALLEL)
        .try_collect()
        .await?;
    let completion = Completion { oid: &hashed.sha256, parts: done };
    let mut call = Call::new(what, Method::POST, upload.href.clone()).json(&completion);
    call.with_token = false;
    if let Body::Bytes { content_type, .. } = &mut call.body {
        *content_type = LFS_JSON;
    }
    call.headers.insert(ACCEPT, HeaderValue::from_static(LFS_JSON));
    let Err(error) = hub.call(&call).await else { return Ok(()) };
    // A completion whose answer was lost is sent again, and the storage refuses it: that upload is over.
    if error.status().is_some() && is_stored(hub, transfer, hashed).await {
        return Ok(());
    }
    Err(refused_by_storage(error))
}

/// Whether the Hub has the content by now.
async fn is_stored(hub: &Hub, transfer: &Transfer, hashed: &Hashed) -> bool {
    let actions = ask(hub, transfer, std::slice::from_ref(hashed)).await;
    actions.is_ok_and(|actions| actions.iter().all(|actions| actions.upload.is_none()))
}

/// A refusal of the storage says nothing of the repo or the token: its addresses carry a permission of their own.
fn refused_by_storage(error: HubError) -> Failure {
    match error.status() {
        Some(400..=407 | 409..=428) => Failure::new(Code::UploadFailed, error.to_string()).hint(
            "nothing was committed; run the job again: content that is in the storage is not sent twice",
        ),
        _ => error.into(),
    }
}

#[derive(Serialize)]
struct Completion<'a> {
    oid: &'a str,
    parts: Vec<Part>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    part_number: u64,
    etag: String,
}

/// Sends a range of a file's bytes.
async fn put(
    hub: &Hub,
    what: &str,
    url: Url,
    headers: HeaderMap,
    file: &LargeFile,
    range: std::ops::Range<u64>,
    on_bytes: OnBytes,
) -> Result<Answer, Failure> {
    let mut call = Call::new(what, Method::PUT, url);
    call.with_token = false;
    call.headers = headers;
    call.body = Body::Stream(range_body(Arc::clone(&file.source), range, on_bytes));
    hub.call(&call).await.map_err(refused_by_storage)
}

fn range_body(source: Arc<SourceFile>, range: std::ops::Range<u64>, on_bytes: OnBytes) -> StreamBody {
    let length = range.end - range.start;
    let repeated = AtomicBool::new(false);
    let make = move |moved: Arc<std::sync::atomic::AtomicU64>, trouble: crate::hub::call::Trouble| {
        // Bytes that are sent again are no progress.
        let on_bytes = (!repeated.swap(true, Ordering::Relaxed)).then(|| Arc::clone(&on_bytes));
        let (source, range) = (Arc::clone(&source), range.clone());
        let (sender, receiver) = mpsc::channel::<io::Result<Bytes>>(2);
        tokio::task::spawn_blocking(move || {
            let told = |bytes: u64| {
                moved.fetch_add(bytes, Ordering::Relaxed);
                if let Some(on_bytes) = &on_bytes {
                    on_bytes(bytes);
                }
            };
            if let Err(error) = read_range(&source, range, &sender, told) {
                *lock(&trouble) = Some(source.failure(error));
                let _ = sender.blocking_send(Err(io::Error::other("the source cannot be read")));
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
    source: &SourceFile,
    range: std::ops::Range<u64>,
    sender: &mpsc::Sender<io::Result<Bytes>>,
    told: impl Fn(u64),
) -> io::Result<()> {
    let mut reader = source.open_at(range.start)?;
    let mut left = range.end - range.start;
    while left > 0 {
        let mut block = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
        reader.read_exact(&mut block)?;
        left -= block.len() as u64;
        told(block.len() as u64);
        if sender.blocking_send(Ok(block.into())).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// The headers that an action asks for. Upload addresses carry their own permission: no token goes there.
fn action_headers(action: &Action) -> Result<HeaderMap, HubError> {
    let bad = |_| unexpected("upload", "a bad header in an upload action");
    let mut headers = HeaderMap::new();
    for (name, value) in &action.header {
        let Some(value) = value.as_str() else { continue };
        let name = HeaderName::try_from(name.as_str()).map_err(|_| bad(()))?;
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| bad(()))?);
    }
    Ok(headers)
}

/// A number that some Hubs write as text.
fn number(value: &serde_json::Value) -> Result<u64, ()> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).ok_or(())
}

fn unexpected(what: &str, detail: &str) -> HubError {
    HubError::new(what, Cause::Unexpected { detail: detail.to_owned() })
}
