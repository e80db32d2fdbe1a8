//! Buckets: the client, the sync of a folder and its download, against the local Hub.

mod client;
mod downloads;
mod syncs;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hf_deploy::action::{Journal, Log, Mode};
use hf_deploy::folder::{self, Source, SourceOptions};
use hf_deploy::hub::{BucketId, BucketPath, Credentials, Hub, HubOptions, OnBytes, RetryPolicy, Secret};
use hf_deploy::ops::Session;
use local_hub::{Fault, FaultKind};

use crate::harness::{TOKEN, TestHub};

const BUCKET: &str = "ada/jobs-artifacts";

fn bucket() -> BucketId {
    BUCKET.parse().unwrap()
}

fn folder_of(path: &str) -> BucketPath {
    path.parse().unwrap()
}

fn no_bytes() -> OnBytes {
    Arc::new(|_| ())
}

/// Lines of a log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A client with short waits, and its log.
struct Client {
    hub: Hub,
    log: Log,
    lines: Lines,
    journal: Journal,
    _scratch: tempfile::TempDir,
}

impl Client {
    fn new(hub: &TestHub) -> Self {
        Self::with(hub, TOKEN)
    }

    fn with(hub: &TestHub, token: &str) -> Self {
        let (lines, scratch) = (Lines::default(), tempfile::tempdir().unwrap());
        let log = Log::new(Mode::Plain, Box::new(lines.clone()));
        let mut options = HubOptions::new(hub.endpoint().parse().unwrap());
        options.credentials = Credentials::Token(Secret::new(token));
        options.retry = RetryPolicy {
            first_delay: Duration::from_millis(10),
            max_delay: Duration::from_millis(50),
            ..RetryPolicy::default()
        };
        options.scratch = scratch.path().to_owned();
        let notices = log.clone();
        options.on_notice = Arc::new(move |line| notices.info(line));
        let journal = Journal::default();
        Self { hub: Hub::new(options).unwrap(), log, lines, journal, _scratch: scratch }
    }

    fn session(&self) -> Session<'_> {
        Session { hub: &self.hub, log: &self.log, journal: &self.journal }
    }
}

/// Walks a folder as a deploy does.
fn walked(root: &Path) -> Source {
    folder::read(&SourceOptions { root: root.to_owned(), default_excludes: true, ..SourceOptions::default() })
        .unwrap()
}

fn fault(method: &str, path: &str, kind: FaultKind) -> Fault {
    Fault { method: Some(method.to_owned()), path_contains: path.to_owned(), skip: 0, times: 1, kind }
}

fn status(code: u16, message: &str) -> FaultKind {
    let body = format!("{{\"error\":\"{message}\"}}");
    FaultKind::Status { code, headers: vec![], body }
}

/// Returns the requests to the Hub itself since the last clearing: method, and path below the bucket.
fn hub_requests(hub: &TestHub) -> Vec<String> {
    let base = format!("/api/buckets/{BUCKET}");
    hub.requests()
        .iter()
        .filter(|request| request.path.starts_with("/api/") || request.path.starts_with("/buckets/"))
        .map(|request| format!("{} {}", request.method, request.path.replace(&base, "~")))
        .collect()
}

/// Returns the number of requests to the storage whose path has a part.
fn storage_requests(hub: &TestHub, part: &str) -> usize {
    let paths = hub.requests().into_iter().map(|request| request.path);
    paths.filter(|path| (path.starts_with("/v1/") || path.starts_with("/v2/")) && path.contains(part)).count()
}
