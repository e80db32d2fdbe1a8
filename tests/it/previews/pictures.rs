//! The comment in README's picture.

use super::world::{NUMBER, PREVIEW, Pull, REPOSITORY, World, commit};
use crate::live::gradio_hub;
use crate::pictures::{space, write_picture};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn comment_shows_the_app_and_its_check() {
    let head = "8c3f2e1";
    let world = World::with(gradio_hub(6).await, space()).await;
    world.github.change_pull(REPOSITORY, NUMBER, |pull| pull.head = commit(head));
    let ran = world
        .run("opened", &Pull::open(head))
        .var("GITHUB_SERVER_URL", "https://github.com")
        .input("hardware", "t4-small")
        .input("api_kwargs", r#"{"name": "Ada"}"#)
        .input("expect_contains", "Hello, Ada!")
        .run()
        .await
        .ended(0, "deployed");
    let comment = world.comment();
    assert!(comment.starts_with("### ✅ Ready: "), "{comment}");
    assert!(comment.contains("| Check | "), "{comment}");
    assert_eq!(ran.output("repo_id"), PREVIEW);
    write_picture(
        "comment",
        &comment,
        &world.hub,
        (ran.output("space_url"), "https://ada-app-pr-12.hf.space"),
    );
}
