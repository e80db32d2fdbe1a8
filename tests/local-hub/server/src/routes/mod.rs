//! The table of paths and their functions.

mod accounts;
mod buckets;
mod core;
mod jobs;
pub(crate) mod local;
mod spaces;

use axum::http::Method;

use crate::core::repo_type::RepoType;
use crate::faults::response::drain;
use crate::http::answer::{Answer, not_found};
use crate::http::request::Req;
use crate::routes::core::{
    commit, compare, create, discussions, duplicate, gated, info, lfs_files, moved, refs, repos, resolve,
    transfer, tree, upload,
};
use crate::viewer::{self, PREFIX};

/// Returns true if the route reads its body as a stream.
pub(crate) fn is_streamed(method: &Method, path: &str) -> bool {
    (*method == Method::POST && path.starts_with("/api/") && path.split('/').nth(5) == Some("commit"))
        || (*method == Method::PUT && path.starts_with("/__lfs/"))
        || is_batch(method, path)
}

/// Returns true for the batch call of a bucket, whose body has one operation per line.
pub(crate) fn is_batch(method: &Method, path: &str) -> bool {
    *method == Method::POST && path.starts_with("/api/buckets/") && path.split('/').nth(5) == Some("batch")
}

/// Finds the route and runs it.
pub(crate) async fn route(req: Req) -> Answer {
    if let Some(elsewhere) = moved::redirect(&req) {
        drain(req.take_stream()).await;
        return Ok(elsewhere);
    }
    let owned = req.segs.clone();
    let segs: Vec<&str> = owned.iter().map(String::as_str).collect();
    let method = req.method.as_str().to_owned();
    match (method.as_str(), &segs[..]) {
        ("GET", ["api", "whoami-v2"]) => accounts::whoami(&req),
        ("GET", ["api", "settings", "billing", "usage"]) => accounts::billing::bill(&req),
        ("GET", ["api", "settings", "billing", "usage-by-inference-session"]) => {
            accounts::billing::inference(&req)
        }
        ("POST", ["api", "validate-yaml"]) => accounts::validate_yaml(&req),
        ("POST", ["oauth", "token"]) => accounts::exchange(&req),
        ("GET", ["api", "agent-harnesses"]) => Err(not_found()),
        ("POST", ["api", "repos", "create"]) => create::create(&req),
        ("DELETE", ["api", "repos", "delete"]) => repos::delete(&req),
        ("POST", ["api", "repos", "move"]) => repos::rename(&req),
        (_, ["api", "jobs", rest @ ..]) => jobs::route(&req, rest),
        ("GET", ["api", "spaces", "hardware"]) => spaces::prices::list(),
        (_, ["api", "buckets", rest @ ..]) => buckets::route(req, rest).await,
        ("GET" | "HEAD", ["buckets", ns, name, "resolve", path @ ..]) if !path.is_empty() => {
            buckets::resolve(&req, &format!("{ns}/{name}"), &path.join("/"))
        }
        ("GET" | "HEAD", ["__cdn", "xet", hash, size]) => buckets::download(&req, hash, size).await,
        ("GET", ["api", "spaces", "zero-gpu", "quota"]) => accounts::billing::zero_gpu_quota(&req),
        ("GET", ["api", "settings", "billing", "usage", "jobs"]) => accounts::billing::jobs(&req),
        ("GET", ["api", "settings", "billing", "usage-v2"]) => accounts::billing::usage(&req, None),
        ("GET", ["api", "organizations", org, "billing", "usage-v2"]) => {
            accounts::billing::usage(&req, Some(org))
        }
        ("GET", [PREFIX, rest @ ..]) => viewer::route(&req, rest).await,
        ("GET" | "HEAD" | "PUT" | "POST", ["__lfs" | "__cdn", ..]) => transfer::route(req, &segs[1..]).await,
        ("GET", ["api", "settings", "repositories"]) => info::of_namespace(&req, None),
        ("GET", ["api", "organizations", org, "settings", "repositories"]) => {
            info::of_namespace(&req, Some(org))
        }
        ("GET", ["api", types]) => match RepoType::from_plural(types) {
            Some(repo_type) => info::list(&req, repo_type),
            None => Err(not_found()),
        },
        ("GET" | "HEAD", ["api", "resolve-cache", types, ns, name, commit, path @ ..]) => {
            let t = RepoType::from_plural(types).ok_or_else(not_found)?;
            resolve::cached(&req, t, &format!("{ns}/{name}"), commit, &path.join("/"))
        }
        (_, ["api", types, id]) if RepoType::from_plural(types).is_some() => no_namespace(&req, types, id),
        (_, ["api", types, id, part, ..]) if is_part_of_repo(&req, types, id, part) => {
            no_namespace(&req, types, id)
        }
        (_, ["api", types, ns, name, rest @ ..]) => match RepoType::from_plural(types) {
            Some(repo_type) => repo_route(req, repo_type, &format!("{ns}/{name}"), rest).await,
            None => Err(not_found()),
        },
        _ => page_route(req, &segs).await,
    }
}

