//! Faults of a test.

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::util::lock;

/// A fault of matching requests, on paths of the Hub, of the CAS and of uploads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Method of the requests; any if `None`.
    #[serde(default)]
    pub method: Option<String>,
    /// Text that the `path?query` of the requests contains, as sent.
    pub path_contains: String,
    /// Number of matching requests that pass first.
    #[serde(default)]
    pub skip: usize,
    /// Number of matching requests that fail.
    #[serde(default = "once")]
    pub times: usize,
    /// Kind of the fault.
    pub kind: FaultKind,
}

fn once() -> usize {
    1
}

/// Kind of a fault. In JSON: `"drop_connection"`, `{"delay": <milliseconds>}`,
/// `{"status": {"code": 503, "headers": [["retry-after", "1"]], "body": "…"}}` and so on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Responds with this status, without applying the request.
    Status {
        /// HTTP status.
        code: u16,
        /// Extra headers; a `ratelimit` header replaces the ordinary one.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Body; JSON if it starts with `{`.
        #[serde(default)]
        body: String,
    },
    /// Responds normally after this time.
    Delay(#[serde(with = "milliseconds")] Duration),
    /// Resets the connection without applying the request.
    DropConnection,
    /// Applies the request, then resets the connection.
    DropAfterApply,
    /// Applies the request, then responds with this status.
    StatusAfterApply {
        /// HTTP status.
        code: u16,
        /// Body.
        #[serde(default)]
        body: String,
    },
    /// Cuts the body of the response and closes the connection.
    TruncateBody {
        /// Number of bytes that are sent.
        after: usize,
    },
}

mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        Ok(Duration::from_millis(u64::deserialize(d)?))
    }
}

/// The pending faults.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        lock(&self.0).push(fault);
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Returns the first fault that matches this request, and counts it.
    pub(crate) fn hit(&self, method: &str, path_and_query: &str) -> Option<FaultKind> {
        let mut faults = lock(&self.0);
        for fault in faults.iter_mut() {
            let method_fits = fault.method.as_deref().is_none_or(|m| m.eq_ignore_ascii_case(method));
            if fault.times == 0 || !method_fits || !path_and_query.contains(&fault.path_contains) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.kind.clone());
        }
        None
    }
}
