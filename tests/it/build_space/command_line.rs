//! The command on a terminal: advice names its options.

use super::{MODEL, SPACE, plant, space_by_hand, world};
use crate::harness::command;
use crate::settings::refuse;

#[tokio::test(flavor = "multi_thread")]
async fn advice_names_options() {
    let world = world().await;
    plant(&world, "gguf-with-base", |_| {});
    plant(&world, "blocker-onnx-only", |_| {});
    let run = async |arguments: &[&str]| {
        let (code, text) =
            command(&world.hub, world.folder.path(), &[&["build-space"], arguments].concat()).await;
        assert_ne!(code, 0, "{text}");
        assert!(!text.contains(": true`"), "{text}");
        text
    };
    let text = run(&["acme/chat-7b-gguf"]).await;
    assert!(text.contains("set `--use-base-model=true` for the weights of `acme/chat-7b`"), "{text}");
    let text = run(&["acme/only-onnx"]).await;
    assert!(text.contains("set `--runtime=static`"), "{text}");
    let text = run(&[MODEL, "--revision", "v9"]).await;
    assert!(text.contains("check `--revision`; without it"), "{text}");

    refuse(&world, ("POST", "/api/repos/create"), 1, (402, "ZeroGPU needs PRO"));
    let text = run(&[MODEL]).await;
    let verify =
        format!("then run `hf-deploy verify` with `--space={SPACE}`, `--verify=inference` and `--run-id=");
    assert!(text.contains(&verify), "{text}");
    assert!(text.contains("set `--allow-fallback=true` to ask for `l4x1` ($0.80 an hour)"), "{text}");
    assert!(text.contains("with `--max-hourly-price` as the limit"), "{text}");
    assert!(text.contains("by hand, or with `--allow-fallback=true`"), "{text}");

    let world = super::world().await;
    space_by_hand(&world, &[("README.md", b"---\nsdk: gradio\n---\n"), ("app.py", b"print()\n")]);
    let (code, text) = command(&world.hub, world.folder.path(), &["build-space", MODEL]).await;
    assert!(code == 5 && text.contains("set `--space` to another name"), "{text}");
}
