//! A GitHub on loopback, to try previews on.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use local_github::{Actor, Contract, LocalGithub, Permissions};

/// A small GitHub on this machine: comments, deployments and pull requests.
#[derive(Debug, Parser)]
struct Arguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Token of the workflow
    #[arg(long)]
    token: String,
    /// Token of a person; empty lets no person in
    #[arg(long, default_value = "")]
    person_token: String,
    /// Repository, `owner/name`
    #[arg(long)]
    repository: String,
    /// Number of an open pull request
    #[arg(long, default_value_t = 1)]
    pull: u64,
    /// GitHub's OpenAPI document, which requests are compared with
    #[arg(long)]
    openapi: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let contract = match &arguments.openapi {
        Some(path) => Some(Arc::new(Contract::read(path)?)),
        None => Contract::from_env()?,
    };
    let github = LocalGithub::start_on(arguments.port, contract).await?;
    github.add_token(&arguments.token, Actor::workflow(Permissions::ALL));
    if !arguments.person_token.is_empty() {
        github.add_token(&arguments.person_token, Actor::person("octocat"));
    }
    github.add_repository(&arguments.repository, false);
    github.open_pull(&arguments.repository, arguments.pull, "A change", &"a".repeat(40));
    println!("{}", github.api_url());
    let mut known = 0;
    // Breaches are printed as they come, so that a client from outside can be judged.
    loop {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let breaches = github.breaches();
        breaches[known..].iter().for_each(|breach| println!("breach: {breach}"));
        known = breaches.len();
    }
}
