//! `GET /api/{types}/{id}/compare/{a}..{b}`: the files that differ, one line each.

use crate::answer::{Answer, HubError, text_ok};
use crate::config::RepoType;
use crate::server::Req;

/// A short form of the diff: git's `diff --git` head line per changed file, without hunks.
pub(crate) fn compare(req: &Req, t: RepoType, id: &str, spec: &str) -> Answer {
    let repo = req.hub.repo_for(&req.caller, t, id)?;
    let (from, to) = spec
        .split_once("...")
        .or_else(|| spec.split_once(".."))
        .ok_or_else(|| HubError::bad_request("Compare needs two revisions: a..b"))?;
    let a = repo.resolve(from).ok_or_else(|| HubError::revision_not_found(from))?;
    let b = repo.resolve(to).ok_or_else(|| HubError::revision_not_found(to))?;
    let (a, b) = (repo.snapshot(a)?, repo.snapshot(b)?);
    let mut paths: Vec<&String> = a.files.keys().chain(b.files.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut out = String::new();
    for path in paths {
        let (old, new) = (a.files.get(path), b.files.get(path));
        if old == new {
            continue;
        }
        out.push_str(&format!("diff --git a/{path} b/{path}\n"));
        match (old, new) {
            (None, Some(n)) => out.push_str(&format!("new file mode {:o}\n", n.mode)),
            (Some(o), None) => out.push_str(&format!("deleted file mode {:o}\n", o.mode)),
            _ => {}
        }
    }
    Ok(text_ok(&out))
}
