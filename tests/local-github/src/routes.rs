//! The endpoints, with the rules that GitHub's documents and its API show.

use serde_json::{Value, json};

use crate::answer::{Addresses, Answer};
use crate::server::{Given, Inner, lock};
use crate::state::{
    Access, Actor, ActorKind, Comment, Deployment, DeploymentStatus, Permissions, PullRequest, PullState,
    State,
};

/// Most characters of a comment.
const MAX_COMMENT: usize = 65_536;
/// Most characters of the description of a deployment status.
const MAX_DESCRIPTION: usize = 140;
/// Rows of one page, where the request does not say.
const ROWS: usize = 30;
const MAX_ROWS: usize = 100;

/// A request of an account to one repository.
struct Call<'a> {
    actor: Actor,
    addresses: Addresses<'a>,
    state: &'a mut State,
    query: &'a [(String, String)],
    body: Value,
}

pub(crate) fn answer(
    inner: &Inner,
    method: &str,
    path: &str,
    query: &[(String, String)],
    given: &Given<'_>,
) -> Answer {
    let mut state = lock(&inner.state);
    let Some(actor) = given.token().and_then(|token| state.actors.get(token)).cloned() else {
        return Answer::error(401, "Bad credentials");
    };
    let (api, pages) = (inner.api_url(), inner.server_url());
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match (method, segments.as_slice()) {
        ("GET", ["user"]) => return user(&actor, &Addresses { api: &api, pages: &pages, repository: "" }),
        ("POST", ["graphql"]) => return graphql(&actor, &given.json()),
        _ => {}
    }
    let ["repos", owner, name, rest @ ..] = segments.as_slice() else { return not_found() };
    let repository = format!("{owner}/{name}");
    if !state.repositories.contains_key(&repository) {
        return not_found();
    }
    let addresses = Addresses { api: &api, pages: &pages, repository: &repository };
    let call = Call { actor, addresses, state: &mut state, query, body: given.json() };
    let id = |text: &str| text.parse().unwrap_or_default();
    let answer = match (method, rest) {
        ("GET", ["issues", number, "comments"]) => call.list_comments(id(number)),
        ("POST", ["issues", number, "comments"]) => call.create_comment(id(number)),
        ("GET", ["issues", "comments"]) => call.list_all_comments(),
        ("GET", ["issues", "comments", comment]) => call.comment(id(comment)),
        ("PATCH", ["issues", "comments", comment]) => call.update_comment(id(comment)),
        ("DELETE", ["issues", "comments", comment]) => call.delete_comment(id(comment)),
        ("GET", ["pulls"]) => call.list_pulls(),
        ("GET", ["pulls", number]) => call.pull(id(number)),
        ("GET", ["deployments"]) => call.list_deployments(),
        ("POST", ["deployments"]) => call.create_deployment(),
        ("GET", ["deployments", deployment, "statuses"]) => call.list_statuses(id(deployment)),
        ("POST", ["deployments", deployment, "statuses"]) => call.create_status(id(deployment)),
        _ => Err(not_found()),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

fn not_found() -> Answer {
    Answer::error(404, "Not Found")
}

fn invalid(message: &str) -> Answer {
    Answer::error(422, &format!("Validation Failed: {message}"))
}

/// The token of a workflow is no user's, and learns nothing of itself.
fn user(actor: &Actor, addresses: &Addresses<'_>) -> Answer {
    if actor.kind == ActorKind::App {
        return Answer::error(403, "Resource not accessible by integration");
    }
    let mut user = addresses.user(&actor.login, actor.kind);
    for (name, value) in [
        ("name", Value::Null),
        ("company", Value::Null),
        ("blog", Value::Null),
        ("location", Value::Null),
        ("email", Value::Null),
        ("hireable", Value::Null),
        ("bio", Value::Null),
        ("public_repos", json!(0)),
        ("public_gists", json!(0)),
        ("followers", json!(0)),
        ("following", json!(0)),
        ("created_at", json!("2020-01-01T00:00:00Z")),
        ("updated_at", json!("2020-01-01T00:00:00Z")),
    ] {
        user[name] = value;
    }
    Answer::new(200, user)
}

/// Answers the only question of the GraphQL API that is served here. It has an answer for every token.
fn graphql(actor: &Actor, body: &Value) -> Answer {
    let words: String = body["query"].as_str().unwrap_or_default().split_whitespace().collect();
    if !matches!(words.as_str(), "query{viewer{login}}" | "{viewer{login}}") {
        let error = json!({ "message": "Parse error or a field that is not served here" });
        return Answer::new(200, json!({ "errors": [error] }));
    }
    Answer::new(200, json!({ "data": { "viewer": { "login": actor.login } } }))
}

type Answered = Result<Answer, Answer>;

impl Call<'_> {
    fn repository(&mut self) -> Result<&mut crate::state::Repository, Answer> {
        self.state.repositories.get_mut(self.addresses.repository).ok_or_else(not_found)
    }

    /// Refuses an account that lacks a permission, as GitHub words it for workflows and for people.
    fn require(&self, of: impl Fn(&Permissions) -> Access, least: Access) -> Result<(), Answer> {
        if of(&self.actor.permissions) >= least {
            return Ok(());
        }
        Err(match self.actor.kind {
            ActorKind::App => Answer::error(403, "Resource not accessible by integration")
                .with("x-accepted-github-permissions", "issues=write; pull_requests=write"),
            ActorKind::User => not_found(),
        })
    }

    /// Comments on pull requests open to either permission.
    fn require_comments(&self, least: Access) -> Result<(), Answer> {
        self.require(|permissions| permissions.pull_requests.max(permissions.issues), least)
    }

    fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns one page of rows, with the header that leads to the next.
    fn page(&self, path: &str, rows: Vec<Value>) -> Answer {
        let number = |name: &str, usual: usize| {
            self.value(name).and_then(|text| text.parse().ok()).filter(|number| *number > 0).unwrap_or(usual)
        };
        let (size, page) = (number("per_page", ROWS).min(MAX_ROWS), number("page", 1));
        let start = size.saturating_mul(page - 1).min(rows.len());
        let end = start.saturating_add(size).min(rows.len());
        let answer = Answer::new(200, Value::Array(rows[start..end].to_vec()));
        if end == rows.len() {
            return answer;
        }
        let url = format!("{}/repos/{}{path}", self.addresses.api, self.addresses.repository);
        let next = format!("<{url}?per_page={size}&page={}>; rel=\"next\"", page + 1);
        answer.with("link", next)
    }

    fn list_comments(mut self, number: u64) -> Answered {
        self.require_comments(Access::Read)?;
        let comments = self.repository()?.comments.clone();
        let own = comments.iter().filter(|comment| comment.number == number);
        let rows = own.map(|comment| self.addresses.comment(comment)).collect();
        Ok(self.page(&format!("/issues/{number}/comments"), rows))
    }

    /// Lists the comments of all pull requests, in the order of their ids or of their last changes.
    fn list_all_comments(mut self) -> Answered {
        self.require_comments(Access::Read)?;
        let mut comments = self.repository()?.comments.clone();
        if self.value("sort") == Some("updated") {
            comments.sort_by_key(|comment| comment.updated_at);
        }
        // GitHub reads the direction with a sort only.
        if self.value("sort").is_some() && self.value("direction") != Some("asc") {
            comments.reverse();
        }
        let rows = comments.iter().map(|comment| self.addresses.comment(comment)).collect();
        Ok(self.page("/issues/comments", rows))
    }

    fn create_comment(mut self, number: u64) -> Answered {
        self.require_comments(Access::Write)?;
        if !self.repository()?.pulls.contains_key(&number) {
            return Err(not_found());
        }
        let body = self.comment_body()?;
        let now = jiff::Timestamp::now();
        let id = self.state.next_id();
        let author = self.actor.clone();
        let comment = Comment { id, number, body, author, created_at: now, updated_at: now, edits: 0 };
        let answer = self.addresses.comment(&comment);
        self.repository()?.comments.push(comment);
        Ok(Answer::new(201, answer))
    }

    fn comment_body(&self) -> Result<String, Answer> {
        let body = self.text("body");
        if body.trim().is_empty() {
            return Err(invalid("body can't be blank"));
        }
        if body.chars().count() > MAX_COMMENT {
            return Err(invalid(&format!("body is too long (maximum is {MAX_COMMENT} characters)")));
        }
        Ok(body)
    }

    fn comment(mut self, id: u64) -> Answered {
        self.require_comments(Access::Read)?;
        let found = self.repository()?.comments.iter().find(|comment| comment.id == id).cloned();
        found.map(|comment| Answer::new(200, self.addresses.comment(&comment))).ok_or_else(not_found)
    }

    /// Changes a comment of any author, because GitHub asks for the permission only.
    fn update_comment(mut self, id: u64) -> Answered {
        self.require_comments(Access::Write)?;
        let body = self.comment_body()?;
        let found = self.repository()?.comments.iter_mut().find(|comment| comment.id == id);
        let comment = found.ok_or_else(not_found)?;
        comment.body = body;
        comment.edits += 1;
        comment.updated_at = jiff::Timestamp::now();
        let comment = comment.clone();
        Ok(Answer::new(200, self.addresses.comment(&comment)))
    }

    fn delete_comment(mut self, id: u64) -> Answered {
        self.require_comments(Access::Write)?;
        let comments = &mut self.repository()?.comments;
        let before = comments.len();
        comments.retain(|comment| comment.id != id);
        if comments.len() == before { Err(not_found()) } else { Ok(Answer::new(204, Value::Null)) }
    }

    /// Refuses a token that cannot see pull requests. Those of public repositories are open to every token.
    fn require_pulls(&mut self) -> Result<(), Answer> {
        if self.repository()?.is_private {
            self.require(|permissions| permissions.pull_requests, Access::Read)?;
        }
        Ok(())
    }

    fn list_pulls(mut self) -> Answered {
        self.require_pulls()?;
        let state = self.value("state").unwrap_or("open").to_owned();
        let pulls = self.repository()?.pulls.clone();
        let fits =
            |pull: &PullRequest| state == "all" || (state == "open") == (pull.state == PullState::Open);
        // The newest comes first.
        let rows = pulls.values().rev().filter(|pull| fits(pull)).map(|pull| self.addresses.pull(pull));
        let rows = rows.collect();
        Ok(self.page("/pulls", rows))
    }

    fn pull(mut self, number: u64) -> Answered {
        self.require_pulls()?;
        let found = self.repository()?.pulls.get(&number).cloned();
        found.map(|pull| Answer::new(200, self.addresses.pull(&pull))).ok_or_else(not_found)
    }

    fn list_deployments(mut self) -> Answered {
        self.require(|permissions| permissions.deployments, Access::Read)?;
        let mut deployments = self.repository()?.deployments.clone();
        // The newest comes first.
        deployments.reverse();
        let fits = |name: &str, own: &str| self.value(name).is_none_or(|value| value == own);
        let fitting = deployments.iter().filter(|deployment| {
            fits("sha", &deployment.sha)
                && fits("ref", &deployment.sha)
                && fits("task", &deployment.task)
                && fits("environment", &deployment.environment)
        });
        let rows = fitting.map(|deployment| self.addresses.deployment(deployment)).collect();
        Ok(self.page("/deployments", rows))
    }

    fn create_deployment(mut self) -> Answered {
        self.require(|permissions| permissions.deployments, Access::Write)?;
        if self.body["required_contexts"].as_array().is_none_or(|contexts| !contexts.is_empty()) {
            // The workflow run that asks is a check itself, and has not ended.
            return Err(Answer::error(409, "Conflict: Commit status checks failed for the ref."));
        }
        if self.body["auto_merge"] != Value::Bool(false) {
            return Err(Answer::error(409, "Conflict merging the default branch into the ref."));
        }
        let text = |name: &str, usual: &str| match self.text(name) {
            empty if empty.is_empty() => usual.to_owned(),
            given => given,
        };
        let (task, environment) = (text("task", "deploy"), text("environment", "production"));
        let is_production = self.body["production_environment"].as_bool();
        let deployment = Deployment {
            id: self.state.next_id(),
            sha: self.text("ref"),
            is_production: is_production.unwrap_or(environment == "production"),
            task,
            environment,
            description: self.text("description"),
            payload: if self.body["payload"].is_null() { json!({}) } else { self.body["payload"].clone() },
            is_transient: self.body["transient_environment"].as_bool().unwrap_or_default(),
            creator: self.actor.clone(),
            created_at: jiff::Timestamp::now(),
            statuses: Vec::new(),
        };
        let answer = self.addresses.deployment(&deployment);
        self.repository()?.deployments.push(deployment);
        Ok(Answer::new(201, answer))
    }

    fn list_statuses(mut self, id: u64) -> Answered {
        self.require(|permissions| permissions.deployments, Access::Read)?;
        let found = self.repository()?.deployments.iter().find(|one| one.id == id).cloned();
        let deployment = found.ok_or_else(not_found)?;
        let newest_first = deployment.statuses.iter().rev();
        let rows = newest_first.map(|one| self.addresses.deployment_status(&deployment, one)).collect();
        Ok(self.page(&format!("/deployments/{id}/statuses"), rows))
    }

    fn create_status(mut self, id: u64) -> Answered {
        self.require(|permissions| permissions.deployments, Access::Write)?;
        let description = self.text("description");
        if description.chars().count() > MAX_DESCRIPTION {
            return Err(invalid(&format!(
                "description is too long (maximum is {MAX_DESCRIPTION} characters)"
            )));
        }
        let status = DeploymentStatus {
            id: self.state.next_id(),
            state: self.text("state"),
            description,
            environment_url: self.text("environment_url"),
            log_url: self.text("log_url"),
            creator: self.actor.clone(),
            created_at: jiff::Timestamp::now(),
        };
        let deactivates = status.state == "success" && self.body["auto_inactive"] != Value::Bool(false);
        let inactive_id = self.state.next_id();
        let deployments = &mut self.repository()?.deployments;
        let deployment = deployments.iter_mut().find(|one| one.id == id).ok_or_else(not_found)?;
        deployment.statuses.push(status.clone());
        let deployment = deployment.clone();
        if deactivates {
            // Earlier ones of the environment end, except transient and production ones.
            let earlier = deployments.iter_mut().filter(|one| {
                one.id != id
                    && one.environment == deployment.environment
                    && !one.is_transient
                    && !one.is_production
                    && one.state() == Some("success")
            });
            for other in earlier {
                let inactive =
                    DeploymentStatus { id: inactive_id, state: "inactive".to_owned(), ..status.clone() };
                other.statuses.push(inactive);
            }
        }
        Ok(Answer::new(201, self.addresses.deployment_status(&deployment, &status)))
    }
}
