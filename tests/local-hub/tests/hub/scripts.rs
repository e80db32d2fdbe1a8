//! Stages on demand: per build, by cause, and before the Space exists.

use std::time::Duration;

use local_hub::{BuildCause, BuildScript, HubConfig, NewRepo, RepoType, StageStep};
use serde_json::json;

use crate::client::{Client, file, header, start, with};
use crate::logs::read;
use crate::runtime::{ask, until};

fn at(ms: u64, stage: &str) -> StageStep {
    StageStep::new(Duration::from_millis(ms), stage)
}

async fn commit(c: &Client, path: &str) {
    let answer = c.commit("/api/spaces/ada/s/commit/main", &[header("x"), file(path, b"x")]).await;
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn each_build_takes_the_script_of_its_cause() {
    let c = start().await;
    let failed = StageStep::error(Duration::from_millis(50), "BUILD_ERROR", "Job failed with exit code: 1");
    let mut broken = BuildScript::new(BuildCause::Commit, vec![at(0, "BUILDING"), failed]);
    broken.build_log = vec![(Duration::ZERO, "first".into()), (Duration::from_millis(60), "ERROR".into())];
    let scripts = vec![
        BuildScript::new(BuildCause::Restart, vec![at(0, "APP_STARTING"), at(400, "RUNNING")]),
        broken,
        BuildScript::new(BuildCause::Commit, vec![at(0, "SOMETHING_NEW"), at(400, "STOPPED")]),
        BuildScript::new(BuildCause::FactoryRestart, vec![at(10_000, "RUNNING")]),
        BuildScript::new(BuildCause::Setting, vec![at(0, "PAUSED")]),
    ];
    c.hub.space("Ada/S").script_builds(scripts).unwrap();
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("docker")).unwrap();
    commit(&c, "Dockerfile").await;
    assert_eq!(until(&c, "ada/s", "BUILD_ERROR").await, ["BUILDING", "BUILD_ERROR"]);
    let runtime = c.json("/api/spaces/ada/s/runtime").await;
    assert_eq!(runtime["errorMessage"], "Job failed with exit code: 1");
    assert!(runtime.get("sha").is_none());
    assert_eq!(read(&c, "ada/s", "build", "ERROR").await, ["first", "ERROR"]);
    c.post("/api/spaces/ada/s/restart", json!({})).await;
    assert_eq!(until(&c, "ada/s", "RUNNING").await, ["APP_STARTING", "RUNNING"]);
    commit(&c, "y").await;
    assert_eq!(until(&c, "ada/s", "STOPPED").await, ["SOMETHING_NEW", "STOPPED"]);
    c.post("/api/spaces/ada/s/restart?factory=true", json!({})).await;
    assert_eq!(c.hub.space("ada/s").stage().unwrap().0, "BUILDING");
    c.post("/api/spaces/ada/s/variables", json!({"key": "A", "value": "1"})).await;
    assert_eq!(c.hub.space("ada/s").stage().unwrap().0, "PAUSED");
    commit(&c, "z").await;
    assert_eq!(c.hub.space("ada/s").stage().unwrap().0, "RUNNING", "the list is used up");
    let script = vec![StageStep::stale(Duration::ZERO), at(40, "BUILDING")];
    c.hub.space("ada/s").script_stages(script).unwrap();
    assert_eq!(c.hub.space("ada/s").stage().unwrap().1, None, "there was no older app");
}

#[tokio::test]
async fn a_visit_wakes_a_sleeping_space_and_not_a_paused_one() {
    let c = with(HubConfig { edge: true, ..HubConfig::default() }).await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("docker")).unwrap();
    commit(&c, "Dockerfile").await;
    let wake = BuildScript::new(BuildCause::Wake, vec![at(0, "APP_STARTING"), at(400, "RUNNING")]);
    c.hub.space("ada/s").script_builds(vec![wake]).unwrap();
    c.hub.space("ada/s").sleep().unwrap();
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["stage"], "SLEEPING");
    let page = ask(&c, "ada/s", "/").await;
    assert_eq!(
        (page.status().as_u16(), page.headers()["content-type"].as_bytes()),
        (503, &b"text/html; charset=utf-8"[..])
    );
    assert_eq!(until(&c, "ada/s", "RUNNING").await, ["APP_STARTING", "RUNNING"]);
    c.post("/api/spaces/ada/s/pause", json!({})).await;
    assert_eq!(ask(&c, "ada/s", "/").await.status(), 503);
    commit(&c, "y").await;
    assert_eq!(c.hub.space("ada/s").stage().unwrap().0, "PAUSED");
    c.post("/api/spaces/ada/s/restart", json!({})).await;
    assert_eq!(c.hub.space("ada/s").stage().unwrap().0, "RUNNING");
}

#[tokio::test]
async fn a_commit_waits_for_the_end_of_dev_mode() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("docker")).unwrap();
    commit(&c, "Dockerfile").await;
    let old = c.hub.repo(RepoType::Space, "ada/s").head("main");
    c.post("/api/spaces/ada/s/dev-mode", json!({"enabled": true})).await;
    commit(&c, "x").await;
    assert_eq!(c.hub.space("ada/s").stage().unwrap(), ("RUNNING".to_owned(), old));
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["devMode"], true);
    c.post("/api/spaces/ada/s/dev-mode", json!({"enabled": false})).await;
    let head = c.hub.repo(RepoType::Space, "ada/s").head("main");
    assert_eq!(c.hub.space("ada/s").stage().unwrap(), ("RUNNING".to_owned(), head));
}
