//! Downloads: `/{prefix}{id}/resolve/{rev}/{path}`.

use serde_json::json;

use crate::answer::{Answer, HubError, json_ok, raw, set};
use crate::config::RepoType;
use crate::objects::Kind;
use crate::server::Req;
use crate::util::encode_segment;

/// `GET` and `HEAD`: a regular file is sent; a large one redirects to the storage host.
pub(crate) fn resolve(req: &Req, t: RepoType, id: &str, rev: &str, path: &str) -> Answer {
    let repo = req.hub.repo_for(&req.caller, t, id)?;
    let head = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
    let snapshot = repo.snapshot(head)?;
    let Some(entry) = snapshot.files.get(path) else {
        let mut error = HubError::entry_not_found("Entry not found");
        error.headers.push(("x-repo-commit", head.to_string()));
        return Err(error);
    };
    let info = repo.objects.blob_info(entry.oid);
    let name = path.rsplit('/').next().unwrap_or(path);
    let disposition = format!("inline; filename*=UTF-8''{0}; filename=\"{1}\";", encode_segment(name), name);
    let mut response = match info.and_then(|i| i.pointer) {
        None => {
            let data = repo.objects.get(Kind::Blob, entry.oid)?;
            let mut response = ranged(data, req.header("range"), content_type(path));
            set(&mut response, "etag", &format!("\"{}\"", entry.oid));
            response
        }
        Some(pointer) => {
            let mut extra = Vec::new();
            if let Some(file) = req.hub.xet.as_ref().and_then(|x| x.find(&pointer.sha256)) {
                let origin = &req.hub.endpoint;
                let auth = format!("{origin}/api/{}/{id}/xet-read-token/{head}", t.plural());
                let rebuild = format!("{origin}/v1/reconstructions/{}", file.hash);
                if req.header("accept").is_some_and(|a| a.contains("application/vnd.xet-fileinfo+json")) {
                    return Ok(json_ok(&json!({
                        "hash": file.hash,
                        "refreshUrl": auth,
                        "reconstructionUrl": rebuild,
                        "etag": format!("\"{}\"", pointer.sha256),
                        "size": pointer.size,
                    })));
                }
                extra.push(("x-xet-hash", file.hash));
                extra
                    .push(("x-xet-refresh-route", format!("/api/{}/{id}/xet-read-token/{head}", t.plural())));
                let links =
                    format!("<{auth}>; rel=\"xet-auth\", <{rebuild}>; rel=\"xet-reconstruction-info\"");
                extra.push(("link", links));
            }
            let location = format!(
                "{}/__cdn/{}?filename={}",
                req.hub.storage_origin,
                pointer.sha256,
                encode_segment(name)
            );
            let text = format!("Found. Redirecting to {location}");
            let mut response = raw(302, "text/plain; charset=utf-8", text.into_bytes());
            set(&mut response, "location", &location);
            set(&mut response, "x-linked-size", &pointer.size.to_string());
            set(&mut response, "x-linked-etag", &format!("\"{}\"", pointer.sha256));
            for (name, value) in extra {
                set(&mut response, name, &value);
            }
            response
        }
    };
    set(&mut response, "x-repo-commit", &head.to_string());
    set(&mut response, "accept-ranges", "bytes");
    set(&mut response, "content-disposition", &disposition);
    Ok(response)
}

/// 200, 206 or 416 for a body and a `Range` header (one range).
pub(crate) fn ranged(data: Vec<u8>, range: Option<&str>, kind: &str) -> axum::response::Response {
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

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        "css" => "text/css",
        _ => "text/plain; charset=utf-8",
    }
}
