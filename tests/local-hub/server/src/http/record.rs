//! Recorded requests, each with the start of its body and its breaches of the contract.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::HeaderMap;
use futures_util::StreamExt as _;
use serde::Serialize;

use crate::util::{lock, now_ms};

/// Maximum number of bytes recorded of a body.
pub const KEPT_BODY: usize = 64 * 1024;

/// One recorded request.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedRequest {
    /// Method, upper case.
    pub method: String,
    /// Path as sent, with its percent escapes.
    pub path: String,
    /// Query string without `?`; empty when there was none.
    pub query: String,
    /// Status of the response; 0 before it, and after a dropped connection.
    pub status: u16,
    /// Header names (lower case) and values, in their order.
    pub headers: Vec<(String, String)>,
    /// Bytes of the body that arrived.
    pub body_len: u64,
    /// The first [`KEPT_BODY`] bytes of the body.
    #[serde(serialize_with = "as_text")]
    pub body: Vec<u8>,
    /// Breaches of the Hub's contract.
    pub contract_violations: Vec<String>,
    /// Time of arrival, in milliseconds of the Unix epoch.
    pub began_ms: u64,
    /// Time of the response, in milliseconds of the Unix epoch; 0 before it.
    pub ended_ms: u64,
}

fn as_text<S: serde::Serializer>(body: &[u8], s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&String::from_utf8_lossy(body))
}

impl RecordedRequest {
    /// Returns the value of a header, by its name in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// The record of a request in progress.
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

    /// Returns the same body, recorded while it is read.
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
pub(crate) struct RequestLog {
    entries: Mutex<Vec<Entry>>,
    /// All breaches of the contract, which stay when a test clears its requests.
    breaches: Arc<Mutex<Vec<String>>>,
}

impl RequestLog {
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

    /// Clears the requests, but not their breaches.
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