/// Distinguishes a repository without a namespace, which the real Hub has, from `namespace/part`.
fn is_part_of_repo(req: &Req, types: &str, id: &str, part: &str) -> bool {
    const PARTS: [&str; 18] = [
        "auth-check",
        "branch",
        "commit",
        "commits",
        "compare",
        "discussions",
        "lfs-files",
        "like",
        "paths-info",
        "preupload",
        "refs",
        "revision",
        "runtime",
        "settings",
        "super-squash",
        "tag",
        "tree",
        "treesize",
    ];
    RepoType::from_plural(types).is_some_and(|t| {
        PARTS.contains(&part) && req.hub.core.repos.named(t, &format!("{id}/{part}")).is_none()
    })
}

/// Returns the refusal of a missing repository.
fn no_namespace(req: &Req, types: &str, id: &str) -> Answer {
    let t = RepoType::from_plural(types).ok_or_else(not_found)?;
    Err(req.repo(t, id).err().unwrap_or_else(not_found))
}

/// Paths under `/api/{types}/{namespace}/{repo}`.
async fn repo_route(req: Req, t: RepoType, id: &str, rest: &[&str]) -> Answer {
    let method = req.method.as_str().to_owned();
    match (method.as_str(), rest) {
        ("GET", []) => info::info(&req, t, id, None),
        ("GET", ["revision", rev]) => info::info(&req, t, id, Some(rev)),
        ("GET", ["auth-check"]) => info::auth_check(&req, t, id, false),
        ("GET", ["auth-check", "write"]) => info::auth_check(&req, t, id, true),
        ("PUT", ["settings"]) => repos::settings(&req, t, id),
        ("POST", ["settings", "trusted-publishers"]) => repos::add_publisher(&req, t, id),
        ("POST", ["preupload", rev]) => upload::preupload(&req, t, id, rev),
        ("POST", ["commit", rev]) => commit::commit(req, t, id, rev).await,
        ("GET", ["xet-write-token", rev]) => upload::xet_token(&req, t, id, rev, true),
        ("GET", ["xet-read-token", rev]) => upload::xet_token(&req, t, id, rev, false),
        ("GET", ["tree", rev]) => tree::tree(&req, t, id, rev, ""),
        ("GET", ["tree", rev, path @ ..]) => tree::tree(&req, t, id, rev, &path.join("/")),
        ("GET", ["treesize", rev, path @ ..]) => tree::tree_size(&req, t, id, rev, &path.join("/")),
        ("POST", ["paths-info", rev]) => tree::paths_info(&req, t, id, rev),
        ("GET", ["refs"]) => refs::refs(&req, t, id),
        ("GET", ["commits", rev]) => refs::commits(&req, t, id, rev),
        ("GET", ["compare", spec]) => compare::compare(&req, t, id, spec),
        ("POST", ["branch", name]) => refs::create_branch(&req, t, id, name),
        ("DELETE", ["branch", name]) => refs::delete_branch(&req, t, id, name),
        ("POST", ["tag", rev]) => refs::create_tag(&req, t, id, rev),
        ("DELETE", ["tag", name]) => refs::delete_tag(&req, t, id, name),
        ("POST", ["super-squash", rev]) => refs::super_squash(&req, t, id, rev),
        ("POST", ["user-access-request", call @ ("grant" | "handle")]) => {
            gated::answer_request(&req, t, id, call)
        }
        ("POST", ["duplicate"]) => duplicate::duplicate(&req, t, id),
        (_, ["lfs-files", more @ ..]) => lfs_files::route(req, t, id, more).await,
        (_, ["discussions", more @ ..]) => discussions::route(req, t, id, more).await,
        _ if t == RepoType::Space => spaces::route(req, id, rest).await,
        _ => Err(not_found()),
    }
}

/// Paths outside `/api`: downloads and git LFS.
async fn page_route(req: Req, segs: &[&str]) -> Answer {
    let (t, rest) = match segs {
        ["spaces", rest @ ..] => (RepoType::Space, rest),
        ["datasets", rest @ ..] => (RepoType::Dataset, rest),
        rest => (RepoType::Model, rest),
    };
    let method = req.method.as_str().to_owned();
    match (method.as_str(), rest) {
        ("GET" | "HEAD", [ns, name, "resolve", rev, path @ ..]) if !path.is_empty() => {
            resolve::resolve(&req, t, &format!("{ns}/{name}"), rev, &path.join("/"))
        }
        ("GET" | "HEAD", [ns, name, "raw", rev, path @ ..]) if !path.is_empty() => {
            resolve::raw_blob(&req, t, &format!("{ns}/{name}"), rev, &path.join("/"))
        }
        ("GET" | "HEAD", [id, "resolve" | "raw", _, path @ ..]) if !path.is_empty() => {
            Err(req.repo(t, id).err().unwrap_or_else(not_found))
        }
        ("POST", [ns, repo, "info", "lfs", "objects", "batch"]) if repo.ends_with(".git") => {
            transfer::batch(&req, t, &format!("{ns}/{}", repo.trim_end_matches(".git")))
        }
        _ => Err(not_found()),
    }
}
