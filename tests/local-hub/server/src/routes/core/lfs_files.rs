//! The large files of a repository, also those of no commit: listed, deleted, duplicated to another repository.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::core::objects::{Commit, Kind, Oid};
use crate::core::repo::{MAIN, Repo};
use crate::core::repo_type::RepoType;
use crate::core::snapshot::Snapshot;
use crate::http::answer::{Answer, HubError, json_ok, json_status, not_found, ok, set};
use crate::http::request::Req;
use crate::util::{encode_segment, iso, lock};

/// Paths under `/api/{types}/{id}/lfs-files`.
pub(crate) async fn route(req: Req, t: RepoType, id: &str, rest: &[&str]) -> Answer {
    let repo = req.repo(t, id)?;
    let _writer = repo.writer.lock().await;
    let method = req.method.as_str().to_owned();
    match (method.as_str(), rest) {
        ("GET", []) => list(&req, &repo),
        ("POST", ["duplicate"]) => duplicate(&req, &repo),
        ("POST", ["batch"]) => {
            let BatchBody { deletions } = req.json()?;
            delete(&req, &repo, deletions.sha, deletions.rewrite_history)
        }
        ("DELETE", [sha256]) => {
            let rewrite = req.param("rewriteHistory").is_none_or(|value| value != "false" && value != "0");
            delete(&req, &repo, vec![(*sha256).to_owned()], rewrite)
        }
        _ => Err(not_found()),
    }
}

/// Returns the path of each large file on `main`, by SHA-256.
fn names(repo: &Repo) -> Result<BTreeMap<String, String>, HubError> {
    let Some(head) = repo.resolve("main") else { return Ok(BTreeMap::new()) };
    let snapshot = repo.snapshot(head)?;
    let named = snapshot
        .files
        .iter()
        .filter_map(|(path, entry)| Some((repo.objects.blob_info(entry.oid)?.pointer?.sha256, path.clone())));
    Ok(named.collect())
}

/// `GET …?limit=&cursor=`, in the order of the SHA-256.
fn list(req: &Req, repo: &Repo) -> Answer {
    req.caller.check_write(repo, false)?;
    let names = names(repo)?;
    let (all, pushed, id, t) = {
        let state = lock(&repo.state);
        (repo.large.all(), iso(state.modified_ms), state.full_id(), state.repo_type)
    };
    let limit = req.param("limit").and_then(|l| l.parse::<usize>().ok()).unwrap_or(1000).clamp(1, 1000);
    let start =
        req.param("cursor").map_or(0, |cursor| all.partition_point(|sha256| sha256.as_str() <= cursor));
    let page: Vec<&String> = all.iter().skip(start).take(limit).collect();
    let rows = page.iter().map(|sha256| {
        let size = req.hub.core.stored_size(sha256).unwrap_or(0);
        let mut row = json!({"fileOid": sha256, "oid": sha256, "size": size, "pushedAt": pushed});
        if let Some(name) = names.get(*sha256) {
            (row["filename"], row["ref"]) = (json!(name), json!("refs/heads/main"));
        }
        if let Some(file) = req.hub.core.xet.as_ref().and_then(|xet| xet.find(sha256)) {
            row["xetHash"] = json!(file.hash);
        }
        row
    });
    let mut response = json_ok(&Value::Array(rows.collect()));
    if let Some(last) = page.last().filter(|_| start + limit < all.len()) {
        let link = format!(
            "<{}/api/{}/{id}/lfs-files?limit={limit}&cursor={}>; rel=\"next\"",
            req.hub.endpoint,
            t.plural(),
            encode_segment(last)
        );
        set(&mut response, "link", &link);
    }
    Ok(response)
}

#[derive(Deserialize)]
struct BatchBody {
    deletions: Deletions,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Deletions {
    sha: Vec<String>,
    #[serde(default = "yes")]
    rewrite_history: bool,
}

fn yes() -> bool {
    true
}

/// `DELETE …/{sha}` and `POST …/batch`: removes the files, with `rewrite` from every commit too.
fn delete(req: &Req, repo: &Arc<Repo>, sha256: Vec<String>, rewrite: bool) -> Answer {
    req.caller.check_write(repo, false)?;
    let gone: BTreeSet<String> = sha256.into_iter().collect();
    for sha256 in &gone {
        repo.large.remove(sha256)?;
    }
    if rewrite {
        let refs = lock(&repo.state).refs.clone();
        let mut moved = BTreeMap::new();
        for (name, head) in refs {
            let new = without(repo, head, &gone)?;
            if new != head {
                moved.insert(name, new);
            }
        }
        let main = moved.contains_key(MAIN);
        repo.update(|state| state.refs.extend(moved))?;
        if main {
            req.hub.main_moved(repo)?;
        }
    }
    Ok(ok())
}

/// Rewrites a history without some large files, and returns its new head.
fn without(repo: &Repo, head: Oid, gone: &BTreeSet<String>) -> Result<Oid, HubError> {
    let mut parents = Vec::new();
    let mut last = head;
    for (oid, commit) in repo.history(head)?.into_iter().rev() {
        let mut files = repo.snapshot(oid)?.files.clone();
        files.retain(|_, entry| {
            let pointer = repo.objects.blob_info(entry.oid).and_then(|info| info.pointer);
            pointer.is_none_or(|pointer| !gone.contains(&pointer.sha256))
        });
        let tree = Snapshot::write(&repo.objects, files)?.root();
        last = repo.objects.put(Kind::Commit, &Commit { tree, parents, ..commit }.encode())?;
        parents = vec![last];
    }
    Ok(last)
}

#[derive(Deserialize)]
struct DuplicateBody {
    target: Target,
    files: Vec<XetName>,
}

#[derive(Deserialize)]
struct Target {
    r#type: String,
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct XetName {
    xet_hash: String,
    sha256: String,
}

/// `POST …/duplicate`: allows commits of these files to the target, without another upload.
fn duplicate(req: &Req, source: &Repo) -> Answer {
    req.caller.check_content(source)?;
    let body: DuplicateBody = req.json()?;
    let t = RepoType::from_singular(&body.target.r#type)
        .ok_or_else(|| HubError::bad_request("Invalid repo type"))?;
    let target = req.repo(t, &body.target.name)?;
    req.caller.check_write(&target, false)?;
    let mut failed = Vec::new();
    for file in &body.files {
        let stored = req.hub.core.xet.as_ref().and_then(|xet| xet.find(&file.sha256));
        if source.large.has(&file.sha256) && stored.is_some_and(|stored| stored.hash == file.xet_hash) {
            target.large.add(&file.sha256)?;
        } else {
            let error = "File not found in the source repository";
            failed.push(json!({"xetHash": file.xet_hash, "sha256": file.sha256, "error": error}));
        }
    }
    let status = if failed.is_empty() { 200 } else { 207 };
    let answer = json!({
        "success": failed.is_empty(),
        "processed": body.files.len(),
        "succeeded": body.files.len() - failed.len(),
        "failed": failed,
    });
    Ok(json_status(status, &answer))
}
