//! Repository info and listings.

use serde_json::{Map, Value, json};

use crate::accounts::caller::{Caller, NO_CREDENTIALS};
use crate::core::card;
use crate::core::objects::Oid;
use crate::core::planted;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, empty, json_ok, set};
use crate::http::request::Req;
use crate::routes::core::expand;
use crate::util::{encode_segment, iso, lock, sha256_hex};

/// Returns all fields of `GET /api/{types}/{id}`. `siblings` and the commit belong to one revision.
fn full(req: &Req, repo: &Repo, head: Oid, blobs: bool) -> Result<Map<String, Value>, HubError> {
    let snapshot = repo.snapshot(head)?;
    let card_text = repo.text_at(&snapshot, "README.md").unwrap_or_default();
    let card = card::front_matter(&card_text);
    let mut siblings: Vec<Value> = snapshot
        .files
        .iter()
        .map(|(path, entry)| {
            let mut row = json!({"rfilename": path});
            if blobs && let Some(info) = repo.objects.blob_info(entry.oid) {
                row["blobId"] = json!(entry.oid.to_string());
                row["size"] = json!(info.pointer.as_ref().map_or(info.len, |p| p.size));
                if let Some(p) = info.pointer {
                    row["lfs"] = json!({"sha256": p.sha256, "size": p.size, "pointerSize": p.text().len()});
                }
            }
            row
        })
        .collect();
    let state = lock(&repo.state).clone();
    siblings.extend(planted::files(&state).iter().map(|file| file.sibling(blobs)));
    let modified = repo.commit(head)?.time * 1000;
    let used: u64 = snapshot
        .files
        .values()
        .filter_map(|e| repo.objects.blob_info(e.oid))
        .map(|i| i.pointer.map_or(i.len, |p| p.size))
        .sum();
    let tags: Vec<Value> = card["tags"].as_array().cloned().unwrap_or_default();
    let mut out = json!({
        "_id": state.id,
        "id": state.full_id(),
        "author": state.namespace,
        "sha": head.to_string(),
        "private": state.visibility == "private",
        "visibility": state.visibility,
        "disabled": false,
        "gated": state.gated,
        "likes": 0,
        "downloads": 0,
        "downloadsAllTime": 0,
        "gitalyUid": sha256_hex(state.id.as_bytes()),
        "tags": tags,
        "lastModified": iso(modified),
        "createdAt": iso(state.created_ms),
        "siblings": siblings,
        "cardData": card,
        "usedStorage": used,
        "xetEnabled": req.hub.core.xet.is_some(),
        "resourceGroup": null,
        "trendingScore": 0,
    });
    match state.repo_type {
        RepoType::Model => {
            let id = state.full_id();
            out["inferenceProviderMapping"] = json!(req.hub.policy.get().inference_providers.get(&id));
            out["modelId"] = json!(id);
            planted::add_facts(&state, &mut out);
        }
        RepoType::Dataset => {}
        RepoType::Space => add_space(req, repo, &mut out),
    }
    match out {
        Value::Object(map) => Ok(map),
        _ => Ok(Map::new()),
    }
}

/// Adds the fields that only Spaces have.
fn add_space(req: &Req, repo: &Repo, out: &mut Value) {
    let Some(space) = req.hub.spaces.of(repo) else { return };
    space.read(|space| {
        out["sdk"] = json!(space.sdk);
        out["subdomain"] = json!(space.subdomain);
        out["host"] = json!(space.host());
        out["runtime"] = space.runtime();
        out["models"] = json!([]);
        out["datasets"] = json!([]);
    });
}

/// Fields that only `expand` shows.
const HIDDEN: [&str; 8] = [
    "baseModels",
    "visibility",
    "xetEnabled",
    "resourceGroup",
    "trendingScore",
    "downloadsAllTime",
    "gitalyUid",
    "inferenceProviderMapping",
];

fn select(mut map: Map<String, Value>, expand: &[&str]) -> Value {
    if expand.is_empty() {
        map.retain(|k, _| !HIDDEN.contains(&k.as_str()));
    } else {
        map.retain(|k, _| k == "_id" || k == "id" || expand.contains(&k.as_str()));
    }
    Value::Object(map)
}

