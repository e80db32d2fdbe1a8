//! Routes of the files of a revision.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::core::content::Core;
use crate::core::objects::Oid;
use crate::core::planted;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::core::snapshot::Row;
use crate::http::answer::{Answer, HubError, json_ok, set};
use crate::http::request::Req;
use crate::util::{encode_segment, iso, lock, parse_query};

fn row_json(core: &Core, repo: &Repo, row: &Row) -> Value {
    match row {
        Row::Dir(path, oid) => json!({"type": "directory", "oid": oid.to_string(), "size": 0, "path": path}),
        Row::File(path, entry) => {
            let info = repo.objects.blob_info(entry.oid);
            let mut out = json!({
                "type": "file",
                "oid": entry.oid.to_string(),
                "size": info.as_ref().map_or(0, |i| i.pointer.as_ref().map_or(i.len, |p| p.size)),
                "path": path,
            });
            if let Some((len, pointer)) = info.and_then(|i| Some((i.len, i.pointer?))) {
                out["lfs"] = json!({"oid": pointer.sha256, "size": pointer.size, "pointerSize": len});
                if let Some(file) = core.xet.as_ref().and_then(|x| x.find(&pointer.sha256)) {
                    out["xetHash"] = json!(file.hash);
                }
            }
            out
        }
    }
}

/// Returns the newest commit that changed each path.
fn last_commits(repo: &Repo, head: Oid, rows: &[Row]) -> Result<HashMap<String, Value>, HubError> {
    let mut open: BTreeMap<String, Oid> = rows
        .iter()
        .map(|row| match row {
            Row::Dir(p, oid) => (p.clone(), *oid),
            Row::File(p, e) => (p.clone(), e.oid),
        })
        .collect();
    let mut out = HashMap::new();
    let history = repo.history(head)?;
    for (index, (oid, commit)) in history.iter().enumerate() {
        if open.is_empty() {
            break;
        }
        let parent = history.get(index + 1).map(|(p, _)| repo.snapshot(*p)).transpose()?;
        open.retain(|path, id| {
            let before = parent
                .as_ref()
                .and_then(|s| s.dirs.get(path).copied().or_else(|| s.files.get(path).map(|e| e.oid)));
            if before == Some(*id) {
                return true;
            }
            let value =
                json!({"id": oid.to_string(), "title": commit.title(), "date": iso(commit.time * 1000)});
            out.insert(path.clone(), value);
            false
        });
    }
    Ok(out)
}

fn add_details(repo: &Repo, head: Oid, rows: &[Row], out: &mut [Value]) -> Result<(), HubError> {
    let commits = last_commits(repo, head, rows)?;
    for (row, value) in rows.iter().zip(out) {
        if let Some(commit) = commits.get(row.path()) {
            value["lastCommit"] = commit.clone();
        }
        if matches!(row, Row::File(..)) {
            let scan = json!({"status": "unscanned"});
            value["securityFileStatus"] =
                json!({"status": "unscanned", "avScan": scan, "pickleImportScan": scan});
        }
    }
    Ok(())
}

