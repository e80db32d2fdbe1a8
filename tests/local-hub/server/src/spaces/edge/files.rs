//! Static Spaces: files of the committed tree.

use axum::body::Body;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;

use crate::core::content::Core;
use crate::core::repo::Repo;
use crate::http::answer::{raw, set};
use crate::spaces::edge::pages;
use crate::spaces::edge::visit::Visit;
use crate::util::{percent_decode, sha256_hex};

/// Responds with a file of the live commit. `/` is the card's `app_file`, by a redirect if it is in a folder, because
/// its links are relative.
pub(super) async fn serve(core: &Core, repo: &Repo, visit: &Visit, request: &Parts) -> Response {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return raw(405, "text/plain; charset=utf-8", b"Method Not Allowed".to_vec());
    }
    let asked = percent_decode(request.uri.path().trim_start_matches('/'));
    let path = if asked.is_empty() {
        if visit.app_file.contains('/') {
            let mut response = raw(302, "text/plain; charset=utf-8", vec![]);
            set(&mut response, "location", &format!("/{}", visit.app_file));
            return response;
        }
        visit.app_file.clone()
    } else if asked.ends_with('/') {
        format!("{asked}index.html")
    } else {
        asked
    };
    let Some(sha) = visit.now.sha else { return pages::starting() };
    let Ok(content) = core.read_file(repo, &sha.to_string(), &path).await else {
        let known = repo.snapshot(sha).is_ok_and(|s| s.files.contains_key(&path));
        return if known { pages::in_error() } else { pages::not_found() };
    };
    let tag = format!("\"{}\"", &sha256_hex(&content)[..32]);
    let fresh = request.headers.get("if-none-match").is_some_and(|t| t.as_bytes() == tag.as_bytes());
    let mut response =
        if fresh { raw(304, media_type(&path), vec![]) } else { raw(200, media_type(&path), content) };
    if fresh || request.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    if fresh {
        response.headers_mut().remove("content-length");
    }
    set(&mut response, "etag", &tag);
    response
}

/// Returns the media type of a file by its name.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "wasm" => "application/wasm",
        "woff2" => "font/woff2",
        "mp4" => "video/mp4",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
