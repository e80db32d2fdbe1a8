//! Routes of storage buckets.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::buckets::batch::{Operation, Sources, apply};
use crate::buckets::bucket::{Bucket, BucketEntry};
use crate::contract::LineKind;
use crate::core::content::Core;
use crate::core::repo_type::RepoType;
use crate::core::xet::{XET_INFO, XetFile};
use crate::http::answer::{Answer, HubError, json_ok, json_status, not_found, ok, raw, set};
use crate::http::request::Req;
use crate::routes::core::new_repo::valid_name;
use crate::routes::core::ranges::ranged;
use crate::util::{encode_segment, iso, lock, now_ms};

/// Maximum number of entries in one page of a listing.
const MAX_PAGE: usize = 5000;
/// Entries in one page, if the request names no number.
const PAGE: usize = 1000;

/// Paths under `/api/buckets`.
pub(super) async fn route(req: Req, rest: &[&str]) -> Answer {
    let method = req.method.as_str().to_owned();
    match (method.as_str(), rest) {
        ("GET", [namespace]) => list(&req, namespace),
        (_, [namespace, name, rest @ ..]) => {
            let namespace = if *namespace == "me" { req.caller.name() } else { namespace };
            let id = format!("{namespace}/{name}");
            match (method.as_str(), rest) {
                ("POST", []) => create(&req, &id),
                ("GET", []) => Ok(json_ok(&lock(&bucket(&req, &id)?.state).overview())),
                ("DELETE", []) => {
                    req.hub.buckets.delete(&*writable(&req, &id)?)?;
                    Ok(ok())
                }
                ("PUT", ["settings"]) => settings(&req, &id),
                ("GET", ["tree", path @ ..]) => tree(&req, &id, &path.join("/")),
                ("POST", ["paths-info"]) => paths_info(&req, &id),
                ("POST", ["batch"]) => batch(&req, &id).await,
                ("GET", ["xet-write-token"]) => xet_token(&req, &*writable(&req, &id)?, "write"),
                ("GET", ["xet-read-token"]) => xet_token(&req, &*bucket(&req, &id)?, "read"),
                _ => Err(not_found()),
            }
        }
        _ => Err(not_found()),
    }
}

/// Returns the bucket if the caller can see it. Otherwise the same 401 or 404 as for a missing one.
fn bucket(req: &Req, id: &str) -> Result<Arc<Bucket>, HubError> {
    if let Some(bucket) = req.hub.buckets.named(id)
        && req.caller.can_read_bucket(&lock(&bucket.state))
    {
        return Ok(bucket);
    }
    Err(if req.caller.is_anonymous() {
        HubError::unauthorized(crate::accounts::caller::NO_CREDENTIALS)
    } else {
        HubError::coded(404, "RepoNotFound", "Repository not found")
    })
}

/// Returns the bucket if the caller can write to it.
fn writable(req: &Req, id: &str) -> Result<Arc<Bucket>, HubError> {
    let bucket = bucket(req, id)?;
    req.caller.check_bucket_write(&lock(&bucket.state))?;
    Ok(bucket)
}

/// `GET /api/buckets/{namespace}`.
fn list(req: &Req, namespace: &str) -> Answer {
    let namespace = if namespace == "me" { req.caller.name() } else { namespace };
    let search = req.param("search").unwrap_or_default().to_lowercase();
    let buckets = req.hub.buckets.of_namespace(namespace);
    let rows: Vec<Value> = buckets
        .iter()
        .filter_map(|bucket| {
            let state = lock(&bucket.state);
            let shown = req.caller.can_read_bucket(&state) && state.name.to_lowercase().contains(&search);
            shown.then(|| state.overview())
        })
        .collect();
    Ok(json_ok(&Value::Array(rows)))
}

