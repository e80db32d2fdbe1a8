//! The local Hub as a program.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use local_hub::contract::OpenApi;
use local_hub::{
    Contract, DEFAULT_TOKEN, DockerCommand, Fault, HubConfig, LargeFileTransfer, LocalHub, Org, Runtimes,
    User,
};
use tokio::signal::unix::{SignalKind, signal};

/// A Hugging Face Hub on this machine, for tests.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves on loopback until SIGTERM or SIGINT.
    Serve(Serve),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// TCP port; 0 takes any free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Origin of all links, if a proxy is in front of the server.
    #[arg(long)]
    public_url: Option<String>,
    /// Directory of the state. Default: a temporary one.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Name of the user; may be repeated, as `NAME=TOKEN` for each further one.
    #[arg(long, default_value = "ada")]
    user: Vec<String>,
    /// Token of the first user (write).
    #[arg(long, default_value = DEFAULT_TOKEN)]
    token: String,
    /// Organisation the first user is an admin of, or has another role in, as `acme=contributor`; may be repeated.
    #[arg(long, value_name = "NAME[=ROLE]")]
    org: Vec<String>,
    /// The first user has no PRO plan and no payment method.
    #[arg(long)]
    free: bool,
    /// Duration of a build without an app, in milliseconds.
    #[arg(long, default_value_t = 1000)]
    build_ms: u64,
    /// Transfer protocol for large files.
    #[arg(long, value_enum, default_value_t = Transfer::Xet)]
    transfer: Transfer,
    /// The Hub's OpenAPI document. Default: `HUB_OPENAPI`.
    #[arg(long)]
    openapi: Option<PathBuf>,
    /// A fault as JSON; may be repeated.
    #[arg(long)]
    fault: Vec<String>,
    /// Give every Space its own address, which behaves like hf.space.
    #[arg(long)]
    edge: bool,
    /// `X-Forwarded-Proto` at the apps. `http` is for apps that build links from it.
    #[arg(long, default_value = "https")]
    forwarded_proto: String,
    /// Interpreter for a major version of Gradio, as `4=PATH`; may be repeated.
    #[arg(long, value_name = "MAJOR=PATH", value_parser = python)]
    gradio_python: Vec<(String, PathBuf)>,
    /// Command line for `sh` that runs a Docker Space in the folder of its files, and listens on `$PORT`.
    #[arg(long, value_name = "COMMAND")]
    docker_command: Option<String>,
    /// Folder in front of `PATH` in each Job, for programs that images have and this machine has not, such as `uv`.
    #[arg(long, value_name = "FOLDER")]
    job_path: Option<String>,
}

/// Returns the accounts. The first user has `token`.
fn users(names: &[String], token: &str) -> anyhow::Result<Vec<User>> {
    let mut users = Vec::new();
    for (index, text) in names.iter().enumerate() {
        let (name, token) = match text.split_once('=') {
            Some(pair) => pair,
            None if index == 0 => (text.as_str(), token),
            None => anyhow::bail!("user `{text}` has no token: pass NAME=TOKEN"),
        };
        users.push(User::new(name, token));
    }
    Ok(users)
}

fn python(text: &str) -> Result<(String, PathBuf), String> {
    let (major, path) =
        text.split_once('=').ok_or("expected MAJOR=PATH, for instance 4=/opt/gradio4/bin/python")?;
    Ok((major.to_owned(), path.into()))
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Transfer {
    Xet,
    Multipart,
    Basic,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Command::Serve(args) = Cli::parse().command;
    let mut users = users(&args.user, &args.token)?;
    let user = &mut users[0];
    user.orgs = args
        .org
        .iter()
        .map(|org| org.split_once('=').unwrap_or((org, "admin")))
        .map(|(name, role)| Org::new(name, role))
        .collect();
    if args.free {
        (user.is_pro, user.can_pay) = (false, false);
        user.orgs.iter_mut().for_each(|org| (org.plan, org.can_pay) = (None, false));
    }
    let contract = OpenApi::find(args.openapi.as_deref())?;
    let hub = LocalHub::start(HubConfig {
        data_dir: args.data,
        port: args.port,
        public_url: args.public_url,
        users,
        contract: contract.map(|contract| contract as Arc<dyn Contract>),
        transfer: match args.transfer {
            Transfer::Xet => LargeFileTransfer::Xet,
            Transfer::Multipart => LargeFileTransfer::Multipart,
            Transfer::Basic => LargeFileTransfer::Basic,
        },
        edge: args.edge,
        runtimes: Runtimes {
            gradio_python: args.gradio_python.into_iter().collect(),
            docker: args
                .docker_command
                .map(|line| DockerCommand { program: "sh".into(), args: vec!["-c".into(), line] }),
        },
        ..HubConfig::default()
    })
    .await?;
    hub.set_policy(|policy| {
        policy.forwarded_proto = args.forwarded_proto;
        policy.build_time = Duration::from_millis(args.build_ms);
        policy.jobs.extra_path = args.job_path;
    });
    for text in &args.fault {
        hub.inject(serde_json::from_str::<Fault>(text)?);
    }
    let mut out = std::io::stdout();
    writeln!(out, "local-hub listening on {}", hub.endpoint())?;
    out.flush()?;
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}
