//! The requests of a run: few before the Space is created, and the check of the generated card.

use local_hub::{Fault, FaultKind, RepoType};
use serde_json::{Value, json};

use super::{
    MODEL, SPACE, World, action_for, bare_world, files, grant, plant, requests, runs_at_once, scaffold,
    with_space_token, world, writes,
};
use crate::harness::Run;
use crate::settings::refuse;

/// Largest number of requests before the Space is created.
const MAX_REQUESTS: usize = 4;

/// A run that makes a page which loads nothing, for any model.
fn scaffold_for(world: &World, model: &str) -> Run {
    action_for(world, model).input("mode", "safe-scaffold").input("verify", "false")
}

/// Runs it, and returns the requests before the creation, which are few.
async fn before_creation(world: &World, run: Run) -> Vec<String> {
    let all = all_before_creation(world, run).await;
    assert!(all.len() <= MAX_REQUESTS, "{all:#?}");
    all
}

async fn all_before_creation(world: &World, run: Run) -> Vec<String> {
    world.clear_requests();
    let ran = run.run().await.ended(0, "deployed");
    assert_eq!(ran.output("created"), "true");
    let mut all = requests(world);
    let create = all.iter().position(|line| line == "POST /api/repos/create").unwrap();
    all.truncate(create);
    all
}

/// Lets the model have code of its own, of which one class is in a file that exists.
fn with_code(world: &World, id: &str) -> String {
    let files = [("modeling_acme.py", &b"import torch\n"[..])];
    world.repo(RepoType::Model, id).commit_as("acme", "main", &files, "code").unwrap()
}

/// Moves the file of the code from the facts to the repo.
fn without_planted_code(facts: &mut Value) {
    facts["siblings"].as_array_mut().unwrap().retain(|file| file["rfilename"] != "modeling_acme.py");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_model_leaves_room_for_the_prices() {
    let world = world().await;
    let before = before_creation(&world, scaffold(&world)).await;
    let model = format!("GET /api/models/{MODEL}/revision/main");
    let look = format!("GET /api/spaces/{SPACE}");
    assert_eq!(before, [model.as_str(), "GET /api/whoami-v2", "GET /api/spaces/hardware", look.as_str()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn gated_model_is_looked_at_with_its_sizes_in_one_request() {
    let world = world().await;
    plant(&world, "text-to-image-gated-with-access", |_| {});
    grant(&world, "acme/flux-dev").await;
    runs_at_once(&world, "ada/flux-dev");
    let run = with_space_token(scaffold_for(&world, "acme/flux-dev"));
    let before = before_creation(&world, run).await;
    assert!(before[1].starts_with("HEAD /acme/flux-dev/resolve/"), "{before:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn adapter_is_read_with_its_base() {
    let world = world().await;
    plant(&world, "diffusers-lora", |_| {});
    runs_at_once(&world, "ada/sdxl-watercolor");
    let before = before_creation(&world, scaffold_for(&world, "acme/sdxl-watercolor")).await;
    assert_eq!(before[1], "GET /api/models/acme/sdxl-base/revision/main");
}

#[tokio::test(flavor = "multi_thread")]
async fn adapter_of_a_gated_base_needs_one_request_more() {
    let world = bare_world().await;
    plant(&world, "blocker-adapter-base-gated", |_| {});
    grant(&world, "acme/chat-7b").await;
    runs_at_once(&world, "ada/chat-7b-lora");
    let run = with_space_token(scaffold_for(&world, "acme/chat-7b-lora"));
    let before = all_before_creation(&world, run).await;
    assert_eq!(before.len(), MAX_REQUESTS + 1, "{before:#?}");
    assert!(before[2].starts_with("HEAD /acme/chat-7b/resolve/"), "{before:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_code_is_the_file_that_shows_the_access() {
    let world = world().await;
    plant(&world, "blocker-custom-code", without_planted_code);
    let sha = with_code(&world, "acme/code-7b");
    runs_at_once(&world, "ada/code-7b");
    let trusted = |model: &str, sha: &str| {
        scaffold_for(&world, model).input("trust_remote_code", "true").input("revision", sha)
    };
    let before = before_creation(&world, trusted("acme/code-7b", &sha)).await;
    assert!(before.iter().any(|line| line.ends_with("/modeling_acme.py")), "{before:#?}");

    plant(&world, "blocker-custom-code", |facts| {
        without_planted_code(facts);
        facts["id"] = "acme/gated-code".into();
        facts["gated"] = "manual".into();
    });
    let sha = with_code(&world, "acme/gated-code");
    let refused = with_space_token(trusted("acme/gated-code", &sha)).run().await;
    assert_eq!(refused.output("blockers"), "gated_no_access", "{}", refused.log);
    grant(&world, "acme/gated-code").await;
    runs_at_once(&world, "ada/gated-code");
    let before = before_creation(&world, with_space_token(trusted("acme/gated-code", &sha))).await;
    assert!(before[1].ends_with("/modeling_acme.py"), "{before:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limit_of_the_price_is_held_before_anything_is_created() {
    let world = world().await;
    let limited = || scaffold(&world).input("allow_fallback", "true").input("max_hourly_price", "0.10");
    let before = before_creation(&world, limited()).await;
    assert!(before.contains(&"GET /api/spaces/hardware".to_owned()), "{before:#?}");
}

/// A model with a license that the Hub does not have, which the card of a Space repeats.
fn with_odd_license(facts: &mut Value) {
    facts["id"] = "acme/odd".into();
    facts["cardData"] = json!({"license": "do-what-you-like"});
}

#[tokio::test(flavor = "multi_thread")]
async fn card_that_the_hub_refuses_ends_the_run_before_anything_is_written() {
    let world = world().await;
    plant(&world, "chat", with_odd_license);
    // A Hub that checks the card at the creation.
    refuse(&world, ("POST", "/api/repos/create"), 9, (400, "Invalid metadata in README.md"));
    let ran = scaffold_for(&world, "acme/odd").run().await.failed(2, "invalid_card");
    assert!(ran.log.contains("the generated README.md: \"license\" must be one of"), "{}", ran.log);
    assert!(!ran.log.contains("file=README.md"), "no file of the checkout is annotated: {}", ran.log);
    assert!(world.repo(RepoType::Space, "ada/odd").head("main").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn card_of_an_update_is_checked_before_the_commit() {
    let world = world().await;
    scaffold(&world).run().await.ended(0, "deployed");
    let before = files(&world);
    world.clear_requests();
    scaffold(&world).run().await.ended(0, "unchanged");
    assert!(requests(&world).contains(&"POST /api/validate-yaml".to_owned()));
    world.inject(Fault {
        method: None,
        path_contains: "/api/validate-yaml".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::Status {
            code: 400,
            headers: Vec::new(),
            body: json!({"errors": [{"message": "\"license\" must be one of [mit]"}], "warnings": []})
                .to_string(),
        },
    });
    world.clear_requests();
    let ran = scaffold(&world).run().await.failed(2, "invalid_card");
    assert!(ran.log.contains("correct the card of the model"), "{}", ran.log);
    assert_eq!((files(&world), writes(&world)), (before, vec![]), "{}", ran.log);
}