/// `POST /api/buckets/{namespace}/{repo}`. Without `private`, the bucket is public.
fn create(req: &Req, id: &str) -> Answer {
    let body: Value = req.json()?;
    let (namespace, name) = id.split_once('/').ok_or_else(not_found)?;
    req.caller.check_create(namespace, "bucket")?;
    if !valid_name(name) {
        return Err(HubError::bad_request(format!("Invalid bucket name: {name}")));
    }
    let private = body["private"] == json!(true) || body["visibility"] == json!("private");
    let created = req.hub.buckets.create(id, req.caller.name(), private)?;
    let is_new = created.is_some();
    let found = created.or_else(|| req.hub.buckets.named(id)).ok_or_else(not_found)?;
    let state = lock(&found.state);
    let url = format!("{}/buckets/{}", req.hub.endpoint, state.full_id());
    if is_new {
        return Ok(json_ok(&json!({"url": url, "name": state.full_id(), "id": state.id})));
    }
    let error = "You already created this bucket";
    Ok(json_status(409, &json!({"error": error, "url": url, "id": state.id})))
}

/// `PUT /api/buckets/{namespace}/{repo}/settings`.
fn settings(req: &Req, id: &str) -> Answer {
    let bucket = writable(req, id)?;
    let body: Value = req.json()?;
    let answer = bucket.update(|state| {
        if let Some(private) = body["private"].as_bool() {
            state.private = private;
        }
        if body["cdnRegions"].is_array() {
            state.cdn = body["cdnRegions"].clone();
        }
        json!({"private": state.private, "cdnRegions": state.cdn})
    })?;
    Ok(json_ok(&answer))
}

/// `POST /api/repos/move` with `type: bucket`.
pub(crate) fn rename(req: &Req, from: &str, to: &str) -> Answer {
    let bucket = writable(req, from)?;
    let (namespace, name) =
        to.split_once('/').ok_or_else(|| HubError::bad_request("\"toRepo\" must be namespace/name"))?;
    req.caller.check_create(namespace, "bucket")?;
    if !valid_name(name) {
        return Err(HubError::bad_request(format!("Invalid bucket name: {to}")));
    }
    if !req.hub.buckets.rename(&bucket, to)? {
        return Err(HubError::new(409, format!("A bucket called {to} already exists")));
    }
    Ok(ok())
}

fn file_row(path: &str, file: &BucketEntry) -> Value {
    let mut row = json!({
        "type": "file",
        "path": path,
        "size": file.size,
        "xetHash": file.hash,
        "uploadedAt": iso(file.uploaded_ms),
    });
    if let Some(ms) = file.mtime_ms {
        row["mtime"] = json!(iso(ms));
    }
    if let Some(nanos) = file.mtime_nanos {
        row["mtimeNanos"] = json!(nanos);
    }
    if let Some(kind) = &file.content_type {
        row["contentType"] = json!(kind);
    }
    row
}

/// `GET /api/buckets/{namespace}/{repo}/tree[/{path}]`. The path is the beginning of names, not a folder.
fn tree(req: &Req, id: &str, prefix: &str) -> Answer {
    let bucket = bucket(req, id)?;
    let limit = match req.param("limit").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(limit)) if (1..=MAX_PAGE).contains(&limit) => limit,
        Some(_) => return Err(HubError::bad_request("Invalid limit")),
    };
    let after = match req.param("cursor") {
        None => String::new(),
        Some(cursor) => URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| HubError::bad_request("Invalid cursor"))?,
    };
    let recursive = req.param("recursive").is_none_or(|value| !matches!(value, "false" | "False" | "0"));
    let state = lock(&bucket.state);
    let mut rows: Vec<Value> = Vec::new();
    let (mut last, mut more) = (String::new(), false);
    let mut folder = String::new();
    for (path, file) in state.files.iter().filter(|(path, _)| path.starts_with(prefix) && **path > after) {
        if rows.len() == limit {
            more = true;
            break;
        }
        let rest = path[prefix.len()..].trim_start_matches('/');
        match rest.split_once('/').filter(|_| !recursive) {
            None => rows.push(file_row(path, file)),
            Some((_, below)) => {
                let shown = path[..path.len() - below.len() - 1].to_owned();
                if shown != folder && !format!("{after}/").starts_with(&format!("{shown}/")) {
                    rows.push(json!({
                        "type": "directory",
                        "path": shown,
                        "uploadedAt": iso(file.uploaded_ms),
                    }));
                }
                folder = shown;
            }
        }
        last.clone_from(path);
    }
    let mut response = json_ok(&Value::Array(rows));
    if more {
        let tail = if prefix.is_empty() { String::new() } else { format!("/{}", encode_segment(prefix)) };
        let cursor = URL_SAFE_NO_PAD.encode(&last);
        let link = format!(
            "<{}/api/buckets/{}/tree{tail}?recursive={recursive}&limit={limit}&cursor={cursor}>; rel=\"next\"",
            req.hub.endpoint,
            state.full_id(),
        );
        set(&mut response, "link", &link);
    }
    Ok(response)
}

