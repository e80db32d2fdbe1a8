//! Jobs: processes of this machine in namespaces of their own.

use std::time::Duration;

use local_hub::{NewRepo, RepoType};
use serde_json::{Value, json};

use crate::client::{Client, start};

fn spec(command: &[&str]) -> Value {
    json!({
        "dockerImage": "python:3.12", "command": command, "flavor": "cpu-basic", "timeoutSeconds": 60,
        "environment": {}, "labels": {"team": "vision"},
    })
}

async fn create(c: &Client, body: Value) -> Value {
    let answer = c.post("/api/jobs/ada", body).await;
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    c.json("/api/jobs/ada").await[0].clone()
}

async fn ended(c: &Client, job: &Value) -> Value {
    let path = format!("/api/jobs/ada/{}", job["id"].as_str().unwrap());
    for _ in 0..600 {
        let job = c.json(&path).await;
        if !["SCHEDULING", "RUNNING"].contains(&job["status"]["stage"].as_str().unwrap()) {
            return job;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the Job does not end");
}

async fn log(c: &Client, job: &Value) -> Vec<String> {
    let path = format!("/api/jobs/ada/{}/logs", job["id"].as_str().unwrap());
    let text = c.get(&path).await.text().await.unwrap();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let line =
        |event: &str| serde_json::from_str::<Value>(event).unwrap()["data"].as_str().unwrap().to_owned();
    events.map(line).collect()
}

#[tokio::test]
async fn job_has_its_own_root_and_ends_with_its_command() {
    let c = start().await;
    let script = "echo $JOB_ID; id -u; ls -a /tmp | wc -l; touch /here && ls /here; echo $$";
    let job = create(&c, spec(&["sh", "-c", script])).await;
    let end = ended(&c, &job).await;
    assert_eq!(end["status"]["stage"], "COMPLETED");
    let lines = log(&c, &end).await;
    assert!(lines[0].starts_with("===== Job started at "));
    assert_eq!(lines[1..5], [end["id"].as_str().unwrap(), "0", "2", "/here"].map(str::to_owned));
    assert!(!std::path::Path::new("/here").exists());
    let failed = ended(&c, &create(&c, spec(&["sh", "-c", "exit 3"])).await).await;
    assert_eq!(failed["status"]["message"], "Job failed with exit code: 3. Reason: Error");
    assert!(c.hub.own_breaches().is_empty(), "{:?}", c.hub.own_breaches());
}

#[tokio::test]
async fn job_without_namespaces_runs_in_a_folder() {
    let c = start().await;
    c.hub.set_policy(|policy| policy.jobs.has_namespaces = false);
    c.post("/api/buckets/ada/files", json!({"private": true})).await;
    let script =
        "mkdir -p /workspace && cd /workspace && pwd && test -w \"$HOME\" && echo x >/output/x && ls /output";
    let mut body = spec(&["sh", "-c", script]);
    body["volumes"] = json!([{"type": "bucket", "source": "ada/files", "mountPath": "/output"}]);
    let end = ended(&c, &create(&c, body).await).await;
    let lines = log(&c, &end).await;
    assert_eq!(end["status"]["stage"], "COMPLETED", "{lines:?}");
    assert!(lines[1].ends_with("/workspace") && lines[1] != "/workspace", "{lines:?}");
    assert_eq!(lines[2], "x");
    assert_eq!(c.hub.bucket("ada/files").files().len(), 1);
    assert!(!std::path::Path::new("/workspace").exists());
}

#[tokio::test]
async fn lists_have_pages_and_filters() {
    let c = start().await;
    c.hub.set_policy(|policy| policy.jobs.page_size = 2);
    for _ in 0..5 {
        create(&c, spec(&["true"])).await;
    }
    let mut other = spec(&["true"]);
    other["labels"] = json!({"team": "audio"});
    create(&c, other).await;
    let mut path = "/api/jobs/ada?label=team%3Dvision".to_owned();
    let mut ids = Vec::new();
    loop {
        let answer = c.get(&path).await;
        let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let rows: Vec<Value> = answer.json().await.unwrap();
        ids.extend(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        let Some(link) = link else { break };
        path = link[1..link.find('>').unwrap()].to_owned();
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    assert_eq!(c.json("/api/jobs/ada?stage=CANCELED").await, json!([]));
}

#[tokio::test]
async fn cancelled_job_leaves_no_process() {
    let c = start().await;
    let job = create(&c, spec(&["sh", "-c", "sleep 600 & sleep 600"])).await;
    let handle = &c.hub.jobs()[0];
    while !handle.has_process() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let path = format!("/api/jobs/ada/{}", job["id"].as_str().unwrap());
    let metrics = c.get(&format!("{path}/metrics")).await;
    assert_eq!(metrics.status(), 200);
    let cancelled: Value = c.post(&format!("{path}/cancel"), json!({})).await.json().await.unwrap();
    assert_eq!(cancelled["status"]["stage"], "CANCELED");
    while handle.has_process() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(c.get(&format!("{path}/metrics")).await.status(), 406);
    c.hub.forgive_violations();
}

#[tokio::test]
async fn invalid_jobs_are_refused() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/app")).unwrap();
    let both = json!({"spaceId": "ada/app"});
    for (change, status) in [
        (both, 400),
        (json!({"command": []}), 400),
        (json!({"flavor": "quantum"}), 400),
        (json!({"volumes": []}), 400),
        (json!({"environment": {"1": "x"}}), 400),
        (json!({"labels": {"a b": "x"}}), 400),
    ] {
        let mut body = spec(&["true"]);
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        assert_eq!(c.post("/api/jobs/ada", body).await.status(), status, "{change}");
    }
    assert_eq!(c.post("/api/jobs/acme", spec(&["true"])).await.status(), 403);
    assert!(c.hub.jobs().is_empty());
    c.hub.forgive_violations();
}
