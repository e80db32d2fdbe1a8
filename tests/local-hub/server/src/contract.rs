//! The seam for a check of requests and responses against the Hub's contract.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use bytes::Bytes;
use serde_json::Value;

use crate::util::lock;

/// One request, as a contract sees it.
#[derive(Clone, Copy, Debug)]
pub struct CheckedRequest<'a> {
    /// Method, upper case.
    pub method: &'a str,
    /// Path as sent, with its percent escapes.
    pub path: &'a str,
    /// Decoded pairs of the query string.
    pub query: &'a [(String, String)],
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// The body, or `None` if the route reads it as a stream.
    pub body: Option<&'a Bytes>,
}

/// Kind of a body that has one JSON document per line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// `POST …/commit/{rev}`.
    Commit,
    /// `POST /api/buckets/{id}/batch`.
    Batch,
}

/// The Hub's contract. Each method returns one sentence per breach.
pub trait Contract: Debug + Send + Sync {
    /// Checks a request.
    fn check_request(&self, request: CheckedRequest<'_>) -> Vec<String>;

    /// Checks one line of a commit or of a batch.
    fn check_line(&self, kind: LineKind, line: &Value) -> Vec<String>;

    /// Checks a response of this server.
    fn check_answer(&self, method: &str, path: &str, status: u16, body: &[u8]) -> Vec<String>;
}

/// The contract of one server, if it has one, and the breaches of its own responses.
#[derive(Debug, Default)]
pub(crate) struct ContractCheck {
    contract: Option<Arc<dyn Contract>>,
    own_breaches: Mutex<Vec<String>>,
}

impl ContractCheck {
    pub(crate) fn new(contract: Option<Arc<dyn Contract>>) -> Self {
        Self { contract, own_breaches: Mutex::default() }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.contract.is_some()
    }

    pub(crate) fn request(&self, request: CheckedRequest<'_>) -> Vec<String> {
        self.contract.as_ref().map(|contract| contract.check_request(request)).unwrap_or_default()
    }

    pub(crate) fn line(&self, kind: LineKind, line: &Value) -> Vec<String> {
        self.contract.as_ref().map(|contract| contract.check_line(kind, line)).unwrap_or_default()
    }

    /// Checks a body that no route reads line by line, because a fault answers it.
    pub(crate) fn lines(&self, kind: LineKind, body: &[u8]) -> Vec<String> {
        let lines = body.split(|byte| *byte == b'\n');
        lines
            .filter(|line| !line.iter().all(u8::is_ascii_whitespace))
            .flat_map(|line| match serde_json::from_slice(line) {
                Ok(line) => self.line(kind, &line),
                Err(error) => vec![format!("a line is not JSON: {error}")],
            })
            .collect()
    }

    /// Records the breaches of a response of this server.
    pub(crate) fn answer(&self, method: &str, path: &str, status: u16, body: &[u8]) {
        let Some(contract) = &self.contract else { return };
        for text in contract.check_answer(method, path, status, body) {
            lock(&self.own_breaches).push(format!("{method} {path}: {text}"));
        }
    }

    /// Returns the breaches of the responses so far.
    pub(crate) fn own_breaches(&self) -> Vec<String> {
        lock(&self.own_breaches).clone()
    }
}
