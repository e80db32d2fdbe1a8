//! Routes of branches, tags and history.

use serde_json::{Value, json};

use crate::core::repo::{MAIN, NewCommit};
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok, ok, set};
use crate::http::request::Req;
use crate::util::{encode_segment, iso, lock};

/// `GET /api/{types}/{id}/refs`.
pub(crate) fn refs(req: &Req, t: RepoType, id: &str) -> Answer {
    let repo = req.repo(t, id)?;
    let state = lock(&repo.state);
    let list = |prefix: &str| -> Vec<Value> {
        state
            .refs
            .iter()
            .filter_map(|(name, oid)| {
                let short = name.strip_prefix(prefix)?;
                Some(json!({"name": short, "ref": name, "targetCommit": oid.to_string()}))
            })
            .collect()
    };
    let mut out = json!({
        "branches": list("refs/heads/"),
        "tags": list("refs/tags/"),
        "converts": list("refs/convert/"),
    });
    if req.flag("include_prs") {
        out["pullRequests"] = json!(list("refs/pr/"));
    }
    Ok(json_ok(&out))
}

/// `GET /api/{types}/{id}/commits/{rev}?p=&limit=`.
pub(crate) fn commits(req: &Req, t: RepoType, id: &str, rev: &str) -> Answer {
    let repo = req.repo(t, id)?;
    let head = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
    let limit = req.param("limit").and_then(|l| l.parse::<usize>().ok()).unwrap_or(50).clamp(1, 1000);
    let page = req.param("p").and_then(|l| l.parse::<usize>().ok()).unwrap_or(0);
    let history = repo.history(head)?;
    let formatted = req.params("expand").contains(&"formatted");
    let rows: Vec<Value> = history
        .iter()
        .skip(page * limit)
        .take(limit)
        .map(|(oid, commit)| {
            let mut row = json!({
                "id": oid.to_string(),
                "title": commit.title(),
                "message": commit.body(),
                "authors": [{"user": commit.author}],
                "date": iso(commit.time * 1000),
            });
            if formatted {
                row["formatted"] = json!({"title": commit.title(), "message": commit.body()});
            }
            row
        })
        .collect();
    let mut response = json_ok(&Value::Array(rows));
    set(&mut response, "x-total-count", &history.len().to_string());
    if (page + 1) * limit < history.len() {
        let expand = if formatted { "&expand=formatted" } else { "" };
        let link = format!(
            "<{}/api/{}/{id}/commits/{}?p={}&limit={limit}{expand}>; rel=\"next\"",
            req.hub.endpoint,
            t.plural(),
            encode_segment(rev),
            page + 1
        );
        set(&mut response, "link", &link);
    }
    Ok(response)
}

fn check_name(name: &str) -> Result<(), HubError> {
    let bad = name.is_empty()
        || name.starts_with(['/', '-'])
        || name.ends_with(['/', '.'])
        || name.ends_with(".lock")
        || name.contains("..")
        || name.contains("//")
        || name.contains("@{")
        || name.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c));
    if bad { Err(HubError::bad_request(format!("Invalid ref name: {name}"))) } else { Ok(()) }
}

/// `POST /api/{types}/{id}/branch/{name}`.
pub(crate) fn create_branch(req: &Req, t: RepoType, id: &str, name: &str) -> Answer {
    let repo = req.writable_repo(t, id)?;
    check_name(name)?;
    let body: Value = req.json()?;
    let full = if name.starts_with("refs/") { name.to_owned() } else { format!("refs/heads/{name}") };
    if lock(&repo.state).refs.contains_key(&full) && body["overwrite"] != json!(true) {
        return Err(HubError::new(409, format!("Reference {full} already exists")));
    }
    let target = if body["emptyBranch"] == json!(true) {
        let new = NewCommit {
            author: req.caller.name().to_owned(),
            summary: "initial commit".into(),
            description: String::new(),
        };
        repo.write_commit(std::collections::BTreeMap::new(), vec![], &new)?
    } else {
        let start = body["startingPoint"].as_str().unwrap_or("main");
        repo.resolve(start).ok_or_else(|| HubError::revision_not_found(start))?
    };
    repo.update(|s| s.refs.insert(full, target))?;
    Ok(ok())
}

/// `DELETE /api/{types}/{id}/branch/{name}`.
pub(crate) fn delete_branch(req: &Req, t: RepoType, id: &str, name: &str) -> Answer {
    let repo = req.writable_repo(t, id)?;
    if name == "main" || name == "refs/heads/main" {
        return Err(HubError::forbidden("Cannot delete refs/heads/main"));
    }
    let full = if name.starts_with("refs/") { name.to_owned() } else { format!("refs/heads/{name}") };
    match repo.update(|s| s.refs.remove(&full))? {
        Some(_) => Ok(ok()),
        None => Err(HubError::revision_not_found(name)),
    }
}

/// `POST /api/{types}/{id}/tag/{rev}`.
pub(crate) fn create_tag(req: &Req, t: RepoType, id: &str, rev: &str) -> Answer {
    let repo = req.writable_repo(t, id)?;
    let target = repo.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
    let body: Value = req.json()?;
    let tag = body["tag"].as_str().ok_or_else(|| HubError::bad_request("\"tag\" is required"))?;
    check_name(tag)?;
    let full = format!("refs/tags/{tag}");
    if lock(&repo.state).refs.contains_key(&full) {
        return Err(HubError::new(409, format!("Tag reference exists already: {full}")));
    }
    repo.update(|s| s.refs.insert(full, target))?;
    Ok(ok())
}

/// `DELETE /api/{types}/{id}/tag/{name}`.
pub(crate) fn delete_tag(req: &Req, t: RepoType, id: &str, name: &str) -> Answer {
    let repo = req.writable_repo(t, id)?;
    let full = format!("refs/tags/{name}");
    match repo.update(|s| s.refs.remove(&full))? {
        Some(_) => Ok(ok()),
        None => Err(HubError::coded(404, "RevisionNotFound", format!("Tag reference {full} does not exist"))),
    }
}

/// `POST /api/{types}/{id}/super-squash/{branch}`: one commit without parents instead of the history.
pub(crate) fn super_squash(req: &Req, t: RepoType, id: &str, rev: &str) -> Answer {
    let repo = req.writable_repo(t, id)?;
    let body: Value = req.json()?;
    let (name, head) = {
        let state = lock(&repo.state);
        let head = state.resolve(rev).ok_or_else(|| HubError::revision_not_found(rev))?;
        let name =
            state.writable_ref(rev).ok_or_else(|| HubError::bad_request(format!("{rev} is not a branch")))?;
        (name, head)
    };
    let new = NewCommit {
        author: req.caller.name().to_owned(),
        summary: body["message"].as_str().unwrap_or("Super-squash branch").to_owned(),
        description: String::new(),
    };
    let oid = repo.write_commit(repo.snapshot(head)?.files.clone(), vec![], &new)?;
    repo.update(|s| s.refs.insert(name.clone(), oid))?;
    if name == MAIN {
        req.hub.main_moved(&repo)?;
    }
    Ok(json_ok(&json!({"commitId": oid.to_string()})))
}
