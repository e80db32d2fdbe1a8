//! A Hub and a GitHub for the runs of a pull request, and what exists on both.

use std::sync::atomic::{AtomicU64, Ordering};

use local_github::{Actor, Comment, LocalGithub, Permissions, PullState};
use local_hub::{LocalHub, RepoType};
use serde_json::{Value, json};

use crate::harness::{Folder, Run, TOKEN, TestHub, hub, static_space};
use crate::proxy::client;

pub(super) const REPOSITORY: &str = "octo/hello";
/// Token of the workflow for GitHub, which must show up nowhere.
pub(super) const GITHUB_TOKEN: &str = "ghs_TheTokenOfThisWorkflowThatMustNotShowUp";
/// Number of the pull request.
pub(super) const NUMBER: u64 = 12;
pub(super) const PREVIEW: &str = "ada/app-pr-12";
pub(super) const MARK: &str = "github.example/octo/hello#12";

pub(super) struct World {
    pub(super) hub: TestHub,
    pub(super) github: LocalGithub,
    pub(super) folder: Folder,
    events: tempfile::TempDir,
    last_run: AtomicU64,
    is_private: bool,
}

/// State of a pull request, as its event describes it.
#[derive(Debug, Clone)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) head: String,
    pub(super) is_open: bool,
    pub(super) is_draft: bool,
    /// Repository of the head.
    pub(super) from: &'static str,
}

/// Returns a commit on GitHub that begins with these digits.
pub(super) fn commit(start: &str) -> String {
    format!("{start:0<40}")
}

impl Pull {
    pub(super) fn open(head: &str) -> Self {
        Self { number: NUMBER, head: commit(head), is_open: true, is_draft: false, from: REPOSITORY }
    }

    pub(super) fn closed(head: &str) -> Self {
        Self { is_open: false, ..Self::open(head) }
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(hub().await, static_space()).await
    }

    pub(super) async fn with(hub: TestHub, folder: Folder) -> Self {
        let github = LocalGithub::start().await.unwrap();
        github.add_token(GITHUB_TOKEN, Actor::workflow(Permissions::ALL));
        github.add_repository(REPOSITORY, false);
        github.open_pull(REPOSITORY, NUMBER, "A change", &commit("aaaaaaa1"));
        let events = tempfile::tempdir().unwrap();
        Self { hub, github, folder, events, last_run: AtomicU64::new(100), is_private: false }
    }

    /// Makes the repository on GitHub private.
    pub(super) fn private(mut self) -> Self {
        self.github.add_repository(REPOSITORY, true);
        self.github.open_pull(REPOSITORY, NUMBER, "A change", &commit("aaaaaaa1"));
        self.is_private = true;
        self
    }

    /// Returns the run of an event of a pull request, which has an id of its own.
    pub(super) fn run(&self, action: &str, pull: &Pull) -> Run {
        let run = self.last_run.fetch_add(1, Ordering::Relaxed) + 1;
        let path = self.events.path().join(format!("{run}.json"));
        std::fs::write(&path, self.event(action, pull).to_string()).unwrap();
        Run::new(&self.hub, &self.folder)
            .input("preview", "true")
            .var("GITHUB_EVENT_NAME", "pull_request")
            .var("GITHUB_EVENT_PATH", path.to_str().unwrap())
            .var("GITHUB_RUN_ID", &run.to_string())
            .var("GITHUB_API_URL", &self.github.api_url())
            .secret("INPUT_GITHUB_TOKEN", GITHUB_TOKEN)
    }

    /// Returns the run of a new head commit.
    pub(super) fn push(&self, head: &str) -> Run {
        self.github.change_pull(REPOSITORY, NUMBER, |pull| pull.head = commit(head));
        self.run("synchronize", &Pull::open(head))
    }

    /// Closes the pull request, and returns the run of that event.
    pub(super) fn close(&self, head: &str, state: PullState) -> Run {
        self.github.change_pull(REPOSITORY, NUMBER, |pull| pull.state = state);
        self.run("closed", &Pull::closed(head))
    }

    /// Opens the pull request again, and returns the run of that event.
    pub(super) fn reopen(&self, head: &str) -> Run {
        self.github.change_pull(REPOSITORY, NUMBER, |pull| pull.state = PullState::Open);
        self.run("reopened", &Pull::open(head))
    }

