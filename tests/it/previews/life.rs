//! The clock of a pull request's life: after each step, which Spaces, comments and deployments exist.

use std::time::Duration;

use local_github::{Access, Actor, Permissions, PullState};
use local_hub::{BuildScript, StageStep};

use super::opening::gradio_space;
use super::world::{GITHUB_TOKEN, MARK, PREVIEW, Pull, REPOSITORY, World, readme, writes};
use crate::harness::{Folder, Run, hub, until};
use crate::signals::send;

fn broken_build() -> BuildScript {
    let steps = vec![StageStep::error(Duration::from_secs(1), "BUILD_ERROR", "exit code 1")];
    BuildScript { steps, ..BuildScript::default() }
}

fn slow_build() -> BuildScript {
    BuildScript { steps: vec![StageStep::new(Duration::from_secs(8), "RUNNING")], ..BuildScript::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pull_request_from_the_first_push_to_the_merge() {
    let world = World::with(hub().await, gradio_space()).await;
    // The Space of the default branch is there, and is never touched.
    Run::new(&world.hub, &world.folder).run().await.ended(0, "deployed");
    let production = world.hub.repo(local_hub::RepoType::Space, "ada/app").head("main");
    let both = ["ada/app", PREVIEW];
    let mut past: Vec<String> = Vec::new();

    world.run("opened", &Pull::open("aaaaaaa1")).run().await.ended(0, "deployed");
    world.assert_exists(&both, &["Ready"], &["aaaaaaa1 success"]).await;
    past.push("aaaaaaa1 inactive".to_owned());

    // A push.
    world.folder.write("app.py", "import gradio\n# 2\n");
    world.push("aaaaaaa2").run().await.ended(0, "deployed");
    exists(&world, &both, "Ready", &past, "aaaaaaa2 success").await;
    past.push("aaaaaaa2 inactive".to_owned());

    // No change.
    world.hub.clear_requests();
    world.push("aaaaaaa3").run().await.ended(0, "unchanged");
    assert_eq!(writes(&world.hub), [""; 0]);
    exists(&world, &both, "Ready", &past, "aaaaaaa3 success").await;
    past.push("aaaaaaa3 inactive".to_owned());

    // A build that fails.
    world.folder.write("app.py", "import gradio\nbroken(\n");
    world.hub.space(PREVIEW).script_builds(vec![broken_build()]).unwrap();
    world.push("aaaaaaa4").run().await.failed(1, "space_build_failed");
    exists(&world, &both, "Failed", &past, "aaaaaaa4 failure").await;
    past.push("aaaaaaa4 inactive".to_owned());

    // Fixed.
    world.folder.write("app.py", "import gradio\n# 3\n");
    world.push("aaaaaaa5").run().await.ended(0, "deployed");
    exists(&world, &both, "Ready", &past, "aaaaaaa5 success").await;
    past.push("aaaaaaa5 inactive".to_owned());

    // Another title, of the pull request and of the card.
    let readme_of_card = "---\ntitle: Other\nsdk: gradio\napp_file: app.py\n---\n";
    world.folder.write("README.md", readme_of_card);
    world.run("edited", &Pull::open("aaaaaaa5")).run().await.ended(0, "deployed");
    assert!(readme(&world.hub, PREVIEW).contains("title: \"Other (PR 12)\"\n"));
    exists(&world, &both, "Ready", &past, "aaaaaaa5 success").await;
    past.push("aaaaaaa5 inactive".to_owned());

    // A cancelled run, and the run that replaced it.
    world.folder.write("app.py", "import gradio\n# 4\n");
    world.hub.space(PREVIEW).script_builds(vec![slow_build()]).unwrap();
    let run = world.push("aaaaaaa6");
    let child = run.spawn();
    until(|| world.deployments().last().is_some_and(|last| last == "aaaaaaa6 in_progress")).await;
    until(|| world.states() == ["Building"]).await;
    // Before that, the next run ends the earlier ones.
    until(|| world.deployments().iter().filter(|row| row.ends_with(" inactive")).count() == past.len()).await;
    send("INT", child.id().unwrap());
    run.finish(child).await.ended(130, "cancelled");
    exists(&world, &both, "Cancelled", &past, "aaaaaaa6 inactive").await;
    past.push("aaaaaaa6 inactive".to_owned());
    let again = world.push("aaaaaaa7").run().await;
    assert_eq!(again.code, 0, "{}", again.log);
    exists(&world, &both, "Ready", &past, "aaaaaaa7 success").await;

    // Closed.
    world.close("aaaaaaa7", PullState::Closed).run().await.ended(0, "deleted");
    past.push("aaaaaaa7 inactive".to_owned());
    exists(&world, &["ada/app"], "Deleted", &past[..past.len() - 1], past.last().unwrap()).await;

    // Reopened: the same comment, and a new Space.
    world.reopen("aaaaaaa7").run().await.ended(0, "deployed");
    assert_eq!(world.mark(PREVIEW).await.as_deref(), Some(MARK));
    exists(&world, &both, "Ready", &past, "aaaaaaa7 success").await;
    past.push("aaaaaaa7 inactive".to_owned());

    // Merged.
    world.close("aaaaaaa7", PullState::Merged).run().await.ended(0, "deleted");
    exists(&world, &["ada/app"], "Deleted", &past[..past.len() - 1], past.last().unwrap()).await;
    assert_eq!(world.hub.repo(local_hub::RepoType::Space, "ada/app").head("main"), production);
}

async fn exists(world: &World, spaces: &[&str], comment: &str, past: &[String], last: &str) {
    let mut deployments: Vec<&str> = past.iter().map(String::as_str).collect();
    deployments.push(last);
    world.assert_exists(spaces, &[comment], &deployments).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_spaces_of_a_matrix_have_a_comment_each() {
    let world = World::new().await;
    let run = |name: &str| world.run("opened", &Pull::open("aaaaaaa1")).input("huggingface_repo", name);
    let (chat, admin) = tokio::join!(run("ada/chat").run(), run("ada/admin").run());
    chat.ended(0, "deployed");
    admin.ended(0, "deployed");
    let spaces = ["ada/admin-pr-12", "ada/chat-pr-12"];
    world.assert_exists(&spaces, &["Ready", "Ready"], &["aaaaaaa1 success", "aaaaaaa1 success"]).await;
    let close = |name: &str| world.close("aaaaaaa1", PullState::Merged).input("huggingface_repo", name);
    close("ada/chat").run().await.ended(0, "deleted");
    let mut states = world.states();
    states.sort();
    assert_eq!(
        (states, world.spaces().await),
        (vec!["Deleted".into(), "Ready".into()], vec!["ada/admin-pr-12".into()])
    );
    close("ada/admin").run().await.ended(0, "deleted");
    world.assert_exists(&[], &["Deleted", "Deleted"], &["aaaaaaa1 inactive", "aaaaaaa1 inactive"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_the_same_time_end_with_one_space_and_one_comment() {
    let world = World::new().await;
    let run = || world.run("opened", &Pull::open("aaaaaaa1")).run();
    let (first, second) = tokio::join!(run(), run());
    assert_eq!((first.code, second.code), (0, 0), "{}\n{}", first.log, second.log);
    world.push("aaaaaaa2").run().await.ended(0, "unchanged");
    let deployments = ["aaaaaaa1 inactive", "aaaaaaa1 inactive", "aaaaaaa2 success"];
    world.assert_exists(&[PREVIEW], &["Ready"], &deployments).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_does_not_write_over_the_text_of_the_next_one() {
    let world = World::with(hub().await, gradio_space()).await;
    world.hub.space(PREVIEW).script_builds(vec![slow_build()]).unwrap();
    let old = world.push("aaaaaaa1");
    let child = old.spawn();
    until(|| world.states() == ["Building"]).await;
    crate::harness::reached(&world.hub, "/runtime", 1).await;
    let next = world.push("aaaaaaa2");
    let next_child = next.spawn();
    until(|| world.comments()[0].body.contains("commit/aaaaaaa2")).await;
    send("INT", child.id().unwrap());
    old.finish(child).await.ended(130, "cancelled");
    assert!(
        world.comment().contains("commit/aaaaaaa2") && world.states() != ["Cancelled"],
        "{}",
        world.comment()
    );
    let ran = next.finish(next_child).await;
    assert_eq!((ran.code, world.states()), (0, vec!["Ready".to_owned()]), "{}", ran.log);
}

/// The folder of a pull request may have no card.
#[tokio::test(flavor = "multi_thread")]
async fn a_folder_without_a_card_is_titled_after_the_space() {
    let folder = Folder::new(&[("index.html", "<h1>Hello</h1>\n")]);
    let world = World::with(hub().await, folder).await;
    world.run("opened", &Pull::open("aaaaaaa1")).run().await.ended(0, "deployed");
    assert!(
        readme(&world.hub, PREVIEW).contains("title: \"app (PR 12)\"\n"),
        "{}",
        readme(&world.hub, PREVIEW)
    );
    world.push("aaaaaaa2").run().await.ended(0, "unchanged");
}

/// Trouble of each kind in the life of a pull request, step by step.
#[tokio::test(flavor = "multi_thread")]
async fn one_pull_request_through_trouble_of_each_kind() {
    let world = World::with(hub().await, gradio_space()).await;
    let mut deployments: Vec<&str> = Vec::new();

    // A fork, without secrets.
    let fork = Pull { from: "mona/hello", ..Pull::open("aaaaaaa1") };
    world.run("opened", &fork).without("INPUT_HF_TOKEN").run().await.ended(0, "skipped");
    world.assert_exists(&[], &[], &[]).await;

    // A Space made by hand under the same name.
    Run::new(&world.hub, &world.folder).input("huggingface_repo", PREVIEW).run().await.ended(0, "deployed");
    world.run("opened", &Pull::open("aaaaaaa1")).run().await.failed(5, "preview_name_taken");
    world.assert_exists(&[PREVIEW], &["Failed"], &["aaaaaaa1 failure"]).await;
    world.delete_space(PREVIEW).await;
    world.run("reopened", &Pull::open("aaaaaaa1")).run().await.ended(0, "deployed");
    deployments.extend(["aaaaaaa1 inactive", "aaaaaaa1 success"]);
    world.assert_exists(&[PREVIEW], &["Ready"], &deployments).await;

    // The comment is deleted by hand.
    world.github.delete_comment(REPOSITORY, world.comments()[0].id);
    world.push("aaaaaaa2").run().await.ended(0, "unchanged");
    replace_last(&mut deployments, "aaaaaaa1 inactive", "aaaaaaa2 success");
    world.assert_exists(&[PREVIEW], &["Ready"], &deployments).await;

    // The permission for comments is missing: the comment stays at the commit before.
    let no_comments = Permissions { pull_requests: Access::Read, ..Permissions::ALL };
    world.github.add_token(GITHUB_TOKEN, Actor::workflow(no_comments));
    world.push("aaaaaaa3").run().await.ended(0, "unchanged");
    replace_last(&mut deployments, "aaaaaaa2 inactive", "aaaaaaa3 success");
    world.assert_exists(&[PREVIEW], &["Ready"], &deployments).await;
    assert!(world.comment().contains("/commit/aaaaaaa2"), "{}", world.comment());

    // The permission for deployments is missing.
    let no_deployments = Permissions { deployments: Access::None, ..Permissions::ALL };
    world.github.add_token(GITHUB_TOKEN, Actor::workflow(no_deployments));
    world.push("aaaaaaa4").run().await.ended(0, "unchanged");
    world.assert_exists(&[PREVIEW], &["Ready"], &deployments).await;
    assert!(world.comment().contains("/commit/aaaaaaa4"), "{}", world.comment());
    world.github.add_token(GITHUB_TOKEN, Actor::workflow(Permissions::ALL));

    // A second Space of a matrix.
    let admin = |run: Run| run.input("huggingface_repo", "ada/admin");
    admin(world.run("synchronize", &Pull::open("aaaaaaa4"))).run().await.ended(0, "deployed");
    let both = [deployments.as_slice(), &["aaaaaaa4 success"]].concat();
    world.assert_exists(&["ada/admin-pr-12", PREVIEW], &["Ready", "Ready"], &both).await;

    // The pull request is closed during a run, which deletes its Space and not the other.
    world.folder.write("app.py", "import gradio\n# 5\n");
    world.hub.space(PREVIEW).script_builds(vec![slow_build()]).unwrap();
    let run = world.push("aaaaaaa5");
    let child = run.spawn();
    until(|| world.states() == ["Building", "Ready"]).await;
    let close = world.close("aaaaaaa5", PullState::Merged);
    run.finish(child).await.ended(0, "deleted");
    let ended = ["aaaaaaa1 inactive", "aaaaaaa1 inactive", "aaaaaaa2 inactive", "aaaaaaa3 inactive"];
    let rows = [ended.as_slice(), &["aaaaaaa4 success", "aaaaaaa5 inactive"]].concat();
    world.assert_exists(&["ada/admin-pr-12"], &["Deleted", "Ready"], &rows).await;

    // The runs of the close, for both.
    close.run().await.ended(0, "deleted");
    admin(world.run("closed", &Pull::closed("aaaaaaa5"))).run().await.ended(0, "deleted");
    let rows = [ended.as_slice(), &["aaaaaaa4 inactive", "aaaaaaa5 inactive"]].concat();
    world.assert_exists(&[], &["Deleted", "Deleted"], &rows).await;
}

fn replace_last<'r>(rows: &mut Vec<&'r str>, last: &'r str, next: &'r str) {
    rows.pop();
    rows.extend([last, next]);
}
