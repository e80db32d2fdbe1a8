//! The program: its flags, and that it leaves nothing running.

use std::process::Stdio;
use std::time::{Duration, Instant};

use local_hub::DEFAULT_TOKEN;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::client::Client;
use crate::runtime::{APP, alive, prepared_python};

#[tokio::test]
async fn program_takes_several_users() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local-hub"))
        .args(["serve", "--transfer", "basic", "--user", "ada", "--token", "hf_ada", "--user", "bob=hf_bob"])
        .args(["--org", "acme=contributor", "--build-ms", "0"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    let endpoint = line.trim().rsplit(' ').next().unwrap().to_owned();
    let http = Client::http();
    let who = async |token: &str| -> Value {
        let request = http.get(format!("{endpoint}/api/whoami-v2")).bearer_auth(token);
        request.send().await.unwrap().json().await.unwrap()
    };
    let (ada, bob) = (who("hf_ada").await, who("hf_bob").await);
    assert_eq!((&ada["name"], &bob["name"]), (&json!("ada"), &json!("bob")));
    assert_eq!(ada["orgs"][0]["roleInOrg"], "contributor");
    assert_eq!(bob["orgs"], json!([]));
    child.kill().await.unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_local-hub"))
        .args(["serve", "--user", "ada", "--user", "bob"])
        .stderr(Stdio::piped())
        .output()
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("user `bob` has no token"));
}

#[tokio::test]
#[ignore = "needs tests/run setup"]
async fn program_runs_spaces_until_sigterm() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local-hub"))
        .args(["serve", "--edge", "--forwarded-proto", "http"])
        .args(["--docker-command", "exec python3 -u main.py --port $PORT"])
        .arg("--gradio-python")
        .arg(format!("5={}", prepared_python().display()))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    let endpoint = line.trim().rsplit(' ').next().unwrap().to_owned();
    let http = Client::http();
    let ask = |method: Method, path: &str| {
        http.request(method, format!("{endpoint}{path}")).bearer_auth(DEFAULT_TOKEN)
    };
    let script =
        json!([{"cause": "create", "steps": [], "build_log": [[{"secs": 0, "nanos": 0}, "scripted"]]}]);
    ask(Method::POST, "/__local/builds/ada/g")
        .json(&script)
        .send()
        .await
        .unwrap()
        .error_for_status()
        .unwrap();
    let app = format!("import os\nos.environ['PID'] = str(os.getpid())\n{APP}");
    let body = json!({"name": "g", "type": "space", "sdk": "gradio", "sdkVersion": "5.0.0",
        "files": [{"path": "app.py", "content": app}]});
    ask(Method::POST, "/api/repos/create").json(&body).send().await.unwrap().error_for_status().unwrap();
    let start = Instant::now();
    loop {
        let answer = ask(Method::GET, "/api/spaces/ada/g/runtime").send().await.unwrap();
        let runtime: Value = answer.json().await.unwrap();
        if runtime["stage"] == "RUNNING" && runtime["sha"].is_string() {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{runtime}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let host: Value = ask(Method::GET, "/api/spaces/ada/g/host").send().await.unwrap().json().await.unwrap();
    let seen: Value = {
        let url = host["host"].as_str().unwrap();
        let start = Instant::now();
        loop {
            // The script says nothing of stages, so the app may still be on its way.
            let answer = http.get(url).send().await.unwrap();
            if answer.status() == 200 {
                break answer.json().await.unwrap();
            }
            assert!(start.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let headers = seen["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-forwarded-proto", "http"])), "{seen}");
    let pid: u64 = seen["env"]["PID"].as_str().unwrap().parse().unwrap();
    assert!(alive(pid));
    let mut log = ask(Method::GET, "/api/spaces/ada/g/logs/build").send().await.unwrap();
    let first = log.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("scripted"));
    let id = child.id().unwrap();
    Command::new("sh").args(["-c", "kill -s TERM \"$0\"", &id.to_string()]).status().await.unwrap();
    assert!(child.wait().await.unwrap().success());
    assert!(!alive(pid), "the app ends with the program");
}
