//! Answers, in the shapes of GitHub's REST API.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use crate::state::{Actor, ActorKind, Comment, Deployment, DeploymentStatus, PullRequest, PullState};

/// An answer that is not sent yet, so that it can be compared with the document.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(crate) fn error(status: u16, message: &str) -> Self {
        let body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.to_string(),
        });
        Self::new(status, body)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Returns the body as it is sent. An answer without content has none.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        if self.status == 204 { Vec::new() } else { self.body.to_string().into_bytes() }
    }

    pub(crate) fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, headers, self.bytes()).into_response()
    }
}

/// Addresses of the objects of one repository.
pub(crate) struct Addresses<'a> {
    /// Address of the REST API.
    pub(crate) api: &'a str,
    /// Address of the pages.
    pub(crate) pages: &'a str,
    /// `owner/name`.
    pub(crate) repository: &'a str,
}

impl Addresses<'_> {
    fn repo(&self) -> String {
        format!("{}/repos/{}", self.api, self.repository)
    }

    fn page(&self) -> String {
        format!("{}/{}", self.pages, self.repository)
    }

    pub(crate) fn user(&self, login: &str, kind: ActorKind) -> Value {
        let url = format!("{}/users/{login}", self.api);
        let of = |what: &str| format!("{url}/{what}");
        json!({
            "login": login, "id": id_of(login), "node_id": format!("U_{login}"), "gravatar_id": "",
            "type": match kind { ActorKind::User => "User", ActorKind::App => "Bot" }, "site_admin": false,
            "url": url, "html_url": format!("{}/{login}", self.pages), "avatar_url": of("avatar"),
            "followers_url": of("followers"), "following_url": of("following{/other_user}"),
            "gists_url": of("gists{/gist_id}"), "starred_url": of("starred{/owner}{/repo}"),
            "subscriptions_url": of("subscriptions"), "organizations_url": of("orgs"), "repos_url": of("repos"),
            "events_url": of("events{/privacy}"), "received_events_url": of("received_events"),
        })
    }

    fn actor(&self, actor: &Actor) -> Value {
        self.user(&actor.login, actor.kind)
    }

    pub(crate) fn comment(&self, comment: &Comment) -> Value {
        let id = comment.id;
        json!({
            "id": id, "node_id": format!("IC_{id}"), "body": comment.body, "user": self.actor(&comment.author),
            "url": format!("{}/issues/comments/{id}", self.repo()),
            "html_url": format!("{}/pull/{}#issuecomment-{id}", self.page(), comment.number),
            "issue_url": format!("{}/issues/{}", self.repo(), comment.number),
            "created_at": time(comment.created_at), "updated_at": time(comment.updated_at),
            "author_association": "NONE", "performed_via_github_app": null,
        })
    }

    pub(crate) fn deployment(&self, deployment: &Deployment) -> Value {
        let url = format!("{}/deployments/{}", self.repo(), deployment.id);
        json!({
            "id": deployment.id, "node_id": format!("DE_{}", deployment.id), "url": url, "sha": deployment.sha,
            "ref": deployment.sha, "task": deployment.task, "payload": deployment.payload,
            "original_environment": deployment.environment, "environment": deployment.environment,
            "description": deployment.description, "creator": self.actor(&deployment.creator),
            "created_at": time(deployment.created_at), "updated_at": time(deployment.created_at),
            "statuses_url": format!("{url}/statuses"), "repository_url": self.repo(),
            "transient_environment": deployment.is_transient,
            "production_environment": deployment.is_production, "performed_via_github_app": null,
        })
    }

    pub(crate) fn deployment_status(&self, deployment: &Deployment, status: &DeploymentStatus) -> Value {
        let url = format!("{}/deployments/{}", self.repo(), deployment.id);
        json!({
            "id": status.id, "node_id": format!("DES_{}", status.id), "url": format!("{url}/statuses/{}", status.id),
            "state": status.state, "creator": self.actor(&status.creator), "description": status.description,
            "environment": deployment.environment, "target_url": status.log_url, "log_url": status.log_url,
            "environment_url": status.environment_url, "created_at": time(status.created_at),
            "updated_at": time(status.created_at), "deployment_url": url, "repository_url": self.repo(),
            "performed_via_github_app": null,
        })
    }

    pub(crate) fn pull(&self, pull: &PullRequest) -> Value {
        let number = pull.number;
        let url = format!("{}/pulls/{number}", self.repo());
        let page = format!("{}/pull/{number}", self.page());
        let is_open = pull.state == PullState::Open;
        let closed_at = if is_open { Value::Null } else { time(pull.updated_at) };
        let merged_at = if pull.state == PullState::Merged { time(pull.updated_at) } else { Value::Null };
        let href = |url: String| json!({ "href": url });
        let mut answer = json!({
            "id": 1_000_000 + number, "node_id": format!("PR_{number}"), "number": number, "url": url,
            "html_url": page, "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
            "issue_url": format!("{}/issues/{number}", self.repo()),
            "comments_url": format!("{}/issues/{number}/comments", self.repo()),
            "commits_url": format!("{url}/commits"), "review_comments_url": format!("{url}/comments"),
            "review_comment_url": format!("{}/pulls/comments{{/number}}", self.repo()),
            "statuses_url": format!("{}/statuses/{}", self.repo(), pull.head),
            "state": if is_open { "open" } else { "closed" }, "title": pull.title,
            "user": self.user("octocat", ActorKind::User),
            "created_at": time(pull.updated_at), "updated_at": time(pull.updated_at),
            "closed_at": closed_at, "merged_at": merged_at, "merged": pull.state == PullState::Merged,
            "head": self.branch("feature", &pull.head, pull.head_repo.as_deref()),
            "base": self.branch("main", &"0".repeat(40), Some(self.repository)),
            "_links": {
                "self": href(url.clone()), "html": href(page), "statuses": href(url.clone()),
                "issue": href(url.clone()), "comments": href(url.clone()), "commits": href(url.clone()),
                "review_comments": href(url.clone()), "review_comment": href(url),
            },
        });
        for name in
            ["body", "milestone", "assignee", "merge_commit_sha", "auto_merge", "mergeable", "merged_by"]
        {
            answer[name] = Value::Null;
        }
        for name in ["labels", "assignees", "requested_reviewers", "requested_teams"] {
            answer[name] = json!([]);
        }
        for name in ["comments", "review_comments", "commits", "additions", "deletions", "changed_files"] {
            answer[name] = json!(0);
        }
        for name in ["locked", "draft", "maintainer_can_modify"] {
            answer[name] = json!(false);
        }
        answer["author_association"] = json!("OWNER");
        answer["mergeable_state"] = json!("unknown");
        answer
    }

    /// Returns one end of a pull request. The repository has its names only: the rest is not looked at.
    fn branch(&self, name: &str, sha: &str, repository: Option<&str>) -> Value {
        let repo = repository.map(|full_name| {
            let (owner, name) = full_name.split_once('/').unwrap_or(("", full_name));
            json!({ "full_name": full_name, "name": name, "owner": self.user(owner, ActorKind::User) })
        });
        json!({
            "label": format!("octo:{name}"), "ref": name, "sha": sha, "repo": repo,
            "user": self.user("octocat", ActorKind::User),
        })
    }
}

fn time(at: jiff::Timestamp) -> Value {
    Value::String(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Returns a number that belongs to a login.
fn id_of(login: &str) -> u64 {
    login.bytes().fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 1_000_003)
}
