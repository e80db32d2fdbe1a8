//! The workflow run that this process is part of (GitHub docs, "Variables reference").

use std::path::{Path, PathBuf};

/// The workflow run that this process is part of. Everything is missing on a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GithubContext {
    /// `owner/name`, from `GITHUB_REPOSITORY`.
    pub repository: Option<String>,
    /// The commit that triggered the run, in hexadecimal, from `GITHUB_SHA`.
    pub sha: Option<String>,
    /// The page of that commit on GitHub.
    pub commit_url: Option<String>,
    /// The page of this run, with the number of the attempt from the second on.
    pub run_url: Option<String>,
    /// The root of the checkout, from `GITHUB_WORKSPACE`.
    pub workspace: Option<PathBuf>,
    /// The event that triggered the run, from `GITHUB_EVENT_NAME`.
    pub event_name: Option<String>,
    /// The user who triggered the run, from `GITHUB_ACTOR`.
    pub actor: Option<String>,
    /// True if the pull request of the run comes from another repository, which gets no secrets. `None` unless the run
    /// was triggered by a pull request (`GITHUB_EVENT_PATH`).
    pub from_fork: Option<bool>,
}

impl GithubContext {
    /// Reads the variables of the runner, and the file of the event.
    pub fn from_vars<'a>(var: impl Fn(&str) -> Option<&'a str>) -> Self {
        let given = |name: &str| var(name).map(str::trim).filter(|value| !value.is_empty());
        // Values of several lines are ignored, because these values go into commit messages and links.
        let line =
            |name: &str| given(name).filter(|value| !value.chars().any(char::is_control)).map(str::to_owned);
        let repository = line("GITHUB_REPOSITORY").filter(|value| value.contains('/'));
        let sha = line("GITHUB_SHA").filter(|value| value.bytes().all(|byte| byte.is_ascii_hexdigit()));
        Self {
            commit_url: line("GITHUB_SERVER_URL").zip(repository.as_ref()).zip(sha.as_ref()).map(
                |((server, repository), sha)| {
                    format!("{}/{repository}/commit/{sha}", server.trim_end_matches('/'))
                },
            ),
            repository,
            sha,
            run_url: run_url(line),
            workspace: given("GITHUB_WORKSPACE").map(PathBuf::from),
            event_name: line("GITHUB_EVENT_NAME"),
            actor: line("GITHUB_ACTOR"),
            from_fork: given("GITHUB_EVENT_PATH").and_then(|path| is_from_fork(Path::new(path))),
        }
    }

    /// Returns the name of the GitHub repository without its owner, who may have no account on the Hub.
    pub fn repository_name(&self) -> Option<&str> {
        Some(self.repository.as_deref()?.rsplit_once('/')?.1)
    }

    /// Reports whether GitHub may withhold secrets from the run, as it does from pull requests of forks and from
    /// Dependabot (GitHub docs, "Using secrets in GitHub Actions").
    pub fn may_lack_secrets(&self) -> bool {
        self.event_name.as_deref().is_some_and(|name| name.starts_with("pull_request"))
            || self.is_by_dependabot()
    }

    /// Returns true if Dependabot triggered the run, which then gets the secrets of Dependabot.
    pub fn is_by_dependabot(&self) -> bool {
        self.actor.as_deref() == Some("dependabot[bot]")
    }
}

/// Reads from the event whether its pull request comes from a fork. A deleted fork has no name.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn context(vars: &[(&str, &str)]) -> GithubContext {
        GithubContext::from_vars(|name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
        })
    }

    #[test]
    fn run_url_names_the_attempt_from_the_second_on() {
        let run = |attempt| {
            context(&[
                ("GITHUB_SERVER_URL", "https://github.com/"),
                ("GITHUB_REPOSITORY", " acme/my-app\n"),
                ("GITHUB_RUN_ID", "42"),
                ("GITHUB_RUN_ATTEMPT", attempt),
            ])
        };
        let page = "https://github.com/acme/my-app/actions/runs/42";
        assert_eq!(run("1").run_url.as_deref(), Some(page));
        assert_eq!(run("2").run_url, Some(format!("{page}/attempts/2")));
        assert_eq!(run("2").repository_name(), Some("my-app"));
        assert_eq!(run("2").commit_url, None);
        let vars = [
            ("GITHUB_SERVER_URL", "https://github.com/"),
            ("GITHUB_REPOSITORY", "acme/my-app"),
            ("GITHUB_SHA", "0123abc"),
        ];
        let commit = "https://github.com/acme/my-app/commit/0123abc";
        assert_eq!(context(&vars).commit_url.as_deref(), Some(commit));
        assert_eq!(context(&[]), GithubContext::default());
    }

    #[test]
    fn values_of_several_lines_are_ignored() {
        let found = context(&[
            ("GITHUB_SHA", "größer"),
            ("GITHUB_REPOSITORY", "a/b\nTrailer: x"),
            ("GITHUB_ACTOR", "dependabot[bot]"),
            ("GITHUB_WORKSPACE", " "),
        ]);
        assert_eq!(
            (found.sha.as_ref(), found.repository.as_ref(), found.workspace.as_ref()),
            (None, None, None)
        );
        assert!(found.is_by_dependabot() && found.may_lack_secrets());
    }

    #[test]
    fn forks_are_read_from_the_event() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("event.json");
        let from_fork = |head: &str| {
            let side = |name| serde_json::json!({ "repo": { "full_name": name } });
            let event =
                serde_json::json!({ "pull_request": { "head": side(head), "base": side("acme/app") } });
            std::fs::write(&path, event.to_string()).unwrap();
            context(&[("GITHUB_EVENT_PATH", path.to_str().unwrap())]).from_fork
        };
        assert_eq!(from_fork("acme/app"), Some(false));
        assert_eq!(from_fork("ada/app"), Some(true));
        std::fs::write(&path, "{}").unwrap();
        assert_eq!(context(&[("GITHUB_EVENT_PATH", path.to_str().unwrap())]).from_fork, None);
    }
}
