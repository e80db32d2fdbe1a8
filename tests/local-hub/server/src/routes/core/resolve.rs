//! Downloads: `/{prefix}{id}/resolve/{rev}/{path}`, the cache it leads to, and `…/raw/{rev}/{path}`.

use std::sync::Arc;

use axum::response::Response;
use serde_json::json;

use crate::core::objects::{Kind, Oid, Pointer};
use crate::core::planted;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::core::xet::XET_INFO;
use crate::http::answer::{Answer, HubError, json_ok, raw, set};
use crate::http::request::Req;
use crate::routes::core::ranges::ranged;
use crate::util::{encode_segment, lock};

/// One file of a revision.
struct Found {
    repo: Arc<Repo>,
    head: Oid,
    blob: Oid,
    /// Pointer of a large file.
    pointer: Option<Pointer>,
}

impl Found {
    fn at(req: &Req, t: RepoType, id: &str, rev: &str, path: &str) -> Result<Self, HubError> {
        let repo = req.repo(t, id)?;
        req.caller.check_content(&repo)?;
        let head = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
        let Some(entry) = repo.snapshot(head)?.files.get(path).copied() else {
            let mut error = HubError::entry_not_found("Entry not found");
            error.headers.push(("x-repo-commit", head.to_string()));
            return Err(error);
        };
        let pointer = repo.objects.blob_info(entry.oid).and_then(|info| info.pointer);
        Ok(Self { repo, head, blob: entry.oid, pointer })
    }

    /// Sends the blob itself.
    fn send(&self, req: &Req, path: &str) -> Answer {
        let data = self.repo.objects.get(Kind::Blob, self.blob)?;
        let mut response = ranged(data, req.header("range"), content_type(path));
        set(&mut response, "etag", &format!("\"{}\"", self.blob));
        Ok(response)
    }

    fn finish(&self, response: &mut Response, path: &str) {
        let name = file_name(path);
        let disposition =
            format!("inline; filename*=UTF-8''{0}; filename=\"{1}\";", encode_segment(name), name);
        set(response, "x-repo-commit", &self.head.to_string());
        set(response, "accept-ranges", "bytes");
        set(response, "content-disposition", &disposition);
        set(response, "content-security-policy", "default-src 'none'; sandbox");
        set(response, "vary", "Origin, Accept");
    }
}

/// `GET` and `HEAD` of `/{prefix}{id}/resolve/{rev}/{path}`: 307 to the cache for a regular file, 302 to the storage
/// host for a large one.
pub(crate) fn resolve(req: &Req, t: RepoType, id: &str, rev: &str, path: &str) -> Answer {
    if let Some(response) = planted(req, t, id, path)? {
        return Ok(response);
    }
    let found = Found::at(req, t, id, rev, path)?;
    let mut response = match &found.pointer {
        None => to_cache(req, t, &found, path),
        Some(pointer) => to_storage(req, t, &found, pointer, path),
    };
    found.finish(&mut response, path);
    Ok(response)
}

/// Redirects to the storage host for a planted file. Its content does not exist there.
fn planted(req: &Req, t: RepoType, id: &str, path: &str) -> Result<Option<Response>, HubError> {
    let repo = req.repo(t, id)?;
    let files = planted::files(&lock(&repo.state));
    let Some(file) = files.into_iter().find(|file| file.path == path) else { return Ok(None) };
    req.caller.check_content(&repo)?;
    let location =
        format!("{}/__cdn/planted?filename={}", req.hub.storage_origin, encode_segment(file_name(path)));
    let mut response =
        raw(302, "text/plain; charset=utf-8", format!("Found. Redirecting to {location}").into_bytes());
    set(&mut response, "location", &location);
    set(&mut response, "x-linked-size", &file.size.to_string());
    Ok(Some(response))
}

/// `GET` and `HEAD` of `/api/resolve-cache/{types}/{id}/{commit}/{path}`: the content of a regular file.
pub(crate) fn cached(req: &Req, t: RepoType, id: &str, commit: &str, path: &str) -> Answer {
    let found = Found::at(req, t, id, commit, path)?;
    let mut response = match &found.pointer {
        None => found.send(req, path)?,
        Some(pointer) => to_storage(req, t, &found, pointer, path),
    };
    found.finish(&mut response, path);
    Ok(response)
}

/// `GET` and `HEAD` of `/{prefix}{id}/raw/{rev}/{path}`: the blob as git has it, so a large file is its pointer.
pub(crate) fn raw_blob(req: &Req, t: RepoType, id: &str, rev: &str, path: &str) -> Answer {
    let found = Found::at(req, t, id, rev, path)?;
    let mut response = found.send(req, "pointer.txt")?;
    found.finish(&mut response, path);
    Ok(response)
}

/// Redirects to the cache. The redirect is relative; its query has the requested path and the ETag, and no header has
/// the size of the file.
fn to_cache(req: &Req, t: RepoType, found: &Found, path: &str) -> Response {
    let location = format!(
        "/api/resolve-cache/{}/{}/{}/{}?{}=&etag=%22{}%22",
        t.plural(),
        lock(&found.repo.state).full_id(),
        found.head,
        encode_segment(path),
        encode_segment(&req.path),
        found.blob,
    );
    let text = format!("Temporary Redirect. Redirecting to {location}");
    let mut response = raw(307, "text/plain; charset=utf-8", text.into_bytes());
    set(&mut response, "location", &location);
    response
}

/// Redirects to the storage host, or describes the Xet file if the request accepts that.
fn to_storage(req: &Req, t: RepoType, found: &Found, pointer: &Pointer, path: &str) -> Response {
    let (origin, id) = (&req.hub.endpoint, lock(&found.repo.state).full_id());
    let etag = format!("\"{}\"", pointer.sha256);
    let xet = req.hub.core.xet.as_ref().and_then(|xet| xet.find(&pointer.sha256));
    let refresh = format!("/api/{}/{id}/xet-read-token/{}", t.plural(), found.head);
    let accepts = req.header("accept").is_some_and(|accept| accept.contains(XET_INFO));
    let mut response = match &xet {
        Some(file) if accepts => {
            let info = json!({
                "hash": file.hash,
                "refreshUrl": format!("{origin}{refresh}"),
                "reconstructionUrl": format!("{origin}/v1/reconstructions/{}", file.hash),
                "etag": etag,
                "size": pointer.size,
            });
            let mut response = json_ok(&info);
            set(&mut response, "content-type", XET_INFO);
            response
        }
        _ => {
            let location = format!(
                "{}/__cdn/{}?filename={}",
                req.hub.storage_origin,
                pointer.sha256,
                encode_segment(file_name(path))
            );
            let text = format!("Found. Redirecting to {location}");
            let mut response = raw(302, "text/plain; charset=utf-8", text.into_bytes());
            set(&mut response, "location", &location);
            response
        }
    };
    set(&mut response, "x-linked-size", &pointer.size.to_string());
    set(&mut response, "x-linked-etag", &etag);
    if let Some(file) = xet {
        let rebuild = format!("{origin}/v1/reconstructions/{}", file.hash);
        let links =
            format!("<{origin}{refresh}>; rel=\"xet-auth\", <{rebuild}>; rel=\"xet-reconstruction-info\"");
        set(&mut response, "x-xet-hash", &file.hash);
        set(&mut response, "x-xet-refresh-route", &refresh);
        set(&mut response, "link", &links);
    }
    response
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "css" => "text/css",
        _ => "text/plain; charset=utf-8",
    }
}
