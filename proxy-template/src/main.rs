//! The environment in, a server out.

#![forbid(unsafe_code)]

use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hf_proxy::config::Config;
use hf_proxy::proxy::Proxy;
use hf_proxy::selfcheck::{self, Upstream};
use hf_proxy::server;
use hf_proxy::workers::Workers;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A request makes and drops some forty pieces of memory, which the allocator of musl, with its one lock, is slow at.
/// This one holds half of what others do.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A fault in the environment, or an unknown command.
const BAD_USAGE: u8 = 2;
/// What still runs when the drain is over is given up.
const LAST_MOMENT: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check_only = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["selfcheck"] => true,
        _ => {
            eprintln!("hf-proxy serves; `hf-proxy selfcheck` asks the target and prints the modes to use");
            return ExitCode::from(BAD_USAGE);
        }
    };
    let config = match Config::read(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(faults) => {
            for fault in faults {
                eprintln!("{fault}");
            }
            return ExitCode::from(BAD_USAGE);
        }
    };
    let proxy = match Proxy::new(config, std::io::stdout()) {
        Ok(proxy) => proxy,
        Err(fault) => {
            eprintln!("{fault}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    // It accepts connections, asks the target how it is, and waits for signals; the rest is done by workers.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async { if check_only { check(&proxy).await } else { run(&proxy).await } });
    runtime.shutdown_timeout(LAST_MOMENT);
    proxy.logger.flush();
    code
}

async fn run(proxy: &Arc<Proxy>) -> ExitCode {
    let port = proxy.config.port;
    let started = async {
        let listener = TcpListener::bind(("0.0.0.0", port)).await?;
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok::<_, std::io::Error>((
            listener,
            Workers::start(cores, &proxy.connector)?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        ))
    };
    let (listener, workers, mut terminate, mut interrupt) = match started.await {
        Ok(started) => started,
        Err(error) => {
            eprintln!("cannot listen on port {port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    proxy.logger.event("info", &format!("hf-proxy {} listens on port {port}", env!("CARGO_PKG_VERSION")));
    let check = tokio::spawn(selfcheck::keep(proxy.clone()));
    let shutdown = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server::serve(listener, proxy.clone(), workers, shutdown).await;
    check.abort();
    ExitCode::SUCCESS
}

/// Prints what was found and the variables that fix it.
async fn check(proxy: &Arc<Proxy>) -> ExitCode {
    let report = selfcheck::check(proxy).await;
    let found = report.json();
    for name in ["upstream", "auth_mode", "forwarded_host", "space_cookies", "rewrite"] {
        println!("{name}: {}", found[name].to_string().trim_matches('"'));
    }
    if report.upstream == Upstream::Ok {
        println!("use: AUTH_MODE={}", found["auth_mode"].as_str().unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}
