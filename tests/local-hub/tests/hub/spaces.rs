//! Spaces: plans, settings, stages, keyless tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use local_hub::{DEFAULT_TOKEN, NewRepo, Org, RepoType, StageSha, StageStep, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{file, header, start};
use crate::runtime::until;

#[tokio::test]
async fn a_space_is_paid_for_by_its_plan_or_by_its_hardware() {
    let c = start().await;
    let rich = User { is_pro: false, orgs: vec![Org::new("acme", "write")], ..User::new("bob", "hf_bob") };
    let poor_org = Org { plan: None, can_pay: false, ..Org::new("club", "admin") };
    let poor = User { can_pay: false, orgs: vec![poor_org], ..User::new("eve", "hf_eve") };
    let neither = User { is_pro: false, can_pay: false, ..User::new("joe", "hf_joe") };
    [rich, poor, neither].into_iter().for_each(|user| c.hub.add_user(user));
    let count = std::cell::Cell::new(0);
    let status = async |token: &str, org: Option<&str>, sdk: &str, hardware: Option<&str>| {
        count.set(count.get() + 1);
        let name = format!("s{}", count.get());
        let mut body = json!({"name": name, "organization": org, "type": "space", "sdk": sdk});
        if let Some(hardware) = hardware {
            body["hardware"] = json!(hardware);
        }
        let create = c.request(Method::POST, "/api/repos/create").bearer_auth(token).json(&body);
        create.send().await.unwrap().status().as_u16()
    };
    for (token, org, sdk, hardware, expected) in [
        ("hf_bob", None, "docker", None, 402),
        ("hf_bob", None, "gradio", Some("cpu-basic"), 402),
        ("hf_bob", None, "gradio", Some("zero-a10g"), 200),
        ("hf_bob", None, "docker", Some("cpu-upgrade"), 200),
        ("hf_bob", None, "static", None, 200),
        ("hf_bob", Some("acme"), "docker", None, 200),
        ("hf_eve", None, "docker", None, 200),
        ("hf_eve", None, "docker", Some("h200x2"), 402),
        ("hf_eve", Some("club"), "docker", None, 402),
        ("hf_eve", Some("club"), "docker", Some("t4-small"), 402),
        ("hf_joe", None, "gradio", Some("t4-small"), 402),
    ] {
        assert_eq!(status(token, org, sdk, hardware).await, expected, "{token} {org:?} {sdk} {hardware:?}");
    }
    let orgs = async |token: &str| {
        let who = c.request(Method::GET, "/api/whoami-v2").bearer_auth(token).send().await.unwrap();
        who.json::<Value>().await.unwrap()["orgs"][0]["plan"].clone()
    };
    assert_eq!((orgs("hf_bob").await, orgs("hf_eve").await), (json!("team"), Value::Null));
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

#[tokio::test]
async fn a_space_takes_every_flavor_of_the_contract() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("gradio")).unwrap();
    for (flavor, expected) in [("rtx-pro-6000x2", 200), ("cpu-basic", 200), ("abacus", 400)] {
        let answer = c.post("/api/spaces/ada/s/hardware", json!({"flavor": flavor})).await;
        assert_eq!(answer.status(), expected, "{flavor}");
    }
}

#[tokio::test]
async fn a_space_is_born_with_its_settings() {
    let c = start().await;
    let body = json!({"name": "s", "type": "space", "sdk": "gradio", "visibility": "private",
        "secrets": [{"key": "A", "value": "1"}], "files": [{"path": "app.py", "content": "x"}]});
    assert_eq!(c.post("/api/repos/create", body.clone()).await.status(), 200);
    let again = c.post("/api/repos/create", body).await;
    assert_eq!(again.status(), 409);
    assert!(again.json::<Value>().await.unwrap()["url"].as_str().unwrap().ends_with("/spaces/ada/s"));
    assert_eq!(c.hub.space("ada/s").secrets().unwrap()["A"], "1");
    let vars: Value =
        c.post("/api/spaces/ada/s/variables", json!({"key": "V", "value": "2"})).await.json().await.unwrap();
    assert_eq!(vars["V"]["value"], "2");
    assert_eq!(c.post("/api/spaces/ada/s/secrets", json!({"key": "1bad", "value": ""})).await.status(), 400);
    let runtime = c.json("/api/spaces/ada/s/runtime").await;
    assert_eq!(runtime["stage"], "RUNNING");
    assert_eq!(runtime["sha"].as_str(), c.hub.repo(RepoType::Space, "ada/s").head("main").as_deref());
}

