//! Spaces that are made from models, on the local Hub.
//!
//! Where an app has to run, a small Gradio app stands in for the generated one, because that would need torch.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use local_hub::{NewRepo, RepoType, StageStep, User};
use serde_json::{Value, json};

use crate::harness::{Folder, Ran, Run, TestHub, hub_with};

mod agent;
mod blockers;
mod command_line;
mod completed;
mod ends;
mod gate;
mod owned;
mod pi;
mod recommended;
mod requests;
mod ways;

/// The model of most tests, and the Space that it becomes.
const MODEL: &str = "acme/chat-7b";
const SPACE: &str = "ada/chat-7b";

/// A Hub, and the workspace that the action runs in.
struct World {
    hub: TestHub,
    folder: Folder,
}

impl std::ops::Deref for World {
    type Target = TestHub;

    fn deref(&self) -> &TestHub {
        &self.hub
    }
}

/// A Hub with the model, whose Spaces run at once.
async fn world() -> World {
    let world = bare_world().await;
    plant(&world, "chat", |_| {});
    runs_at_once(&world, SPACE);
    world
}

/// A Hub without models.
async fn bare_world() -> World {
    World { hub: hub_with(|config| config.edge = true).await, folder: Folder::new(&[]) }
}

/// Puts a recorded model on the Hub.
fn plant(hub: &TestHub, name: &str, change: impl FnOnce(&mut Value)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/models/{name}.json"));
    let mut case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    change(&mut case["model"]);
    if case["base"].is_object() {
        hub.plant_model(&case["base"]).unwrap();
    }
    hub.plant_model(&case["model"]).unwrap();
}

/// A run of the action for the model.
fn action(world: &World) -> Run {
    action_for(world, MODEL)
}

fn action_for(world: &World, model: &str) -> Run {
    Run::new(world, &world.folder)
        .action("build-space")
        .without("INPUT_HUGGINGFACE_REPO")
        .input("model", model)
        .input("timeout", "60s")
}

/// A run that makes a page which loads nothing, and checks nothing.
fn scaffold(world: &World) -> Run {
    action(world).input("mode", "safe-scaffold").input("verify", "false")
}

/// The text of a file in the bundle of a run.
fn kept(world: &World, ran: &Ran, file: &str) -> String {
    let path = world.folder.path().join(ran.output("bundle_path")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{}", path.display(), ran.log))
}

fn kept_json(world: &World, ran: &Ran, file: &str) -> Value {
    serde_json::from_str(&kept(world, ran, file)).unwrap()
}

/// Token of the Space, and its user.
const SPACE_TOKEN: &str = "hf_ReadOnlyTokenOfTheSpace";
const READER: &str = "reader";

/// Gives the user of the Space's token access to the files of a gated model.
async fn grant(world: &World, model: &str) {
    world.add_user(User::new("acme", "hf_owner"));
    world.add_user(User::new(READER, SPACE_TOKEN));
    let granted = crate::proxy::client()
        .post(format!("{}/api/models/{model}/user-access-request/grant", world.endpoint()))
        .bearer_auth("hf_owner")
        .json(&json!({"user": READER}))
        .send()
        .await
        .unwrap();
    assert_eq!(granted.status(), 200);
}

/// A run with a token for the Space.
fn with_space_token(run: Run) -> Run {
    run.secret("INPUT_SPACE_HF_TOKEN", SPACE_TOKEN)
}

/// Lets an app stand in for the one of a Space, which runs at once.
fn serve(world: &World, space: &str, app: std::net::SocketAddr) {
    runs_at_once(world, space);
    world.space(space).set_app(Some(app));
}

/// Lets a Space run as soon as it exists.
fn runs_at_once(world: &World, space: &str) {
    world.space(space).script_stages(vec![StageStep::new(Duration::ZERO, "RUNNING")]).unwrap();
}

/// The methods and paths of all requests, without their queries.
fn requests(hub: &TestHub) -> Vec<String> {
    hub.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

/// The requests that create or change something.
fn writes(hub: &TestHub) -> Vec<String> {
    let is_question = |line: &String| {
        line.ends_with("/preupload/main") || line.ends_with("/validate-yaml") || line.starts_with("GET ")
    };
    requests(hub).into_iter().filter(|line| !is_question(line) && !line.starts_with("HEAD ")).collect()
}

/// The texts of the files of the Space.
fn files(hub: &TestHub) -> BTreeMap<String, String> {
    let space = hub.repo(RepoType::Space, SPACE);
    let paths: Vec<String> = space.tree("main").unwrap().into_keys().collect();
    let read = |path: &String| String::from_utf8(space.read_file("main", path).unwrap()).unwrap();
    paths.iter().map(|path| (path.clone(), read(path))).collect()
}

/// Creates a Space by hand.
fn space_by_hand(hub: &TestHub, files: &[(&str, &[u8])]) {
    hub.create_repo(NewRepo::new("ada", RepoType::Space, SPACE).sdk("gradio")).unwrap();
    hub.repo(RepoType::Space, SPACE).commit_as("ada", "main", files, "by hand").unwrap();
}

/// Compares everything that the run wrote with a snapshot, without what differs from run to run.
fn assert_shown(name: &str, world: &World, ran: &Ran) {
    let head = world.repo(RepoType::Model, MODEL).head("main").unwrap();
    let text = ran.everything().replace(ran.output("run_id"), "RUN").replace(&head[..7], "COMMIT");
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.add_filter(r"Root=1-[0-9a-f-]+(;[0-9a-f-]*)?", "REQUEST");
    settings.add_filter(r"127\.0\.0\.1:[0-9]+", "ADDRESS");
    settings.add_filter(r"(?m)^::(stop-commands::)?[0-9a-f]{32}(::)?\n", "");
    settings.add_filter(r"RUN-[0-9a-f]{12}", "RUN-JOB");
    settings.add_filter(r"(jobs/)?ada/[0-9a-f]{24}", "${1}ada/JOB");
    // The stages of a Job and the lines of its log come in no fixed order.
    settings.add_filter(r"(?m)^(waiting for hardware|running|completed)( after .*)?\n", "");
    settings.add_filter(r"Job started at [^ ]+", "Job started at T");
    settings.add_filter(r"(?m)^(uploading|synced|downloading) (\d+ files) .*$", "$1 $2 […]");
    settings.add_filter(r"\| Took \| [^|]+ \|", "| Took | T |");
    settings.bind(|| insta::assert_snapshot!(name, text));
}
