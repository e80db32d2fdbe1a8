//! `POST /api/{types}/{id}/commit/{rev}`: NDJSON read line by line.

use axum::body::Body;
use base64::Engine as _;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::config::Moves;
use crate::contract::LineKind;
use crate::core::commit::{CommitTarget, Op, Plan};
use crate::core::objects::Kind;
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok};
use crate::http::request::Req;
use crate::policy::CommitAnswer;
use crate::util::lock;

/// Maximum size of an inline file, in bytes.
const INLINE_MAX: usize = 10 * 1024 * 1024;
/// Maximum length of a line, in bytes.
const LINE_MAX: usize = 64 * 1024 * 1024;

/// Reads the payload, then applies it under the repository's writer lock.
pub(crate) async fn commit(req: Req, t: RepoType, id: &str, rev: &str) -> Answer {
    let repo = req.repo(t, id)?;
    let create_pr = req.flag("create_pr");
    req.caller.check_write(&repo, create_pr)?;
    if repo.resolve(rev).is_none() {
        return Err(HubError::revision_not_found(rev));
    }
    let body = req.take_stream();
    let kind = req
        .header("content-type")
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned();
    let plan = match kind.as_str() {
        "application/x-ndjson" => read_lines(&req, &repo, body).await?,
        "application/json" => read_document(&req, &repo, body).await?,
        other => {
            req.entry.violation(format!("commit with content type {other:?}"));
            return Err(HubError::bad_request("Content-Type must be application/x-ndjson"));
        }
    };
    let done = {
        let _writer = repo.writer.lock().await;
        let (author, keeps_modes) = (req.caller.name(), req.hub.policy.get().commits_keep_modes);
        req.hub.commit(&repo, plan, &CommitTarget { rev, author, create_pr, keeps_modes })?
    };
    let full_id = lock(&repo.state).full_id();
    let url = req.hub.repo_url(t, &full_id);
    let mut out = json!({
        "success": true,
        "commitOid": done.oid.to_string(),
        "commitUrl": format!("{url}/commit/{}", done.oid),
        "hookOutput": "",
    });
    if let Some(number) = done.pull_request {
        out["pullRequestUrl"] = json!(format!("{url}/discussions/{number}"));
    }
    let answer = req.hub.policy.get().commit_answer;
    match (answer, out.as_object_mut()) {
        (CommitAnswer::RelativeUrls, Some(out)) => {
            for name in ["commitUrl", "pullRequestUrl"] {
                let path =
                    out.get(name).and_then(|url| url.as_str()?.strip_prefix(req.hub.endpoint.as_str()));
                if let Some(path) = path.map(ToOwned::to_owned) {
                    out.insert(name.to_owned(), json!(path));
                }
            }
        }
        (CommitAnswer::Nameless, Some(out)) => out.retain(|name, _| !name.starts_with("commit")),
        _ => {}
    }
    Ok(json_ok(&out))
}

/// A commit that is read line by line.
struct Lines<'a> {
    req: &'a Req,
    repo: &'a Repo,
    /// The plan so far; `None` before the header.
    plan: Option<Plan>,
}

async fn read_lines(req: &Req, repo: &Repo, body: Body) -> Result<Plan, HubError> {
    let mut lines = Lines { req, repo, plan: None };
    let mut pending: Vec<u8> = Vec::new();
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| HubError::bad_request(format!("The body broke off: {e}")))?;
        let mut rest = &chunk[..];
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            pending.extend_from_slice(&rest[..end]);
            lines.take(&pending)?;
            pending.clear();
            rest = &rest[end + 1..];
        }
        pending.extend_from_slice(rest);
        if pending.len() > LINE_MAX {
            return Err(HubError::new(413, "Payload Too Large"));
        }
    }
    lines.take(&pending)?;
    lines.plan.ok_or_else(no_header)
}

fn no_header() -> HubError {
    HubError::bad_request("The first line must be the header")
}

impl Lines<'_> {
    fn take(&mut self, line: &[u8]) -> Result<(), HubError> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let value: Value = serde_json::from_slice(line)
            .map_err(|e| HubError::bad_request(format!("Invalid line in commit: {e}")))?;
        let breaches = self.req.hub.contract.line(LineKind::Commit, &value);
        breaches.into_iter().for_each(|text| self.req.entry.violation(text));
        let (key, item) = (value["key"].as_str().unwrap_or_default(), &value["value"]);
        match &mut self.plan {
            None if key == "header" => self.plan = Some(header(item)?),
            None => return Err(no_header()),
            Some(_) if key == "header" => return Err(HubError::bad_request("Only one header is allowed")),
            Some(plan) => plan.ops.extend(operation(self.req, self.repo, key, item)?),
        }
        Ok(())
    }
}

