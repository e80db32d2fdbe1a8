//! Each obstacle of a model ends the run before anything is created, and its way out leads to a Space.

use std::collections::BTreeSet;

use hf_deploy::model::BlockerId;
use local_hub::{Org, RepoType, User};
use serde_json::{Value, json};

use super::{
    SPACE_TOKEN, World, action_for, bare_world, grant, kept_json, plant, runs_at_once, with_space_token,
    world, writes,
};
use crate::harness::{Ran, Run};

/// Inputs of a run, by their names.
type Inputs = &'static [(&'static str, &'static str)];

/// A recorded model, the inputs with which it is refused, and the obstacle.
const REFUSED: &[(&str, Inputs, &str)] = &[
    ("blocker-disabled", &[], "model_disabled"),
    ("blocker-task-mask-generation", &[], "unknown_task"),
    ("blocker-task-new", &[], "unknown_task"),
    ("blocker-task-tabular", &[], "unknown_task"),
    ("blocker-unknown-task", &[], "unknown_task"),
    ("blocker-library-nemo", &[], "unsupported_library"),
    ("blocker-library-setfit", &[], "unsupported_library"),
    ("blocker-library-unnamed", &[], "unsupported_library"),
    ("blocker-adapter-seq-cls", &[], "unsupported_library"),
    ("blocker-diffusers-inpainting", &[], "unsupported_library"),
    ("blocker-mlx-only", &[], "mlx_only"),
    ("blocker-gguf-only", &[], "gguf_only"),
    ("blocker-onnx-only", &[], "onnx_only"),
    ("blocker-docker-only", &[], "docker_only"),
    ("blocker-no-weights", &[], "no_weights"),
    ("blocker-tensorflow-only", &[], "no_weights"),
    ("blocker-static-without-onnx", &[("runtime", "static")], "no_weights"),
    ("blocker-pickle-only", &[], "weights_pickle_only"),
    ("blocker-adapter-without-base", &[], "adapter_without_base"),
    ("blocker-adapter-base-hidden", &[], "adapter_without_base"),
    ("blocker-adapter-base-gated", &[], "gated_no_access"),
    ("blocker-gated-no-token", &[], "gated_no_access"),
    ("blocker-quant-awq", &[], "quant_kernel"),
    ("blocker-quant-fp8", &[], "quant_kernel"),
    ("blocker-quant-mxfp4", &[], "quant_kernel"),
    ("blocker-custom-code", &[], "custom_code"),
    ("blocker-custom-code-not-pinned", &[("trust_remote_code", "true")], "custom_code"),
    ("blocker-too-large", &[], "too_large"),
    ("blocker-multi-gpu", &[("hardware_preference", "h200x2")], "multi_gpu"),
    ("blocker-no-provider", &[("runtime", "provider")], "no_provider"),
    ("blocker-license-required", &[("require_license", "true")], "license_missing"),
];

/// Obstacles that other tests here meet, and warnings, which are none.
const ELSEWHERE: &[&str] =
    &["model_not_found", "private_model", "flash_attn_import", "license_non_commercial", "gated_terms"];

fn with(run: Run, inputs: &[(&str, &str)]) -> Run {
    inputs.iter().fold(run, |run, (name, value)| run.input(name, value))
}

fn blocked(ran: Ran, id: &str) -> Ran {
    let ran = ran.failed(1, "technical_blocker");
    assert_eq!(ran.output("gate_status"), "technical_blocker", "{}", ran.log);
    assert!(ran.output("blockers").split(',').any(|found| found == id), "{}", ran.log);
    assert!(ran.log.contains("hint: "), "{}", ran.log);
    ran
}

/// Plants a recorded model under a name of its own. Returns its id.
fn plant_as(world: &World, name: &str, fixture: &str) -> String {
    let id = format!("acme/{name}");
    plant(world, fixture, |facts| facts["id"] = id.as_str().into());
    id
}

