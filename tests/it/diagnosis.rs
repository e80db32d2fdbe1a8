//! A Space that does not run says why in one sentence, at the line of the user's file, and with the way out.

use std::path::Path;
use std::time::Duration;

use local_hub::{BuildCause, BuildScript, LocalHub, StageStep};

use crate::assert_ran;
use crate::harness::{Folder, Ran, Run, hub};

const APP: &str = "ada/app";
const CARD: &str = "---\ntitle: Hello\nsdk: gradio\n---\n";
const PIP: &str = "Job failed with exit code: 1. Reason: cache miss: [ 5/12] COPY --from=root / /";

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The log of a row of the table, as the unit tests of the table read it.
pub(crate) fn fixture(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/space-logs");
    let text = std::fs::read_to_string(folder.join(format!("{name}.log"))).unwrap();
    let (_, log) = text.split_once("---\n").unwrap();
    log.replace("\\e", "\u{1b}").lines().map(str::to_owned).collect()
}

fn lines(log: &[String], at: u64) -> Vec<(Duration, String)> {
    log.iter().map(|line| (ms(at), line.clone())).collect()
}

fn build_fails(hub: &LocalHub, message: &str, log: &[String]) {
    let steps = vec![StageStep::error(ms(1500), "BUILD_ERROR", message)];
    let script = BuildScript { cause: None, steps, build_log: lines(log, 100), run_log: vec![] };
    hub.space(APP).script_builds(vec![script]).unwrap();
}

