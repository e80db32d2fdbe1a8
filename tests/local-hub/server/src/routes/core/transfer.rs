//! Git LFS: the batch call, upload URLs, part URLs, completion, verification; and the download host.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::LargeFileTransfer;
use crate::core::lfs::Multipart;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok, not_found, raw, set};
use crate::http::request::Req;
use crate::routes::core::ranges::ranged;
use crate::util::{encode_segment, lock, now_ms};

#[derive(Deserialize)]
struct Object {
    oid: String,
    size: u64,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
}

#[derive(Deserialize)]
struct BatchBody {
    operation: String,
    #[serde(default)]
    transfers: Vec<String>,
    objects: Vec<Object>,
    hash_algo: Option<String>,
    r#ref: Option<Reference>,
}

const LFS_JSON: &str = "application/vnd.git-lfs+json";
/// Lifetime of upload URLs, in seconds.
const EXPIRES: u64 = 900;

/// The repository and the transfer of one batch call.
struct Batch<'a> {
    req: &'a Req,
    repo: &'a Repo,
    transfer: &'static str,
    /// Path segment of the revision in the address of a Xet token.
    rev: &'a str,
}

/// `POST /{prefix}{id}.git/info/lfs/objects/batch`.
pub(crate) fn batch(req: &Req, t: RepoType, id: &str) -> Answer {
    let repo = req.repo(t, id)?;
    for name in ["accept", "content-type"] {
        if !req.header(name).is_some_and(|v| v.starts_with(LFS_JSON)) {
            req.entry.violation(format!("LFS batch without {name}: {LFS_JSON}"));
        }
    }
    let body: BatchBody = req.json()?;
    // huggingface.js spells it with an underscore.
    if !matches!(body.hash_algo.as_deref().unwrap_or("sha256"), "sha256" | "sha_256") {
        return Err(HubError::new(409, "Only sha256 is supported"));
    }
    let upload = body.operation == "upload";
    if upload {
        // The official clients name no ref when the files are for a pull request.
        let pull_request = body.r#ref.as_ref().is_none_or(|r| r.name.starts_with("refs/pr/"));
        req.caller.check_write(&repo, pull_request || req.flag("create_pr"))?;
    } else {
        req.caller.check_content(&repo)?;
    }
    let offered = |name: &str| body.transfers.iter().any(|t| t == name);
    let transfer = match req.hub.config.transfer {
        LargeFileTransfer::Xet if offered("xet") && upload => "xet",
        LargeFileTransfer::Xet | LargeFileTransfer::Multipart if offered("multipart") && upload => {
            "multipart"
        }
        _ => "basic",
    };
    let rev = body.r#ref.as_ref().map_or("main", |r| r.name.trim_start_matches("refs/heads/"));
    let batch = Batch { req, repo: &repo, transfer, rev };
    let objects: Vec<Value> = body
        .objects
        .iter()
        .map(|object| if upload { batch.upload_row(object) } else { batch.download_row(object) })
        .collect();
    let mut response = json_ok(&json!({"transfer": transfer, "objects": objects}));
    set(&mut response, "content-type", LFS_JSON);
    Ok(response)
}

fn row(object: &Object) -> Value {
    json!({"oid": object.oid, "size": object.size, "authenticated": true})
}

fn failed(object: &Object, code: u16, message: &str) -> Value {
    let mut row = row(object);
    row["error"] = json!({"code": code, "message": message});
    row
}

