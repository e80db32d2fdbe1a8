//! Facts about the calls of a check, for the run bundle.

use serde_json::Value;

use super::options::Expect;

/// Facts about the calls of a check.
#[derive(Debug, Clone, Default)]
pub struct CallFacts {
    pub gradio_version: Option<String>,
    /// Protocol of the queue, such as `sse_v3`.
    pub protocol: Option<String>,
    /// Arguments as they were sent. They may hold secrets of the caller.
    pub args: Vec<Value>,
    /// Worst place in the queue that the app reported, from 0.
    pub rank_max: Option<i64>,
    /// Content that the outputs must have.
    pub expected: Option<Expect>,
}
