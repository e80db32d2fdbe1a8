//! Spaces that exist: updates, and refusals to write.

use local_hub::RepoType;

use super::{MODEL, SPACE, action_for, files, plant, scaffold, space_by_hand, world, writes};

const MARKED_CARD: &[u8] =
    b"---\ntitle: x\nsdk: gradio\napp_file: app.py\ntags: [generated-by-hf-deploy]\n---\n";

#[tokio::test(flavor = "multi_thread")]
async fn space_is_created_with_its_files_in_one_call_and_then_unchanged() {
    let world = world().await;
    let ran = scaffold(&world).run().await.ended(0, "deployed");
    assert_eq!((ran.output("created"), ran.output("gate_status")), ("true", "health_only"), "{}", ran.log);
    assert_eq!((ran.output("space_id"), ran.output("hardware")), (SPACE, "zero-a10g"));
    assert_eq!(writes(&world), ["POST /api/repos/create"], "{}", ran.log);
    let before = world.requests();
    let create = before.iter().position(|request| request.path == "/api/repos/create").unwrap();
    assert!(create <= 4, "{:?}", super::requests(&world));
    let made = files(&world);
    assert!(made["README.md"].contains("generated-by-hf-deploy"), "{}", made["README.md"]);
    assert_eq!(world.repo(RepoType::Space, SPACE).visibility().as_deref(), Some("private"));

    world.clear_requests();
    let again = scaffold(&world).run().await.ended(0, "unchanged");
    assert_eq!(again.output("created"), "false");
    assert_eq!(writes(&world), [""; 0], "{}", again.log);
    assert_eq!(files(&world), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_commit_of_the_model_changes_only_files_that_differ() {
    let world = world().await;
    scaffold(&world).run().await.ended(0, "deployed");
    let space = world.repo(RepoType::Space, SPACE);
    space
        .commit_as("ada", "main", &[("notes.md", b"mine\n"), ("packages.txt", b"old\n")], "by hand")
        .unwrap();
    world.repo(RepoType::Model, MODEL).commit_as("acme", "main", &[("new.txt", b"x\n")], "new").unwrap();
    let before = files(&world);
    let ran = scaffold(&world).run().await.ended(0, "deployed");
    assert_eq!(ran.output("created"), "false");
    let after = files(&world);
    assert_eq!(after["notes.md"], "mine\n", "a file that a person added stays");
    assert!(!after.contains_key("packages.txt"), "a file that the template no longer has is deleted");
    assert_ne!(before[".hf-factory.json"], after[".hf-factory.json"]);
    assert_eq!(space.commits("main").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn space_without_the_marks_is_left_alone() {
    for (card, record) in [
        (&b"---\ntitle: x\nsdk: gradio\n---\n"[..], None),
        (MARKED_CARD, None),
        (&b"---\ntitle: x\nsdk: gradio\n---\n"[..], Some(&br#"{"model": "acme/chat-7b"}"#[..])),
        (MARKED_CARD, Some(&b"no json"[..])),
    ] {
        let world = world().await;
        let mut by_hand: Vec<(&str, &[u8])> = vec![("README.md", card), ("app.py", b"print()\n")];
        by_hand.extend(record.map(|record| (".hf-factory.json", record)));
        space_by_hand(&world, &by_hand);
        world.clear_requests();
        let ran = scaffold(&world).input("overwrite", "true").run().await.failed(5, "space_name_taken");
        assert!(ran.log.contains("this action did not make it"), "{}", ran.log);
        assert_eq!(writes(&world), [""; 0], "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn space_of_another_model_needs_overwrite() {
    let world = world().await;
    scaffold(&world).run().await.ended(0, "deployed");
    plant(&world, "chat", |facts| facts["id"] = "acme/other".into());
    let other = || {
        action_for(&world, "acme/other")
            .input("space", SPACE)
            .input("mode", "safe-scaffold")
            .input("verify", "false")
    };
    world.clear_requests();
    let ran = other().run().await.failed(5, "space_name_taken");
    assert!(ran.log.contains("for the model `acme/chat-7b` and not for `acme/other`"), "{}", ran.log);
    assert_eq!(writes(&world), [""; 0], "{}", ran.log);
    let ran = other().input("overwrite", "true").run().await.ended(0, "deployed");
    assert_eq!(ran.output("created"), "false");
    assert!(files(&world)[".hf-factory.json"].contains("acme/other"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_case_of_the_name_is_the_same_model() {
    let world = world().await;
    space_by_hand(
        &world,
        &[("README.md", MARKED_CARD), (".hf-factory.json", br#"{"model": "ACME/Chat-7B"}"#)],
    );
    scaffold(&world).run().await.ended(0, "deployed");
}
