//! Spaces that really run: builds, apps that die, settings, pauses.

#![expect(clippy::disallowed_methods, reason = "programs are found where this process finds them")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use local_hub::{DockerCommand, HubConfig, NewRepo, RepoType, Runtimes};
use serde_json::{Value, json};

use crate::client::{Client, file, header, with};

/// An app without any library, which returns its environment and its request.
pub(crate) const APP: &str = r#"
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
VERSION = "one"
class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def do_GET(self):
        if self.path == "/die":
            print("the last words", flush=True)
            os._exit(3)
        if self.path == "/stream":
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for n in range(3):
                data = b"data: %d\n\n" % n
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data)); self.wfile.flush()
                time.sleep(0.3)
            self.wfile.write(b"0\r\n\r\n")
            return
        if self.headers.get("upgrade"):
            self.send_response(101)
            self.send_header("connection", "upgrade"); self.send_header("upgrade", "echo")
            self.end_headers(); self.wfile.flush()
            while True:
                line = self.rfile.readline()
                if not line: break
                self.wfile.write(b"echo " + line); self.wfile.flush()
            self.close_connection = True
            return
        body = json.dumps({"version": VERSION, "env": dict(os.environ), "path": self.path,
            "headers": [[k.lower(), v] for k, v in self.headers.items()], "cwd": os.getcwd()}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("access-control-allow-origin", "https://app.example")
        self.send_header("content-length", str(len(body)))
        self.end_headers(); self.wfile.write(body)
print("the app starts", flush=True)
port = int(os.environ.get("GRADIO_SERVER_PORT") or os.environ["PORT"])
ThreadingHTTPServer(("127.0.0.1", port), App).serve_forever()
"#;

const CARD: &str = "---\ntitle: T\nsdk: gradio\nsdk_version: 4.44.1\napp_file: app.py\n---\n";

/// Returns the Python that runs the apps. Tests that need it are ignored by `cargo test` alone.
pub(crate) fn prepared_python() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|p| p.join("python3")).find(|p| p.is_file());
    found.unwrap_or_else(|| {
        panic!("python3 is not on PATH: run `tests/run setup`, which reports how to install it")
    })
}

pub(crate) async fn running() -> Client {
    with(HubConfig {
        edge: true,
        runtimes: Runtimes {
            gradio_python: BTreeMap::from([("4".to_owned(), prepared_python())]),
            docker: Some(DockerCommand { program: prepared_python(), args: vec!["main.py".into()] }),
        },
        ..HubConfig::default()
    })
    .await
}