/// `GET /api/{types}/{id}/tree/{rev}[/{path}]`.
pub(crate) fn tree(req: &Req, t: RepoType, id: &str, rev: &str, path: &str) -> Answer {
    let repo = req.repo(t, id)?;
    let head = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
    let snapshot = repo.snapshot(head)?;
    let path = path.trim_matches('/');
    if !snapshot.is_dir(path) {
        return Err(HubError::entry_not_found(format!("{path} does not exist on \"{rev}\"")));
    }
    let (recursive, expand) = (req.flag("recursive"), req.flag("expand"));
    let max = if expand { 100 } else { 1000 };
    let usual = if expand { 50 } else { 1000 };
    let limit = match req.param("limit") {
        None => usual,
        Some(text) => match text.parse::<usize>() {
            Ok(n) if (1..=max).contains(&n) => n,
            _ => return Err(HubError::bad_request("Invalid limit for index tree pagination")),
        },
    };
    let rows = snapshot.rows(path, recursive);
    let start = match req.param("cursor") {
        None => 0,
        Some(cursor) => {
            let last = URL_SAFE_NO_PAD
                .decode(cursor)
                .ok()
                .and_then(|b| String::from_utf8(b).ok())
                .ok_or_else(|| HubError::bad_request("Invalid cursor"))?;
            rows.iter().position(|r| r.path() == last).map_or(rows.len(), |i| i + 1)
        }
    };
    let page: Vec<Row> = rows.iter().skip(start).take(limit).cloned().collect();
    let mut out: Vec<Value> = page.iter().map(|row| row_json(&req.hub.core, &repo, row)).collect();
    if expand {
        add_details(&repo, head, &page, &mut out)?;
    }
    if recursive && start + limit >= rows.len() {
        let below = |file: &planted::PlantedFile| {
            path.is_empty() || file.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        };
        out.extend(
            planted::files(&lock(&repo.state))
                .iter()
                .filter(|file| below(file))
                .map(planted::PlantedFile::row),
        );
    }
    let mut response = json_ok(&Value::Array(out));
    set(&mut response, "x-repo-commit", &head.to_string());
    if start + limit < rows.len()
        && let Some(last) = page.last()
    {
        let tail = if path.is_empty() { String::new() } else { format!("/{}", encode_segment(path)) };
        let cursor = URL_SAFE_NO_PAD.encode(last.path());
        let link = format!(
            "<{}/api/{}/{id}/tree/{}{tail}?recursive={recursive}&expand={expand}&limit={limit}&cursor={cursor}>; rel=\"next\"",
            req.hub.endpoint,
            t.plural(),
            encode_segment(rev),
        );
        set(&mut response, "link", &link);
    }
    Ok(response)
}

/// `GET /api/{types}/{id}/treesize/{rev}/{path}`.
pub(crate) fn tree_size(req: &Req, t: RepoType, id: &str, rev: &str, path: &str) -> Answer {
    let repo = req.repo(t, id)?;
    let head = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
    let path = path.trim_matches('/');
    let rows = repo.snapshot(head)?.rows(path, true);
    let size: u64 =
        rows.iter().map(|r| row_json(&req.hub.core, &repo, r)["size"].as_u64().unwrap_or(0)).sum();
    Ok(json_ok(&json!({"path": format!("/{path}"), "size": size})))
}

/// `POST /api/{types}/{id}/paths-info/{rev}`: JSON, or the form the Python client sends. Missing paths are omitted.
pub(crate) fn paths_info(req: &Req, t: RepoType, id: &str, rev: &str) -> Answer {
    let repo = req.repo(t, id)?;
    let head = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
    let (paths, expand) = if req.header("content-type").is_some_and(|c| c.starts_with("application/json")) {
        let body: Value = req.json()?;
        let paths = match &body["paths"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(list) => list.iter().filter_map(|p| p.as_str().map(ToOwned::to_owned)).collect(),
            _ => return Err(HubError::bad_request("\"paths\" is required")),
        };
        (paths, body["expand"] == json!(true))
    } else {
        let pairs = parse_query(&String::from_utf8_lossy(&req.body));
        let expand = pairs.iter().any(|(k, v)| k == "expand" && v.eq_ignore_ascii_case("true"));
        (pairs.into_iter().filter(|(k, _)| k == "paths" || k == "paths[]").map(|(_, v)| v).collect(), expand)
    };
    if paths.len() > 2000 {
        return Err(HubError::new(422, "Too many paths (at most 2000)"));
    }
    let snapshot = repo.snapshot(head)?;
    let rows: Vec<Row> = paths
        .iter()
        .filter_map(|path| {
            let path = path.trim_end_matches('/');
            match snapshot.files.get(path) {
                Some(entry) => Some(Row::File(path.to_owned(), *entry)),
                None if path.is_empty() => None,
                None => snapshot.dirs.get(path).map(|oid| Row::Dir(path.to_owned(), *oid)),
            }
        })
        .collect();
    let mut out: Vec<Value> = rows.iter().map(|row| row_json(&req.hub.core, &repo, row)).collect();
    if expand {
        add_details(&repo, head, &rows, &mut out)?;
    }
    Ok(json_ok(&Value::Array(out)))
}
