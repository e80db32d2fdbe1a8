//! Verdicts about apps that run, with a Gradio app in place of the generated one.

use std::net::SocketAddr;

use super::{SPACE, World, action, kept_json, world};
use crate::gradio::Running;
use crate::harness::Run;

/// Lets a real Gradio app stand in for the app of the Space.
async fn with_app(name: &str) -> (World, Running) {
    let world = world().await;
    let app = Running::start(6, name).await;
    let address: SocketAddr = app.url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    world.space(SPACE).set_app(Some(address));
    (world, app)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn app_that_answers_its_example_is_a_success() {
    let (world, _app) = with_app("predict").await;
    let ran = action(&world).run().await.ended(0, "deployed");
    assert_eq!(ran.output("gate_status"), "full_inference_success", "{}", ran.log);
    assert!(
        !ran.output("verify_latency_seconds").is_empty()
            && !ran.output("recommended_duration_seconds").is_empty()
    );
    let result = kept_json(&world, &ran, "tests/test_result.json");
    assert_eq!(result["endpoint"], "/predict");
    let gate = kept_json(&world, &ran, "inference_gate.json");
    assert_eq!(
        (&gate["status"], &gate["evidence"]["endpoint"]),
        (&"full_inference_success".into(), &"/predict".into())
    );
    // The author's example, with the short settings of the template.
    let shown = gate["evidence"]["outputs"].to_string();
    assert!(shown.contains("What is your favourite condiment? (16, 0"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn quota_of_the_caller_is_no_failure_of_the_app_and_an_exception_is() {
    let (world, _app) = with_app("predict").await;
    let call = |text: &str| -> Run { action(&world).input("api_args", &format!("[\"{text}\", 1, 0]")) };
    let ran = call("quota").run().await;
    assert_eq!(
        (ran.code, ran.output("gate_status")),
        (0, "full_inference_candidate_health_passed"),
        "{}",
        ran.log
    );
    assert!(ran.log.contains("::warning"), "{}", ran.log);
    let ran = call("raise").run().await.failed(1, "check_failed");
    assert_eq!(ran.output("gate_status"), "failed");
    assert!(ran.log.contains("the model is on holiday"), "{}", ran.log);
    let ran = call("quota").input("fail_on", "full_inference_candidate_health_passed").run().await;
    assert_eq!((ran.code, ran.output("error_code")), (1, "check_failed"), "{}", ran.log);
    let ran = action(&world).input("expect", "image").run().await.failed(1, "check_failed");
    assert_eq!(ran.output("gate_status"), "failed", "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn verification_after_a_choice_of_hardware_completes_the_run() {
    let (world, _app) = with_app("predict").await;
    crate::settings::refuse(&world, ("POST", "/api/repos/create"), 1, (402, "ZeroGPU needs PRO"));
    let ran = action(&world).run().await.failed(1, "manual_hardware_required");
    let verify = Run::new(&world, &world.folder)
        .action("verify")
        .without("INPUT_HUGGINGFACE_REPO")
        .input("space", SPACE)
        .input("run_id", ran.output("run_id"))
        .input("verify", "inference");
    let verified = verify.run().await;
    assert_eq!(
        (verified.code, verified.output("verify_status")),
        (0, "full_inference_success"),
        "{}",
        verified.log
    );
    let state = kept_json(&world, &ran, "state.json");
    assert_eq!(
        (&state["status"], &state["gate_status"], &state["error"]),
        (&"succeeded".into(), &"full_inference_success".into(), &serde_json::Value::Null)
    );
    assert_eq!(kept_json(&world, &ran, "inference_gate.json")["status"], "full_inference_success");
    assert_eq!(kept_json(&world, &ran, "tests/test_result.json")["endpoint"], "/predict");
}
