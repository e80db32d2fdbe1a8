//! The check as an action and as a command of its own: any Space or address, one check or a file of them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use local_hub::{BuildScript, RepoType, StageStep};
use serde_json::Value;

use crate::assert_ran;
use crate::contract::{read, yaml};
use crate::gradio::Running;
use crate::harness::{Folder, Ran, Run, TOKEN, TestHub, command, static_space};
use crate::live::{edge, report, scripted};

/// Returns the names of all outputs, sorted.
fn outputs_of_the_action() -> Vec<String> {
    let action = yaml(&read(".github/actions/verify/action.yml"));
    let names = action["outputs"].as_mapping().unwrap().keys();
    let mut names: Vec<String> = names.map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// A run of the action, for a workspace.
fn action(hub: &TestHub, folder: &Folder) -> Run {
    Run::new(hub, folder).without("INPUT_HUGGINGFACE_REPO").action("verify")
}

/// Requests of a method to paths that contain a text.
fn sent(hub: &TestHub, method: &str, part: &str) -> usize {
    hub.requests().iter().filter(|request| request.method == method && request.path.contains(part)).count()
}

/// The check as a command.
async fn verify(hub: &TestHub, folder: &Folder, arguments: &[&str]) -> (i32, String) {
    command(hub, folder.path(), &[&["verify"], arguments].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_runs_alone_by_name_and_by_address() {
    let hub = edge().await;
    let folder = static_space();
    Run::new(&hub, &folder).input("visibility", "private").run().await.ended(0, "deployed");
    let (code, log) = verify(&hub, &folder, &["--space", "ada/app", "--health-contains", "Hello"]).await;
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("the app answers"), "{log}");
    assert_eq!(report(&folder)["verify_status"], "health_only");
    // The address alone gets no token, and a private Space does not open.
    let host = hub.space("ada/app").host().unwrap();
    let (code, log) = verify(&hub, &folder, &["--url", &host, "--timeout", "5s"]).await;
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("a private Space answers 404 to callers without a token"), "{log}");
    let (code, log) = verify(&hub, &folder, &["--space", "ada/nothing"]).await;
    assert_eq!(code, 3, "{log}");
    let (code, log) = verify(&hub, &folder, &["--space", "ada/app", "--health-path", "x"]).await;
    assert_eq!(code, 2, "{log}");
    assert!(log.contains("`--health-path` must be a path"), "{log}");
    let (code, log) = verify(&hub, &folder, &[]).await;
    assert_eq!(code, 2, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_runs_as_an_action_of_its_own() {
    let hub = edge().await;
    let folder = static_space();
    Run::new(&hub, &folder).input("visibility", "private").run().await.ended(0, "deployed");
    let action = || action(&hub, &folder);
    let names = |ran: &Ran| ran.outputs.keys().cloned().collect::<Vec<String>>();
    let outputs: Vec<String> = outputs_of_the_action();

    let ran = action().input("space", "ada/app").input("health_contains", "Hello").run().await;
    assert_eq!((ran.code, ran.output("verify_status")), (0, "health_only"), "{}", ran.log);
    assert_eq!(names(&ran), outputs);
    assert_eq!((ran.output("checks_passed"), ran.output("checks_failed")), ("1", "0"));
    // An address gets no token, and a private Space does not open.
    let host = hub.space("ada/app").host().unwrap();
    let ran = action().input("url", &host).input("timeout", "5s").run().await;
    assert_eq!((ran.code, ran.output("verify_status")), (1, "failed"), "{}", ran.log);
    let ran = action().input("space", "ada/nothing").run().await;
    assert_eq!(ran.code, 3, "{}", ran.log);
    assert!(ran.log.contains("the token in `hf_token` has no access to it"), "{}", ran.log);

    for (name, value, messages) in [
        ("space", "", &["`space` must name a Space, or `url` the address of an app"][..]),
        (
            "spaces",
            "ada/app",
            &["`spaces` is not an input of this action: did you mean `space`?", "`space` must name a Space"],
        ),
        ("timeout", "soon", &["`timeout` must be a time"]),
        ("hf_token", "two words", &["`hf_token` holds more than one word"]),
    ] {
        let ran = action().input(name, value).run().await;
        assert_eq!((ran.code, names(&ran)), (2, outputs.clone()), "{}", ran.log);
        assert_eq!(ran.output("error_code"), "invalid_input");
        assert!(messages.iter().all(|message| ran.log.contains(message)), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_count_in_a_step_that_has_inputs_too() {
    let hub = edge().await;
    let folder = static_space();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let step = |arguments| Run::new(&hub, &folder).input("space", "ada/nothing").arguments(arguments);
    let ran = step(&["verify", "--space", "ada/app"]).run().await;
    assert_eq!((ran.code, ran.output("verify_status")), (0, "health_only"), "{}", ran.log);
    let ran = step(&["verify"]).run().await;
    assert_eq!(ran.code, 2, "{}", ran.log);
    assert!(ran.log.contains("`--space` must name a Space, or `--url`"), "{}", ran.log);
    let ran = step(&["verify", "--from-inputs", "--space", "ada/app"]).run().await;
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("'--from-inputs' cannot be used with"), "{}", ran.stderr);
}

/// Checks of a static Space: two pages that are there, and two that are not.
const PAGES: &str = "\
- name: front page
  health_contains: Hello
- name: style
  health_path: /style.css
  health_contains: teal

- name: wrong text
  health_path: /index.html
  health_contains: Goodbye
- name: \"<missing> & \\\"gone\\\"\"
  health_path: /nothing
";

#[tokio::test(flavor = "multi_thread")]
async fn all_checks_of_a_file_run_and_failed_ones_are_annotated() {
    let hub = edge().await;
    let folder = static_space();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("tests/checks.yml", PAGES);
    let run = || action(&hub, &folder).input("space", "ada/app").input("checks", "tests/checks.yml");
    let ran = run().input("junit_path", "results.xml").run().await;
    assert_eq!((ran.code, ran.output("error_code")), (1, "check_failed"), "{}", ran.log);
    assert_eq!((ran.output("checks_passed"), ran.output("checks_failed")), ("2", "2"));
    let results: Value = serde_json::from_str(ran.output("results")).unwrap();
    assert_eq!((&results[1]["name"], &results[1]["verify_status"]), (&"style".into(), &"health_only".into()));
    assert!(ran.log.contains("::error file=tests/checks.yml,line=7::`wrong text`: "), "{}", ran.log);
    let junit = std::fs::read_to_string(folder.path().join("results.xml")).unwrap();
    insta::with_settings!({ filters => vec![(r#"time="[0-9.]+""#, r#"time="T""#)] }, {
        insta::assert_snapshot!("results_in_the_form_of_junit", junit);
    });
    let kept = folder.path().join(".hf-deploy/check-3/result.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!(kept["verify_status"], "failed");
    insta::with_settings!({ filters => vec![(r"\| \d+\.\d+ s \|", "| T s |")] }, { assert_ran!(ran) });

    folder.write("tests/checks.yml", PAGES.split("\n\n").next().unwrap());
    let ran = run().run().await;
    assert_eq!((ran.code, ran.output("verify_status")), (0, "health_only"), "{}", ran.log);
    assert!(ran.summary.contains("✅ All 2 checks of the Space"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_file_are_reported_at_once_before_any_request() {
    let hub = edge().await;
    let folder = static_space();
    folder.write(
        "checks.yml",
        "- name: greets\n  api_nam: /greet\n  expect: picture\n- health_path: x\n- name: greets\n  args: hello\n",
    );
    let ran = action(&hub, &folder).input("space", "ada/app").input("checks", "checks.yml").run().await;
    assert_eq!((ran.code, hub.requests().len()), (2, 0), "{}", ran.log);
    assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn space_that_builds_is_waited_for() {
    let hub = edge().await;
    let folder = static_space();
    Run::new(&hub, &folder).input("wait", "false").run().await.ended(0, "deployed");
    let at = Duration::from_millis;
    let script = BuildScript {
        cause: None,
        steps: vec![StageStep::new(at(1500), "APP_STARTING"), StageStep::new(at(3000), "RUNNING")],
        build_log: vec![(at(200), "--> installing".to_owned())],
        run_log: Vec::new(),
    };
    hub.space("ada/app").script_builds(vec![script]).unwrap();
    hub.repo(RepoType::Space, "ada/app")
        .commit_as("ada", "main", &[("index.html", b"<h1>New</h1>")], "new")
        .unwrap();
    let ran = action(&hub, &folder).input("space", "ada/app").input("health_contains", "New").run().await;
    assert_eq!((ran.code, ran.output("space_stage")), (0, "RUNNING"), "{}", ran.log);
    assert!(ran.log.contains("building") && ran.log.contains("starting"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn sleeping_space_wakes_by_a_visit_and_a_paused_one_stays() {
    let hub = edge().await;
    let folder = static_space();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let run = || action(&hub, &folder).input("space", "ada/app").input("health_contains", "Hello");
    hub.space("ada/app").sleep().unwrap();
    let ran = run().run().await;
    assert_eq!((ran.code, ran.output("verify_status")), (0, "health_only"), "{}", ran.log);
    assert!(ran.log.contains("the Space sleeps: the next request wakes it"), "{}", ran.log);
    hub.space("ada/app").pause().unwrap();
    let ran = run().run().await;
    assert_eq!((ran.code, ran.output("error_code")), (6, "space_not_ready"), "{}", ran.log);
    assert!(ran.log.contains("the Space `ada/app` is paused"), "{}", ran.log);
    assert_eq!((ran.output("verify_status"), ran.output("checks_failed")), ("", "1"));
    assert_eq!(sent(&hub, "POST", "/restart"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_of_the_checks_does_not_run_after_a_crash() {
    let crash =
        StageStep::error(Duration::from_secs(4), "RUNTIME_ERROR", "Exit code: 1. Reason: the app ended");
    let (hub, folder) = scripted(crash).await;
    Run::new(&hub, &folder).input("wait", "false").run().await.ended(0, "deployed");
    folder.write("checks.yml", "- {name: one, health_path: /a}\n- {name: two, health_path: /b}\n");
    let run = action(&hub, &folder).input("space", "ada/app").input("checks", "checks.yml");
    let ran = run.input("junit_path", "r.xml").run().await;
    assert_eq!((ran.code, ran.output("error_code")), (1, "space_crashed"), "{}", ran.log);
    assert_eq!((ran.output("checks_failed"), ran.output("space_stage")), ("2", "RUNTIME_ERROR"));
    let junit = std::fs::read_to_string(folder.path().join("r.xml")).unwrap();
    assert!(junit.contains("<error type=\"space_crashed\""), "{junit}");
    assert!(ran.summary.contains("MemoryError"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_cannot_be_written_fail_a_check_that_passed() {
    let hub = edge().await;
    let folder = static_space();
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let run = || action(&hub, &folder).input("space", "ada/app").input("junit_path", "no/such/folder.xml");
    let ran = run().run().await;
    assert_eq!((ran.code, ran.output("error_code")), (1, "local_io"), "{}", ran.log);
    assert_eq!((ran.output("verify_status"), ran.output("junit_path")), ("health_only", ""));
    let ran = run().input("health_contains", "Goodbye").run().await;
    assert_eq!(ran.output("error_code"), "check_failed", "{}", ran.log);
    assert!(ran.log.contains("::warning::cannot write the results to"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_alone_on_stdout() {
    let hub = edge().await;
    let folder = static_space();
    Run::new(&hub, &folder).input("visibility", "private").run().await.ended(0, "deployed");
    for (text, code) in [("Hello", 0), ("Goodbye", 1)] {
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_hf-deploy"))
            .args(["verify", "--space", "ada/app", "--health-contains", text, "--json"])
            .env_clear()
            .env("HF_ENDPOINT", hub.endpoint())
            .env("HF_TOKEN", TOKEN)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains("checking the app at ") && !format!("{stdout}{stderr}").contains(TOKEN));
        let json: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((&json["space"], &json["checks"][0]["name"]), (&"ada/app".into(), &"app".into()));
        match code {
            0 => assert_eq!((&json["verify_status"], &json["error"]), (&"health_only".into(), &Value::Null)),
            _ => assert_eq!(json["error"]["code"], "check_failed"),
        }
    }
    let (code, text) = command(&hub, folder.path(), &["teardown", "--json"]).await;
    assert_eq!(code, 2, "a command without outputs has no report: {text}");
}

/// Apps of `tests/fixtures/gradio` with a file of checks in `tests/fixtures/checks`.
const APPS: [&str; 7] = ["text", "image", "media", "upload", "generator", "state", "chat"];

async fn verify_apps(version: u8) {
    let hub = edge().await;
    for app in APPS {
        let running = Running::start(version, app).await;
        let checks = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/checks/{app}.yml"));
        let checks = std::fs::read_to_string(checks).unwrap();
        let folder = Folder::new(&[("checks.yml", &checks), ("notes.txt", "first line\nsecond line\n")]);
        folder.write("film.mp4", b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41");
        let run = action(&hub, &folder).input("url", &running.url).input("checks", "checks.yml");
        let ran = run.input("runs", "2").input("junit_path", "r.xml").run().await;
        let what = format!("gradio {version}, {app}\n{}\n{}", ran.log, ran.stderr);
        assert_eq!((ran.code, ran.output("checks_failed")), (0, "0"), "{what}");
        let results: Vec<Value> = serde_json::from_str(ran.output("results")).unwrap();
        assert_eq!(results.len(), yaml(&checks).as_sequence().unwrap().len(), "{what}");
        let is_call = |result: &&Value| !result["latency_seconds"].is_null();
        let mut calls = results.iter().filter(is_call);
        assert!(calls.all(|result| result["verify_status"] == "full_inference_success"), "{what}");
        assert_eq!(ran.output("recommended_duration_seconds"), "10", "{what}");
        let [min, median, p95] = ["latency_min_seconds", "verify_latency_seconds", "latency_p95_seconds"]
            .map(|name| ran.output(name).parse::<f64>().unwrap());
        assert!(min <= median && median <= p95, "{what}");
        assert!(ran.summary.contains("| free | 300 s | 200 s | admitted |"), "{}", ran.summary);
        let junit = std::fs::read_to_string(folder.path().join("r.xml")).unwrap();
        assert!(junit.contains("failures=\"0\" errors=\"0\" skipped=\"0\""), "{junit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn gradio_4_apps_pass_their_files_of_checks() {
    verify_apps(4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn gradio_5_apps_pass_their_files_of_checks() {
    verify_apps(5).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs tests/run setup"]
async fn gradio_6_apps_pass_their_files_of_checks() {
    verify_apps(6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn app_without_a_connection_is_reported_before_the_timeout() {
    let (hub, folder) = (edge().await, static_space());
    let refused = async {
        let (code, log) = verify(&hub, &folder, &["--url", "http://127.0.0.1:9", "--timeout", "8s"]).await;
        assert_eq!(code, 1, "{log}");
        let warning = "the app accepted no connection for ";
        let hint = "; start the app before this step, and check its host and port";
        assert!(log.lines().any(|line| line.contains(warning) && line.contains(hint)), "{log}");
        assert!(log.contains("`GET /`: no connection: "), "{log}");
    };
    let unknown = async {
        let url = "https://nothing.invalid";
        let (code, log) = verify(&hub, &folder, &["--url", url, "--timeout", "8s"]).await;
        assert_eq!(code, 1, "{log}");
        assert!(log.contains("cannot resolve the host name `nothing.invalid`: "), "{log}");
        assert!(
            log.contains("correct the host name of the app, or the DNS settings of this runner"),
            "{log}"
        );
    };
    tokio::join!(refused, unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn result_completes_the_bundle_of_an_earlier_run() {
    let hub = edge().await;
    let folder = static_space();
    let first = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let id = first.output("run_id").to_owned();
    let read = |file: &str| {
        let path = folder.path().join(".hf-deploy/runs").join(&id).join(file);
        serde_json::from_str::<Value>(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let verify = |id: &str| action(&hub, &folder).input("space", "ada/app").input("run_id", id);
    let ran = verify(&id).input("health_contains", "Hello").run().await;
    assert_eq!((ran.code, ran.output("verify_status")), (0, "health_only"), "{}", ran.log);
    assert!(ran.log.contains(": health_only"), "{}", ran.log);
    let (gate, state) = (read("inference_gate.json"), read("state.json"));
    assert_eq!((&gate["status"], &state["gate_status"]), (&"health_only".into(), &"health_only".into()));
    assert_eq!(gate["evidence"]["space"], "ada/app");
    let events =
        std::fs::read_to_string(folder.path().join(".hf-deploy/runs").join(&id).join("events.jsonl"))
            .unwrap();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().enumerate().all(|(index, event)| event["seq"] == index), "{events:?}");
    assert_eq!(events.last().unwrap()["data"]["run_id"], ran.output("run_id"));

    // A result that fails the run leaves the state of the run alone, but for the verdict.
    let ran = verify(&id).input("health_contains", "Goodbye").run().await;
    assert_eq!(ran.code, 1, "{}", ran.log);
    assert_eq!(
        (&read("state.json")["gate_status"], &read("inference_gate.json")["status"]),
        (&"failed".into(), &"failed".into())
    );

    let refused = async |run: Run, words: &str| {
        let ran = run.run().await;
        assert_eq!((ran.code, ran.output("error_code")), (2, "invalid_input"), "{}", ran.log);
        assert!(ran.log.contains(words), "{}", ran.log);
    };
    refused(verify("gh-1-1-000000"), "its bundle is not in the workspace").await;
    let other = action(&hub, &folder).input("space", "ada/other").input("run_id", &id);
    refused(other, "it is about the Space `ada/app`, and not `ada/other`").await;
    let url = action(&hub, &folder).input("url", "https://app.example").input("run_id", &id);
    refused(url, "`run_id` contradicts `url`").await;
}
