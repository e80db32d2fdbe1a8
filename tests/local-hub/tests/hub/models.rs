//! Models that a test plants: facts, and files of which only names and sizes exist.

use local_hub::{DEFAULT_TOKEN, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, refusal, start};

fn facts(more: &Value) -> Value {
    let mut facts = json!({
        "id": "acme/m", "pipeline_tag": "text-generation", "library_name": "transformers", "tags": ["x"],
        "safetensors": {"parameters": {"BF16": 7}, "total": 7}, "config": {"model_type": "llama"},
        "baseModels": {"relation": "finetune", "models": [{"id": "acme/base"}]}, "gated": false, "disabled": false,
        "private": false, "siblings": [{"rfilename": "config.json", "size": 700},
            {"rfilename": "model.safetensors", "size": 20_000_000}],
    });
    for (name, value) in more.as_object().unwrap() {
        facts[name] = value.clone();
    }
    facts
}

#[tokio::test]
async fn planted_facts_are_shown_as_they_are_asked_for() {
    let c = start().await;
    let sha = c.hub.plant_model(&facts(&json!({}))).unwrap();
    let asked = "/api/models/acme/m/revision/main?expand[]=safetensors&expand[]=siblings&expand[]=baseModels&expand[]=sha";
    let answer = c.json(asked).await;
    let mut keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["_id", "baseModels", "id", "safetensors", "sha", "siblings"]);
    assert_eq!((answer["sha"].as_str(), &answer["safetensors"]["total"]), (Some(sha.as_str()), &json!(7)));
    let weights = json!({"rfilename": "model.safetensors"});
    assert!(answer["siblings"].as_array().unwrap().contains(&weights), "{answer}");

    let whole = c.json("/api/models/acme/m?blobs=true").await;
    assert_eq!((&whole["config"]["model_type"], &whole["baseModels"]), (&json!("llama"), &Value::Null));
    let sizes: Vec<&Value> = whole["siblings"].as_array().unwrap().iter().map(|row| &row["size"]).collect();
    assert!(sizes.contains(&&json!(20_000_000)) && sizes.contains(&&json!(700)), "{whole}");

    let tree = c.json(&format!("/api/models/acme/m/tree/{sha}?recursive=true")).await;
    let row = tree.as_array().unwrap().iter().find(|row| row["path"] == "model.safetensors").unwrap();
    assert_eq!((&row["size"], &row["lfs"]["size"]), (&json!(20_000_000), &json!(20_000_000)));
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

async fn head(c: &Client, token: Option<&str>) -> (u16, String) {
    let request = c.request(Method::HEAD, "/acme/m/resolve/main/model.safetensors");
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let (status, code, _) = refusal(&answer);
    (status, code.to_owned())
}

#[tokio::test]
async fn files_of_a_gated_model_are_closed() {
    let c = start().await;
    c.hub.add_user(User::new("bob", "hf_bob"));
    c.hub.add_user(User::new("acme", "hf_acme"));
    c.hub.plant_model(&facts(&json!({"gated": "manual"}))).unwrap();
    assert_eq!(head(&c, Some("hf_bob")).await, (403, "GatedRepo".to_owned()));
    assert_eq!(head(&c, None).await, (401, "GatedRepo".to_owned()));
    assert_eq!(head(&c, Some("hf_acme")).await, (302, String::new()));
    let facts = c.json("/api/models/acme/m?expand[]=gated").await;
    assert_eq!(facts["gated"], "manual");
}

#[tokio::test]
async fn private_and_disabled_models_answer_as_the_hub_does() {
    let c = start().await;
    c.hub.plant_model(&facts(&json!({"private": true}))).unwrap();
    let path = "/api/models/acme/m";
    let known = c.request(Method::GET, path).bearer_auth(DEFAULT_TOKEN).send().await.unwrap();
    assert_eq!((refusal(&known).0, refusal(&known).1), (404, "RepoNotFound"));
    assert_eq!(c.request(Method::GET, path).send().await.unwrap().status(), 401);

    c.hub.plant_model(&facts(&json!({"id": "acme/closed", "disabled": true}))).unwrap();
    let closed = c.get("/api/models/acme/closed").await;
    let (status, code, text) = refusal(&closed);
    assert_eq!((status, code, text), (403, "", "Access to this resource is disabled."));
}
