//! The check alone, against real Gradio apps of three versions.
//!
//! `HF_DEPLOY_GRADIO4`, `HF_DEPLOY_GRADIO5` and `HF_DEPLOY_GRADIO6` name the Pythons of environments with
//! `tests/fixtures/gradio/requirements-{4,5,6}.txt` installed.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hf_deploy::action::{Log, Mode as LogMode};
use hf_deploy::app_check::{App, AppKind, Check, CheckResult, CheckStatus, Expect, Mode};
use hf_deploy::failure::app_check::hints;
use hf_deploy::ops::check::check_app;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::harness::prepared_variable;

/// The majors that are tested.
const VERSIONS: [u8; 3] = [4, 5, 6];

/// Time in which an app must listen. A busy machine takes a minute for some imports.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// One app at a time for each version: the machine is small.
static TURN: [tokio::sync::Mutex<()>; 3] = [const { tokio::sync::Mutex::const_new(()) }; 3];

#[derive(Debug, Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Captured {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn log(&self) -> Log {
        Log::new(LogMode::GitHub, Box::new(self.clone()))
    }
}

/// A running app. It ends with this value.
pub(crate) struct Running {
    version: u8,
    pub(crate) url: String,
    _child: Child,
    /// The output of Gradio.
    _scratch: tempfile::TempDir,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

pub(crate) fn python(version: u8) -> String {
    prepared_variable(&format!("HF_DEPLOY_GRADIO{version}"))
}

impl Running {
    pub(crate) async fn start(version: u8, app: &str) -> Self {
        let turn = TURN[usize::from(version - 4)].lock().await;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gradio");
        let scratch = workspace();
        let child = Command::new(python(version))
            .arg(folder.join(format!("{app}.py")))
            .current_dir(scratch.path())
            .env("GRADIO_TEMP_DIR", scratch.path())
            .env("GRADIO_SERVER_PORT", port.to_string())
            .env("GRADIO_ANALYTICS_ENABLED", "False")
            .env("HF_HUB_OFFLINE", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // The check waits for an app too, but with growing pauses, and there are dozens of apps.
        let listens = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(START_TIMEOUT, listens).await.expect("the app listens");
        Self {
            version,
            url: format!("http://127.0.0.1:{port}"),
            _child: child,
            _scratch: scratch,
            _turn: turn,
        }
    }

    fn app(&self) -> App {
        App { url: self.url.parse().unwrap(), token: None, kind: AppKind::Gradio }
    }

    /// Checks the app; the check itself waits for it to come up.
    async fn check(&self, check: &Check) -> (CheckResult, String) {
        let captured = Captured::default();
        let result = check_app(&self.app(), check, &captured.log()).await;
        let text = captured.text();
        println!("gradio {}: {result:?}\n{text}", self.version);
        (result, text)
    }

    async fn expect(&self, check: &Check, status: CheckStatus, detail: &str) -> (CheckResult, String) {
        let (result, text) = self.check(check).await;
        assert_eq!(result.status, status, "gradio {}: {result:?}\n{text}", self.version);
        assert!(result.detail.contains(detail), "gradio {}: {result:?}\n{text}", self.version);
        (result, text)
    }
}

fn workspace() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn check(folder: &Path) -> Check {
    Check { timeout: Duration::from_secs(120), ..Check::new(folder) }
}

fn call(folder: &Path, name: &str, args: Value) -> Check {
    let Value::Array(api_args) = args else { panic!("not a list") };
    Check { api_name: Some(name.to_owned()), api_args, mode: Mode::Inference, ..check(folder) }
}

fn regex(pattern: &str) -> regex::Regex {
    regex::Regex::new(pattern).unwrap()
}

fn kept(result: &CheckResult) -> Vec<String> {
    result.artifacts.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn report(folder: &Path) -> Value {
    let path: PathBuf = folder.join(".hf-deploy/result.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Makes one test for each version, so that they run side by side.
macro_rules! on_each_version {
    ($name:ident, $app:literal, $body:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs tests/run setup"]
        async fn $name() {
            let mut runs = Vec::new();
            for version in VERSIONS {
                runs.push(tokio::spawn(async move {
                    let running = Running::start(version, $app).await;
                    let folder = workspace();
                    let body = $body;
                    body(running, folder).await;
                }));
            }
            for run in runs {
                run.await.unwrap();
            }
        }
    };
}

const SUCCESS: CheckStatus = CheckStatus::FullInferenceSuccess;
const CANDIDATE: CheckStatus = CheckStatus::FullInferenceCandidateHealthPassed;

on_each_version!(text, "text", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    let (result, _) =
        app.expect(&check(folder), CheckStatus::FullInferenceCandidateHealthPassed, "with 1 endpoint").await;
    assert_eq!(kept(&result), ["api_schema.json", "result.json"]);
    assert!(result.calls.is_empty());

    let kwargs = json!({"name": "Ada", "loud": true}).as_object().unwrap().clone();
    let asked = Check { api_kwargs: kwargs, expect_contains: Some("HELLO, ADA!".into()), ..check(folder) };
    let (result, _) = app.expect(&asked, SUCCESS, "answered in").await;
    let endpoint = if app.version == 6 { "/greet" } else { "/predict" };
    assert_eq!(result.endpoint.as_deref(), Some(endpoint));
    assert_eq!(result.recommended_duration_seconds, Some(10));
    assert_eq!(report(folder)["outputs"][0]["text"], "HELLO, ADA!");

    let sampled = Check { expect: Some(Expect::Text), ..check(folder) };
    let (_, log) = app.expect(&sampled, SUCCESS, "answered in").await;
    assert!(log.contains("with defaults or samples for `name`, `loud`"), "{log}");

    let unknown = Check { api_kwargs: json!({"nam": 1}).as_object().unwrap().clone(), ..check(folder) };
    let (result, _) = app.expect(&unknown, CheckStatus::Failed, "has no argument `nam`").await;
    assert!(hints(&result)[0].ends_with("takes: `name`, `loud`"));
    app.expect(
        &Check { expect: Some(Expect::Image), ..check(folder) },
        CheckStatus::Failed,
        "expected image, got Textbox",
    )
    .await;
    app.expect(&call(folder, "nope", json!([])), CheckStatus::Failed, "the app has no endpoint `/nope`")
        .await;
    let regex = Some(regex("^Bye"));
    app.expect(&Check { expect_regex: regex, ..check(folder) }, CheckStatus::Failed, "expect_regex").await;
    let health = Check {
        health_path: Some("/config".into()),
        health_contains: Some("version".into()),
        ..check(folder)
    };
    app.expect(&health, CheckStatus::FullInferenceCandidateHealthPassed, "").await;
    let health = Check { health_path: Some("/nothing".into()), ..check(folder) };
    app.expect(&health, CheckStatus::Failed, "answered 404").await;
});

on_each_version!(image, "image", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    let (result, _) =
        app.expect(&Check { expect: Some(Expect::Image), ..check(folder) }, SUCCESS, "`/generate`").await;
    assert_eq!(kept(&result), ["api_schema.json", "output-1.png", "result.json"]);
    let bytes = std::fs::read(folder.join(".hf-deploy/output-1.png")).unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));
    // A sample is uploaded where nothing is given, and a file of the workspace where one is named.
    app.expect(&call(folder, "invert", json!([])), SUCCESS, "`/invert`").await;
    std::fs::rename(folder.join(".hf-deploy/output-1.png"), folder.join("in put.png")).unwrap();
    app.expect(&call(folder, "invert", json!(["@in put.png"])), SUCCESS, "`/invert`").await;
    app.expect(&call(folder, "/invert", json!([{"path": "in put.png"}])), SUCCESS, "`/invert`").await;
    app.expect(&call(folder, "/invert", json!(["@../x.png"])), CheckStatus::Failed, "cannot read `../x.png`")
        .await;
    let (result, _) = app.expect(&call(folder, "many", json!(["cats"])), SUCCESS, "`/many`").await;
    assert_eq!(result.artifacts.len(), 4, "{result:?}");
});

on_each_version!(media, "media", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    let tone = Check { expect: Some(Expect::Audio), ..call(folder, "tone", json!([])) };
    let (result, _) = app.expect(&tone, SUCCESS, "").await;
    assert_eq!(kept(&result)[1], "output-1.wav");
    let length = Check { expect_contains: Some("1.00 s".into()), ..call(folder, "length", json!([])) };
    app.expect(&length, SUCCESS, "").await;
    let film = Check { expect: Some(Expect::Video), ..call(folder, "film", json!([])) };
    let (result, _) = app.expect(&film, SUCCESS, "").await;
    assert_eq!(kept(&result)[1], "output-1.mp4");
    std::fs::rename(folder.join(".hf-deploy/output-1.mp4"), folder.join("film.mp4")).unwrap();
    let size =
        Check { expect_regex: Some(regex("^[0-9]+ bytes$")), ..call(folder, "size", json!(["@film.mp4"])) };
    app.expect(&size, SUCCESS, "").await;
    let wrong = Check { expect: Some(Expect::Video), ..call(folder, "tone", json!([])) };
    app.expect(&wrong, CheckStatus::Failed, "expected video, got Audio: audio (wav)").await;
});

