//! The program: its environment, its signals, its exit codes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::world::{Caller, TOKEN, Upstream, soon};

fn program(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hf-proxy"));
    command.env_clear().envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

#[test]
fn all_faults_are_printed_at_once() {
    let output =
        run(&mut program(&[("TARGET_URL", "http://x.hf.space"), ("MAX_BODY", "lots"), ("PORT", "0")]));
    assert_eq!(output.status.code(), Some(2));
    let printed = String::from_utf8(output.stderr).unwrap();
    for name in ["TARGET_URL", "TARGET_TOKEN", "MAX_BODY", "PORT"] {
        assert!(printed.contains(&format!("`{name}`: ")), "{printed}");
    }
    assert_eq!(printed.lines().count(), 4, "{printed}");
    assert!(output.stdout.is_empty());
    assert_eq!(run(program(&[]).arg("serve")).status.code(), Some(2));
}

/// Returns a port that was free a moment ago.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program in front of `upstream`, and waits until it listens. Its log is not read.
async fn serving(upstream: &Upstream, more: &[(&str, &str)], log: Stdio) -> (Running, SocketAddr) {
    let (target, port) = (format!("http://{}", upstream.addr), port());
    let number = port.to_string();
    let base = [("TARGET_URL", target.as_str()), ("TARGET_TOKEN", TOKEN), ("PORT", &number)];
    let mut command = program(&[&base, more].concat());
    let running = Running(command.stdout(log).spawn().unwrap());
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    soon(async {
        while TcpStream::connect(addr).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    (running, addr)
}

/// Returns the resident memory of the process in kilobytes.
fn resident(running: &Running) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Number of stuck connections.
const STUCK: usize = 40;
/// Limit of each in kilobytes.
const EACH: usize = 1200;

/// Returns the kilobytes of each stuck connection, once they do not grow any more.
async fn settled(running: &Running, before: usize) -> usize {
    let mut last = 0;
    soon(async {
        loop {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let now = resident(running);
            if now <= last {
                return now.saturating_sub(before) / STUCK;
            }
            last = now;
        }
    })
    .await
}

/// Small pieces of an answer must not take more memory than large ones.
#[tokio::test(flavor = "multi_thread")]
async fn callers_that_do_not_read_take_little_memory() {
    for (kind, size) in
        [("chunks", 16 * 1024), ("chunks", 100 * 1024), ("chunks", 100), ("length", 64 * 1024)]
    {
        let upstream = Upstream::start(move |mut caller, _, _| {
            Box::pin(async move {
                if caller.head().await.contains("/config") {
                    return;
                }
                let (framing, mut piece) = match kind {
                    "chunks" => ("Transfer-Encoding: chunked", format!("{size:x}\r\n")),
                    _ => ("Content-Length: 1000000000", String::new()),
                };
                piece.push_str(&"x".repeat(size));
                if kind == "chunks" {
                    piece.push_str("\r\n");
                }
                let piece = piece.repeat((65_536 / size).max(1));
                let _ =
                    caller.stream.write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n").as_bytes()).await;
                while caller.stream.write_all(piece.as_bytes()).await.is_ok() {}
            })
        })
        .await;
        let (running, addr) = serving(&upstream, &[("RATE_LIMIT", "off")], Stdio::null()).await;
        let before = resident(&running);
        let mut held = vec![];
        for _ in 0..STUCK {
            let mut caller = Caller::new(TcpStream::connect(addr).await.unwrap());
            caller.send(format!("GET /big HTTP/1.1\r\nHost: {addr}\r\n\r\n")).await;
            held.push(caller);
        }
        let each = settled(&running, before).await;
        assert!(each < EACH, "{each} kB for each of them, by {kind} of {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_to_an_app_that_does_not_read_take_little_memory() {
    let upstream = Upstream::start(|mut caller, _, _| {
        Box::pin(async move {
            caller.head().await;
            std::future::pending::<()>().await;
        })
    })
    .await;
    for size in [0, 16 * 1024, 100] {
        let (running, addr) =
            serving(&upstream, &[("RATE_LIMIT", "off"), ("MAX_BODY", "1GB")], Stdio::null()).await;
        let before = resident(&running);
        let framing = if size == 0 { "Content-Length: 900000000" } else { "Transfer-Encoding: chunked" };
        let piece = match size {
            0 => "x".repeat(64 * 1024),
            _ => format!("{size:x}\r\n{}\r\n", "x".repeat(size)).repeat(65_536 / size),
        };
        let senders: Vec<_> = (0..STUCK)
            .map(|_| {
                let piece = piece.clone();
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(addr).await.unwrap();
                    let head = format!("POST /big HTTP/1.1\r\nHost: {addr}\r\n{framing}\r\n\r\n");
                    stream.write_all(head.as_bytes()).await.unwrap();
                    while stream.write_all(piece.as_bytes()).await.is_ok() {}
                })
            })
            .collect();
        let each = settled(&running, before).await;
        for sender in senders {
            sender.abort();
        }
        assert!(each < EACH, "{each} kB for each of them, by pieces of {size}");
    }
}

/// Sends SIGTERM, and returns the exit code.
async fn ended(running: &mut Running) -> Option<i32> {
    let signalled = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    soon(async {
        loop {
            if let Some(status) = running.0.try_wait().unwrap() {
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_read_does_not_block_the_end() {
    let upstream = Upstream::echo().await;
    let (mut running, addr) = serving(&upstream, &[("RATE_LIMIT", "off")], Stdio::piped()).await;
    let mut caller = Caller::new(TcpStream::connect(addr).await.unwrap());
    let path = "x".repeat(8000);
    // More than a pipe and a batch can hold.
    for _ in 0..40 {
        caller.send(format!("GET /{path} HTTP/1.1\r\nHost: {addr}\r\n\r\n")).await;
        assert_eq!(caller.reply(false).await.status, 200);
    }
    drop(caller);
    assert_eq!(ended(&mut running).await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_serves_and_ends_by_signal() {
    let upstream = Upstream::echo().await;
    let (target, port) = (format!("http://{}", upstream.addr), port());
    let variables = [("TARGET_URL", target.as_str()), ("TARGET_TOKEN", TOKEN), ("PORT", &port.to_string())];
    let mut running = Running(program(&variables).spawn().unwrap());
    let mut log = BufReader::new(running.0.stdout.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("listens on port"), "{line}");
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    let mut caller = Caller::new(TcpStream::connect(addr).await.unwrap());
    caller.send(format!("GET /x HTTP/1.1\r\nHost: {addr}\r\n\r\n")).await;
    assert_eq!(caller.reply(false).await.status, 200);
    // Waits for the self-check at the start.
    soon(async {
        loop {
            caller.send(format!("GET /_proxy/healthz HTTP/1.1\r\nHost: {addr}\r\n\r\n")).await;
            let health: serde_json::Value = serde_json::from_slice(&caller.reply(false).await.body).unwrap();
            if health["selfcheck"]["upstream"] == "ok" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let code = ended(&mut running).await;
    assert_eq!(code, Some(0));
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\"path\":\"/x\"") && rest.contains("drained"), "{rest}");
    assert!(!rest.contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn selfcheck_prints_the_modes() {
    let upstream = Upstream::answering(|_, _| {
        let body = "{\"root\":\"https://selfcheck.invalid\"}";
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nX-Proxied-Host: x\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    })
    .await;
    let target = format!("http://{}", upstream.addr);
    let check = |target: String| async move {
        let variables = [("TARGET_URL", target.as_str()), ("TARGET_TOKEN", TOKEN)];
        let mut command = program(&variables);
        command.arg("selfcheck");
        tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
    };
    let output = check(target).await;
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        printed,
        "upstream: ok\nauth_mode: x-hf-authorization\nforwarded_host: survives\nspace_cookies: none\n\
         rewrite: false\nuse: AUTH_MODE=x-hf-authorization\n"
    );
    assert_eq!(output.status.code(), Some(0));
    let output = check("http://127.0.0.1:9".to_owned()).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("upstream: unreachable\n"));
}
