//! The process: arguments, environment and signals in, exit code out.

use std::process::ExitCode;

use hf_deploy::action::{Log, trace};
use hf_deploy::cli::Call;
use tokio::signal::unix::{SignalKind, signal};

/// Allocator that gives large pieces of memory back to the system as soon as they are free. glibc's keeps pieces of up
/// to 32 MiB, once for each thread, and musl's is slow for small pieces.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[expect(clippy::disallowed_methods, reason = "only this function reads the environment")]
fn main() -> ExitCode {
    let call = Call::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let vars: Vec<(String, String)> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let log = if call.prints_json() { Log::to_stderr(&vars) } else { Log::to_stdout(&vars) };
    trace::install(&vars, &log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("cannot start: {error}");
            return ExitCode::from(hf_deploy::panic_exit_code());
        }
    };
    let cancelled = {
        let _runtime = runtime.enter();
        cancelled()
    };
    let code = runtime.block_on(call.run(vars, log, cancelled));
    // Threads that still read the source or wait for the network are not needed any more.
    runtime.shutdown_background();
    ExitCode::from(code)
}

/// Waits for the signals by which a runner cancels a step: SIGINT first, SIGTERM 7.5 seconds later.
///
/// The handlers are installed at once and not at the first poll, because by default a signal ends the process without
/// outputs.
fn cancelled() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
