//! Faults a test asks for: wrong answers, delays, lost connections.

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::util::lock;

/// When and how a request goes wrong. Applies to Hub paths and to the CAS and upload URLs alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Only requests with this method (upper case); any when `None`.
    #[serde(default)]
    pub method: Option<String>,
    /// Only requests whose `path?query`, as sent, holds this text.
    pub path_contains: String,
    /// So many matching requests pass first.
    #[serde(default)]
    pub skip: usize,
    /// So many matching requests are hit.
    #[serde(default = "once")]
    pub times: usize,
    /// What happens to them.
    pub kind: FaultKind,
}

fn once() -> usize {
    1
}

/// What happens to a request that is hit. In JSON: `"drop_connection"`, `{"delay": <milliseconds>}`,
/// `{"status": {"code": 503, "headers": [["retry-after", "1"]], "body": "…"}}` and so on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Answered with this status; nothing is applied.
    Status {
        /// HTTP status.
        code: u16,
        /// Extra headers; a `ratelimit` header replaces the ordinary one.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Body as it is; JSON when it starts with `{`.
        #[serde(default)]
        body: String,
    },
    /// Answered normally after this time.
    Delay(#[serde(with = "milliseconds")] Duration),
    /// The connection is reset without an answer; nothing is applied.
    DropConnection,
    /// The request is applied, then the connection is reset without an answer.
    DropAfterApply,
    /// The request is applied, then answered with this status.
    StatusAfterApply {
        /// HTTP status.
        code: u16,
        /// Body as it is.
        #[serde(default)]
        body: String,
    },
    /// The answer's body breaks off after so many bytes and the connection closes.
    TruncateBody {
        /// Bytes of the body that are still sent.
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

/// The faults still pending.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(crate) fn add(&self, fault: Fault) {
        lock(&self.0).push(fault);
    }

    pub(crate) fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The fault that hits this request, if any; counts it. The first one that matches decides.
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
