//! Deploys that end with a check of the running app, at the edge of the local Hub.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use local_hub::{BuildScript, Fault, FaultKind, RepoType, Runtimes, StageStep};
use serde_json::Value;

use crate::assert_ran;
use crate::gradio::python;
use crate::harness::{
    Folder, Ran, Run, TOKEN, TestHub, hub_with, static_space, static_space_with_picture, tree, until,
};
use crate::settings::refuse;

/// A Hub whose Spaces can be visited; static ones run, nothing else does.
pub(crate) async fn edge() -> TestHub {
    hub_with(|config| config.edge = true).await
}

/// A Hub that runs Gradio Spaces of one version.
pub(crate) async fn gradio_hub(version: u8) -> TestHub {
    hub_with(|config| {
        config.edge = true;
        config.runtimes = Runtimes {
            gradio_python: BTreeMap::from([(version.to_string(), python(version).into())]),
            ..Runtimes::default()
        };
    })
    .await
}

/// A Gradio Space with one of the apps of `tests/fixtures/gradio`.
fn gradio_space(version: u8, app: &str) -> Folder {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gradio");
    let code = std::fs::read_to_string(fixtures.join(format!("{app}.py"))).unwrap();
    let full = ["4.44.1", "5.50.0", "6.31.0"][usize::from(version - 4)];
    let card =
        format!("---\ntitle: {app}\nsdk: gradio\nsdk_version: {full}\napp_file: app.py\n---\n\n# {app}\n");
    Folder::new(&[("README.md", &card), ("app.py", &code), ("notes.txt", "first line\nsecond line\n")])
}

