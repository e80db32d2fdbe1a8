//! Responses of faults.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::http::answer::raw;

/// Reads a body to its end and drops it.
pub(crate) async fn drain(body: Body) {
    let mut stream = body.into_data_stream();
    while let Some(Ok(_)) = stream.next().await {}
}

/// Returns the response of a fault; JSON if the body looks like it.
pub(crate) fn fault_answer(code: u16, body: &str) -> Response {
    let kind = if body.trim_start().starts_with(['{', '[']) {
        "application/json; charset=utf-8"
    } else {
        "text/html"
    };
    raw(code, kind, body.as_bytes().to_vec())
}

/// Cuts the body. The announced length stays, so the client notices.
pub(crate) async fn truncate(response: Response, after: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 30).await.unwrap_or_default();
    parts.headers.insert("content-length", bytes.len().into());
    let head = bytes.slice(..after.min(bytes.len()));
    let frames: [Result<Bytes, std::io::Error>; 2] =
        [Ok(head), Err(std::io::ErrorKind::ConnectionReset.into())];
    // The pause lets the first frame reach the socket before the connection closes.
    let stream = futures_util::stream::iter(frames).then(|frame| async {
        if frame.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        frame
    });
    Response::from_parts(parts, Body::from_stream(stream))
}
