//! The program itself: its environment, its signals, its exit codes.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

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
fn every_fault_at_once() {
    let output =
        run(&mut program(&[("TARGET_URL", "http://x.hf.space"), ("MAX_BODY", "lots"), ("PORT", "0")]));
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    for name in ["TARGET_URL", "TARGET_TOKEN", "MAX_BODY", "PORT"] {
        assert!(told.contains(&format!("`{name}`: ")), "{told}");
    }
    assert_eq!(told.lines().count(), 4, "{told}");
    assert!(output.stdout.is_empty());
    assert_eq!(run(program(&[]).arg("serve")).status.code(), Some(2));
}

/// A port that was free a moment ago.
fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Ends the process when the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_and_ends_by_signal() {
    let upstream = Upstream::echo().await;
    let (target, port) = (format!("http://{}", upstream.addr), port());
    let variables = [("TARGET_URL", target.as_str()), ("TARGET_TOKEN", TOKEN), ("PORT", &port.to_string())];
    let mut running = Running(program(&variables).spawn().unwrap());
    let mut log = BufReader::new(running.0.stdout.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("listens on port"), "{line}");
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    let mut caller = Caller::new(tokio::net::TcpStream::connect(addr).await.unwrap());
    caller.send(format!("GET /x HTTP/1.1\r\nHost: {addr}\r\n\r\n")).await;
    assert_eq!(caller.reply(false).await.status, 200);
    // The check at the start finds out what it can.
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
    let signalled = Command::new("kill").args(["-TERM", &running.0.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let asked = Instant::now();
    let code = loop {
        if let Some(status) = running.0.try_wait().unwrap() {
            break status.code();
        }
        assert!(asked.elapsed() < Duration::from_secs(20), "it did not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
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
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        told,
        "upstream: ok\nauth_mode: x-hf-authorization\nforwarded_host: survives\nspace_cookies: none\n\
         rewrite: false\nuse: AUTH_MODE=x-hf-authorization\n"
    );
    assert_eq!(output.status.code(), Some(0));
    let output = check("http://127.0.0.1:9".to_owned()).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("upstream: unreachable\n"));
}
