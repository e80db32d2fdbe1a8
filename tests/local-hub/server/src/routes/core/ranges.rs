//! Ranges of downloads.

use axum::response::Response;

use crate::http::answer::{raw, set};

/// Returns 200, 206 or 416 for a body and a `Range` header with one range.
pub(crate) fn ranged(data: Vec<u8>, range: Option<&str>, kind: &str) -> Response {
    let total = data.len();
    let Some(spec) = range.and_then(|r| r.strip_prefix("bytes=")).filter(|r| !r.contains(',')) else {
        return raw(200, kind, data);
    };
    let (from, to) = spec.split_once('-').unwrap_or((spec, ""));
    let bounds = match (from.parse::<usize>().ok(), to.parse::<usize>().ok()) {
        (Some(a), Some(b)) => Some((a, b.min(total.saturating_sub(1)))),
        (Some(a), None) => Some((a, total.saturating_sub(1))),
        (None, Some(last)) => Some((total.saturating_sub(last), total.saturating_sub(1))),
        (None, None) => None,
    };
    match bounds {
        Some((a, b)) if a < total && a <= b => {
            let mut response = raw(206, kind, data[a..=b].to_vec());
            set(&mut response, "content-range", &format!("bytes {a}-{b}/{total}"));
            response
        }
        _ => {
            let mut response = raw(416, "text/plain", vec![]);
            set(&mut response, "content-range", &format!("bytes */{total}"));
            response
        }
    }
}
