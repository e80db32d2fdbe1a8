//! A request, as routes see it.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderMap, Method};
use bytes::Bytes;

use crate::accounts::caller::{Caller, NO_CREDENTIALS};
use crate::core::planted;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::http::answer::HubError;
use crate::http::record::Entry;
use crate::hub::Hub;
use crate::util::lock;

/// A request with its caller.
pub(crate) struct Req {
    pub(crate) hub: Arc<Hub>,
    pub(crate) method: Method,
    /// Path as sent, with its escapes.
    pub(crate) path: String,
    /// Query string as sent.
    pub(crate) query_text: String,
    /// Decoded path segments, which may contain `/`.
    pub(crate) segs: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) caller: Caller,
    /// The body, unless the route reads it as a stream.
    pub(crate) body: Bytes,
    /// The body of a streamed route.
    pub(crate) stream: Mutex<Option<Body>>,
    pub(crate) entry: Entry,
}

impl Req {
    /// Returns the first value of a query parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str())
    }

    /// Returns true if a flag is `1`, `true` or present without a value.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.param(name).is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "1" | "true" | ""))
    }

    /// Returns all values of a repeated parameter, also written `name[]`.
    pub(crate) fn params(&self, name: &str) -> Vec<&str> {
        let listed = format!("{name}[]");
        self.query.iter().filter(|(k, _)| k == name || *k == listed).map(|(_, v)| v.as_str()).collect()
    }

    /// Returns the JSON body, or the Hub's 400.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, HubError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|e| HubError::bad_request(format!("Invalid request body: {e}")))
    }

    /// Returns the body of a streamed route; empty the second time.
    pub(crate) fn take_stream(&self) -> Body {
        lock(&self.stream).take().unwrap_or_else(Body::empty)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Returns the repository if the caller can see it. Otherwise the Hub's 401 or 404, which are the same for a
    /// private and a missing repository. The 401 has no `X-Error-Code`, only its text.
    pub(crate) fn repo(&self, repo_type: RepoType, id: &str) -> Result<Arc<Repo>, HubError> {
        if let Some(repo) = self.hub.core.repos.get(repo_type, id)
            && self.caller.can_read(&lock(&repo.state))
        {
            if planted::is_disabled(&lock(&repo.state)) {
                return Err(HubError::forbidden("Access to this resource is disabled."));
            }
            return Ok(repo);
        }
        Err(if self.caller.is_anonymous() {
            HubError::unauthorized(NO_CREDENTIALS)
        } else {
            HubError::coded(404, "RepoNotFound", "Repository not found")
        })
    }

    /// Returns the repository if the caller can write to it.
    pub(crate) fn writable_repo(&self, repo_type: RepoType, id: &str) -> Result<Arc<Repo>, HubError> {
        let repo = self.repo(repo_type, id)?;
        self.caller.check_write(&repo, false)?;
        Ok(repo)
    }
}