on_each_version!(upload, "upload", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    std::fs::write(folder.join("ä b.txt"), "first line\nsecond\n").unwrap();
    let read =
        Check { expect_contains: Some("first line".into()), ..call(folder, "read", json!(["@ä b.txt"])) };
    app.expect(&read, SUCCESS, "").await;
    let one =
        Check { expect_contains: Some("1 files".into()), ..call(folder, "count", json!(["@ä b.txt"])) };
    app.expect(&one, SUCCESS, "").await;
    let two = json!([["@ä b.txt", {"path": "ä b.txt"}]]);
    let two = Check { expect_contains: Some("2 files".into()), ..call(folder, "count", two) };
    app.expect(&two, SUCCESS, "").await;
    app.expect(&Check { mode: Mode::Inference, ..check(folder) }, CheckStatus::Failed, "and none is named")
        .await;
});

on_each_version!(generator, "generator", async |app: Running, folder: tempfile::TempDir| {
    let counted =
        Check { expect_contains: Some("tick 4".into()), ..call(folder.path(), "count", json!(["tick"])) };
    let (result, log) = app.expect(&counted, SUCCESS, "").await;
    let latency = result.latency().unwrap();
    assert!(latency.server >= Duration::from_millis(900), "{latency:?}");
    assert!(latency.wall >= latency.server && latency.wall >= latency.queue, "{latency:?}");
    assert!(log.contains("progress: counting"), "{log}");
    let late = Check { max_latency: Some(Duration::from_millis(100)), ..counted.clone() };
    app.expect(&late, CheckStatus::Failed, "longer than `max_latency`").await;
    let short = Check { timeout: Duration::from_millis(700), ..counted };
    // Where the time ran out depends on the machine.
    app.expect(&short, CheckStatus::Failed, "time").await;
});

