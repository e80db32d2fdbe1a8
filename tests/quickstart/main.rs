//! Deploys `tests/fixtures/hello-space` twice to a Hub that runs on this machine, as a private Space with a public
//! proxy, then visits both.
//!
//! There is no container engine, so the Hub runs this program as the proxy: the code of the proxy Space is linked in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use hf_deploy::action::Log;
use hf_deploy::cli::Call;
use hf_proxy::Proxy;
use local_hub_server::{DockerCommand, HubConfig, LocalHub, Runtimes, User};
use tokio::net::TcpListener;

const TOKEN: &str = "hf_quickstart_token_of_the_local_hub";

/// Argument with which the Hub starts this program as the proxy.
const PROXY: &str = "proxy";

#[tokio::main]
async fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some(PROXY) {
        return serve_proxy().await;
    }
    println!("Deploys a folder twice to a Hub on this machine, and visits it: a few seconds.");
    println!("The public proxy is linked into this program; on the Hub it is compiled from its source.\n");
    let hub = LocalHub::start(HubConfig {
        users: vec![User::new("ada", TOKEN)],
        edge: true,
        runtimes: Runtimes { docker: Some(this_program_as_the_proxy()?), ..Runtimes::default() },
        ..HubConfig::default()
    })
    .await?;
    println!("A Hub runs at {}, with the user ada.\n", hub.endpoint());

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

/// Returns the command that replaces the container of the proxy Space.
fn this_program_as_the_proxy() -> Result<DockerCommand> {
    Ok(DockerCommand { program: std::env::current_exe()?, args: vec![PROXY.to_owned()] })
}

/// Serves the proxy on `PORT` until the Hub stops it.
#[expect(clippy::disallowed_methods, reason = "a Space gets its settings in the environment")]
async fn serve_proxy() -> Result<()> {
    let proxy =
        Proxy::from_variables(|name| std::env::var(name).ok(), std::io::stdout()).map_err(|faults| {
            anyhow::anyhow!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        })?;
    let listener = TcpListener::bind(("127.0.0.1", proxy.config().port)).await?;
    Ok(proxy.run(listener, std::future::pending()).await?)
}

/// Returns the root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Requests a page without a token.
async fn visit(url: &str) -> Result<(u16, String)> {
    let answer = reqwest::Client::builder().no_proxy().build()?.get(url).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// Runs the action like a workflow step, prints its outputs and summary, and returns the outputs.
async fn deploy(hub: &LocalHub) -> Result<BTreeMap<String, String>> {
    let scratch = tempfile::tempdir()?;
    let file = |name: &str| scratch.path().join(name).to_string_lossy().into_owned();
    let source = root().join("tests/fixtures/hello-space");
    let vars: Vec<(String, String)> = [
        ("HF_ENDPOINT", hub.endpoint()),
        ("INPUT_HUGGINGFACE_REPO", "ada/hello".to_owned()),
        ("INPUT_HF_TOKEN", TOKEN.to_owned()),
        ("INPUT_PRIVATE", "true".to_owned()),
        ("INPUT_CREATE_PROXY", "true".to_owned()),
        ("INPUT_SOURCE_DIR", source.to_string_lossy().into_owned()),
        // The check requires this line in the page of the running app.
        ("INPUT_HEALTH_CONTAINS", "<h1>Hello".to_owned()),
        ("GITHUB_WORKSPACE", scratch.path().to_string_lossy().into_owned()),
        ("GITHUB_OUTPUT", file("output")),
        ("GITHUB_STEP_SUMMARY", file("summary")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let log = Log::to_stdout(&vars);
    let code = Call::parse(["hf-deploy"])?.run(vars, log, std::future::pending()).await;
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
