//! Requests before they are sent, and their answers.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

use crate::content::ContentError;
use crate::error::Error;

/// Time that most requests may go without a byte moving. The Hub's own gateway gives up after about a minute.
const QUIET_TIMEOUT: Duration = Duration::from_secs(75);

/// One request.
pub(crate) struct Call {
    /// Operation and its object, to stand behind "cannot".
    pub(crate) operation: String,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    pub(crate) repeat: Repeat,
    /// Time that it may go without a byte moving in either direction.
    pub(crate) quiet_timeout: Duration,
    /// False for a request without the token. Even with it, the token goes to the Hub's own origin only.
    pub(crate) with_token: bool,
    /// Statuses that are answers too, beside those of success.
    pub(crate) accepts: &'static [u16],
}

/// Body of a request.
pub(crate) enum Body {
    Empty,
    Bytes { content_type: &'static str, bytes: Bytes },
    Stream(StreamBody),
}

/// Body that is made anew for each attempt, and never in memory as a whole.
pub(crate) struct StreamBody {
    pub(crate) content_type: Option<&'static str>,
    /// Exact length in bytes.
    pub(crate) length: u64,
    /// Makes the body. It adds the bytes that it yields to the counter, and leaves the reason in the slot if it ends
    /// early.
    pub(crate) make: Box<dyn Fn(Arc<AtomicU64>, EndedEarly) -> reqwest::Body + Send + Sync>,
}

/// Slot for the reason why a streamed body ended early.
pub(crate) type EndedEarly = Arc<Mutex<Option<ContentError>>>;

/// Failures after which a request is sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// All transient ones, because sending it twice has the effect of sending it once.
    Freely,
    /// Only those after which the request cannot have been carried out.
    IfNotApplied,
    /// Those after which it cannot have been carried out, and answers that the server is busy (503).
    WhileBusy,
}

/// An answer with a success status, or another one that the call accepts.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self, operation: &str) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::unexpected(operation, error.to_string()))
    }
}

impl Call {
    pub(crate) fn new(operation: impl Into<String>, method: Method, url: Url) -> Self {
        Self {
            operation: operation.into(),
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
            repeat: Repeat::Freely,
            quiet_timeout: QUIET_TIMEOUT,
            with_token: true,
            accepts: &[],
        }
    }

    /// Returns true if this status has the answer of the call.
    pub(crate) fn takes(&self, status: StatusCode) -> bool {
        status.is_success() || self.accepts.contains(&status.as_u16())
    }

    pub(crate) fn json(mut self, value: &impl serde::Serialize) -> Self {
        // Only maps with keys other than strings fail here, and there are none.
        let bytes = serde_json::to_vec(value).unwrap_or_default().into();
        self.body = Body::Bytes { content_type: "application/json", bytes };
        self
    }
}
