//! What came in: every request with the start of its body and the contract breaches it had.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::HeaderMap;
use futures_util::StreamExt as _;
use serde::Serialize;

use crate::util::{lock, now_ms};

/// So much of a body is kept, in bytes.
pub const KEPT_BODY: usize = 64 * 1024;

/// One request as the server saw it.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedRequest {
    /// Method, upper case.
    pub method: String,
    /// Path as sent, with its percent escapes.
    pub path: String,
    /// Query string without `?`; empty when there was none.
    pub query: String,
    /// Status of the answer; 0 while there is none or when the connection was dropped.
    pub status: u16,
    /// Header names (lower case) and values in the order they came.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body that arrived.
    pub body_len: u64,
    /// The first [`KEPT_BODY`] bytes of the body.
    #[serde(serialize_with = "as_text")]
    pub body: Vec<u8>,
    /// Where the request broke the Hub's contract.
    pub contract_violations: Vec<String>,
    /// When it arrived, in milliseconds of the Unix epoch.
    pub began_ms: u64,
    /// When its answer was ready; 0 while there is none.
    pub ended_ms: u64,
}

fn as_text<S: serde::Serializer>(body: &[u8], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&String::from_utf8_lossy(body))
}

impl RecordedRequest {
    /// Value of a header; the name is compared without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// One entry while its request is still under way.
#[derive(Clone)]
pub(crate) struct Entry {
    request: Arc<Mutex<RecordedRequest>>,
    breaches: Arc<Mutex<Vec<String>>>,
}

impl Entry {
    pub(crate) fn status(&self, status: u16) {
        let mut entry = lock(&self.request);
        (entry.status, entry.ended_ms) = (status, now_ms());
    }

    pub(crate) fn violation(&self, text: impl Into<String>) {
        let mut entry = lock(&self.request);
        let text = text.into();
        if entry.contract_violations.len() < 50 && !entry.contract_violations.contains(&text) {
            lock(&self.breaches).push(format!("{} {}: {text}", entry.method, entry.path));
            entry.contract_violations.push(text);
        }
    }

    fn chunk(&self, bytes: &[u8]) {
        let mut entry = lock(&self.request);
        entry.body_len += bytes.len() as u64;
        let room = KEPT_BODY.saturating_sub(entry.body.len());
        entry.body.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    /// The same body, watched as it passes.
    pub(crate) fn tap(&self, body: Body) -> Body {
        let entry = self.clone();
        Body::from_stream(body.into_data_stream().inspect(move |chunk| {
            if let Ok(bytes) = chunk {
                entry.chunk(bytes);
            }
        }))
    }
}

/// All requests in the order they arrived.
#[derive(Default)]
pub(crate) struct Log {
    entries: Mutex<Vec<Entry>>,
    /// Every breach of the contract. A test that looks at its requests in portions must not lose sight of one.
    breaches: Arc<Mutex<Vec<String>>>,
}

impl Log {
    pub(crate) fn begin(&self, method: &str, path: &str, query: &str, headers: &HeaderMap) -> Entry {
        let request = RecordedRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            status: 0,
            headers: headers
                .iter()
                .map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
                .collect(),
            body_len: 0,
            body: vec![],
            contract_violations: vec![],
            began_ms: now_ms(),
            ended_ms: 0,
        };
        let entry = Entry { request: Arc::new(Mutex::new(request)), breaches: self.breaches.clone() };
        lock(&self.entries).push(entry.clone());
        entry
    }

    pub(crate) fn all(&self) -> Vec<RecordedRequest> {
        lock(&self.entries).iter().map(|e| lock(&e.request).clone()).collect()
    }

    /// Forgets the requests; what was wrong with them stays.
    pub(crate) fn clear(&self) {
        lock(&self.entries).clear();
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.breaches).clone()
    }

    pub(crate) fn forgive(&self) {
        lock(&self.breaches).clear();
    }
}