    fn event(&self, action: &str, pull: &Pull) -> Value {
        json!({
            "action": action,
            "number": pull.number,
            "pull_request": {
                "number": pull.number,
                "title": "A change by @octocat, fixes #1",
                "draft": pull.is_draft,
                "state": if pull.is_open { "open" } else { "closed" },
                "head": {"sha": pull.head, "repo": {"full_name": pull.from}},
                "base": {"sha": commit("bbbbbbb"), "repo": {"full_name": REPOSITORY}},
            },
            "repository": {"full_name": REPOSITORY, "private": self.is_private},
        })
    }

    /// Returns the ids of all Spaces.
    pub(super) async fn spaces(&self) -> Vec<String> {
        let rows: Value = self.get("/api/spaces?author=ada&limit=100").await;
        let mut ids: Vec<String> =
            rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    }

    /// Returns the mark of a Space.
    pub(super) async fn mark(&self, space: &str) -> Option<String> {
        let variables = self.get(&format!("/api/spaces/{space}/variables")).await;
        Some(variables["HF_DEPLOY_PREVIEW"]["value"].as_str()?.to_owned())
    }

    /// Deletes a Space of `ada`, as a person does by hand.
    pub(super) async fn delete_space(&self, space: &str) {
        let name = space.strip_prefix("ada/").unwrap();
        let body = json!({ "name": name, "organization": "ada", "type": "space" });
        let request = client().delete(format!("{}/api/repos/delete", self.hub.endpoint()));
        let request = request.bearer_auth(TOKEN).header("content-type", "application/json");
        assert!(request.body(body.to_string()).send().await.unwrap().status().is_success());
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let request = client().get(format!("{}{path}", self.hub.endpoint())).bearer_auth(TOKEN);
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    pub(super) fn comments(&self) -> Vec<Comment> {
        let comments = self.github.comments(REPOSITORY, NUMBER);
        for comment in &comments {
            assert!(!comment.body.contains(TOKEN) && !comment.body.contains(GITHUB_TOKEN));
        }
        comments
    }

    /// Returns the text of the only comment.
    pub(super) fn comment(&self) -> String {
        let comments = self.comments();
        assert_eq!(comments.len(), 1, "{comments:#?}");
        comments[0].body.clone()
    }

    /// Returns the first lines of all comments.
    pub(super) fn states(&self) -> Vec<String> {
        let first = |comment: &Comment| comment.body.lines().next().unwrap_or_default().to_owned();
        let word = |line: String| line.split([' ', ':']).nth(2).unwrap_or_default().to_owned();
        self.comments().iter().map(|comment| word(first(comment))).collect()
    }

    /// Returns the commit and the last state of all deployments, the oldest first.
    pub(super) fn deployments(&self) -> Vec<String> {
        let deployments = self.github.deployments(REPOSITORY);
        let row = |deployment: &local_github::Deployment| {
            format!("{} {}", &deployment.sha[..8], deployment.state().unwrap_or("none"))
        };
        deployments.iter().map(row).collect()
    }

    /// Asserts which Spaces, comments and deployments exist.
    pub(super) async fn assert_exists(&self, spaces: &[&str], comments: &[&str], deployments: &[&str]) {
        assert_eq!(self.spaces().await, spaces);
        assert_eq!(self.states(), comments);
        assert_eq!(self.deployments(), deployments);
        assert!(self.github.breaches().is_empty(), "{:?}", self.github.breaches());
    }
}

/// Returns the requests to a Hub that change something.
pub(super) fn writes(hub: &LocalHub) -> Vec<String> {
    hub.requests()
        .into_iter()
        .filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD"))
        // Questions, asked as a POST.
        .filter(|request| !request.path.contains("/preupload/") && !request.path.contains("validate-yaml"))
        .map(|request| format!("{} {}", request.method, request.path))
        .collect()
}

/// Returns the README.md of a Space.
pub(super) fn readme(hub: &LocalHub, space: &str) -> String {
    let content = hub.repo(RepoType::Space, space).read_file("main", "README.md").unwrap();
    String::from_utf8(content).unwrap()
}

/// Compares the only comment with the snapshot of this name.
macro_rules! assert_comment {
    ($world:expr) => {{
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("snapshots");
        settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME");
        settings.add_filter(r"after [0-9.]+ s", "after T s");
        settings.add_filter(r"in [0-9.]+ s", "in T s");
        settings.add_filter(r"127\.0\.0\.1:[0-9]+", "ADDRESS");
        settings.add_filter(r"localhost:[0-9]+", "ADDRESS");
        settings.add_filter(r"(ada-app-pr-12)-[0-9a-z]+", "$1-SUFFIX");
        settings.bind(|| insta::assert_snapshot!($world.comment()));
    }};
}
pub(super) use assert_comment;