impl Batch<'_> {
    fn download_row(&self, object: &Object) -> Value {
        let hub = &self.req.hub;
        if hub.core.large_size(self.repo, &object.oid).is_none() {
            return failed(object, 404, "Object does not exist");
        }
        let mut row = row(object);
        let href = format!("{}/__cdn/{}", hub.storage_origin, object.oid);
        row["actions"] = json!({"download": {"href": href, "expires_in": EXPIRES}});
        row
    }

    fn upload_row(&self, object: &Object) -> Value {
        if object.oid.len() != 64 || object.oid.chars().any(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return failed(object, 422, "Invalid oid");
        }
        let mut row = row(object);
        // Stored content needs no actions.
        if self.req.hub.core.large_size(self.repo, &object.oid).is_none() {
            let repo_id = lock(&self.repo.state).id.clone();
            let href = format!("{}/__lfs/verify/{repo_id}/{}", self.req.hub.endpoint, object.oid);
            let verify = json!({"href": href, "expires_in": EXPIRES});
            row["actions"] = json!({"upload": self.upload_action(object, repo_id), "verify": verify});
        }
        row
    }

    fn upload_action(&self, object: &Object, repo_id: String) -> Value {
        let hub = &self.req.hub;
        let (origin, storage) = (&hub.endpoint, &hub.storage_origin);
        match (self.transfer, &hub.core.xet) {
            ("xet", Some(xet)) => {
                let exp = now_ms() / 1000 + hub.policy.get().xet_token_seconds;
                let repo = {
                    let state = lock(&self.repo.state);
                    format!("{}/{}", state.repo_type.plural(), state.full_id())
                };
                json!({
                    "href": format!("{origin}/api/{repo}/xet-write-token/{}", encode_segment(self.rev)),
                    "header": {
                        "X-Xet-Cas-Url": origin,
                        "X-Xet-Access-Token": xet.token("write", exp, &repo_id),
                        "X-Xet-Token-Expiration": exp.to_string(),
                        "X-Xet-Session-Id": crate::util::unique_hex(26),
                    },
                    "expires_in": EXPIRES,
                })
            }
            ("multipart", _) if object.size > 0 => {
                let chunk = hub.config.multipart_chunk.max(1);
                let id = hub.core.lfs.start_multipart(Multipart {
                    repo_id,
                    oid: object.oid.clone(),
                    size: object.size,
                    chunk,
                    parts: BTreeMap::new(),
                });
                let mut header = json!({"chunk_size": chunk.to_string()});
                for part in 1..=object.size.div_ceil(chunk) {
                    let href = format!("{storage}/__lfs/part/{id}/{part}");
                    header[format!("{part:05}")] = json!(href);
                }
                let href = format!("{origin}/__lfs/complete/{id}");
                json!({"href": href, "header": header, "expires_in": EXPIRES})
            }
            _ => {
                let href = format!("{storage}/__lfs/file/{repo_id}/{}/{}", object.oid, object.size);
                json!({"href": href, "expires_in": EXPIRES})
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartName {
    part_number: u64,
    etag: String,
}

#[derive(Deserialize)]
struct CompleteBody {
    oid: String,
    parts: Vec<PartName>,
}

/// Upload URLs (`/__lfs/…`) and the download host (`/__cdn/…`).
pub(crate) async fn route(req: Req, rest: &[&str]) -> Answer {
    let method = req.method.as_str().to_owned();
    let storage = req.segs.first().is_some_and(|s| s == "__cdn");
    match (method.as_str(), rest) {
        ("GET" | "HEAD", [oid]) if storage => download(&req, oid).await,
        ("PUT", ["file", repo_id, oid, size]) => {
            let repo = req.hub.core.repos.by_id(repo_id).ok_or_else(not_found)?;
            let size = size.parse().map_err(|_| HubError::bad_request("size"))?;
            let body = req.take_stream();
            req.hub.core.lfs.put(oid, size, body).await?;
            repo.large.add(oid)?;
            let mut response = raw(200, "text/plain", vec![]);
            set(&mut response, "etag", &format!("\"{}\"", &oid.get(..32).unwrap_or_default()));
            Ok(response)
        }
        ("PUT", ["part", id, number]) => {
            let number = number.parse().map_err(|_| HubError::bad_request("part number"))?;
            let body = req.take_stream();
            let etag = req.hub.core.lfs.put_part(id, number, body).await?;
            let mut response = raw(200, "text/plain", vec![]);
            set(&mut response, "etag", &etag);
            Ok(response)
        }
        ("POST", ["complete", id]) => {
            let body: CompleteBody = req.json()?;
            let named: BTreeMap<u64, String> =
                body.parts.into_iter().map(|p| (p.part_number, p.etag)).collect();
            let repo_id = req.hub.core.lfs.complete(id, &body.oid, &named).await?;
            let repo = req.hub.core.repos.by_id(&repo_id).ok_or_else(not_found)?;
            repo.large.add(&body.oid)?;
            Ok(json_ok(&json!({"success": true})))
        }
        ("POST", ["verify", repo_id, oid]) => {
            let repo = req.hub.core.repos.by_id(repo_id).ok_or_else(not_found)?;
            let body: Object = req.json()?;
            if body.oid != *oid || req.hub.core.large_size(&repo, oid) != Some(body.size) {
                return Err(HubError::new(404, "Object does not exist"));
            }
            Ok(json_ok(&json!({"success": true})))
        }
        _ => Err(not_found()),
    }
}

async fn download(req: &Req, oid: &str) -> Answer {
    let data = req.hub.core.large_content(oid).await.map_err(|_| HubError::new(404, "NoSuchKey"))?;
    let mut response = ranged(data.to_vec(), req.header("range"), "application/octet-stream");
    set(&mut response, "etag", &format!("\"{oid}\""));
    set(&mut response, "accept-ranges", "bytes");
    Ok(response)
}
