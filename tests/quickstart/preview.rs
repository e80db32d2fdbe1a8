//! The life of a pull request on a Hub and a GitHub that run on this machine: opened, pushed to, broken, merged. It
//! prints the comment after each step.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use hf_deploy::action::Log;
use hf_deploy::cli::Call;
use local_github::{Actor, LocalGithub, Permissions, PullState};
use local_hub_server::{HubConfig, LocalHub, User};
use serde_json::json;
use tempfile::TempDir;

const HF_TOKEN: &str = "hf_preview_token_of_the_local_hub";
const GITHUB_TOKEN: &str = "ghs_preview_token_of_the_local_github";
const REPOSITORY: &str = "octo/hello";
const NUMBER: u64 = 12;

/// A Hub, a GitHub, and the checkout of a pull request.
struct World {
    hub: LocalHub,
    github: LocalGithub,
    checkout: TempDir,
}

#[tokio::main]
async fn main() -> Result<()> {
    println!("Shows the life of a pull request on a Hub and a GitHub of this machine: a few seconds.\n");
    let world = World::start().await?;

    println!("== Opened ==\n");
    world.write("index.html", "<h1>Hello</h1>\n")?;
    world.step("opened", 'a', "deployed").await?;

    println!("== A push ==\n");
    world.write("index.html", "<h1>Hello again</h1>\n")?;
    world.step("synchronize", 'b', "deployed").await?;

    println!("== A push that breaks the app ==\n");
    std::fs::remove_file(world.checkout.path().join("index.html"))?;
    world.step("synchronize", 'c', "failed").await?;

    println!("== Merged ==\n");
    world.github.change_pull(REPOSITORY, NUMBER, |pull| pull.state = PullState::Merged);
    world.step("closed", 'c', "deleted").await?;

    println!("== Deployments on GitHub ==\n");
    for deployment in world.github.deployments(REPOSITORY) {
        let state = deployment.state().unwrap_or("none");
        println!("{}  {}  {state}", &deployment.sha[..7], deployment.description);
        ensure!(state == "inactive", "a deployment is still `{state}`");
    }
    Ok(())
}

impl World {
    async fn start() -> Result<Self> {
        let users = vec![User::new("ada", HF_TOKEN)];
        let hub = LocalHub::start(HubConfig { users, edge: true, ..HubConfig::default() }).await?;
        let github = LocalGithub::start().await?;
        github.add_token(GITHUB_TOKEN, Actor::workflow(Permissions::ALL));
        github.add_repository(REPOSITORY, false);
        github.open_pull(REPOSITORY, NUMBER, "A change", &head('a'));
        let world = Self { hub, github, checkout: tempfile::tempdir()? };
        world.write("README.md", "---\ntitle: Hello\nsdk: static\n---\n")?;
        Ok(world)
    }

    fn write(&self, path: &str, content: &str) -> Result<()> {
        Ok(std::fs::write(self.checkout.path().join(path), content)?)
    }

    /// Runs the step of the workflow for an event, and prints the comment.
    async fn step(&self, action: &str, commit: char, expected: &str) -> Result<()> {
        let scratch = tempfile::tempdir()?;
        let file = |name: &str| scratch.path().join(name).to_string_lossy().into_owned();
        std::fs::write(file("event.json"), event(action, commit))?;
        let vars: Vec<(String, String)> = [
            ("HF_ENDPOINT", self.hub.endpoint()),
            ("INPUT_HUGGINGFACE_REPO", "ada/hello".to_owned()),
            ("INPUT_HF_TOKEN", HF_TOKEN.to_owned()),
            ("INPUT_PREVIEW", "true".to_owned()),
            ("INPUT_GITHUB_TOKEN", GITHUB_TOKEN.to_owned()),
            ("GITHUB_EVENT_NAME", "pull_request".to_owned()),
            ("GITHUB_EVENT_PATH", file("event.json")),
            ("GITHUB_REPOSITORY", REPOSITORY.to_owned()),
            ("GITHUB_API_URL", self.github.api_url()),
            ("GITHUB_SERVER_URL", self.github.server_url()),
            ("GITHUB_RUN_ID", "42".to_owned()),
            ("GITHUB_WORKSPACE", self.checkout.path().to_string_lossy().into_owned()),
            ("GITHUB_OUTPUT", file("output")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let log = Log::to_stdout(&vars);
        Call::parse(["hf-deploy"])?.run(vars, log, std::future::pending()).await;
        let status = output(Path::new(&file("output")), "status")?;
        ensure!(status == expected, "the run ended as `{status}`, not as `{expected}`");
        let comments = self.github.comments(REPOSITORY, NUMBER);
        let [comment] = comments.as_slice() else {
            anyhow::bail!("there are {} comments, not one", comments.len());
        };
        println!("\n-- the comment --\n{}", comment.body);
        Ok(())
    }
}

/// Returns the head commit of a push.
fn head(digit: char) -> String {
    digit.to_string().repeat(40)
}

/// Returns the event of the pull request, as GitHub passes it to the run.
fn event(action: &str, commit: char) -> String {
    let repository = json!({ "full_name": REPOSITORY, "private": false });
    json!({
        "action": action,
        "pull_request": {
            "number": NUMBER,
            "state": if action == "closed" { "closed" } else { "open" },
            "head": { "sha": head(commit), "repo": repository },
            "base": { "sha": head('0'), "repo": repository },
        },
        "repository": repository,
    })
    .to_string()
}

/// Reads one output from the file behind GITHUB_OUTPUT: `name<<DELIMITER`, the value, `DELIMITER`.
fn output(path: &Path, name: &str) -> Result<String> {
    let text = std::fs::read_to_string(path).context("no outputs")?;
    let mut lines = text.lines();
    lines.find(|line| line.starts_with(&format!("{name}<<"))).context("no such output")?;
    Ok(lines.next().unwrap_or_default().to_owned())
}
