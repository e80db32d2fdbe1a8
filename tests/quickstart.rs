//! Deploys `tests/fixtures/hello-space` to a Hub that runs on this machine, as a private Space with a public
//! proxy, twice; then visits it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use hf_deploy::action::Log;
use local_hub::{DockerCommand, HubConfig, LocalHub, Runtimes, User};

const TOKEN: &str = "hf_quickstart_token_of_the_local_hub";

#[tokio::main]
async fn main() -> Result<()> {
    let hub = LocalHub::start(HubConfig {
        users: vec![User::new("ada", TOKEN)],
        edge: true,
        runtimes: Runtimes { docker: Some(cargo_in_place_of_docker()), ..Runtimes::default() },
        ..HubConfig::default()
    })
    .await?;
    println!("A Hub runs at {}, with a user named ada.\n", hub.endpoint());

    println!("== First deploy ==\n");
    let first = deploy(&hub).await?;
    ensure!(first["status"] == "deployed", "the first deploy ended as `{}`", first["status"]);

    println!("== The same again ==\n");
    let second = deploy(&hub).await?;
    ensure!(second["status"] == "unchanged", "the second deploy ended as `{}`", second["status"]);

    println!("== A visitor without a token ==\n");
    let (status, _) = visit(&second["space_url"]).await?;
    println!("GET {}   the private Space: {status}", second["space_url"]);
    ensure!(status == 404, "the private Space is open");
    let (status, page) = visit(&second["proxy_url"]).await?;
    println!("GET {}   its proxy: {status}\n\n{page}", second["proxy_url"]);
    ensure!(status == 200 && page.contains("<h1>Hello"), "the proxy does not show the page");
    Ok(())
}

/// There is no container engine here: the source that was deployed to the proxy Space is compiled and run.
fn cargo_in_place_of_docker() -> DockerCommand {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let mut args = vec![format!("CARGO_TARGET_DIR={}", target.display())];
    // The Hub gives a Space a home of its own; cargo has its tools in this one.
    args.extend(std::env::var("HOME").map(|home| format!("HOME={home}")));
    args.extend(["cargo", "run", "--quiet", "--locked"].map(str::to_owned));
    DockerCommand { program: "env".into(), args }
}

/// Asks as anybody may.
async fn visit(url: &str) -> Result<(u16, String)> {
    let answer = reqwest::Client::builder().no_proxy().build()?.get(url).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// Runs the action as a workflow step does, and prints what it leaves behind. Returns the outputs.
async fn deploy(hub: &LocalHub) -> Result<BTreeMap<String, String>> {
    let scratch = tempfile::tempdir()?;
    let file = |name: &str| scratch.path().join(name).to_string_lossy().into_owned();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hello-space");
    let vars: Vec<(String, String)> = [
        ("HF_ENDPOINT", hub.endpoint()),
        ("INPUT_HUGGINGFACE_REPO", "ada/hello".to_owned()),
        ("INPUT_HF_TOKEN", TOKEN.to_owned()),
        ("INPUT_PRIVATE", "true".to_owned()),
        ("INPUT_CREATE_PROXY", "true".to_owned()),
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
    Ok(outputs.into_iter().collect())
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