/// The files of the check in the workspace.
pub(crate) fn report(folder: &Folder) -> Value {
    let text = std::fs::read_to_string(folder.path().join(".hf-deploy/result.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// One app, what is asked of it, and how that ends.
struct Case {
    app: &'static str,
    inputs: &'static [(&'static str, &'static str)],
    code: i32,
    word: &'static str,
    /// Text of the log.
    says: &'static str,
}

const SUCCESS: &str = "full_inference_success";

const CASES: &[Case] = &[
    Case {
        app: "text",
        inputs: &[],
        code: 0,
        word: "full_inference_candidate_health_passed",
        says: " answers with 1 endpoint",
    },
    Case {
        app: "text",
        inputs: &[("api_kwargs", r#"{"name": "Ada"}"#), ("expect_contains", "Hello, Ada!")],
        code: 0,
        word: SUCCESS,
        says: "answered in",
    },
    Case {
        app: "image",
        inputs: &[("api_name", "/generate"), ("expect", "image"), ("visibility", "private")],
        code: 0,
        word: SUCCESS,
        says: "`/generate`",
    },
    Case {
        app: "upload",
        inputs: &[("api_name", "read"), ("api_args", r#"["@notes.txt"]"#), ("expect_contains", "first line")],
        code: 0,
        word: SUCCESS,
        says: "`/read`",
    },
    Case {
        app: "generator",
        inputs: &[("api_name", "count"), ("api_args", r#"["tick"]"#), ("expect_contains", "tick 4")],
        code: 0,
        word: SUCCESS,
        says: "progress: counting",
    },
    Case {
        app: "state",
        inputs: &[("api_name", "add"), ("expect_contains", "total 16")],
        code: 0,
        word: SUCCESS,
        says: "`/add`",
    },
    Case {
        app: "chat",
        inputs: &[("api_args", r#"["good morning"]"#), ("expect_regex", "^You said: good morning")],
        code: 0,
        word: SUCCESS,
        says: "answered in",
    },
    Case {
        app: "raises",
        inputs: &[("api_name", "refuse")],
        code: 1,
        word: "failed",
        says: "the model is on holiday",
    },
    Case {
        app: "raises",
        inputs: &[("api_name", "quota")],
        code: 0,
        word: "full_inference_candidate_health_passed",
        says: "::warning::the app could not be judged: ",
    },
    Case {
        app: "wrong_type",
        inputs: &[("api_name", "picture"), ("expect", "image")],
        code: 1,
        word: "failed",
        says: "expected image, got Image: nothing",
    },
    Case {
        app: "slow",
        inputs: &[("api_name", "work"), ("api_args", r#"["x"]"#), ("max_latency", "200s")],
        code: 0,
        word: SUCCESS,
        says: "answered in",
    },
];

async fn check_all(version: u8) {
    let hub = gradio_hub(version).await;
    for case in CASES {
        let folder = gradio_space(version, case.app);
        let named = |run: Run, (name, value): &(&str, &str)| run.input(name, value);
        let run = Run::new(&hub, &folder).input("huggingface_repo", &format!("ada/{}", case.app));
        let ran = case.inputs.iter().fold(run, named).run().await;
        check_one(version, case, &ran, &folder);
    }
}

fn check_one(version: u8, case: &Case, ran: &Ran, folder: &Folder) {
    let what = format!("gradio {version}, {} {:?}\n{}\n{}", case.app, case.inputs, ran.log, ran.stderr);
    assert_eq!((ran.code, ran.output("verify_status")), (case.code, case.word), "{what}");
    assert!(ran.log.contains(case.says), "`{}` is not there: {what}", case.says);
    assert_eq!(ran.output("space_stage"), "RUNNING", "{what}");
    let error_code = if case.code == 0 { "" } else { "check_failed" };
    assert_eq!(ran.output("error_code"), error_code, "{what}");
    assert_eq!(report(folder)["verify_status"], case.word, "{what}");
    if case.word != SUCCESS {
        return;
    }
    let wall: f64 = ran.output("verify_latency_seconds").parse().unwrap();
    assert_eq!(ran.output("recommended_duration_seconds"), "10", "{what}");
    let [queue, server, all] =
        ["queue", "server", "wall"].map(|part| report(folder)["latency_seconds"][part].as_f64().unwrap());
    assert!(
        queue <= all && server <= all && (all - wall).abs() < 0.01,
        "{queue} {server} {all} {wall}: {what}"
    );
    if matches!(case.app, "slow" | "generator") {
        assert!(server >= 0.9, "the work takes a second: {server}: {what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn gradio_4_apps_are_deployed_waited_for_and_checked() {
    check_all(4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn gradio_5_apps_are_deployed_waited_for_and_checked() {
    check_all(5).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn gradio_6_apps_are_deployed_waited_for_and_checked() {
    check_all(6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_space_is_checked_by_itself() {
    let hub = edge().await;
    let folder = static_space();
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(ran.output("verify_status"), "health_only");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_space_is_opened_with_the_token() {
    let hub = edge().await;
    let folder = static_space();
    let run = || Run::new(&hub, &folder).input("visibility", "private");
    let ran = run().run().await.ended(0, "deployed");
    assert_eq!(ran.output("verify_status"), "health_only");
    let visits = hub.space("ada/app").edge_requests().unwrap();
    let token = ("x-hf-authorization".to_owned(), format!("Bearer {TOKEN}"));
    assert!(!visits.is_empty() && visits.iter().all(|visit| visit.headers.contains(&token)), "{visits:?}");
    let ran = run().input("verify", "inference").run().await.ended(1, "failed");
    assert_eq!((ran.output("error_code"), ran.output("verify_status")), ("check_failed", "failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_does_not_say_what_it_should_fails_the_step() {
    let hub = edge().await;
    let folder = static_space();
    let run = |text: &str| {
        Run::new(&hub, &folder).input("health_path", "/index.html").input("health_contains", text)
    };
    run("Hello").run().await.ended(0, "deployed");
    let ran = run("Goodbye").run().await.failed(1, "check_failed");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_fails_rolls_back() {
    let hub = edge().await;
    let folder = static_space_with_picture();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let before = tree(&hub, RepoType::Space);
    folder.write("index.html", "<h1>Goodbye</h1>\n");
    let ran = Run::new(&hub, &folder)
        .input("health_contains", "Hello")
        .input("on_failure", "rollback")
        .run()
        .await
        .ended(1, "rolled-back");
    assert_eq!(ran.output("verify_status"), "failed");
    assert_eq!(tree(&hub, RepoType::Space), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_fail_the_step_are_chosen() {
    let hub = edge().await;
    let folder = static_space_with_picture();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let before = tree(&hub, RepoType::Space);
    folder.write("style.css", "h1 { color: navy }\n");
    let run = |words: &str| Run::new(&hub, &folder).input("fail_on", words);
    let ran = run("failed, health_only").input("on_failure", "rollback").run().await.ended(1, "rolled-back");
    let message = "::the app did not pass, because `fail_on` has `health_only`: the app answers%0A";
    assert!(ran.log.contains(message), "{}", ran.log);
    assert_eq!((ran.output("error_code"), ran.output("verify_status")), ("check_failed", "health_only"));
    assert_eq!(tree(&hub, RepoType::Space), before);
    let ran = run("none").input("health_contains", "Goodbye").run().await.ended(0, "deployed");
    let warning = "::warning::the app did not pass, and `fail_on` accepts that: ";
    assert!(ran.log.contains(warning), "{}", ran.log);
    assert_eq!(ran.output("verify_status"), "failed");
    let ran = run("failed,health-only").run().await.failed(2, "invalid_input");
    assert!(ran.log.contains("not `health-only`: did you mean `health_only`?"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn login_page_is_only_health_and_no_reason_to_roll_back() {
    let hub = edge().await;
    let folder = static_space_with_picture();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("index.html", "<h1>New</h1>\n");
    let login = || Fault {
        method: Some("GET".to_owned()),
        path_contains: "/".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::Status { code: 401, headers: vec![], body: String::new() },
    };
    hub.space("ada/app").inject_edge(login()).unwrap();
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("::warning::the app could not be judged: "), "{}", ran.log);
    assert_eq!(ran.output("verify_status"), "health_only");
    folder.write("index.html", "<h1>Newer</h1>\n");
    hub.space("ada/app").inject_edge(login()).unwrap();
    let run = Run::new(&hub, &folder).input("fail_on", "health_only").input("on_failure", "rollback");
    let ran = run.run().await.failed(1, "check_failed");
    assert!(ran.log.contains("not rolled back: the app did not cause the failure"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_that_is_not_granted_leaves_nothing_to_check() {
    let hub = edge().await;
    let folder = Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: docker\n---\n"),
        ("Dockerfile", "FROM scratch\n"),
    ]);
    Run::new(&hub, &folder).input("verify", "false").run().await.ended(0, "deployed");
    refuse(&hub, ("POST", "/hardware"), 1, (402, "Payment required"));
    let ran = Run::new(&hub, &folder).input("hardware", "t4-small").run().await.ended(0, "unchanged");
    assert_eq!(ran.output("hardware_status"), "manual_hardware_required");
    assert_eq!(ran.output("verify_status"), "manual_hardware_required");
}

/// A Hub whose Space runs by a script, and whose app never answers.
pub(crate) async fn scripted(after: StageStep) -> (TestHub, Folder) {
    let hub = edge().await;
    let folder = Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: gradio\n---\n"),
        ("app.py", "import gradio\n"),
        ("requirements.txt", "gradio\n"),
    ]);
    let at = Duration::from_millis;
    let steps = vec![StageStep::new(at(300), "APP_STARTING"), StageStep::new(at(1000), "RUNNING"), after];
    let run_log = ["Running on 0.0.0.0:7860", "Traceback (most recent call last):", "MemoryError"];
    let run_log = run_log.iter().map(|line| (at(500), (*line).to_owned())).collect();
    let script = BuildScript { cause: None, steps, build_log: vec![], run_log };
    hub.space("ada/app").script_builds(vec![script]).unwrap();
    (hub, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_crashes_while_it_is_checked_ends_the_check() {
    let crash =
        StageStep::error(Duration::from_secs(4), "RUNTIME_ERROR", "Exit code: 1. Reason: the app ended");
    let (hub, folder) = scripted(crash).await;
    let ran = Run::new(&hub, &folder).run().await.failed(1, "space_crashed");
    assert_eq!((ran.output("space_stage"), ran.output("verify_status")), ("RUNTIME_ERROR", "failed"));
    assert_eq!(report(&folder)["detail"], "the Space stopped while its app was checked");
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_pauses_while_it_is_checked_ends_the_check() {
    let (hub, folder) = scripted(StageStep::new(Duration::from_secs(4), "PAUSED")).await;
    let ran = Run::new(&hub, &folder).run().await.failed(6, "space_not_ready");
    let message = "the Space `ada/app` was paused while its app was checked";
    assert!(ran.log.contains(message), "{}", ran.log);
    assert_eq!(ran.output("space_stage"), "PAUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_overtakes_the_check_ends_it() {
    let (hub, folder) = scripted(StageStep::new(Duration::from_secs(600), "PAUSED")).await;
    let run = Run::new(&hub, &folder).input("on_failure", "rollback");
    let child = run.spawn();
    until(|| hub.space("ada/app").edge_requests().is_ok_and(|visits| !visits.is_empty())).await;
    hub.repo(RepoType::Space, "ada/app")
        .commit_as("ada", "main", &[("app.py", b"theirs")], "theirs")
        .unwrap();
    let ran = run.finish(child).await.failed(5, "overtaken");
    assert!(ran.log.contains("not rolled back: the app did not cause the failure"), "{}", ran.log);
}

/// A Space whose front page fails, with FastAPI.
fn failing_page() -> Folder {
    let code = "import os\n\nimport uvicorn\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get(\"/\")\ndef front():\n    \
                raise ValueError(\"model not loaded\")\n\n\nuvicorn.run(app, host=\"127.0.0.1\", \
                port=int(os.environ[\"GRADIO_SERVER_PORT\"]))\n";
    Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: gradio\nsdk_version: 5.50.0\napp_file: app.py\n---\n"),
        ("app.py", code),
    ])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn an_exception_is_named_with_its_place() {
    let hub = gradio_hub(5).await;
    let ran = Run::new(&hub, &failing_page()).run().await.failed(1, "check_failed");
    let message = "::the app did not pass: `GET /` answered 500: Internal Server Error; the app raised `ValueError: \
                   model not loaded` (";
    assert!(ran.log.contains(message) && ran.log.contains("app.py, line 11)%0A"), "{}", ran.log);
    assert!(ran.log.contains("::error file=app.py,line=11"), "{}", ran.log);
    let folder = gradio_space(5, "raises");
    let run = Run::new(&hub, &folder).input("huggingface_repo", "ada/raises").input("api_name", "crash");
    let ran = run.run().await.failed(1, "check_failed");
    let message = "::the app did not pass: `/crash`: the app raised `ValueError: the secret of the app` (";
    assert!(ran.log.contains(message) && ran.log.contains("app.py, line 13)%0A"), "{}", ran.log);
    assert!(ran.log.contains("::error file=app.py,line=13"), "{}", ran.log);
    assert!(ran.log.contains("the end of the run log"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn a_file_that_is_missing_in_the_workspace_takes_nothing_back() {
    let hub = gradio_hub(5).await;
    let folder = gradio_space(5, "upload");
    let run = || Run::new(&hub, &folder).input("api_name", "read").input("on_failure", "rollback");
    run().input("api_args", r#"["@notes.txt"]"#).run().await.ended(0, "deployed");
    folder.write("app.py", std::fs::read_to_string(folder.path().join("app.py")).unwrap() + "\n");
    let ran = run().input("api_args", r#"["@note.txt"]"#).run().await.failed(1, "check_failed");
    let message = "::cannot check the app: cannot read `note.txt` of the workspace: ";
    assert!(ran.log.contains(message) && ran.log.contains("not rolled back"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn wrong_inputs_are_no_failure_of_the_app() {
    let hub = gradio_hub(5).await;
    let folder = gradio_space(5, "text");
    for (input, value, message, hint) in [
        (
            "api_name",
            "/nope",
            "cannot check the app: the app has no endpoint `/nope`",
            "set `api_name` to one of its endpoints: `/predict`",
        ),
        (
            "api_kwargs",
            r#"{"nam": "Ada"}"#,
            "cannot check the app: `/predict` has no argument `nam`",
            "`/predict` takes: `name`, `loud`",
        ),
    ] {
        let ran = Run::new(&hub, &folder).input(input, value).run().await.failed(1, "check_failed");
        assert!(ran.log.contains(&format!("::{message}")) && ran.log.contains(hint), "{}", ran.log);
        assert!(!ran.log.contains("the end of the run log"), "{}", ran.log);
    }
}

/// An app that starts, and ends when it is visited or called.
fn fragile(code: &str) -> Folder {
    Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: gradio\nsdk_version: 5.50.0\napp_file: app.py\n---\n"),
        ("app.py", &format!("import os\n\nPORT = int(os.environ[\"GRADIO_SERVER_PORT\"])\n{code}")),
    ])
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn an_app_that_ends_at_its_first_visit_or_call_is_a_crash() {
    let hub = gradio_hub(5).await;
    let visit = "from http.server import BaseHTTPRequestHandler, HTTPServer\n\n\nclass Page(BaseHTTPRequestHandler):\n    \
                 def do_GET(self):\n        print(\"no memory\", flush=True)\n        os._exit(3)\n\n\n\
                 HTTPServer((\"127.0.0.1\", PORT), Page).serve_forever()\n";
    let call = "import gradio as gr\n\n\ndef end(text):\n    os._exit(3)\n\n\n\
                gr.Interface(end, \"text\", \"text\", api_name=\"end\").launch(server_name=\"127.0.0.1\", server_port=PORT)\n";
    for (name, code, api_name) in [("visit", visit, ""), ("call", call, "end")] {
        let folder = fragile(code);
        let run = Run::new(&hub, &folder).input("huggingface_repo", &format!("ada/{name}"));
        let ran = run.input("api_name", api_name).run().await.failed(1, "space_crashed");
        assert!(ran.log.contains("` crashed: "), "{}", ran.log);
        assert_eq!(ran.output("space_stage"), "RUNTIME_ERROR");
        let wait = ran.log.matches("waiting for the app to answer").count();
        assert!(wait <= 2, "{}", ran.log);
    }
}
