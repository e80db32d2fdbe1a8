//! A pull request of a model or a dataset gets the plan as its comment, and the Hub stays as it is.

use super::world::{Pull, World, assert_comment, writes};
use crate::harness::{Folder, Run, hub};

async fn model() -> World {
    let folder = Folder::new(&[("config.json", "{}\n"), ("notes/@octocat #1.md", "Building\n")]);
    let world = World::with(hub().await, folder).await;
    world.folder.write("model.safetensors", vec![7_u8; 20_000]);
    world.folder.write("old.safetensors", vec![9_u8; 5_000]);
    world
}

fn run(world: &World) -> Run {
    world.run("opened", &Pull::open("aaaaaaa1")).input("repo_type", "model")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plan_is_the_comment() {
    let world = model().await;
    let ran = run(&world).run().await.ended(0, "dry-run");
    assert_eq!((ran.output("preview"), ran.output("repo_id")), ("true", "ada/app"));
    assert_eq!(writes(&world.hub), [""; 0]);
    // A plan is no deployment.
    world.assert_exists(&[], &["Ready"], &[]).await;
    assert!(world.comment().contains("25 kB travel as large files"), "{}", world.comment());
    assert_comment!(world);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_the_hub_has_does_not_travel() {
    let world = model().await;
    Run::new(&world.hub, &world.folder).input("repo_type", "model").run().await.ended(0, "deployed");
    world.folder.write("model.safetensors", vec![8_u8; 30_000]);
    world.folder.write("copy.safetensors", vec![9_u8; 5_000]);
    world.folder.write("config.json", "{\"a\": 1}\n");
    run(&world).run().await.ended(0, "dry-run");
    let comment = world.comment();
    assert!(comment.contains("1 to add, 2 to update, 0 to delete"), "{comment}");
    assert!(comment.contains("of which 30 kB travel as large files (LFS or Xet)"), "{comment}");
    run(&world).run().await.ended(0, "dry-run");
    assert_eq!(world.comments().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_plan_shows_its_first_50_changes() {
    let world = World::with(hub().await, Folder::new(&[])).await;
    for number in 0..60 {
        world.folder.write(&format!("data/{number:02}.json"), "{}\n");
    }
    let run = world.run("opened", &Pull::open("aaaaaaa1")).input("repo_type", "dataset");
    run.run().await.ended(0, "dry-run");
    let comment = world.comment();
    assert!(comment.contains("`data/49.json`") && !comment.contains("`data/50.json`"), "{comment}");
    assert!(comment.contains("showing 50 of 60"), "{comment}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_fails_says_why() {
    let world = model().await;
    let ran = run(&world).input("source_dir", "missing").run().await.failed(2, "source_missing");
    assert_ne!(ran.output("comment_url"), "");
    assert_eq!(world.states(), ["Failed"]);
    assert!(world.comment().contains("`source_missing`"), "{}", world.comment());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_pull_request_has_nothing_to_delete() {
    let world = model().await;
    run(&world).run().await.ended(0, "dry-run");
    let before = world.comment();
    let run = world.close("aaaaaaa1", local_github::PullState::Merged).input("repo_type", "model");
    let ran = run.run().await.ended(0, "skipped");
    assert!(ran.summary.contains("there is nothing to delete"), "{}", ran.summary);
    assert_eq!(world.comment(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_of_a_model_writes_no_comment() {
    let world = model().await;
    run(&world).input("dry_run", "true").run().await.ended(0, "dry-run");
    assert!(world.github.requests().is_empty());
}
