//! Dry runs, and models that cannot become a Space.

use super::{
    World, action, action_for, assert_shown, kept, kept_json, plant, requests, scaffold, world, writes,
};
use crate::harness::Folder;

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_recommends_and_generates_without_a_token() {
    let world = world().await;
    let ran = action(&world).without("INPUT_HF_TOKEN").input("dry_run", "true").run().await;
    let ran = ran.ended(0, "dry-run");
    assert_shown("dry_run", &world, &ran);
    assert_eq!(ran.output("hardware"), "zero-a10g");
    assert_eq!(
        requests(&world),
        ["GET /api/models/acme/chat-7b/revision/main", "GET /api/spaces/hardware"],
        "a dry run only reads the model and the prices"
    );
    let recommendation = kept_json(&world, &ran, "runtime_recommendation.json");
    assert_eq!((&recommendation["template"], &recommendation["schema"]), (&"chat".into(), &1.into()));
    let app = kept(&world, &ran, "generated/app.py");
    assert!(app.contains("import spaces") && app.contains("acme/chat-7b"), "{app}");
    for file in ["README.md", "requirements.txt", ".hf-factory.json"] {
        assert!(!kept(&world, &ran, &format!("generated/{file}")).is_empty(), "{file}");
    }
    let place = format!("the generated files are in `{}/generated`\n", ran.output("bundle_path"));
    assert!(ran.log.contains(&place), "{}", ran.log);
    let again = action_for(&world, &format!("{}/acme/chat-7b", world.endpoint()));
    let again = again.without("INPUT_HF_TOKEN").input("dry_run", "true").run().await;
    assert_eq!(kept(&world, &again, "generated/app.py"), app, "the same model gives the same bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_token_has_a_way_out() {
    let world = world().await;
    let ran = action(&world).without("INPUT_HF_TOKEN").run().await.failed(3, "token_missing");
    for hint in ["make a token at https://huggingface.co/settings/tokens/new", "set `dry_run: true` to try"] {
        assert!(ran.log.contains(hint), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn obstacles_end_the_run_before_anything_is_created() {
    let world = world().await;
    for (name, id) in [
        ("blocker-gguf-only", "gguf_only"),
        ("blocker-pickle-only", "weights_pickle_only"),
        ("blocker-quant-awq", "quant_kernel"),
        ("blocker-unknown-task", "unknown_task"),
    ] {
        let model = format!("acme/{name}");
        plant(&world, name, |facts| facts["id"] = model.clone().into());
        let ran = action_for(&world, &model).run().await.failed(1, "technical_blocker");
        assert_eq!(
            (ran.output("gate_status"), ran.output("blockers")),
            ("technical_blocker", id),
            "{}",
            ran.log
        );
        assert!(ran.log.contains("hint: "), "{}", ran.log);
        let gate = kept_json(&world, &ran, "inference_gate.json");
        assert_eq!(gate["status"], "technical_blocker");
        assert_eq!(kept_json(&world, &ran, "TECHNICAL_BLOCKERS.json")[0]["id"], id);
    }
    let ran = action_for(&world, "acme/nothing").run().await.failed(1, "technical_blocker");
    assert_eq!(ran.output("blockers"), "model_not_found");
    let accepted = action_for(&world, "acme/nothing").input("fail_on", "failed").run().await;
    assert_eq!((accepted.code, accepted.output("status")), (0, "skipped"), "{}", accepted.log);
    assert_eq!(writes(&world), [""; 0]);
}

/// Texts that end a string, a comment or a command where they are not escaped.
const HOSTILE: &str = "x\"\"\"\n'''\n::set-output name=a::b\n{{ 7*7 }} </script> \\\n---\nsdk: docker\n#";

#[tokio::test(flavor = "multi_thread")]
async fn hostile_card_stays_data() {
    let world = World { folder: Folder::new(&[]), ..world().await };
    plant(&world, "chat", |facts| {
        facts["id"] = "acme/hostile".into();
        facts["widgetData"] = serde_json::json!([{ "text": HOSTILE }, { "messages": [{ "role": "user", "content": HOSTILE }] }]);
        facts["cardData"] =
            serde_json::json!({ "license": HOSTILE, "license_name": HOSTILE, "license_link": HOSTILE });
        facts["library_name"] = "transformers".into();
    });
    let ran = action_for(&world, "acme/hostile").input("dry_run", "true").run().await.ended(0, "dry-run");
    assert!(!ran.log.lines().any(|line| line.starts_with("::set-output")), "{}", ran.log);
    let card = kept(&world, &ran, "generated/README.md");
    let block = card.split("---\n").nth(1).unwrap();
    assert!(block.contains("sdk: gradio") && !block.contains("\nsdk: docker"), "{card}");
    let app = kept(&world, &ran, "generated/app.py");
    assert!(app.lines().all(|line| !line.starts_with("::") && !line.starts_with("sdk:")), "{app}");
}

#[tokio::test(flavor = "multi_thread")]
async fn agent_without_inference_and_a_shared_token_are_refused_as_inputs() {
    let world = world().await;
    let ran = scaffold(&world).input("builder", "agent").run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("`builder` must be `template`"), "{}", ran.log);
    let ran =
        action(&world).input("space_hf_token", crate::harness::TOKEN).run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("`space_hf_token` must not be the token of `hf_token`"), "{}", ran.log);
    assert_eq!(requests(&world), [""; 0]);
}