on_each_version!(state, "state", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    let added = Check { expect_contains: Some("total 16".into()), ..call(folder, "add", json!([])) };
    app.expect(&added, SUCCESS, "").await;
    let added = Check { expect_contains: Some("total 45".into()), ..call(folder, "add", json!([5, 7])) };
    app.expect(&added, SUCCESS, "").await;
    app.expect(
        &call(folder, "add", json!([1, 2, 3])),
        CheckStatus::Failed,
        "3 arguments are given for the 2 of `/add`",
    )
    .await;
});

on_each_version!(chat, "chat", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    let args = vec![json!("good morning")];
    let chat = Check {
        api_args: args,
        expect: Some(Expect::Text),
        expect_contains: Some("You said: good morning".into()),
        ..check(folder)
    };
    app.expect(&chat, SUCCESS, "").await;
});

on_each_version!(values, "values", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    let says = |name: &str, args: Value, text: &str| Check {
        expect_contains: Some(text.to_owned()),
        ..call(folder, name, args)
    };
    let hi = match app.version {
        6 => json!([{"type": "text", "text": "hi /tmp/there"}]),
        _ => json!("hi /tmp/there"),
    };
    let history = json!([[{"role": "user", "content": hi}, {"role": "assistant", "content": hi}]]);
    app.expect(&says("said", history, "hi /tmp/there"), SUCCESS, "").await;
    std::fs::write(folder.join("cat.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let pictures = json!([["@cat.png", ["@cat.png", "a cat"], {"image": "@cat.png", "caption": "@home"}]]);
    let captions = "cat.png: None | cat.png: a cat | cat.png: @home";
    app.expect(&says("captions", pictures, captions), SUCCESS, "").await;
    app.expect(
        &call(folder, "captions", json!([["dog.png"]])),
        CheckStatus::Failed,
        "it does not name a file",
    )
    .await;
    // Not listed, and called all the same.
    let named = Check {
        api_kwargs: json!({"count": 4}).as_object().unwrap().clone(),
        ..says("hidden", json!(["cat"]), "hidden cat 4")
    };
    let (result, _) = app.expect(&named, SUCCESS, "`/hidden` answered").await;
    assert_eq!(result.endpoint.as_deref(), Some("/hidden"));
    let (result, _) = app
        .expect(&call(folder, "secret", json!([])), CheckStatus::Failed, "has no endpoint `/secret`")
        .await;
    assert!(
        !hints(&result)[0].contains("hidden") && hints(&result)[0].contains("`/Generate speech`"),
        "{result:?}"
    );
    app.expect(&says("/Generate speech", json!(["hi"]), "spoken: hi"), SUCCESS, "`/Generate speech`").await;
    app.expect(&says("keys", json!([]), r#""status": "ok""#), SUCCESS, "").await;
    assert_eq!(
        report(folder)["outputs"][0]["text"],
        r#"{"n": 3, "nested": {"x": [1, 2.5, true]}, "status": "ok"}"#
    );
    for name in ["nothing_in_it", "no_items", "not_a_number", "update"] {
        app.expect(&call(folder, name, json!([])), SUCCESS, "").await;
    }
    app.expect(&says("file_name", json!([]), r#""path": "/etc/hosts""#), SUCCESS, "").await;
    for expect in [None, Some(Expect::Image)] {
        let addresses = Check { expect, ..call(folder, "addresses", json!([])) };
        let (_, log) = app.expect(&addresses, SUCCESS, "").await;
        assert!(log.contains("image on another host, which was not fetched (`example.org`)"), "{log}");
    }
    let plot = Check { expect: Some(Expect::Image), ..call(folder, "plot", json!([])) };
    let (result, _) = app.expect(&plot, SUCCESS, "").await;
    assert_eq!(kept(&result)[1], "output-1.png");
    app.expect(&says("large", json!([]), "x the end"), SUCCESS, "").await;
    // It ends with the time, and is judged by what it yielded.
    let short = |check: Check| Check { timeout: Duration::from_secs(4), ..check };
    let (_, log) =
        app.expect(&short(says("forever", json!([]), "step ")), SUCCESS, "still yields after").await;
    assert!(log.contains("::warning::`/forever` still yields"), "{log}");
    app.expect(
        &short(says("forever", json!([]), "done")),
        CheckStatus::Failed,
        "no output holds `expect_contains`",
    )
    .await;
});

on_each_version!(below, "below", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    app.expect(&check(folder), CheckStatus::FullInferenceCandidateHealthPassed, "with 1 endpoint").await;
    // A message that says something, though the default of the component is empty.
    let hello = Some("You said: Hello".to_owned());
    let asked = Check { mode: Mode::Inference, expect_contains: hello.clone(), ..check(folder) };
    app.expect(&asked, SUCCESS, "").await;
    // The health is asked of another path, and Gradio is still found; so it is by the path itself.
    for path in ["/health", "/ui/"] {
        app.expect(&Check { health_path: Some(path.to_owned()), ..asked.clone() }, SUCCESS, "").await;
    }
});

on_each_version!(raises, "raises", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    let text = "the model is on holiday";
    let (result, log) = app.expect(&call(folder, "refuse", json!([])), CheckStatus::Failed, text).await;
    assert!(!log.lines().any(|line| line.starts_with("::error")), "{log}");
    assert!(result.calls.is_empty());
    app.expect(&call(folder, "crash", json!([])), CheckStatus::Failed, "run log").await;
    app.expect(&call(folder, "halfway", json!([])), CheckStatus::Failed, "run log").await;
    app.expect(&call(folder, "quota", json!([])), CANDIDATE, "quota").await;
});

on_each_version!(wrong_type, "wrong_type", async |app: Running, folder: tempfile::TempDir| {
    let folder = folder.path();
    app.expect(
        &call(folder, "picture", json!([])),
        CheckStatus::Failed,
        "expected image, got Image: nothing",
    )
    .await;
    app.expect(&call(folder, "words", json!([])), CheckStatus::Failed, "expected text, got Textbox: nothing")
        .await;
    let any = Check { expect: Some(Expect::Any), ..call(folder, "picture", json!([])) };
    app.expect(&any, SUCCESS, "").await;
});

on_each_version!(slow, "slow", async |app: Running, folder: tempfile::TempDir| {
    app.expect(&check(folder.path()), CheckStatus::FullInferenceCandidateHealthPassed, "").await;
    let folders = [workspace(), workspace()];
    let checks = folders.each_ref().map(|folder| call(folder.path(), "work", json!(["x"])));
    let ((first, _), (second, _)) = tokio::join!(app.check(&checks[0]), app.check(&checks[1]));
    let [first, second] = [first, second].map(|result| {
        assert_eq!(result.status, SUCCESS, "{result:?}");
        result.latency().unwrap()
    });
    let (early, late) = if first.queue < second.queue { (first, second) } else { (second, first) };
    for latency in [early, late] {
        assert!((0.9..5.0).contains(&latency.server.as_secs_f64()), "{latency:?}");
    }
    assert!(late.queue >= Duration::from_millis(600), "{late:?}");
    assert!(late.wall >= Duration::from_millis(1600), "{late:?}");
    // Work alone counts against `max_latency`.
    let most = Some(Duration::from_secs(10));
    let checks = checks.map(|check| Check { max_latency: most, ..check });
    let ((first, _), (second, _)) = tokio::join!(app.check(&checks[0]), app.check(&checks[1]));
    assert_eq!([first.status, second.status], [SUCCESS; 2]);
    // More calls than the queue holds: Gradio asks the last ones to retry, and they do.
    let folders: Vec<_> = (0..5).map(|_| workspace()).collect();
    let checks: Vec<Check> = folders.iter().map(|folder| call(folder.path(), "work", json!(["x"]))).collect();
    let results = futures_util::future::join_all(checks.iter().map(|check| app.check(check))).await;
    assert!(results.iter().all(|(result, _)| result.status == SUCCESS));
    assert!(results.iter().any(|(_, log)| log.contains("queue of the app is full")));
});

on_each_version!(login, "login", async |app: Running, folder: tempfile::TempDir| {
    app.expect(&check(folder.path()), CheckStatus::HealthOnly, "asks for a login").await;
    let health = Check { health_path: Some("/config".into()), health_status: 401, ..check(folder.path()) };
    let unknown = App { kind: AppKind::Docker, ..app.app() };
    let result = check_app(&unknown, &health, &Captured::default().log()).await;
    assert_eq!(result.status, CheckStatus::HealthOnly, "{result:?}");
});

on_each_version!(no_api, "no_api", async |app: Running, folder: tempfile::TempDir| {
    app.expect(&check(folder.path()), CheckStatus::HealthOnly, "no endpoint").await;
    app.expect(
        &Check { mode: Mode::Inference, ..check(folder.path()) },
        CheckStatus::Failed,
        "no endpoint with a name",
    )
    .await;
});

on_each_version!(cut, "generator", async |app: Running, folder: tempfile::TempDir| {
    app.expect(&check(folder.path()), CheckStatus::FullInferenceCandidateHealthPassed, "").await;
    let url = crate::cuts::between(&app.url, 1).await;
    let captured = Captured::default();
    let counted =
        Check { expect_contains: Some("tick 4".into()), ..call(folder.path(), "count", json!(["tick"])) };
    let through = App { url: url.parse().unwrap(), ..app.app() };
    let result = check_app(&through, &counted, &captured.log()).await;
    let log = captured.text();
    assert_eq!(result.status, SUCCESS, "gradio {}: {result:?}\n{log}", app.version);
    assert!(log.contains("the stream of the call broke off"), "{log}");
    println!("gradio {}: {log}", app.version);
});
