//! Hardware that cannot be had, lost answers and kills.

use local_hub::{Fault, FaultKind, RepoType, User};

use super::{SPACE, World, action, assert_shown, files, kept_json, scaffold, world, writes};
use crate::harness::{Ran, reached};
use crate::settings::refuse;

const NO_ZERO_GPU: &str = "You must be subscribed to PRO to host Spaces with ZeroGPU";

/// The Hub refuses ZeroGPU once.
fn refuse_zero_gpu(world: &World, code: u16, message: &str) {
    refuse(world, ("POST", "/api/repos/create"), 1, (code, message));
}

fn words(ran: &Ran) -> [&str; 4] {
    ["gate_status", "hardware_status", "created", "error_code"].map(|name| ran.output(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn space_without_hardware_is_created_and_not_waited_for() {
    let world = world().await;
    refuse_zero_gpu(&world, 402, NO_ZERO_GPU);
    let ran = action(&world).run().await;
    assert_eq!(ran.code, 1, "{}", ran.log);
    assert_eq!(
        words(&ran),
        ["manual_hardware_required", "manual_hardware_required", "true", "manual_hardware_required"]
    );
    assert_shown("space_without_hardware", &world, &ran);
    assert!(ran.log.contains(&format!("/spaces/{SPACE}/settings")), "{}", ran.log);
    assert!(ran.log.contains(ran.output("run_id")), "{}", ran.log);
    assert_eq!(kept_json(&world, &ran, "inference_gate.json")["status"], "manual_hardware_required");
    assert_eq!(kept_json(&world, &ran, "target_space.json")["created"], true);
    assert!(files(&world).contains_key("app.py"));
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_method_that_is_missing_is_about_hardware_too() {
    let world = world().await;
    refuse_zero_gpu(
        &world,
        403,
        "You must add a payment method to your account to upgrade your space's hardware",
    );
    let ran = action(&world).input("fail_on", "failed").run().await;
    assert_eq!(ran.code, 0, "{}", ran.log);
    assert_eq!(words(&ran), ["manual_hardware_required", "manual_hardware_required", "true", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fallback_is_requested_with_permission_and_below_the_limit() {
    let world = world().await;
    refuse_zero_gpu(&world, 402, NO_ZERO_GPU);
    let fallback =
        |limit: &str| scaffold(&world).input("allow_fallback", "true").input("max_hourly_price", limit);
    let ran = fallback("1.00").run().await.ended(0, "deployed");
    assert_eq!(words(&ran), ["health_only", "granted", "true", ""], "{}", ran.log);
    assert_eq!(ran.output("hardware"), "l4x1", "{}", ran.log);
    assert_eq!(ran.output("price_usd_hour"), "0.8");
    assert_eq!(writes(&world), ["POST /api/repos/create"; 2], "{}", ran.log);
    let bodies: Vec<_> = world.requests().into_iter().filter(|one| one.path == "/api/repos/create").collect();
    let asked = |index: usize| serde_json::from_slice::<serde_json::Value>(&bodies[index].body).unwrap();
    assert!(asked(0)["sleepTimeSeconds"].is_null() && asked(1)["sleepTimeSeconds"].is_u64());

    let world = super::world().await;
    refuse_zero_gpu(&world, 402, NO_ZERO_GPU);
    let ran = action(&world).input("allow_fallback", "true").input("max_hourly_price", "0.10").run().await;
    assert_eq!((ran.code, ran.output("gate_status")), (1, "manual_hardware_required"), "{}", ran.log);
    assert!(ran.log.contains("raise `max_hourly_price`"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_created_where_the_plan_allows_nothing() {
    let world = world().await;
    world.add_user(User { is_pro: false, can_pay: false, ..User::new("eve", "hf_eveeveeveeve") });
    refuse_zero_gpu(&world, 402, NO_ZERO_GPU);
    let ran = action(&world).token("hf_eveeveeveeve").run().await;
    assert_eq!(ran.code, 1, "{}", ran.log);
    assert_eq!(
        words(&ran),
        ["manual_hardware_required", "manual_hardware_required", "false", "manual_hardware_required"]
    );
    assert!(ran.log.contains("was not created, because it gets no hardware"), "{}", ran.log);
    assert!(world.repo(RepoType::Space, "eve/chat-7b").head("main").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answer_to_the_creation_is_found() {
    let world = world().await;
    world.inject(Fault {
        method: Some("POST".to_owned()),
        path_contains: "/api/repos/create".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::DropAfterApply,
    });
    let ran = scaffold(&world).run().await.ended(0, "deployed");
    assert_eq!(ran.output("gate_status"), "health_only", "{}", ran.log);
    assert!(files(&world).contains_key("app.py"));
}

#[tokio::test(flavor = "multi_thread")]
async fn run_after_a_killed_one_goes_on_with_its_space() {
    let world = world().await;
    world
        .space(SPACE)
        .script_stages(vec![local_hub::StageStep::new(std::time::Duration::ZERO, "BUILDING")])
        .unwrap();
    let run = scaffold(&world);
    let mut child = run.spawn();
    reached(&world, "/api/repos/create", 1).await;
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    crate::harness::until(|| world.repo(RepoType::Space, SPACE).head("main").is_some()).await;
    world
        .space(SPACE)
        .script_stages(vec![local_hub::StageStep::new(std::time::Duration::ZERO, "RUNNING")])
        .unwrap();
    let ran = scaffold(&world).run().await;
    assert_eq!((ran.code, ran.output("created")), (0, "false"), "{}", ran.log);
    assert_eq!(ran.output("status"), "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn space_that_does_not_build_has_failed() {
    let world = world().await;
    let broken =
        local_hub::StageStep::error(std::time::Duration::ZERO, "BUILD_ERROR", "Job failed with exit code: 1");
    world.space(SPACE).script_stages(vec![broken]).unwrap();
    let ran = action(&world).run().await.failed(1, "space_build_failed");
    assert_eq!(ran.output("gate_status"), "failed");
    let gate = kept_json(&world, &ran, "inference_gate.json");
    assert_eq!((&gate["status"], &gate["evidence"]["stage"]), (&"failed".into(), &"BUILD_ERROR".into()));
    let ran = action(&world).input("fail_on", "technical_blocker").run().await;
    assert_eq!((ran.code, ran.output("gate_status")), (0, "failed"), "{}", ran.log);
}
