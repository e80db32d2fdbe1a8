//! Routes of discussions and pull requests.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::accounts::caller::NO_CREDENTIALS;
use crate::core::discussion::{Discussion, Event, NewDiscussion};
use crate::core::repo::Repo;
use crate::core::repo_type::RepoType;
use crate::http::answer::{Answer, HubError, json_ok, json_status, not_found, ok};
use crate::http::request::Req;
use crate::util::lock;

/// Paths under `/api/{types}/{id}/discussions`.
pub(crate) async fn route(req: Req, t: RepoType, id: &str, rest: &[&str]) -> Answer {
    let repo = req.repo(t, id)?;
    let _writer = repo.writer.lock().await;
    answer(&req, t, &repo, rest)
}

fn answer(req: &Req, t: RepoType, repo: &Arc<Repo>, rest: &[&str]) -> Answer {
    let method = req.method.as_str();
    if method != "GET" && req.caller.is_anonymous() {
        return Err(HubError::unauthorized(NO_CREDENTIALS));
    }
    if lock(&repo.state).settings.get("discussionsDisabled") == Some(&json!(true)) {
        return Err(HubError::forbidden("Discussions are disabled for this repo"));
    }
    let number = rest.first().and_then(|n| n.parse::<u64>().ok());
    if !rest.is_empty() && !number.is_some_and(|n| lock(&repo.state).discussions.contains_key(&n)) {
        return Err(HubError::new(404, "Discussion not found"));
    }
    match (method, number, rest) {
        ("GET", None, []) => list(req, repo),
        ("POST", None, []) => create(req, t, repo),
        ("GET", Some(n), [_]) => get(req, repo, n),
        ("POST", Some(n), [_, "comment"]) => comment(req, repo, n),
        ("POST", Some(n), [_, "comment", id, change @ ("edit" | "hide")]) => {
            change_comment(req, repo, n, &id.to_lowercase(), change)
        }
        ("POST", Some(n), [_, "pin"]) => pin(req, repo, n),
        ("POST", Some(n), [_, "status"]) => status(req, repo, n),
        ("POST", Some(n), [_, "title"]) => title(req, repo, n),
        ("POST", Some(n), [_, "merge"]) => merge(req, repo, n),
        _ => Err(not_found()),
    }
}

fn repo_json(repo: &Repo) -> Value {
    let state = lock(&repo.state);
    json!({"name": state.full_id(), "type": state.repo_type.singular()})
}

fn list(req: &Req, repo: &Repo) -> Answer {
    let name = repo_json(repo);
    let state = lock(&repo.state);
    let rows: Vec<Value> = state
        .discussions
        .values()
        .rev()
        .filter(|d| match req.param("type") {
            Some("discussion") => !d.is_pull_request,
            Some("pull_request") => d.is_pull_request,
            _ => true,
        })
        .filter(|d| match req.param("status") {
            Some("open") => matches!(d.status.as_str(), "open" | "draft"),
            Some("closed") => matches!(d.status.as_str(), "closed" | "merged"),
            _ => true,
        })
        .filter(|d| req.param("author").is_none_or(|a| d.author == a))
        .map(|d| d.row(&name))
        .collect();
    const PAGE: usize = 50;
    let start = req.param("p").and_then(|p| p.parse::<usize>().ok()).unwrap_or(0) * PAGE;
    let count = rows.len();
    let page: Vec<Value> = rows.into_iter().skip(start).take(PAGE).collect();
    Ok(json_ok(&json!({"discussions": page, "count": count, "start": start})))
}

/// Returns the title, of 3 to 200 characters.
fn title_of(body: &Value) -> Result<String, HubError> {
    let title = body["title"].as_str().unwrap_or_default().trim().to_owned();
    if (3..=200).contains(&title.chars().count()) {
        Ok(title)
    } else {
        Err(HubError::bad_request("\"title\" must have between 3 and 200 characters"))
    }
}

/// `POST …/discussions`: a pull request starts as a draft whose ref is at the head of `main`.
fn create(req: &Req, t: RepoType, repo: &Arc<Repo>) -> Answer {
    req.caller.check_write(repo, true)?;
    let body: Value = req.json()?;
    let title = title_of(&body)?;
    let pr = body["pullRequest"] == json!(true);
    let head = repo.resolve("main").ok_or_else(|| HubError::revision_not_found("main"))?;
    let number = repo.update(|s| {
        let number = s.discussions.keys().next_back().copied().unwrap_or(0) + 1;
        let text = body["description"].as_str().unwrap_or_default();
        let state = if pr { "draft" } else { "open" };
        let new = NewDiscussion {
            number,
            title: &title,
            author: req.caller.name(),
            description: text,
            status: state,
            is_pull_request: pr,
        };
        s.discussions.insert(number, Discussion::new(&new));
        if pr {
            s.refs.insert(format!("refs/pr/{number}"), head);
        }
        number
    })?;
    let id = lock(&repo.state).full_id();
    let url = format!("{}/discussions/{number}", req.hub.repo_url(t, &id));
    let mut out = json!({"url": url, "num": number, "pullRequest": pr});
    if pr {
        out["references"] = json!({"base": "refs/heads/main"});
    }
    Ok(json_ok(&out))
}

