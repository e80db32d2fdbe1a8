//! The program: arguments, environment and signals in, a running proxy out.

#![forbid(unsafe_code)]

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use hf_proxy::{Proxy, UpstreamStatus};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A request makes and frees some forty allocations. The allocator of musl is slow at that, because it has one lock; this
/// one holds half the memory of others.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Exit code for invalid variables and unknown commands.
const BAD_USAGE: u8 = 2;
/// Time allowed for running tasks after the drain.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

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
    #[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
    let variable = |name: &str| std::env::var(name).ok();
    let proxy = match Proxy::from_variables(variable, io::stdout()) {
        Ok(proxy) => proxy,
        Err(faults) => {
            for fault in faults {
                eprintln!("{fault}");
            }
            return ExitCode::from(BAD_USAGE);
        }
    };
    // One thread is enough, because the workers do the rest.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async { if check_only { check(&proxy).await } else { serve(&proxy).await } });
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    proxy.flush_log();
    code
}

async fn serve(proxy: &Proxy) -> ExitCode {
    let port = proxy.config().port;
    match try_serve(proxy, port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot listen on port {port}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn try_serve(proxy: &Proxy, port: u16) -> io::Result<()> {
    let listener = TcpListener::bind(("0.0.0.0", port)).await?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    proxy.run(listener, shutdown).await
}

/// Prints the result of a check, and the variables to set.
async fn check(proxy: &Proxy) -> ExitCode {
    let report = proxy.check().await;
    let found = report.json();
    for name in ["upstream", "auth_mode", "forwarded_host", "space_cookies", "rewrite"] {
        println!("{name}: {}", found[name].to_string().trim_matches('"'));
    }
    if report.upstream == UpstreamStatus::Ok {
        println!("use: AUTH_MODE={}", found["auth_mode"].as_str().unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    ExitCode::FAILURE
}