/// Makes the Space of a model, with a page that loads nothing.
async fn made(world: &World, model: &str, run: impl FnOnce(Run) -> Run) -> Ran {
    let space = format!("ada/{}", model.split('/').nth(1).unwrap());
    runs_at_once(world, &space);
    let scaffold = action_for(world, model).input("mode", "safe-scaffold").input("verify", "false");
    let ran = run(scaffold).run().await.ended(0, "deployed");
    assert_eq!((ran.output("created"), ran.output("blockers")), ("true", ""), "{}", ran.log);
    assert!(world.repo(RepoType::Space, &space).head("main").is_some());
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn each_obstacle_ends_the_run_before_anything_is_created() {
    // A Hub for each model, because several have the same base.
    let runs = REFUSED.iter().map(async |(fixture, inputs, id)| {
        let world = bare_world().await;
        let model = plant_as(&world, "refused", fixture);
        let ran = blocked(with(action_for(&world, &model), inputs).run().await, id);
        let found = kept_json(&world, &ran, "TECHNICAL_BLOCKERS.json");
        let found = found.as_array().unwrap().iter().find(|blocker| blocker["id"] == *id).unwrap().clone();
        for field in ["evidence", "fix"] {
            assert!(!found[field].as_str().unwrap().is_empty(), "{fixture}: {found}");
        }
        assert!(ran.log.contains(found["fix"].as_str().unwrap()), "{fixture}: {}", ran.log);
        assert_eq!(kept_json(&world, &ran, "inference_gate.json")["status"], "technical_blocker");
        assert_eq!(writes(&world), [""; 0], "{fixture}");
    });
    // As many at once as there are cores, because each run has a time limit.
    use futures_util::StreamExt as _;
    futures_util::stream::iter(runs).buffer_unordered(4).collect::<Vec<()>>().await;
    let met: BTreeSet<&str> = REFUSED.iter().map(|(.., id)| *id).chain(ELSEWHERE.iter().copied()).collect();
    let all: BTreeSet<&str> = BlockerId::ALL.iter().map(|id| id.as_str()).collect();
    assert_eq!(met, all, "each obstacle has a test");
}

#[tokio::test(flavor = "multi_thread")]
async fn model_that_the_hub_does_not_show_needs_another_name_or_token() {
    let world = world().await;
    let ran = blocked(action_for(&world, "acme/nothing").run().await, "model_not_found");
    assert!(ran.log.contains("a private model needs a token that can read it"), "{}", ran.log);
    let dry = action_for(&world, "acme/nothing").without("INPUT_HF_TOKEN").input("dry_run", "true");
    let ran = blocked(dry.run().await, "model_not_found");
    assert!(ran.log.contains("a private model needs `hf_token`"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_weights_are_the_way_out_of_formats_and_packs() {
    let world = world().await;
    for (name, fixture) in
        [("gguf", "gguf-with-base"), ("mlx", "blocker-mlx-only"), ("awq", "blocker-quant-awq")]
    {
        let id = plant_as(&world, name, fixture);
        let ran = made(&world, &id, |run| run.input("use_base_model", "true")).await;
        assert!(ran.log.contains("using the base model `acme/chat-7b` in place of"), "{}", ran.log);
    }
    let id = plant_as(&world, "onnx", "blocker-onnx-only");
    let ran = made(&world, &id, |run| run.input("runtime", "static")).await;
    assert_eq!((ran.output("template"), ran.output("hardware_status")), ("static-transformersjs", ""));
    let id = plant_as(&world, "no-onnx", "blocker-static-without-onnx");
    made(&world, &id, |run| run).await;
    let id = plant_as(&world, "pickle", "blocker-pickle-only");
    made(&world, &id, |run| run.input("allow_pickle", "true")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn inputs_are_the_way_out_of_tasks_and_licenses() {
    let world = world().await;
    let id = plant_as(&world, "untagged", "blocker-unknown-task");
    let ran = made(&world, &id, |run| run.input("task", "text-generation")).await;
    assert_eq!(ran.output("template"), "text-generation");
    let id = plant_as(&world, "unlicensed", "blocker-license-required");
    let ran = made(&world, &id, |run| run).await;
    assert!(ran.log.contains("::warning::license missing"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_is_the_way_out_of_size() {
    let world = world().await;
    world.add_user(User::new("reader", SPACE_TOKEN));
    let providers = |facts: &mut Value| {
        facts["inferenceProviderMapping"] =
            json!({"novita": {"status": "live", "providerId": "x", "task": "conversational"}});
    };
    for (name, fixture) in [("large", "blocker-too-large"), ("several", "blocker-multi-gpu")] {
        let id = format!("acme/{name}");
        plant(&world, fixture, |facts| {
            facts["id"] = id.as_str().into();
            providers(facts);
        });
        let without = action_for(&world, &id).input("runtime", "provider").run().await;
        let without = blocked(without, "no_provider");
        assert!(without.log.contains("set `space_hf_token` to a token that may only"), "{}", without.log);
        let ran = made(&world, &id, |run| with_space_token(run.input("runtime", "provider"))).await;
        assert_eq!(ran.output("template"), "provider-chat");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_of_the_space_is_the_way_out_of_closed_models() {
    let world = world().await;
    let gated = plant_as(&world, "gated", "text-to-image-gated-with-access");
    let refused = with_space_token(action_for(&world, &gated));
    blocked(refused.run().await, "gated_no_access");
    grant(&world, &gated).await;
    made(&world, &gated, with_space_token).await;
    let space = world.space("ada/gated");
    assert_eq!(space.secrets().unwrap().get("HF_TOKEN").map(String::as_str), Some(SPACE_TOKEN));

    // The base of an adapter is asked for as well.
    let world = bare_world().await;
    plant(&world, "blocker-adapter-base-gated", |_| {});
    blocked(action_for(&world, "acme/chat-7b-lora").run().await, "gated_no_access");
    blocked(with_space_token(action_for(&world, "acme/chat-7b-lora")).run().await, "gated_no_access");
    grant(&world, "acme/chat-7b").await;
    made(&world, "acme/chat-7b-lora", with_space_token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_model_needs_a_token_that_can_read_it() {
    let world = World {
        hub: crate::harness::hub_with(|config| {
            config.edge = true;
            config.users[0].orgs = vec![Org::new("team", "write")];
            config
                .users
                .push(User { orgs: vec![Org::new("team", "read")], ..User::new("reader", SPACE_TOKEN) });
            config.users.push(User::new("stranger", "hf_StrangerWithAToken"));
        })
        .await,
        folder: crate::harness::Folder::new(&[]),
    };
    plant(&world, "blocker-private", |facts| facts["id"] = "team/secret-7b".into());
    let ran = blocked(action_for(&world, "team/secret-7b").run().await, "private_model");
    assert!(ran.log.contains("never to the one of the deploy"), "{}", ran.log);
    let stranger = action_for(&world, "team/secret-7b");
    let stranger = stranger.secret("INPUT_SPACE_HF_TOKEN", "hf_StrangerWithAToken").run().await;
    let ran = blocked(stranger, "private_model");
    assert!(ran.log.contains("`space_hf_token` cannot read it"), "{}", ran.log);
    made(&world, "team/secret-7b", with_space_token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trusted_commit_is_the_way_out_of_code() {
    let world = world().await;
    plant(&world, "blocker-custom-code", |facts| {
        facts["siblings"].as_array_mut().unwrap().retain(|file| file["rfilename"] != "modeling_acme.py");
    });
    let model = world.repo(RepoType::Model, "acme/code-7b");
    let commit =
        |code: &[u8]| model.commit_as("acme", "main", &[("modeling_acme.py", code)], "code").unwrap();
    let trusted = |run: Run, sha: &str| run.input("trust_remote_code", "true").input("revision", sha);
    let flash = commit(b"import torch\nfrom flash_attn import flash_attn_func\n");
    let ran = trusted(action_for(&world, "acme/code-7b"), &flash).run().await;
    let ran = blocked(ran, "flash_attn_import");
    assert!(ran.log.contains("choose a revision whose code uses `sdpa`"), "{}", ran.log);
    let safe = commit(b"import torch\n");
    let ran = made(&world, "acme/code-7b", |run| trusted(run, &safe)).await;
    assert!(ran.log.contains("::warning::Python code of the model runs in the Space"), "{}", ran.log);
}
