//! What the runner says about the workflow run (GitHub docs, "Variables reference").

use std::path::{Path, PathBuf};

use super::raw::Environment;

/// The workflow run that this is part of. Everything is missing on a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GithubContext {
    /// `owner/name`, from `GITHUB_REPOSITORY`.
    pub repository: Option<String>,
    /// The commit that triggered the run, in hexadecimal, from `GITHUB_SHA`.
    pub sha: Option<String>,
    /// The page of this run, with the attempt where it is not the first.
    pub run_url: Option<String>,
    /// The root of the checkout, from `GITHUB_WORKSPACE`.
    pub workspace: Option<PathBuf>,
    /// The branch or tag, from `GITHUB_REF_NAME`.
    pub ref_name: Option<String>,
    /// What triggered the run, from `GITHUB_EVENT_NAME`.
    pub event_name: Option<String>,
    /// Who triggered the run, from `GITHUB_ACTOR`.
    pub actor: Option<String>,
    /// Set for pull requests: they come from another repository, which gets no secrets (`GITHUB_EVENT_PATH`).
    pub from_fork: Option<bool>,
}

impl GithubContext {
    pub(super) fn read(environment: &Environment) -> Self {
        // These go into commit messages and links: what is not one plain line is as good as missing.
        let line = |name: &str| {
            environment.var(name).filter(|value| !value.chars().any(char::is_control)).map(str::to_owned)
        };
        Self {
            repository: line("GITHUB_REPOSITORY").filter(|value| value.contains('/')),
            sha: line("GITHUB_SHA").filter(|value| value.bytes().all(|byte| byte.is_ascii_hexdigit())),
            run_url: run_url(line),
            workspace: environment.var("GITHUB_WORKSPACE").map(PathBuf::from),
            ref_name: line("GITHUB_REF_NAME"),
            event_name: line("GITHUB_EVENT_NAME"),
            actor: line("GITHUB_ACTOR"),
            from_fork: environment.var("GITHUB_EVENT_PATH").and_then(|path| is_from_fork(Path::new(path))),
        }
    }

    /// The name of the GitHub repository without its owner, who is nobody on the Hub.
    pub fn repository_name(&self) -> Option<&str> {
        Some(self.repository.as_deref()?.rsplit_once('/')?.1)
    }

    /// Whether the run may be one that GitHub gives no secrets: those of pull requests from forks, and
    /// those of Dependabot (GitHub docs, "Using secrets in GitHub Actions").
    pub fn may_lack_secrets(&self) -> bool {
        self.event_name.as_deref().is_some_and(|name| name.starts_with("pull_request"))
            || self.is_by_dependabot()
    }

    /// True if Dependabot triggered the run, which then gets other secrets.
    pub fn is_by_dependabot(&self) -> bool {
        self.actor.as_deref() == Some("dependabot[bot]")
    }
}

/// Reads from the event whether its pull request comes from a fork. A fork that was deleted has no name.
fn is_from_fork(event: &Path) -> Option<bool> {
    let event: serde_json::Value = serde_json::from_slice(&std::fs::read(event).ok()?).ok()?;
    let name = |side: &str| event["pull_request"][side]["repo"]["full_name"].as_str();
    Some(name("head") != Some(name("base")?))
}

fn run_url(line: impl Fn(&str) -> Option<String>) -> Option<String> {
    let server = line("GITHUB_SERVER_URL")?;
    let repository = line("GITHUB_REPOSITORY")?;
    let run = line("GITHUB_RUN_ID")?;
    let page = format!("{}/{repository}/actions/runs/{run}", server.trim_end_matches('/'));
    match line("GITHUB_RUN_ATTEMPT") {
        Some(attempt) if attempt != "1" => Some(format!("{page}/attempts/{attempt}")),
        _ => Some(page),
    }
}