/// `POST /api/buckets/{namespace}/{repo}/paths-info`. Missing paths are omitted.
fn paths_info(req: &Req, id: &str) -> Answer {
    let bucket = bucket(req, id)?;
    let body: Value = req.json()?;
    let paths: Vec<&str> = match &body["paths"] {
        Value::String(path) => vec![path],
        Value::Array(paths) => paths.iter().filter_map(Value::as_str).collect(),
        _ => return Err(HubError::bad_request("\"paths\" is required")),
    };
    if paths.len() > 2000 {
        return Err(HubError::new(422, "Too many paths (at most 2000)"));
    }
    let state = lock(&bucket.state);
    let rows = paths.iter().filter_map(|path| Some(file_row(path, state.files.get(*path)?))).collect();
    Ok(json_ok(&Value::Array(rows)))
}

/// `POST /api/buckets/{namespace}/{repo}/batch`.
async fn batch(req: &Req, id: &str) -> Answer {
    let bucket = match writable(req, id) {
        Ok(bucket) => bucket,
        Err(error) => {
            crate::faults::response::drain(req.take_stream()).await;
            return Err(error);
        }
    };
    let operations = read_lines(req, req.take_stream()).await?;
    let max = req.hub.policy.get().bucket_batch_max;
    if operations.len() > max {
        return Err(HubError::new(413, format!("Too many operations (at most {max})")));
    }
    let first_deletion = operations.iter().position(Operation::is_deletion).unwrap_or(operations.len());
    if !operations.iter().skip(first_deletion).all(Operation::is_deletion) {
        return Err(HubError::bad_request("All add/copy operations must come before all delete operations"));
    }
    let size_of = |hash: &str| req.hub.core.xet.as_ref().and_then(|xet| xet.size_of(hash));
    // Before the state of the bucket is locked, because the sources are locked as well.
    let copyable: HashSet<(String, String, String)> = operations
        .iter()
        .filter_map(|operation| match operation {
            Operation::Copy { xet_hash, source_repo_type, source_repo_id, .. } => {
                may_copy(req, source_repo_type, source_repo_id, xet_hash)
                    .then(|| (source_repo_type.clone(), source_repo_id.clone(), xet_hash.clone()))
            }
            Operation::Add { .. } | Operation::Delete { .. } => None,
        })
        .collect();
    let (status, report) = apply(&bucket, operations, &Sources { size_of: &size_of, copyable })?;
    Ok(json_status(status, &report))
}

async fn read_lines(req: &Req, body: Body) -> Result<Vec<Operation>, HubError> {
    if !req.header("content-type").is_some_and(|kind| kind.starts_with("application/x-ndjson")) {
        req.entry.violation("a batch without content type application/x-ndjson");
    }
    let bytes = axum::body::to_bytes(body, 64 << 20)
        .await
        .map_err(|error| HubError::bad_request(format!("The body broke off: {error}")))?;
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.iter().all(u8::is_ascii_whitespace));
    lines
        .map(|line| {
            let invalid =
                |error: serde_json::Error| HubError::bad_request(format!("Invalid operation: {error}"));
            let line: Value = serde_json::from_slice(line).map_err(invalid)?;
            let breaches = req.hub.contract.line(LineKind::Batch, &line);
            breaches.into_iter().for_each(|text| req.entry.violation(text));
            serde_json::from_value(line).map_err(invalid)
        })
        .collect()
}