fn header(item: &Value) -> Result<Plan, HubError> {
    let summary = item["summary"].as_str().unwrap_or_default().trim();
    if summary.is_empty() {
        return Err(HubError::bad_request("\"summary\" is required"));
    }
    let parent = item["parentCommit"].as_str().map(ToOwned::to_owned);
    if parent.as_ref().is_some_and(|p| p.len() > 40 || p.chars().any(|c| !c.is_ascii_hexdigit())) {
        return Err(HubError::bad_request("\"parentCommit\" must be a commit id"));
    }
    let description = item["description"].as_str().unwrap_or_default().to_owned();
    Ok(Plan { summary: summary.to_owned(), description, parent, ops: vec![] })
}

fn operation(req: &Req, repo: &Repo, key: &str, item: &Value) -> Result<Vec<Op>, HubError> {
    let text = |name: &str| item[name].as_str().map(ToOwned::to_owned);
    let path = text("path").ok_or_else(|| HubError::bad_request("\"path\" is required"))?;
    let moves = req.hub.config.moves;
    let remove = moves == Moves::Made;
    let moved = text("oldPath").filter(|_| moves != Moves::Unread).map(|from| Op::Copy {
        path: path.clone(),
        from,
        rev: None,
        remove,
    });
    match key {
        "file" => {
            let unread = moves == Moves::Unread && item["oldPath"].is_string();
            let Some(content) = text("content").or(unread.then(String::new)) else {
                return moved
                    .map(|op| vec![op])
                    .ok_or_else(|| HubError::bad_request("\"content\" is required"));
            };
            let bytes = match item["encoding"].as_str().unwrap_or("utf-8") {
                "base64" => base64::engine::general_purpose::STANDARD
                    .decode(content.as_bytes())
                    .map_err(|_| HubError::bad_request(format!("Invalid base64 content for \"{path}\"")))?,
                "utf-8" => content.into_bytes(),
                other => return Err(HubError::bad_request(format!("Invalid encoding: {other}"))),
            };
            if bytes.len() > INLINE_MAX {
                return Err(HubError::new(413, format!("\"{path}\" is too large to be sent in a commit")));
            }
            let oid = repo.objects.put(Kind::Blob, &bytes)?;
            Ok(moved.into_iter().chain([Op::File { path, oid }]).collect())
        }
        "lfsFile" => {
            let Some(oid) = text("oid") else {
                return moved.map(|op| vec![op]).ok_or_else(|| HubError::bad_request("\"oid\" is required"));
            };
            if oid.len() != 64 || oid.chars().any(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
                return Err(HubError::bad_request(format!("Invalid oid for \"{path}\"")));
            }
            if item["algo"].as_str().is_some_and(|a| a != "sha256") {
                return Err(HubError::bad_request("Only sha256 is supported"));
            }
            Ok(moved
                .into_iter()
                .chain([Op::Lfs { path, sha256: oid, size: item["size"].as_u64() }])
                .collect())
        }
        "deletedFolder" => Ok(vec![Op::DeleteFolder { path }]),
        // A folder is removed by `deletedFile` too.
        "deletedFile" | "deletedEntry" => Ok(vec![Op::DeleteEntry { path }]),
        "copyFile" => {
            let from = text("srcPath").ok_or_else(|| HubError::bad_request("\"srcPath\" is required"))?;
            Ok(vec![Op::Copy { path, from, rev: text("srcRevision"), remove: false }])
        }
        other => Err(HubError::bad_request(format!("Invalid key in commit: {other}"))),
    }
}

/// Reads the older form: one JSON document.
async fn read_document(req: &Req, repo: &Repo, body: Body) -> Result<Plan, HubError> {
    let bytes =
        axum::body::to_bytes(body, 1 << 30).await.map_err(|e| HubError::bad_request(e.to_string()))?;
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|e| HubError::bad_request(format!("Invalid request body: {e}")))?;
    let mut plan = header(&value)?;
    for (list, key) in [("deletedEntries", "deletedEntry"), ("files", "file"), ("lfsFiles", "lfsFile")] {
        for item in value[list].as_array().into_iter().flatten() {
            let line = json!({"key": key, "value": item});
            req.hub
                .contract
                .line(LineKind::Commit, &line)
                .into_iter()
                .for_each(|text| req.entry.violation(text));
            plan.ops.extend(operation(req, repo, key, item)?);
        }
    }
    Ok(plan)
}
