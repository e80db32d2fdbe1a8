//! The local Hub as a program.

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use local_hub::{DEFAULT_TOKEN, Fault, HubConfig, LargeFileTransfer, LocalHub, User};
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
    /// Directory of the state; without it the state is gone at the end.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Name of the user.
    #[arg(long, default_value = "ada")]
    user: String,
    /// Token of the user (write).
    #[arg(long, default_value = DEFAULT_TOKEN)]
    token: String,
    /// Organisation the user is an admin of; may be repeated.
    #[arg(long)]
    org: Vec<String>,
    /// The user has no PRO plan and no payment method.
    #[arg(long)]
    free: bool,
    /// How large files travel.
    #[arg(long, value_enum, default_value_t = Transfer::Xet)]
    transfer: Transfer,
    /// The Hub's OpenAPI document.
    #[arg(long)]
    openapi: Option<PathBuf>,
    /// A fault as JSON; may be repeated.
    #[arg(long)]
    fault: Vec<String>,
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
    let mut user = User::new(&args.user, &args.token);
    user.orgs = args.org.into_iter().map(|org| (org, "admin".to_owned())).collect();
    if args.free {
        user.is_pro = false;
        user.can_pay = false;
    }
    let hub = LocalHub::start(HubConfig {
        data_dir: args.data,
        port: args.port,
        users: vec![user],
        openapi: args.openapi,
        transfer: match args.transfer {
            Transfer::Xet => LargeFileTransfer::Xet,
            Transfer::Multipart => LargeFileTransfer::Multipart,
            Transfer::Basic => LargeFileTransfer::Basic,
        },
        ..HubConfig::default()
    })
    .await?;
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
