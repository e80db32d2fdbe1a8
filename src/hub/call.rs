//! What is asked of the Hub and what it answers, before anything is sent.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use url::Url;

use super::error::{Cause, HubError};
use crate::failure::Failure;

/// One request.
pub(crate) struct Call {
    /// The operation and its object, to stand behind "cannot".
    pub(crate) what: String,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) repeat: Repeat,
    /// Whether the token goes along; even then, only to the Hub's own origin.
    pub(crate) with_token: bool,
}

/// What a request carries.
pub(crate) enum Body {
    Empty,
    Bytes { content_type: &'static str, bytes: Bytes },
    Stream(StreamBody),
}

/// A body that is made anew for each attempt and never held in memory as a whole.
pub(crate) struct StreamBody {
    pub(crate) content_type: Option<&'static str>,
    /// The exact length in bytes.
    pub(crate) length: u64,
    /// Makes the body; it counts what it hands out in the given counter, and leaves the reason in the
    /// given slot when it ends early.
    pub(crate) make: Box<dyn Fn(Arc<AtomicU64>, Trouble) -> reqwest::Body + Send + Sync>,
}

/// Where a streamed body leaves the reason for ending early.
pub(crate) type Trouble = Arc<Mutex<Option<Failure>>>;

/// Which failures are worth another attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// All transient ones: doing it twice is doing it once.
    Freely,
    /// Only those after which the request cannot have been carried out.
    IfNotApplied,
}

/// An answer with a success status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, HubError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| HubError::new(what, Cause::Unexpected { detail: error.to_string() }))
    }
}

impl Call {
    pub(crate) fn new(what: impl Into<String>, method: Method, url: Url) -> Self {
        Self {
            what: what.into(),
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
            repeat: Repeat::Freely,
            with_token: true,
        }
    }

    pub(crate) fn json(mut self, value: &impl serde::Serialize) -> Self {
        // Only maps with keys other than strings fail here, and there are none.
        let bytes = serde_json::to_vec(value).unwrap_or_default().into();
        self.body = Body::Bytes { content_type: "application/json", bytes };
        self
    }
}