pub(crate) async fn deploy(c: &Client, id: &str, files: &[(&str, &str)]) -> String {
    if c.hub.repo(RepoType::Space, id).head("main").is_none() {
        c.hub.create_repo(NewRepo::new("ada", RepoType::Space, id).sdk("gradio")).unwrap();
    }
    let mut lines = vec![header("deploy")];
    lines.extend(files.iter().map(|(path, text)| file(path, text.as_bytes())));
    let answer = c.commit(&format!("/api/spaces/{id}/commit/main"), &lines).await;
    let body: Value = answer.json().await.unwrap();
    body["commitOid"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

/// Waits for a stage; the stages seen on the way.
pub(crate) async fn until(c: &Client, id: &str, stage: &str) -> Vec<String> {
    let (start, mut seen) = (Instant::now(), vec![]);
    loop {
        let now = c.hub.space(id).stage().unwrap().0;
        if seen.last() != Some(&now) {
            seen.push(now.clone());
        }
        if now == stage {
            return seen;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{seen:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) async fn ask(c: &Client, id: &str, path: &str) -> reqwest::Response {
    c.request(reqwest::Method::GET, &format!("{}{path}", c.hub.space(id).host().unwrap()))
        .send()
        .await
        .unwrap()
}

pub(crate) fn alive(pid: u64) -> bool {
    // A process that was killed may still wait for its parent.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn a_gradio_app_is_built_runs_and_is_replaced() {
    let c = running().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/g").sdk("gradio")).unwrap();
    assert_eq!(c.hub.space("ada/g").stage().unwrap().0, "NO_APP_FILE");
    assert_eq!(c.post("/api/spaces/ada/g/variables", json!({"key": "V", "value": "2"})).await.status(), 200);
    c.post("/api/spaces/ada/g/secrets", json!({"key": "S", "value": "3"})).await;
    let app = format!("import os\nprint('pid', os.getpid(), flush=True)\n{APP}");
    let one = deploy(&c, "ada/g", &[("README.md", CARD), ("app.py", &app), ("data/x.txt", "x")]).await;
    let seen = until(&c, "ada/g", "RUNNING").await;
    assert!(seen.iter().all(|s| ["BUILDING", "APP_STARTING", "RUNNING"].contains(&s.as_str())), "{seen:?}");
    let runtime = c.json("/api/spaces/ada/g/runtime").await;
    assert_eq!(runtime["sha"], json!(one));
    let seen: Value = ask(&c, "ada/g", "/x?y=1").await.json().await.unwrap();
    assert_eq!(seen["path"], "/x?y=1");
    let env = &seen["env"];
    assert_eq!([&env["V"], &env["S"]], ["2", "3"]);
    assert_eq!([&env["SYSTEM"], &env["SPACE_ID"]], ["spaces", "ada/g"]);
    assert!(env.get("CARGO").is_none(), "the environment of the server stays here");

    let two = deploy(&c, "ada/g", &[("app.py", &app.replace("\"one\"", "\"two\""))]).await;
    let seen = until(&c, "ada/g", "RUNNING").await;
    assert_eq!(seen.first().map(String::as_str), Some("RUNNING_BUILDING"), "{seen:?}");
    assert_eq!(c.json("/api/spaces/ada/g/runtime").await["sha"], json!(two));
    let seen: Value = ask(&c, "ada/g", "/").await.json().await.unwrap();
    assert_eq!(seen["version"], "two");

    let pid: u64 = {
        let text = std::fs::read_to_string(format!("{}/../pid", seen["cwd"].as_str().unwrap()));
        assert!(text.is_err());
        let log = crate::logs::read(&c, "ada/g", "run", "pid ").await;
        let line = log.iter().find(|l| l.starts_with("pid ")).unwrap();
        line.trim()[4..].parse().unwrap()
    };
    assert!(alive(pid));
    let paused: Value = c.post("/api/spaces/ada/g/pause", json!({})).await.json().await.unwrap();
    assert_eq!(paused["stage"], "PAUSED");
    while alive(pid) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(ask(&c, "ada/g", "/").await.status(), 503);
    let again: Value = c.post("/api/spaces/ada/g/restart", json!({})).await.json().await.unwrap();
    assert_eq!(again["stage"], "BUILDING");
    until(&c, "ada/g", "RUNNING").await;
    assert_eq!(ask(&c, "ada/g", "/").await.status(), 200);
    let cwd = seen["cwd"].as_str().unwrap().to_owned();
    assert!(!std::path::Path::new(&cwd).exists(), "the folder of a killed app goes");
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn the_old_app_serves_while_the_new_one_starts() {
    let c = running().await;
    c.hub.set_policy(|p| p.stale_running = Duration::from_millis(300));
    let one = deploy(&c, "ada/g", &[("README.md", CARD), ("app.py", APP)]).await;
    until(&c, "ada/g", "RUNNING").await;
    let slow = format!("import time\ntime.sleep(0.6)\n{}", APP.replace("\"one\"", "\"two\""));
    deploy(&c, "ada/g", &[("app.py", &slow)]).await;
    assert_eq!(c.hub.space("ada/g").stage().unwrap(), ("RUNNING".into(), Some(one.clone())), "stale");
    until(&c, "ada/g", "RUNNING_APP_STARTING").await;
    assert_eq!(c.hub.space("ada/g").stage().unwrap().1, Some(one));
    let seen: Value = ask(&c, "ada/g", "/").await.json().await.unwrap();
    assert_eq!(seen["version"], "one");
    until(&c, "ada/g", "RUNNING").await;
    let seen: Value = ask(&c, "ada/g", "/").await.json().await.unwrap();
    assert_eq!(seen["version"], "two");
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn failures_have_their_stages() {
    let c = running().await;
    deploy(&c, "ada/g", &[("README.md", CARD), ("app.py", "import nothing_of_this_name\n")]).await;
    until(&c, "ada/g", "RUNTIME_ERROR").await;
    let runtime = c.json("/api/spaces/ada/g/runtime").await;
    let error = runtime["errorMessage"].as_str().unwrap();
    assert!(error.starts_with("Exit code: 1. Reason: Traceback"), "{error}");
    assert!(error.contains("No module named 'nothing_of_this_name'"), "{error}");
    let page = ask(&c, "ada/g", "/").await;
    assert_eq!(page.status(), 503);
    assert!(page.headers().get("x-proxied-host").is_none());
    let text = page.text().await.unwrap();
    assert_eq!((text.len(), text.as_str()), (49, "Your space is in error, check its status on hf.co"));

    deploy(&c, "ada/g", &[("app.py", APP)]).await;
    until(&c, "ada/g", "RUNNING").await;
    let _ = c
        .request(reqwest::Method::GET, &format!("{}/die", c.hub.space("ada/g").host().unwrap()))
        .send()
        .await;
    until(&c, "ada/g", "RUNTIME_ERROR").await;
    let runtime = c.json("/api/spaces/ada/g/runtime").await;
    assert_eq!(runtime["errorMessage"], "Exit code: 3. Reason: the app starts\nthe last words\n");

    deploy(&c, "ada/g", &[("README.md", &CARD.replace("4.44.1", "9.9.9"))]).await;
    until(&c, "ada/g", "BUILD_ERROR").await;
    let runtime = c.json("/api/spaces/ada/g/runtime").await;
    assert!(runtime["errorMessage"].as_str().unwrap().contains("gradio==9.9.9"), "{runtime}");

    let never = "---\nsdk: gradio\nsdk_version: 4.1\nstartup_duration_timeout: 0s\n---\n";
    deploy(&c, "ada/g", &[("README.md", never), ("app.py", "import time\ntime.sleep(60)\n")]).await;
    until(&c, "ada/g", "RUNTIME_ERROR").await;
    let runtime = c.json("/api/spaces/ada/g/runtime").await;
    assert!(runtime["errorMessage"].as_str().unwrap().starts_with("Launch timed out"), "{runtime}");

    deploy(&c, "ada/g", &[("README.md", "no card\n")]).await;
    let runtime = c.json("/api/spaces/ada/g/runtime").await;
    assert_eq!(
        [&runtime["stage"], &runtime["errorMessage"]],
        ["CONFIG_ERROR", "Missing configuration in README"]
    );
    deploy(&c, "ada/g", &[("README.md", CARD)]).await;
    c.post("/api/spaces/ada/g/variables", json!({"key": "K", "value": "1"})).await;
    c.post("/api/spaces/ada/g/secrets", json!({"key": "K", "value": "1"})).await;
    let runtime = c.json("/api/spaces/ada/g/runtime").await;
    assert_eq!(runtime["errorMessage"], "Collision on variables and secrets names");
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn docker_and_static_spaces_run_too() {
    let c = running().await;
    let card = "---\nsdk: docker\napp_port: 8000\n---\n";
    deploy(&c, "ada/d", &[("README.md", card), ("Dockerfile", "FROM x"), ("main.py", APP)]).await;
    until(&c, "ada/d", "RUNNING").await;
    let seen: Value = ask(&c, "ada/d", "/").await.json().await.unwrap();
    assert_eq!(seen["env"]["APP_PORT"], "8000");
    assert!(seen["env"].get("GRADIO_SERVER_PORT").is_none());

    let card = "---\nsdk: static\n---\n";
    deploy(&c, "ada/s", &[("README.md", card), ("index.html", "<h1>é</h1>"), ("a/b.css", "x{}")]).await;
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["stage"], "RUNNING");
    let page = ask(&c, "ada/s", "/").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.text().await.unwrap(), "<h1>é</h1>");
    assert_eq!(ask(&c, "ada/s", "/a/b.css").await.headers()["content-type"], "text/css; charset=utf-8");
    assert_eq!(ask(&c, "ada/s", "/none").await.status(), 404);
    let card = "---\nsdk: static\napp_file: dist/main.html\n---\n";
    deploy(&c, "ada/s", &[("README.md", card), ("dist/main.html", "built")]).await;
    assert_eq!(ask(&c, "ada/s", "/").await.headers()["location"], "/dist/main.html");
    assert_eq!(ask(&c, "ada/s", "/dist/main.html").await.text().await.unwrap(), "built");
    deploy(&c, "ada/s", &[("README.md", "---\nsdk: static\napp_file: gone.html\n---\n")]).await;
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["stage"], "NO_APP_FILE");
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn apps_come_back_with_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let config = || HubConfig {
        data_dir: Some(dir.path().to_owned()),
        edge: true,
        runtimes: Runtimes {
            docker: Some(DockerCommand {
                program: prepared_python(),
                args: vec!["main.py".into(), "{port}".into()],
            }),
            ..Runtimes::default()
        },
        ..HubConfig::default()
    };
    let c = with(config()).await;
    let files = [("README.md", "---\nsdk: docker\n---\n"), ("Dockerfile", "FROM x"), ("main.py", APP)];
    let sha = deploy(&c, "ada/d", &files).await;
    until(&c, "ada/d", "RUNNING").await;
    drop(c);
    let c = with(config()).await;
    let seen = until(&c, "ada/d", "RUNNING").await;
    assert_eq!(seen.first().map(String::as_str), Some("BUILDING"), "{seen:?}");
    assert_eq!(c.hub.space("ada/d").stage().unwrap().1, Some(sha));
    assert_eq!(ask(&c, "ada/d", "/").await.status(), 200);
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn nothing_is_left_when_the_server_goes() {
    let c = running().await;
    let child = format!(
        "import subprocess\np = subprocess.Popen(['sleep', '60'])\nprint('pid', p.pid, flush=True)\n{APP}"
    );
    deploy(&c, "ada/g", &[("README.md", CARD), ("app.py", &child)]).await;
    until(&c, "ada/g", "RUNNING").await;
    let log = crate::logs::read(&c, "ada/g", "run", "pid ").await;
    let pid: u64 = log.iter().find(|l| l.starts_with("pid ")).unwrap().trim()[4..].parse().unwrap();
    assert!(alive(pid));
    drop(c);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!alive(pid), "what the app started is killed with it");
}
