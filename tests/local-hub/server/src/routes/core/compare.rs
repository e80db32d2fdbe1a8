//! `GET /api/{types}/{id}/compare/{a}..{b}`: the files that differ, one line each.

use crate::core::objects::{Kind, Oid};
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::core::snapshot::{FileEntry, Snapshot};
use crate::http::answer::{Answer, HubError, text_ok};
use crate::http::request::Req;

/// Id of the empty tree, which git accepts as a revision.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// Returns the lines of `git diff --raw` if `raw` is set. Otherwise git's `diff --git` head line per changed file,
/// without hunks.
pub(crate) fn compare(req: &Req, t: RepoType, id: &str, spec: &str) -> Answer {
    let repo = req.repo(t, id)?;
    let (from, to) = spec
        .split_once("...")
        .or_else(|| spec.split_once(".."))
        .ok_or_else(|| HubError::bad_request("Compare needs two revisions: a..b"))?;
    let (a, b) = (files(&repo, from)?, files(&repo, to)?);
    let mut paths: Vec<&String> = a.files.keys().chain(b.files.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut out = String::new();
    for path in paths {
        let (old, new) = (a.files.get(path), b.files.get(path));
        if old != new {
            let line =
                if req.flag("raw") { raw_line(&repo, path, old, new)? } else { head_line(path, old, new) };
            out.push_str(&line);
        }
    }
    Ok(text_ok(&out))
}

fn files(repo: &Repo, rev: &str) -> Result<std::sync::Arc<Snapshot>, HubError> {
    if rev == EMPTY_TREE {
        return Ok(std::sync::Arc::new(Snapshot::default()));
    }
    let commit = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
    Ok(repo.snapshot(commit)?)
}

fn head_line(path: &str, old: Option<&FileEntry>, new: Option<&FileEntry>) -> String {
    let mut out = format!("diff --git a/{path} b/{path}\n");
    match (old, new) {
        (None, Some(n)) => out.push_str(&format!("new file mode {:o}\n", n.mode)),
        (Some(o), None) => out.push_str(&format!("deleted file mode {:o}\n", o.mode)),
        _ => {}
    }
    out
}

/// Returns `T` for text or `B` for binary, the new size (0 when the file is gone), modes, abbreviated ids, status and path.
fn raw_line(
    repo: &Repo,
    path: &str,
    old: Option<&FileEntry>,
    new: Option<&FileEntry>,
) -> Result<String, HubError> {
    let blob = |entry: Option<&FileEntry>| entry.map_or(Oid([0; 20]), |e| e.oid).to_string()[..10].to_owned();
    let mode = |entry: Option<&FileEntry>| entry.map_or(0, |e| e.mode);
    let status = match (old, new) {
        (None, _) => 'A',
        (_, None) => 'D',
        _ => 'M',
    };
    let content = match new.or(old) {
        Some(entry) => repo.objects.get(Kind::Blob, entry.oid)?,
        None => vec![],
    };
    let pointer = new.and_then(|e| repo.objects.blob_info(e.oid)).and_then(|info| info.pointer);
    let size = match (new, pointer) {
        (_, Some(pointer)) => pointer.size,
        (Some(_), None) => content.len() as u64,
        (None, None) => 0,
    };
    let kind = if content.contains(&0) { 'B' } else { 'T' };
    Ok(format!(
        "{kind} {size}\t:{:06o} {:06o} {}... {}... {status}\t{path}\n",
        mode(old),
        mode(new),
        blob(old),
        blob(new),
    ))
}