/// Returns true if the caller can read this content in another bucket or in a repository.
fn may_copy(req: &Req, kind: &str, id: &str, hash: &str) -> bool {
    if kind == "bucket" {
        let source = bucket(req, id);
        return source.is_ok_and(|source| lock(&source.state).files.values().any(|file| file.hash == hash));
    }
    let Some(repo) = RepoType::from_singular(kind).and_then(|kind| req.repo(kind, id).ok()) else {
        return false;
    };
    let (Ok(tree), Some(xet)) = (Core::tree(&repo, "main"), req.hub.core.xet.as_ref()) else { return false };
    let mut large = tree.values().filter_map(|file| xet.find(file.lfs_sha256.as_deref()?));
    large.any(|file| file.hash == hash)
}

/// `GET /api/buckets/{namespace}/{repo}/xet-(write|read)-token`.
fn xet_token(req: &Req, bucket: &Bucket, scope: &str) -> Answer {
    let Some(xet) = &req.hub.core.xet else {
        return Err(HubError::new(404, "Xet is not enabled for this bucket"));
    };
    let policy = req.hub.policy.get();
    let exp = now_ms() / 1000 + policy.xet_token_seconds;
    let token = xet.token(scope, exp, &lock(&bucket.state).id);
    let url = policy.xet_url.as_ref().unwrap_or(&req.hub.endpoint).clone();
    let mut response = json_ok(&json!({"casUrl": url, "exp": exp, "accessToken": token}));
    set(&mut response, "x-xet-cas-url", &url);
    set(&mut response, "x-xet-access-token", &token);
    set(&mut response, "x-xet-token-expiration", &exp.to_string());
    Ok(response)
}

/// `GET` and `HEAD` of `/buckets/{namespace}/{repo}/resolve/{path}`: 302 to the storage host, or the description of the
/// Xet file if the request accepts that.
pub(super) fn resolve(req: &Req, id: &str, path: &str) -> Answer {
    let bucket = bucket(req, id)?;
    let (file, id) = {
        let state = lock(&bucket.state);
        (state.files.get(path).cloned(), state.full_id())
    };
    let file = file.ok_or_else(|| HubError::entry_not_found("Entry not found"))?;
    let origin = &req.hub.endpoint;
    let refresh = format!("/api/buckets/{id}/xet-read-token");
    let rebuild = format!("{origin}/v1/reconstructions/{}", file.hash);
    let etag = format!("\"{}\"", file.hash);
    let mut response = if req.header("accept").is_some_and(|accept| accept.contains(XET_INFO)) {
        let mut info = json!({
            "hash": file.hash,
            "refreshUrl": format!("{origin}{refresh}"),
            "reconstructionUrl": rebuild,
            "etag": etag,
            "size": file.size,
        });
        if let Some(kind) = &file.content_type {
            info["contentType"] = json!(kind);
        }
        let mut response = json_ok(&info);
        set(&mut response, "content-type", XET_INFO);
        response
    } else {
        let location = format!("{}/__cdn/xet/{}/{}", req.hub.storage_origin, file.hash, file.size);
        let text = format!("Found. Redirecting to {location}");
        let mut response = raw(302, "text/plain; charset=utf-8", text.into_bytes());
        set(&mut response, "location", &location);
        response
    };
    let links =
        format!("<{origin}{refresh}>; rel=\"xet-auth\", <{rebuild}>; rel=\"xet-reconstruction-info\"");
    set(&mut response, "x-linked-size", &file.size.to_string());
    set(&mut response, "x-linked-etag", &etag);
    set(&mut response, "x-xet-hash", &file.hash);
    set(&mut response, "x-xet-refresh-route", &refresh);
    set(&mut response, "link", &links);
    Ok(response)
}

/// `GET` and `HEAD` of the storage host: content by its Xet hash.
pub(super) async fn download(req: &Req, hash: &str, size: &str) -> Answer {
    let missing = || HubError::new(404, "NoSuchKey");
    let (xet, size) = (req.hub.core.xet.as_ref().ok_or_else(missing)?, size.parse().map_err(|_| missing())?);
    let file = XetFile { hash: hash.to_owned(), size };
    let data = xet.content(&file).await.map_err(|_| missing())?;
    let mut response = ranged(data.to_vec(), req.header("range"), "application/octet-stream");
    set(&mut response, "etag", &format!("\"{hash}\""));
    set(&mut response, "accept-ranges", "bytes");
    Ok(response)
}
