//! Deploys `tests/fixtures/hello-space` to a Hub that runs on this machine, twice, and checks the live page.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use hf_deploy::runner::Log;
use local_hub::{HubConfig, LocalHub, User};

const TOKEN: &str = "hf_quickstart_token_of_the_local_hub";

#[tokio::main]
async fn main() -> Result<()> {
    let config = HubConfig { users: vec![User::new("ada", TOKEN)], edge: true, ..HubConfig::default() };
    let hub = LocalHub::start(config).await?;
    println!("A Hub runs at {}, with a user named ada.\n", hub.endpoint());

    println!("== First deploy ==\n");
    let first = deploy(&hub).await?;
    ensure!(first == "deployed", "the first deploy ended as `{first}`");

    println!("== The same again ==\n");
    let second = deploy(&hub).await?;
    ensure!(second == "unchanged", "the second deploy ended as `{second}`");
    Ok(())
}

/// Runs the action as a workflow step does, and prints what it leaves behind. Returns the status.
async fn deploy(hub: &LocalHub) -> Result<String> {
    let scratch = tempfile::tempdir()?;
    let file = |name: &str| scratch.path().join(name).to_string_lossy().into_owned();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hello-space");
    let vars: Vec<(String, String)> = [
        ("HF_ENDPOINT", hub.endpoint()),
        ("INPUT_HUGGINGFACE_REPO", "ada/hello".to_owned()),
        ("INPUT_HF_TOKEN", TOKEN.to_owned()),
        ("INPUT_SOURCE_DIR", source.to_string_lossy().into_owned()),
        // The check asks the running app for this line, and keeps its report here.
        ("INPUT_HEALTH_CONTAINS", "<h1>Hello".to_owned()),
        ("GITHUB_WORKSPACE", scratch.path().to_string_lossy().into_owned()),
        ("GITHUB_OUTPUT", file("output")),
        ("GITHUB_STEP_SUMMARY", file("summary")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let code = hf_deploy::run(vars.clone(), Log::to_stdout(&vars), std::future::pending()).await;
    ensure!(code == 0, "the deploy ended with exit code {code}");
    let outputs = outputs(&std::fs::read_to_string(file("output")).context("no outputs")?);
    println!("\n-- outputs --");
    for (name, value) in &outputs {
        println!("{name}={value}");
    }
    println!("\n-- job summary --\n{}", std::fs::read_to_string(file("summary")).context("no summary")?);
    let status = outputs.into_iter().find(|(name, _)| name == "status").context("no status")?;
    Ok(status.1)
}

/// Reads the file behind GITHUB_OUTPUT: `name<<DELIMITER`, the value, `DELIMITER`.
fn outputs(text: &str) -> Vec<(String, String)> {
    let mut lines = text.lines();
    let mut outputs = Vec::new();
    while let Some(line) = lines.next() {
        if let Some((name, end)) = line.split_once("<<") {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            outputs.push((name.to_owned(), value.join("\n")));
        }
    }
    outputs
}