fn app_fails(hub: &LocalHub, message: &str, log: &[String]) {
    let steps =
        vec![StageStep::new(ms(300), "APP_STARTING"), StageStep::error(ms(2500), "RUNTIME_ERROR", message)];
    let script = BuildScript { cause: None, steps, build_log: vec![], run_log: lines(log, 600) };
    hub.space(APP).script_builds(vec![script]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn package_that_does_not_exist_is_named_at_its_line() {
    let hub = hub().await;
    let folder = Folder::new(&[
        ("README.md", CARD),
        ("app.py", "import gradio\n"),
        ("requirements.txt", "gradio\ntrasnformers\n"),
    ]);
    build_fails(&hub, PIP, &fixture("pip_package_unknown"));
    let ran = Run::new(&hub, &folder).run().await.failed(1, "space_build_failed");
    assert!(!ran.log.contains("[31m") && !ran.summary.contains("[31m"), "colours:\n{}", ran.log);
    assert_eq!(ran.log.matches("::stop-commands::").count(), 1, "one pair of marks per group:\n{}", ran.log);
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn secret_that_the_app_misses_is_named_at_the_line_that_reads_it() {
    let hub = hub().await;
    let app = "import os\nimport gradio\n\nkey = os.environ[\"OPENAI_API_KEY\"]\n";
    let folder = Folder::new(&[("README.md", CARD), ("app.py", app)]);
    let log = fixture("missing_key");
    app_fails(&hub, &format!("Exit code: 1. Reason: {}", log.join("\n")), &log);
    assert_ran!(Run::new(&hub, &folder).run().await.failed(1, "space_crashed"));
}

/// One failure after the other on the same Space, each with a change of its own.
#[tokio::test(flavor = "multi_thread")]
async fn causes_are_found_in_the_files_of_the_folder() {
    let hub = hub().await;
    let folder = Folder::new(&[
        ("README.md", CARD),
        ("app.py", "import gradio\n\n\nimport lib.model\n"),
        ("lib/model.py", "x = 1\n"),
        ("requirements.txt", "torch\nnumpy==3.9.0\ngradio==4.44.1\n"),
    ]);
    Run::new(&hub, &folder).input("wait", "false").run().await.ended(0, "deployed");
    let cases = [
        (
            "pip_version_unknown",
            (
                "file=requirements.txt,line=2",
                "pip finds no `numpy==3.9.0`; there are `1.26.4`, `2.0.0`, `2.3.1`",
            ),
        ),
        (
            "pip_conflict_gradio",
            (
                "file=requirements.txt,line=3",
                "requirements.txt asks for `gradio==4.44.1`, and the SDK of the Space for `gradio[oauth]==6.1.0`",
            ),
        ),
        (
            "python_syntax",
            (
                "file=app.py,line=2",
                "the app has a syntax error: `SyntaxError: '(' was never closed` (app.py, line 2)",
            ),
        ),
        (
            "python_syntax.indent",
            (
                "file=lib/model.py,line=4",
                "the app has a syntax error: `IndentationError: expected an indented block after function definition on line 3` (lib/model.py, line 4)",
            ),
        ),
        (
            "python_exception",
            (
                "file=app.py,line=9",
                "the app raised `AttributeError: 'NoneType' object has no attribute 'predict'` (app.py, line 9)",
            ),
        ),
    ];
    for (name, annotation) in cases {
        folder.write("change.txt", name);
        if name.starts_with("pip") {
            build_fails(&hub, PIP, &fixture(name));
        } else {
            app_fails(&hub, "Exit code: 1. Reason: the log", &fixture(name));
        }
        let ran = Run::new(&hub, &folder).run().await;
        assert_eq!(ran.code, 1, "{name}");
        let (place, cause) = annotation;
        let annotated = ran.log.lines().find(|line| line.starts_with("::error ")).expect("an error");
        assert!(annotated.starts_with(&format!("::error {place},title=space_")), "{name}:\n{}", ran.log);
        assert!(annotated.contains(&format!(": {cause}%0Ahint: ")), "{name}:\n{}", ran.log);
        assert_eq!(ran.log.matches(cause).count(), 1, "{name}:\n{}", ran.log);
        assert!(ran.summary.contains(cause), "{}", ran.summary);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_app_is_named_by_the_kind_of_the_space() {
    for (card, file, message, hint) in [
        ("docker", "Dockerfile", "has no `Dockerfile`", "add a `Dockerfile` to the folder"),
        ("static", "index.html", "has no `index.html`", "add `index.html` to the folder"),
        ("gradio", "app.py", "has no app file", "add `app.py` to the folder"),
    ] {
        let hub = hub().await;
        let readme = format!("---\nsdk: {card}\n---\n");
        let folder = Folder::new(&[("README.md", &readme), (file, "import gradio\n")]);
        let steps = vec![StageStep::error(ms(500), "NO_APP_FILE", "")];
        hub.space(APP).script_stages(steps).unwrap();
        let ran = Run::new(&hub, &folder).run().await.failed(1, "space_without_app");
        assert!(ran.log.contains(&format!("the Space `ada/app` {message}%0A")), "{}", ran.log);
        assert!(ran.log.contains(&format!("hint: {hint}")), "{}", ran.log);
    }
}

/// A Space whose app says where it listens, and which the Hub does not see.
async fn start_at(card: &str, says: &str) -> Ran {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", card), ("Dockerfile", "FROM python:3.12\n")]);
    let steps = vec![StageStep::new(ms(300), "APP_STARTING")];
    let run_log = vec![(ms(500), says.to_owned())];
    hub.space(APP)
        .script_builds(vec![BuildScript { cause: None, steps, build_log: vec![], run_log }])
        .unwrap();
    Run::new(&hub, &folder).input("timeout", "8s").run().await.failed(6, "space_not_ready")
}

#[tokio::test(flavor = "multi_thread")]
async fn app_on_another_port_is_reported_while_it_starts() {
    let card = "---\nsdk: docker\napp_port: 8080\n---\n";
    let ran =
        start_at(card, "INFO:     Uvicorn running on http://127.0.0.1:8000 (Press CTRL+C to quit)").await;
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn app_at_the_right_place_is_only_slow() {
    let ran = start_at("---\nsdk: docker\n---\n", "Uvicorn running on http://0.0.0.0:7860").await;
    assert!(!ran.log.contains("::warning::"), "{}", ran.log);
    assert!(ran.log.contains("hint: give it more time with `timeout`"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn space_that_pauses_again_ends_the_wait() {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", CARD), ("app.py", "import gradio\n")]);
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    hub.space(APP).sleep().unwrap();
    let steps = vec![StageStep::new(ms(100), "APP_STARTING"), StageStep::new(ms(3000), "PAUSED")];
    hub.space(APP).script_builds(vec![BuildScript::new(BuildCause::Restart, steps)]).unwrap();
    let started = std::time::Instant::now();
    let ran = Run::new(&hub, &folder).input("timeout", "5m").run().await.failed(6, "space_not_ready");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    let message = "::error title=space_not_ready::the Space `ada/app` was paused again after it was woken%0A";
    assert!(ran.log.contains(message), "{}", ran.log);
    assert!(!ran.log.contains("give it more time"), "{}", ran.log);
}
