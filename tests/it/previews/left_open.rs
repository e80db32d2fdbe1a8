//! A preview that fails is left in dev mode, also a public one.

use std::time::Duration;

use local_hub::{BuildScript, RepoType, StageStep};

use super::opening::gradio_space;
use super::world::{PREVIEW, Pull, World, assert_comment};
use crate::harness::hub;

/// The next build of the Space, whose app ends.
fn crash(world: &World, space: &str) {
    let steps = vec![
        StageStep::new(Duration::from_millis(200), "APP_STARTING"),
        StageStep::error(Duration::from_millis(1500), "RUNTIME_ERROR", "Exit code: 1"),
    ];
    let script = BuildScript { steps, ..BuildScript::default() };
    world.hub.space(space).script_builds(vec![script]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_that_crashes_is_left_open_until_the_next_push() {
    let world = World::with(hub().await, gradio_space()).await;
    crash(&world, PREVIEW);
    let run = world.run("opened", &Pull::open("aaaaaaa1")).input("leave_open_on_failure", "dev-mode");
    let ran = run.input("on_failure", "rollback").run().await.failed(1, "space_crashed");
    assert!(world.hub.space(PREVIEW).dev_mode().unwrap(), "{}", ran.log);
    let comment = world.comment();
    for text in [ran.output("ssh_address"), ran.output("editor_url")] {
        assert!(
            !text.is_empty() && ran.log.contains(text) && ran.summary.contains(text),
            "{text}\n{}",
            ran.log
        );
        assert!(comment.contains(text), "{text}\n{comment}");
    }
    assert_comment!(world);
    world.folder.write("app.py", "import gradio as gr\n");
    let ran = world.push("aaaaaaa2").input("leave_open_on_failure", "dev-mode").run().await;
    let ran = ran.ended(0, "deployed");
    assert!(!world.hub.space(PREVIEW).dev_mode().unwrap(), "{}", ran.log);
    let head = world.hub.repo(RepoType::Space, PREVIEW).head("main");
    assert_eq!(world.hub.space(PREVIEW).stage().unwrap().1, head);
    assert!(!world.comment().contains("ssh "), "{}", world.comment());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_space_of_the_same_workflow_is_not_left_open() {
    let world = World::with(hub().await, gradio_space()).await;
    let push = || {
        let run = world.run("opened", &Pull::open("aaaaaaa1")).var("GITHUB_EVENT_NAME", "push");
        run.input("leave_open_on_failure", "dev-mode")
    };
    let ran = push().run().await.ended(0, "deployed");
    assert!(!ran.log.contains("leave_open_on_failure"), "the input is for the previews:\n{}", ran.log);
    world.folder.write("app.py", "import gradio as gr\n");
    crash(&world, "ada/app");
    let ran = push().run().await.failed(1, "space_crashed");
    assert!(ran.log.contains("is not left in dev mode: it is not private"), "{}", ran.log);
    assert!(!world.hub.space("ada/app").dev_mode().unwrap());
}
