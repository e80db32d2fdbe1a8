//! NDJSON body of a commit, made while it is sent. Its length is known before.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;

use crate::call::{EndedEarly, StreamBody};
use crate::content::{Content, ContentError};
use crate::lock::lock;
use crate::operation::{CommitRequest, OnBytes, Operation};
use crate::types::{GitBlobHasher, Oid, RepoPath};

/// Size of one read: divisible by three, so that base64 needs no padding inside.
const BLOCK: usize = 48 * 1024;
/// Size of a chunk for the connection.
const CHUNK: usize = 64 * 1024;
/// Number of chunks that wait for the connection.
const QUEUE: usize = 4;

/// End of a file's line after its content.
const FILE_END: &str = "\"}}\n";

/// Returns the body of `request`.
pub(crate) fn ndjson(request: &CommitRequest, on_bytes: OnBytes) -> StreamBody {
    let head = header_line(request);
    let operations = Arc::clone(&request.operations);
    let length = head.len() as u64 + operations.iter().map(line_length).sum::<u64>();
    let first_time = Arc::new(AtomicU64::new(0));
    let make = move |moved: Arc<AtomicU64>, ended_early: EndedEarly| {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (head, operations) = (head.clone(), Arc::clone(&operations));
        // Bytes that are sent again do not count as progress.
        let counts = first_time.fetch_add(1, Ordering::Relaxed) == 0;
        let on_bytes = counts.then(|| Arc::clone(&on_bytes));
        tokio::task::spawn_blocking(move || {
            let mut writer =
                Writer { buffer: Vec::with_capacity(CHUNK + BLOCK * 2), sender, moved, on_bytes };
            if let Err(stop) = writer.write_all(&head, &operations) {
                writer.give_up(stop, &ended_early);
            }
        });
        let chunks = futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        reqwest::Body::wrap_stream(chunks)
    };
    StreamBody { content_type: Some("application/x-ndjson"), length, make: Box::new(make) }
}

fn header_line(request: &CommitRequest) -> String {
    let mut value = json!({ "summary": request.summary, "description": request.description });
    if let Some(parent) = &request.parent {
        value["parentCommit"] = json!(parent);
    }
    format!("{}\n", json!({ "key": "header", "value": value }))
}

/// Returns a file's line up to its content.
fn file_start(path: &RepoPath) -> String {
    let path = json!(path.as_str());
    format!(r#"{{"key":"file","value":{{"path":{path},"encoding":"base64","content":""#)
}

fn line_length(operation: &Operation) -> u64 {
    match operation {
        Operation::File { path, content, .. } => {
            let base64 = content.size().div_ceil(3) * 4;
            file_start(path).len() as u64 + base64 + FILE_END.len() as u64
        }
        other => short_line(other).len() as u64,
    }
}

/// Returns the line of an operation without content.
fn short_line(operation: &Operation) -> String {
    let line = match operation {
        Operation::File { path, .. } => json!({ "key": "file", "value": { "path": path.as_str() } }),
        Operation::LargeFile { path, sha256, size } => json!({
            "key": "lfsFile",
            "value": { "path": path.as_str(), "algo": "sha256", "oid": sha256, "size": size },
        }),
        Operation::Delete { path } => json!({ "key": "deletedFile", "value": { "path": path.as_str() } }),
        Operation::Move { from, path, .. } => {
            json!({ "key": "file", "value": { "path": path.as_str(), "oldPath": from.as_str() } })
        }
    };
    format!("{line}\n")
}

/// Reason why the body ends early.
enum Stop {
    /// The connection is gone.
    Unread,
    Failed(ContentError),
}

struct Writer {
    buffer: Vec<u8>,
    sender: mpsc::Sender<io::Result<Bytes>>,
    moved: Arc<AtomicU64>,
    on_bytes: Option<OnBytes>,
}

impl Writer {
    fn write_all(&mut self, head: &str, operations: &[Operation]) -> Result<(), Stop> {
        self.push(head.as_bytes())?;
        for operation in operations {
            match operation {
                Operation::File { path, content, oid } => self.write_file(path, &**content, oid.as_ref())?,
                other => self.push(short_line(other).as_bytes())?,
            }
        }
        self.flush()
    }

    /// Writes a file's line. The line is closed only if the content is the planned one: a body that stays open is shorter
    /// than announced, and commits nothing.
    fn write_file(&mut self, path: &RepoPath, content: &dyn Content, oid: Option<&Oid>) -> Result<(), Stop> {
        let size = content.size();
        let unreadable = |error: io::Error| Stop::Failed(ContentError::reading(content, error));
        self.push(file_start(path).as_bytes())?;
        let mut hasher = GitBlobHasher::new(size);
        let mut reader = content.open_at(0).map_err(unreadable)?;
        let mut left = size;
        let mut block = vec![0; BLOCK.min(usize::try_from(left).unwrap_or(BLOCK))];
        while left > 0 {
            let want = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            reader.read_exact(&mut block[..want]).map_err(unreadable)?;
            hasher.update(&block[..want]);
            self.push_base64(&block[..want])?;
            left -= want as u64;
        }
        let more = reader.read(&mut [0]).map_err(unreadable)?;
        let as_planned = hasher.finish().is_ok_and(|found| oid.is_none_or(|planned| *planned == found));
        if more > 0 || !as_planned {
            return Err(Stop::Failed(ContentError::changed(content)));
        }
        self.push(FILE_END.as_bytes())
    }

    fn push_base64(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let start = self.buffer.len();
        self.buffer.resize(start + bytes.len().div_ceil(3) * 4, 0);
        // The slice is exactly as long as the encoding, so it always fits.
        let _ = STANDARD.encode_slice(bytes, &mut self.buffer[start..]);
        if let Some(on_bytes) = &self.on_bytes {
            on_bytes(bytes.len() as u64);
        }
        self.flush_if_full()
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.buffer.extend_from_slice(bytes);
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> Result<(), Stop> {
        if self.buffer.len() < CHUNK { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::copy_from_slice(&self.buffer);
        self.buffer.clear();
        self.moved.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        self.sender.blocking_send(Ok(chunk)).map_err(|_| Stop::Unread)
    }

    fn give_up(&self, stop: Stop, ended_early: &EndedEarly) {
        let Stop::Failed(failure) = stop else { return };
        let error = io::Error::other(failure.to_string());
        *lock(ended_early) = Some(failure);
        // An error in the stream breaks off the request, so that it cannot be carried out.
        let _ = self.sender.blocking_send(Err(error));
    }
}
