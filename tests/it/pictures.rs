//! The job summaries in README's pictures: a success, a failure with its cause, and a dry run on a pull request. The comment
//! of a preview is in `previews/pictures.rs`.
//!
//! `tests/run picture` renders the files that these tests write.

use std::time::Duration;

use local_hub::{BuildScript, StageStep};

use crate::diagnosis::fixture;
use crate::harness::{Folder, Ran, Run, TestHub, hub};
use crate::live::gradio_hub;

const REPO: &str = "ada/hello";
const CARD: &str = "---\ntitle: Hello\nsdk: gradio\nsdk_version: 6.31.0\napp_file: app.py\n---\n\n# Hello\n";
/// Folder for the summaries, if they are wanted.
const PICTURES: &str = "HF_DEPLOY_PICTURES";

pub(crate) fn space() -> Folder {
    // A call that takes no time would look like one that was not made.
    let slow = "import time; time.sleep(1.2)\n    greeting = ";
    let app = include_str!("../fixtures/gradio/text.py").replace("greeting = ", slow);
    Folder::new(&[
        ("README.md", CARD),
        ("app.py", &app),
        ("requirements.txt", "gradio\n"),
        ("old_model.py", "x = 1\n"),
    ])
}

fn run(hub: &TestHub, folder: &Folder) -> Run {
    Run::new(hub, folder)
        .input("huggingface_repo", REPO)
        .var("GITHUB_SHA", "8c3f2e1b0a9d8c7f6e5d4c3b2a190807f6e5d4c3")
        .var("GITHUB_SERVER_URL", "https://github.com")
        .var("GITHUB_REPOSITORY", "ada/hello-app")
}

/// Writes the summary of a deploy for its picture.
fn keep(name: &str, hub: &TestHub, ran: &Ran) {
    write_picture(name, &ran.summary, hub, (ran.output("space_url"), "https://ada-hello.hf.space"));
}

/// Writes text for a picture. The Hub and the app have the names that the live Hub gives them, because an address of this
/// machine would look like a mistake. `app` is the address of the app, and its name on the live Hub.
pub(crate) fn write_picture(name: &str, text: &str, hub: &TestHub, app: (&str, &str)) {
    let mut text = text.replace(&hub.endpoint(), "https://huggingface.co");
    if !app.0.is_empty() {
        text = text.replace(app.0, app.1);
    }
    assert!(!text.contains("127.0.0.1"), "{text}");
    if let Ok(folder) = std::env::var(PICTURES) {
        std::fs::write(format!("{folder}/{name}.md"), text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn success_shows_the_app_and_its_check() {
    let (hub, folder) = (gradio_hub(6).await, space());
    hub.set_policy(|policy| policy.expands_visibility = true);
    run(&hub, &folder).input("verify", "false").run().await.ended(0, "deployed");
    folder.remove("old_model.py");
    folder.write("requirements.txt", "gradio\ntransformers\n");
    folder.write("examples/names.txt", "Ada\nGrace\n");
    let ran = run(&hub, &folder)
        .input("hardware", "t4-small")
        .input("variables", "GREETING=hello")
        .input("api_kwargs", r#"{"name": "Ada"}"#)
        .input("expect_contains", "Hello, Ada!")
        .run()
        .await
        .ended(0, "deployed");
    assert!(ran.summary.starts_with("### ✅ Deployed to the Space `ada/hello`"), "{}", ran.summary);
    assert!(ran.summary.contains("| Check | ✅ `/"), "{}", ran.summary);
    keep("success", &hub, &ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn failure_shows_its_cause() {
    let (hub, folder) = (hub().await, space());
    hub.set_policy(|policy| policy.expands_visibility = true);
    run(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("requirements.txt", "gradio\ntrasnformers\n");
    let at = Duration::from_millis;
    let build_log = fixture("pip_package_unknown");
    let end = build_log.iter().rev().take(7).rev().map(|line| (at(100), line.clone())).collect();
    let steps = vec![StageStep::error(at(1500), "BUILD_ERROR", "exit code: 1")];
    let script = BuildScript { cause: None, steps, build_log: end, run_log: Vec::new() };
    hub.space(REPO).script_builds(vec![script]).unwrap();
    let ran = run(&hub, &folder).run().await.failed(1, "space_build_failed");
    assert!(ran.summary.contains("did you mean `transformers`?"), "{}", ran.summary);
    keep("failure", &hub, &ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_shows_the_plan() {
    let (hub, folder) = (hub().await, space());
    hub.set_policy(|policy| policy.expands_visibility = true);
    run(&hub, &folder).run().await.ended(0, "deployed");
    folder.remove("old_model.py");
    folder.write("app.py", "import gradio as gr\n\ngr.Interface(str.upper, \"text\", \"text\").launch()\n");
    folder.write("examples/names.txt", "Ada\nGrace\n");
    let ran = run(&hub, &folder)
        .var("GITHUB_EVENT_NAME", "pull_request")
        .input("dry_run", "true")
        .input("hardware", "t4-small")
        .input("sleep_time", "1h")
        .input("variables", "GREETING=hello")
        .run()
        .await
        .ended(0, "dry-run");
    assert!(ran.summary.contains("a deploy would change the Space `ada/hello`"), "{}", ran.summary);
    keep("dry-run", &hub, &ran);
}