#[tokio::test]
async fn a_space_without_a_script_is_built_before_it_runs() {
    let c = start().await;
    c.hub.set_policy(|policy| policy.build_time = Duration::from_millis(300));
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("docker")).unwrap();
    c.commit("/api/spaces/ada/s/commit/main", &[header("a"), file("Dockerfile", b"FROM scratch")]).await;
    let runtime = c.json("/api/spaces/ada/s/runtime").await;
    assert_eq!((&runtime["stage"], &runtime["hardware"]["current"]), (&json!("BUILDING"), &Value::Null));
    assert!(runtime.get("sha").is_none());
    assert_eq!(until(&c, "ada/s", "RUNNING").await, ["BUILDING", "RUNNING"]);
    let head = c.hub.repo(RepoType::Space, "ada/s").head("main");
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["sha"].as_str(), head.as_deref());
    let restarted: Value =
        c.post("/api/spaces/ada/s/restart?factory=true", json!({})).await.json().await.unwrap();
    assert_eq!(restarted["stage"], "BUILDING");
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/page").sdk("static")).unwrap();
    assert_eq!(c.json("/api/spaces/ada/page/runtime").await["stage"], "RUNNING", "nothing is built");
}

#[tokio::test]
async fn variables_come_in_the_order_of_their_making() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("docker")).unwrap();
    for (key, value) in [("Z", "1"), ("A", "2"), ("M", "3"), ("Z", "4")] {
        c.post("/api/spaces/ada/s/variables", json!({"key": key, "value": value})).await;
    }
    let text = c.get("/api/spaces/ada/s/variables").await.text().await.unwrap();
    let at = |key: &str| text.find(&format!("\"{key}\":{{")).unwrap();
    assert!(at("Z") < at("A") && at("A") < at("M"), "{text}");
    assert!(text.contains("\"value\":\"4\""));
}

#[tokio::test]
async fn stages_follow_the_script() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("docker")).unwrap();
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["stage"], "NO_APP_FILE");
    let target = "/api/spaces/ada/s/commit/main";
    c.commit(target, &[header("a"), file("Dockerfile", b"FROM scratch")]).await;
    let first = c.hub.repo(RepoType::Space, "ada/s").head("main").unwrap();
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["sha"], json!(first));
    let mut stale = StageStep::new(Duration::ZERO, "RUNNING");
    stale.sha = StageSha::Previous;
    let script = vec![
        stale,
        StageStep::new(Duration::from_millis(200), "BUILDING"),
        StageStep::new(Duration::from_millis(400), "RUNNING"),
    ];
    c.commit(target, &[header("b"), file("x", b"x")]).await;
    c.hub.space("ada/s").script_stages(script).unwrap();
    let second = c.hub.repo(RepoType::Space, "ada/s").head("main").unwrap();
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["sha"], json!(first));
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["stage"], "RUNNING_BUILDING");
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(c.json("/api/spaces/ada/s/runtime").await["sha"], json!(second));
}

#[tokio::test]
async fn keyless_tokens_reach_one_repository() {
    let c = start().await;
    for name in ["one", "two"] {
        c.hub
            .create_repo(NewRepo::new("ada", RepoType::Space, &format!("ada/{name}")).sdk("static").private())
            .unwrap();
    }
    let claims = BTreeMap::from([("repository".to_owned(), "o/r".to_owned())]);
    c.hub.repo(RepoType::Space, "ada/one").add_trusted_publisher(claims).unwrap();
    let jwt = |repository: &str| {
        let part = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(json!({"repository": repository}).to_string());
        format!("e30.{part}.x")
    };
    let exchange = |subject: String, resource: &str| {
        c.request(Method::POST, "/oauth/token").json(&json!({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
            "subject_token": subject, "resource": resource}))
    };
    assert_eq!(exchange(jwt("o/other"), "spaces/ada/one").send().await.unwrap().status(), 400);
    let answer: Value = exchange(jwt("o/r"), "spaces/ada/one").send().await.unwrap().json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap();
    assert!(token.starts_with("hf_jwt_") && token != DEFAULT_TOKEN);
    let get = |path: &str| c.request(Method::GET, path).bearer_auth(token);
    assert_eq!(get("/api/spaces/ada/one").send().await.unwrap().status(), 200);
    assert_eq!(get("/api/spaces/ada/two").send().await.unwrap().status(), 404);
    let create = c
        .request(Method::POST, "/api/repos/create")
        .bearer_auth(token)
        .json(&json!({"name": "n", "type": "model"}));
    assert_eq!(create.send().await.unwrap().status(), 401);
}