fn get(req: &Req, repo: &Repo, number: u64) -> Answer {
    let name = repo_json(repo);
    let state = lock(&repo.state);
    let found = state.discussions.get(&number).ok_or_else(not_found)?;
    let url =
        format!("{}/discussions/{number}/files.diff", req.hub.repo_url(state.repo_type, &state.full_id()));
    let head = state.refs.get(&format!("refs/pr/{number}"));
    let mut details = found.details(&name, &url, head.map(ToString::to_string));
    if !req.hub.policy.get().merges_name_their_commit
        && let Some(changes) = details["changes"].as_object_mut()
    {
        changes.remove("mergeCommitId");
    }
    Ok(json_ok(&details))
}

fn push(
    repo: &Repo,
    number: u64,
    event: Event,
    change: impl FnOnce(&mut Discussion),
) -> Result<Value, HubError> {
    let json = event.json();
    repo.update(|s| {
        if let Some(d) = s.discussions.get_mut(&number) {
            change(d);
            d.events.push(event);
        }
    })?;
    Ok(json)
}

fn comment(req: &Req, repo: &Repo, number: u64) -> Answer {
    let body: Value = req.json()?;
    let text = comment_text(&body["comment"], "comment")?;
    let event = push(repo, number, Event::comment(req.caller.name(), &text), |_| {})?;
    Ok(json_status(201, &json!({"newMessage": event})))
}

/// `POST …/comment/{id}/edit` with the new text, and `…/hide`.
fn change_comment(req: &Req, repo: &Repo, number: u64, id: &str, change: &str) -> Answer {
    let found = lock(&repo.state).discussions.get(&number).and_then(|d| d.comment(id).cloned());
    let mut event = found.ok_or_else(|| HubError::new(404, "Comment not found"))?;
    if event.author != req.caller.name() {
        req.caller.check_write(repo, false)?;
    }
    if change == "edit" {
        let body: Value = req.json()?;
        event.edit(req.caller.name(), &comment_text(&body["content"], "content")?);
    } else {
        event.hide(req.caller.name());
    }
    repo.update(|s| {
        let place = s.discussions.get_mut(&number).and_then(|d| d.comment_mut(id));
        if let Some(place) = place {
            place.clone_from(&event);
        }
    })?;
    Ok(json_ok(&json!({"updatedComment": event.json()})))
}

/// Returns a text of 1 to 65,536 characters.
fn comment_text(value: &Value, name: &str) -> Result<String, HubError> {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() || text.chars().count() > 65_536 {
        return Err(HubError::bad_request(format!("\"{name}\" must have between 1 and 65536 characters")));
    }
    Ok(text.to_owned())
}

fn pin(req: &Req, repo: &Repo, number: u64) -> Answer {
    req.caller.check_write(repo, false)?;
    let body: Value = req.json()?;
    let pinned = body["pinned"].as_bool().ok_or_else(|| HubError::bad_request("\"pinned\" is required"))?;
    repo.update(|s| {
        if let Some(d) = s.discussions.get_mut(&number) {
            d.pinned = pinned;
        }
    })?;
    Ok(ok())
}

/// Checks that the caller is the author of the discussion or can write to the repository.
fn check_owner(req: &Req, repo: &Repo, number: u64) -> Result<(), HubError> {
    let author = lock(&repo.state).discussions.get(&number).map(|d| d.author.clone());
    if author.as_deref() == Some(req.caller.name()) {
        return Ok(());
    }
    req.caller.check_write(repo, false)
}

/// `POST …/status`: `open` also turns a draft into an open pull request.
fn status(req: &Req, repo: &Repo, number: u64) -> Answer {
    check_owner(req, repo, number)?;
    let body: Value = req.json()?;
    let Some(new @ ("open" | "closed")) = body["status"].as_str() else {
        return Err(HubError::bad_request("\"status\" must be \"open\" or \"closed\""));
    };
    let old = lock(&repo.state).discussions.get(&number).map(|d| d.status.clone()).unwrap_or_default();
    if old == "merged" && !req.hub.policy.get().merged_can_be_closed {
        return Err(HubError::bad_request("This pull request was merged"));
    }
    let mut data = json!({"status": new});
    if let Some(text) = body["comment"].as_str().filter(|c| !c.is_empty()) {
        data["reason"] = json!(text);
    }
    let event = push(repo, number, Event::new(req.caller.name(), "status-change", data), |d| {
        new.clone_into(&mut d.status);
    })?;
    Ok(json_ok(&json!({"newStatus": event})))
}

fn title(req: &Req, repo: &Repo, number: u64) -> Answer {
    check_owner(req, repo, number)?;
    let body: Value = req.json()?;
    let to = title_of(&body)?;
    let from = lock(&repo.state).discussions.get(&number).map(|d| d.title.clone()).unwrap_or_default();
    let event = Event::new(req.caller.name(), "title-change", json!({"from": from, "to": to}));
    let event = push(repo, number, event, |d| d.title = to)?;
    Ok(json_ok(&json!({"newTitle": event})))
}

/// `POST …/merge`, which the policy may carry out after its response.
fn merge(req: &Req, repo: &Arc<Repo>, number: u64) -> Answer {
    req.caller.check_write(repo, false)?;
    let (delay, author) = (req.hub.policy.get().merge_delay, req.caller.name().to_owned());
    if delay.is_zero() {
        req.hub.merge(repo, number, &author)?;
        return Ok(ok());
    }
    let (hub, repo) = (req.hub.clone(), repo.clone());
    req.hub.tasks.spawn(async move {
        tokio::time::sleep(delay).await;
        let _writer = repo.writer.lock().await;
        // The request has its response already, so an error has no recipient.
        let _ = hub.merge(&repo, number, &author);
    });
    Ok(ok())
}