/// `GET /api/{types}/{id}` and `GET /api/{types}/{id}/revision/{rev}`.
pub(crate) fn info(req: &Req, t: RepoType, id: &str, rev: Option<&str>) -> Answer {
    let repo = req.repo(t, id)?;
    let rev = rev.unwrap_or("main");
    let head = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
    let expand = expand::wanted(req, t)?;
    let map = full(req, &repo, head, req.flag("blobs"))?;
    let mut response = json_ok(&select(map, &expand));
    set(&mut response, "x-repo-commit", &head.to_string());
    Ok(response)
}

/// `GET /api/{types}/{id}/auth-check[/write]`.
pub(crate) fn auth_check(req: &Req, t: RepoType, id: &str, write: bool) -> Answer {
    let repo = req.repo(t, id)?;
    req.caller.check_content(&repo)?;
    if write {
        req.caller.check_write(&repo, false)?;
    }
    empty()
}

/// `GET /api/{types}?author=&search=&limit=&cursor=`: newest first, `Link` to the next page.
pub(crate) fn list(req: &Req, t: RepoType) -> Answer {
    let author = req.param("author").map(str::to_lowercase);
    let search = req.param("search").map(str::to_lowercase);
    let mut repos: Vec<_> = req.hub.core.repos.all(t);
    repos.retain(|repo| {
        let s = lock(&repo.state);
        req.caller.can_read(&s)
            && author.as_ref().is_none_or(|a| s.namespace.to_lowercase() == *a)
            && search.as_ref().is_none_or(|q| s.full_id().to_lowercase().contains(q))
    });
    repos.sort_by_key(|repo| {
        let s = lock(&repo.state);
        (std::cmp::Reverse(s.created_ms), s.full_id())
    });
    let limit = req.param("limit").and_then(|l| l.parse::<usize>().ok()).unwrap_or(1000).clamp(1, 1000);
    let start = req.param("cursor").and_then(|c| c.parse::<usize>().ok()).unwrap_or(0);
    let expand = expand::wanted(req, t)?;
    let mut rows = Vec::new();
    for repo in repos.iter().skip(start).take(limit) {
        let Some(head) = repo.resolve("main") else { continue };
        let mut row = full(req, repo, head, false)?;
        if expand.is_empty() && !req.flag("full") {
            row.retain(|k, _| {
                !["siblings", "cardData", "usedStorage", "host", "runtime"].contains(&k.as_str())
            });
        }
        rows.push(select(row, &expand));
    }
    let mut response = json_ok(&Value::Array(rows));
    if start + limit < repos.len() {
        let mut query: Vec<String> = req
            .query
            .iter()
            .filter(|(k, _)| k != "cursor")
            .map(|(k, v)| format!("{}={}", encode_segment(k), encode_segment(v)))
            .collect();
        query.push(format!("cursor={}", start + limit));
        let link = format!("<{}/api/{}?{}>; rel=\"next\"", req.hub.endpoint, t.plural(), query.join("&"));
        set(&mut response, "link", &link);
    }
    Ok(response)
}

/// `GET /api/settings/repositories` and `GET /api/organizations/{name}/settings/repositories`: the repositories of a
/// namespace, for its members. This is the documented call for the visibility of a repository.
pub(crate) fn of_namespace(req: &Req, org: Option<&str>) -> Answer {
    let Caller::User(user) = &req.caller else { return Err(HubError::unauthorized(NO_CREDENTIALS)) };
    let namespace = match org {
        None => user.name.as_str(),
        Some(name) => &user.org(name).ok_or_else(|| HubError::new(404, "Organization not found"))?.name,
    };
    let search = req.param("search").unwrap_or_default().to_lowercase();
    let limit = req.param("limit").and_then(|l| l.parse().ok()).unwrap_or(usize::MAX);
    let types =
        RepoType::ALL.into_iter().filter(|t| req.param("type").is_none_or(|asked| asked == t.singular()));
    let rows = types.flat_map(|t| req.hub.core.repos.all(t)).filter_map(|repo| {
        let state = lock(&repo.state);
        let fits = state.namespace == namespace
            && state.full_id().to_lowercase().contains(&search)
            && req.caller.can_read(&state);
        fits.then(|| {
            json!({
                "id": state.full_id(), "type": state.repo_type.singular(), "updatedAt": iso(state.modified_ms),
                "visibility": state.visibility, "storage": 0, "storagePercent": 0,
            })
        })
    });
    Ok(json_ok(&Value::Array(rows.take(limit).collect())))
}
