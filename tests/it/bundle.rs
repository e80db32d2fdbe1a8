//! The run bundle: the files that each run leaves in `.hf-deploy/runs/`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use local_hub::{BuildScript, Fault, FaultKind, RepoType, StageStep};
use serde_json::{Value, json};

use crate::harness::{
    Folder, Ran, Run, TOKEN, TestHub, command, files_below, hub, hub_with, reached, static_space, tree, until,
};

/// Text of the warning about a bundle that cannot be written.
const LOST: &str = "so that the run goes on without its bundle";

/// Bundle of a run.
struct Bundle(PathBuf);

impl Bundle {
    fn of(ran: &Ran, folder: &Folder) -> Self {
        assert_eq!(ran.output("bundle_path"), format!(".hf-deploy/runs/{}", ran.output("run_id")));
        Self(folder.path().join(ran.output("bundle_path")))
    }

    fn text(&self, file: &str) -> String {
        let path = self.0.join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn json(&self, file: &str) -> Value {
        serde_json::from_str(&self.text(file)).unwrap()
    }

    fn status(&self) -> String {
        self.json("state.json")["status"].as_str().unwrap().to_owned()
    }

    /// Reads the events, and asserts that their numbers have no gaps.
    fn events(&self) -> Vec<Value> {
        let text = self.text("events.jsonl");
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["seq"], number, "{text}");
        }
        events
    }

    fn event_names(&self) -> Vec<String> {
        self.events().iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    }

    fn files(&self) -> BTreeSet<String> {
        let name = |path: &PathBuf| path.strip_prefix(&self.0).unwrap().to_string_lossy().into_owned();
        files_below(&self.0).iter().map(|(path, _)| name(path)).collect()
    }
}

/// The bundles in the workspace.
fn bundles(folder: &Folder) -> Vec<Bundle> {
    let runs = std::fs::read_dir(folder.path().join(".hf-deploy/runs")).into_iter().flatten();
    runs.map(|entry| Bundle(entry.unwrap().path())).collect()
}

/// Replaces what differs from run to run.
fn normalized(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields.iter_mut() {
                    match (key.as_str(), &*value) {
                        ("started_at" | "updated_at" | "finished_at" | "ts", Value::String(_)) => {
                            *value = json!("TIME");
                        }
                        ("run_id", Value::String(_)) => *value = json!("RUN"),
                        ("seconds", Value::Number(_)) => *value = json!(0),
                        _ => walk(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            _ => {}
        }
    }
    walk(&mut value);
    value
}

fn hold(hub: &TestHub, path: &str) {
    hub.inject(Fault {
        method: None,
        path_contains: path.to_owned(),
        skip: 0,
        times: 9,
        kind: FaultKind::Delay(Duration::from_secs(60)),
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_leaves_its_bundle_which_is_no_part_of_it() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let bundle = Bundle::of(&ran, &folder);
    assert!(ran.output("run_id").starts_with("gh-42-1-"), "{}", ran.output("run_id"));
    let files = ["events.jsonl", "report.md", "state.json", "target_space.json"].map(str::to_owned);
    assert_eq!(bundle.files(), BTreeSet::from(files));
    assert_eq!(bundle.text("report.md"), ran.summary);
    let mut text = format!("{:#}\n", normalized(bundle.json("state.json")));
    for event in bundle.events() {
        text.push_str(&format!("{}\n", normalized(event)));
    }
    text.push_str(&format!("{:#}\n", bundle.json("target_space.json")));
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.add_filter(r"\b[0-9a-f]{40}\b", "SHA");
    settings.add_filter(r"\b[0-9a-f]{7}\b", "SHA7");
    settings.add_filter(r"127\.0\.0\.1:[0-9]+", "HUB");
    settings.add_filter(r"ada-app-[0-9a-z]+", "ada-app-SUFFIX");
    settings.bind(|| insta::assert_snapshot!(text));

    // The next deploy sees neither it nor a reason for a commit.
    let ran = Run::new(&hub, &folder).run().await.ended(0, "unchanged");
    assert_eq!(Bundle::of(&ran, &folder).status(), "succeeded");
    let hidden = |path: &&String| path.contains(".hf-deploy");
    assert_eq!(tree(&hub, RepoType::Space).keys().find(hidden), None);
    assert_eq!(std::fs::read_to_string(folder.path().join(".hf-deploy/.gitignore")).unwrap(), "*\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_names_the_end_of_each_run() {
    let (hub, folder) = (hub().await, static_space());
    let failed = Run::new(&hub, &folder).token("hf_TokenThatTheHubDoesNotKnow").run().await;
    let failed = failed.failed(3, "token_invalid");
    let state = Bundle::of(&failed, &folder).json("state.json");
    assert_eq!(
        (state["status"].as_str(), state["error"]["code"].as_str()),
        (Some("failed"), Some("token_invalid"))
    );
    assert!(!state["error"]["hints"].as_array().unwrap().is_empty(), "{state}");
    assert_eq!(Bundle::of(&failed, &folder).text("report.md"), failed.summary);

    let invalid = Run::new(&hub, &folder).input("wait", "perhaps").run().await.failed(2, "invalid_input");
    assert_eq!(Bundle::of(&invalid, &folder).json("state.json")["error"]["code"], "invalid_input");

    let skipped = Run::new(&hub, &folder)
        .without("INPUT_HF_TOKEN")
        .var("GITHUB_EVENT_NAME", "pull_request")
        .input("missing_token", "skip");
    let skipped = skipped.run().await.ended(0, "skipped");
    let state = Bundle::of(&skipped, &folder).json("state.json");
    assert_eq!((state["status"].as_str(), &state["error"]), (Some("skipped"), &Value::Null));

    hold(&hub, "/preupload/");
    let run = Run::new(&hub, &folder);
    let child = run.spawn();
    reached(&hub, "/preupload/", 1).await;
    crate::signals::send("TERM", child.id().unwrap());
    let cancelled = run.finish(child).await.ended(130, "cancelled");
    let bundle = Bundle::of(&cancelled, &folder);
    let state = bundle.json("state.json");
    assert_eq!(
        (state["status"].as_str(), state["error"]["code"].as_str()),
        (Some("cancelled"), Some("cancelled"))
    );
    assert!(bundle.event_names().contains(&"signal_received".to_owned()));
    assert_eq!(bundle.events().last().unwrap()["level"], "error");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_current_when_the_process_is_killed() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    for (path, phase) in [("/preupload/", "analyze"), ("/commit/", "commit")] {
        folder.write("index.html", format!("<h1>{phase}</h1>"));
        hold(&hub, path);
        let mut child = Run::new(&hub, &folder).spawn();
        // The folder is there a moment before its first file.
        let reached = |bundle: &Bundle| {
            let text = std::fs::read_to_string(bundle.0.join("state.json")).unwrap_or_default();
            serde_json::from_str::<Value>(&text)
                .is_ok_and(|state| state["phase"] == phase && state["status"] == "running")
        };
        until(|| bundles(&folder).iter().any(reached)).await;
        child.kill().await.unwrap();
        hub.clear_faults();
        let bundle = bundles(&folder).into_iter().find(reached).unwrap();
        let state = bundle.json("state.json");
        assert_eq!((&state["status"], &state["finished_at"]), (&json!("running"), &Value::Null));
        assert_eq!(state["space"], "ada/app");
        assert_eq!(bundle.events().last().unwrap()["phase"], phase, "each line is whole");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_one_workflow_have_bundles_of_their_own() {
    let (hub, folder) = (hub().await, static_space());
    let attempt =
        |number: &str| Run::new(&hub, &folder).input("dry_run", "true").var("GITHUB_RUN_ATTEMPT", number);
    let (first, second, third) = tokio::join!(attempt("2").run(), attempt("2").run(), attempt("3").run());
    let ids: BTreeSet<&str> = [&first, &second, &third].map(|ran| ran.output("run_id")).into();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert_eq!(ids.iter().filter(|id| id.starts_with("gh-42-2-")).count(), 2, "{ids:?}");
    assert_eq!(bundles(&folder).len(), 3);
    assert!(bundles(&folder).iter().all(|bundle| bundle.status() == "succeeded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_writes_to_the_current_folder_unless_it_is_turned_off() {
    let (hub, folder) = (hub().await, static_space());
    let run = || {
        ["GITHUB_ACTIONS", "GITHUB_WORKSPACE"]
            .into_iter()
            .fold(Run::new(&hub, &folder).input("dry_run", "true"), Run::without)
    };
    let ran = run().var("HF_DEPLOY_BUNDLE", "false").run().await.ended(0, "dry-run");
    assert_eq!((ran.output("bundle_path"), ran.output("run_id").is_empty()), ("", false));
    assert!(!folder.path().join(".hf-deploy").exists());
    let ran = run().run().await.ended(0, "dry-run");
    let (moment, _) = ran.output("run_id").rsplit_once('-').unwrap();
    assert!(moment.len() == 16 && moment.ends_with('Z') && moment.contains('T'), "{moment}");
    assert_eq!(Bundle::of(&ran, &folder).status(), "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn links_of_the_checkout_are_not_followed() {
    let hub = hub().await;
    for place in [".hf-deploy", ".hf-deploy/runs"] {
        let (folder, elsewhere) = (static_space(), Folder::new(&[]));
        let link = folder.path().join(place);
        std::fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), link).unwrap();
        let ran = Run::new(&hub, &folder).input("dry_run", "true").run().await.ended(0, "dry-run");
        assert_eq!((ran.output("bundle_path"), ran.output("run_id").is_empty()), ("", false));
        assert_eq!(ran.log.matches(LOST).count(), 1, "{}", ran.log);
        assert!(ran.log.contains("is there, and is not a folder"), "{}", ran.log);
        assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_is_one_warning() {
    let (hub, folder) = (hub().await, static_space());
    let run = Run::new(&hub, &folder).var("GITHUB_OUTPUT", "").var("GITHUB_STEP_SUMMARY", "");
    let child = run.spawn_in("trap '' XFSZ; ulimit -f 1; exec \"$0\"");
    let ran = run.finish(child).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.log);
    assert_eq!(ran.log.matches("::warning::").count(), 1, "{}", ran.log);
    assert!(ran.log.contains(LOST) && ran.log.contains("File too large"), "{}", ran.log);
    assert!(hub.repo(RepoType::Space, "ada/app").head("main").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_of_a_space_are_kept_whole_and_without_secrets() {
    let hub = hub().await;
    let folder = Folder::new(&[
        ("README.md", "---\ntitle: Hello\nsdk: gradio\n---\n"),
        ("app.py", "import gradio\n"),
        ("requirements.txt", "gradio\n"),
    ]);
    let password = "correct-horse-battery";
    let at = Duration::from_millis(100);
    let mut build_log: Vec<(Duration, String)> =
        (0..700).map(|number| (at, format!("line {number}"))).collect();
    build_log[3].1 = format!("DB_PASSWORD={password} HF_TOKEN={TOKEN}");
    let steps = vec![StageStep::error(Duration::from_millis(1500), "BUILD_ERROR", "exit code 1")];
    hub.space("ada/app")
        .script_builds(vec![BuildScript { cause: None, steps, build_log, run_log: vec![] }])
        .unwrap();
    let run = Run::new(&hub, &folder).secret("DB_PASSWORD", password).input("secrets", "DB_PASSWORD");
    let ran = run.run().await.failed(1, "space_build_failed");
    let text = Bundle::of(&ran, &folder).text("logs/build.txt");
    assert!(text.starts_with("===== build log of the Space `ada/app` =====\n"), "{text}");
    assert!(text.contains("DB_PASSWORD=*** HF_TOKEN=***\n"), "{text}");
    for number in [0, 350, 699] {
        assert_eq!(text.matches(&format!("\nline {number}\n")).count(), 1, "line {number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verification_leaves_its_result() {
    let (hub, folder) = (hub_with(|config| config.edge = true).await, static_space());
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(Bundle::of(&ran, &folder).json("state.json")["gate_status"], "health_only");
    let verify = || {
        Run::new(&hub, &folder).without("INPUT_HUGGINGFACE_REPO").action("verify").input("space", "ada/app")
    };
    let ran = verify().run().await;
    let bundle = Bundle::of(&ran, &folder);
    let state = bundle.json("state.json");
    let facts = ["kind", "status", "space", "gate_status"].map(|field| state[field].as_str().unwrap());
    assert_eq!(facts, ["verify", "succeeded", "ada/app", "health_only"], "{state}");
    assert_eq!(bundle.json("target_space.json")["id"], "ada/app");
    assert_eq!(bundle.text("report.md"), ran.summary);
    let ran = verify().input("health_contains", "Goodbye").input("timeout", "5s").run().await;
    let state = Bundle::of(&ran, &folder).json("state.json");
    assert_eq!(
        (&state["status"], &state["gate_status"]),
        (&json!("failed"), &json!("failed")),
        "{}",
        ran.log
    );
}

/// Reads a bundle of the bucket back, as the command does.
async fn show(hub: &TestHub, folder: &Folder, arguments: &[&str]) -> (i32, String) {
    command(hub, folder.path(), &[&["bundle", "show"], arguments].concat()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn bundle_is_pushed_to_a_private_bucket_and_read_back() {
    let (hub, folder) = (hub().await, static_space());
    let run = || Run::new(&hub, &folder).input("bundle_bucket", "ada/runs");
    let ran = run().run().await.ended(0, "deployed");
    assert_eq!(hub.bucket("ada/runs").is_private(), Some(true), "a missing bucket is made private");
    let id = ran.output("run_id");
    assert!(ran.log.contains(&format!("/buckets/ada/runs/tree/main/runs/{id}")), "{}", ran.log);
    let bundle = Bundle::of(&ran, &folder);
    let local: BTreeSet<String> = bundle.files().iter().map(|name| format!("runs/{id}/{name}")).collect();
    let remote: BTreeSet<String> = hub.bucket("ada/runs").files().into_keys().collect();
    assert_eq!(remote, local);
    for path in &remote {
        let content = hub.bucket("ada/runs").read(path).await.unwrap();
        assert_eq!(
            content,
            std::fs::read(bundle.0.join(path.rsplit('/').next().unwrap())).unwrap(),
            "{path}"
        );
    }
    let batches = hub.requests().iter().filter(|request| request.path.ends_with("/batch")).count();
    assert_eq!(batches, 2, "one claims the folder, and one has the bundle");

    // After a failure as well, beside the bundles of other runs.
    let failed = run().input("source_dir", "missing").run().await.failed(2, "source_missing");
    let id = failed.output("run_id");
    let (code, text) = show(&hub, &folder, &[id, "--bucket", "ada/runs"]).await;
    assert_eq!(code, 0, "{text}");
    for part in
        [&format!("run {id}\n"), "deploy failed in phase preflight", "error: source_missing: ", "\nfiles:\n"]
    {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    assert!(text.contains(failed.summary.lines().next().unwrap()), "{text}");
    let (code, text) = show(&hub, &folder, &[id, "--bucket", "ada/runs", "--json"]).await;
    let shown: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((code, &shown["state"]["status"]), (0, &json!("failed")));
    assert_eq!(shown["report"].as_str(), Some(failed.summary.as_str()));
    assert_eq!(shown["events"][0]["event"], "run_started");

    let (code, text) = show(&hub, &folder, &["gh-1-1-000000", "--bucket", "ada/runs"]).await;
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("the bucket `ada/runs` has no run `gh-1-1-000000`"), "{text}");
    let (code, text) = show(&hub, &folder, &[id, "--bucket", "ada/none"]).await;
    assert!(code == 3 && text.contains("hint: check the name of the bucket, `ada/none`; "), "{text}");
    let (code, text) = show(&hub, &folder, &["--bucket", "runs"]).await;
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("`<RUN_ID>` must be set") && text.contains("`--bucket` must be `namespace/name`"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn public_bucket_ends_the_run_before_anything_starts() {
    let (hub, folder) = (hub().await, static_space());
    hub.bucket("ada/open").create("ada", false).unwrap();
    let ran = Run::new(&hub, &folder).input("bundle_bucket", "ada/open").run().await;
    let ran = ran.failed(2, "public_bucket");
    assert!(hub.bucket("ada/open").files().is_empty());
    assert!(hub.requests().iter().all(|request| request.method == "GET"), "{:?}", hub.requests());
    assert_eq!(Bundle::of(&ran, &folder).json("state.json")["error"]["code"], "public_bucket");
}

#[tokio::test(flavor = "multi_thread")]
async fn push_that_fails_is_a_warning() {
    let (hub, folder) = (hub().await, static_space());
    let run = || Run::new(&hub, &folder).input("bundle_bucket", "ada/runs");
    // Another user's bucket, before the run; and a refused batch, after it.
    let ran = run().input("bundle_bucket", "someone/runs").run().await.ended(0, "deployed");
    assert!(ran.log.contains("::warning::the run bundle is not in its bucket: "), "{}", ran.log);
    hub.inject(Fault {
        method: None,
        path_contains: "/api/buckets/ada/runs/batch".to_owned(),
        skip: 0,
        times: 9,
        kind: FaultKind::Status { code: 403, headers: vec![], body: String::new() },
    });
    let ran = run().run().await.ended(0, "unchanged");
    assert_eq!(ran.log.matches("::warning::the run bundle is not in its bucket: ").count(), 1, "{}", ran.log);
    assert_eq!(Bundle::of(&ran, &folder).status(), "succeeded");
    let ran = run().var("HF_DEPLOY_BUNDLE", "false").run().await.ended(0, "unchanged");
    assert!(ran.log.contains("because this run has no bundle"), "{}", ran.log);
    let ran = run().input("dry_run", "true").run().await.ended(0, "dry-run");
    assert!(ran.log.contains("`bundle_bucket` has no effect: a dry run writes nothing"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_with_the_same_id_have_folders_of_their_own_in_a_bucket() {
    let (hub, folder) = (hub().await, static_space());
    hold(&hub, "/preupload/");
    let run = Run::new(&hub, &folder).input("bundle_bucket", "ada/runs");
    let child = run.spawn();
    reached(&hub, "/preupload/", 1).await;
    let id = bundles(&folder)[0].0.file_name().unwrap().to_str().unwrap().to_owned();
    let other = format!("runs/{id}/state.json");
    hub.bucket("ada/runs").write(&[(&other, b"{}")]).await.unwrap();
    crate::signals::send("TERM", child.id().unwrap());
    let ran = run.finish(child).await.ended(130, "cancelled");
    let warning = format!(
        "::warning::the bucket has another run with the id `{id}`: the bundle of this one is in `runs/{id}-"
    );
    assert!(ran.log.contains(&warning), "{}", ran.log);
    let files: Vec<String> = hub.bucket("ada/runs").files().into_keys().collect();
    let (theirs, ours): (Vec<&String>, Vec<&String>) =
        files.iter().partition(|path| path.starts_with(&format!("runs/{id}/")));
    assert_eq!(theirs, [&other]);
    let names: BTreeSet<String> =
        ours.iter().map(|path| path.split('/').skip(2).collect::<Vec<_>>().join("/")).collect();
    assert_eq!(names, Bundle::of(&ran, &folder).files());
    let stored = ours[0].split('/').nth(1).unwrap();
    let (code, text) = show(&hub, &folder, &[stored, "--bucket", "ada/runs"]).await;
    assert!(code == 0 && text.contains("deploy cancelled in phase"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn job_leaves_its_bundle_with_its_log() {
    let (hub, folder) = (hub().await, Folder::new(&[("a.txt", "a")]));
    let script = "echo one; echo; echo $API_KEY; echo 1 >/output/1; exit 3";
    let run = Run::new(&hub, &folder).action("job").without("INPUT_HUGGINGFACE_REPO");
    let run = run.input("run", script).input("image", "python:3.12").input("source_dir", ".");
    let run = run.input("secrets", "API_KEY").secret("API_KEY", "s3cr3t-value-of-the-key");
    let ran = run.input("bundle_bucket", "ada/runs").run().await.failed(1, "job_failed");
    let bundle = Bundle::of(&ran, &folder);
    let state = bundle.json("state.json");
    assert_eq!((state["kind"].as_str(), bundle.status().as_str()), (Some("job"), "failed"));
    let job = ["job_id", "job_url", "job_stage"].map(|output| json!(ran.output(output)));
    assert_eq!(["id", "url", "stage"].map(|name| state["job"][name].clone()), job);
    assert_eq!((&state["error"]["code"], &state["job"]["stage"]), (&json!("job_failed"), &json!("ERROR")));
    assert_eq!(bundle.text("report.md"), ran.summary);
    let phases: BTreeSet<String> =
        bundle.events().iter().map(|event| event["phase"].as_str().unwrap().to_owned()).collect();
    for phase in ["preflight", "upload", "job", "collect"] {
        assert!(phases.contains(phase), "{phase}: {phases:?}");
    }
    assert!(bundle.event_names().contains(&"job_created".to_owned()));
    // The log is whole, and only there.
    let log = bundle.text("logs/job.txt");
    assert_eq!(ran.output("log_path"), format!("{}/logs/job.txt", ran.output("bundle_path")));
    assert!(log.contains(" =====\none\n\n***\nhf-deploy ") && log.ends_with(": exit code 3\n"), "{log}");
    let copies = files_below(&folder.path().join(".hf-deploy"));
    let copies = copies.iter().filter(|(_, content)| content == log.as_bytes()).count();
    assert_eq!(copies, 1);
    let stored = format!("runs/{}/logs/job.txt", ran.output("run_id"));
    assert_eq!(hub.bucket("ada/runs").read(&stored).await.unwrap(), log.as_bytes());

    // Without a bundle, the log has a file of its own.
    let run = Run::new(&hub, &folder).action("job").without("INPUT_HUGGINGFACE_REPO");
    let run = run.input("run", "echo two").input("image", "python:3.12").var("HF_DEPLOY_BUNDLE", "false");
    let ran = run.run().await.ended(0, "succeeded");
    assert_eq!(ran.output("bundle_path"), "");
    let path = ran.output("log_path");
    assert!(path.starts_with(".hf-deploy/job/") && path.ends_with("/job.log"), "{path}");
    assert!(std::fs::read_to_string(folder.path().join(path)).unwrap().contains("\ntwo\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_commands_push_their_bundles_as_well() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    for (kind, inputs) in [("status", &[][..]), ("space", &[("space", "ada/app"), ("operation", "status")])] {
        let run = Run::new(&hub, &folder).action(kind).without("INPUT_HUGGINGFACE_REPO");
        let run = inputs.iter().fold(run, |run, (name, value)| run.input(name, value));
        let ran = run.input("bundle_bucket", "ada/runs").run().await;
        assert_eq!(ran.code, 0, "{}", ran.log);
        let state = hub.bucket("ada/runs").read(&format!("runs/{}/state.json", ran.output("run_id"))).await;
        let state: Value = serde_json::from_slice(&state.unwrap()).unwrap();
        assert_eq!((&state["kind"], &state["status"]), (&json!(kind), &json!("succeeded")), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelled_run_pushes_its_bundle_too() {
    let (hub, folder) = (hub().await, static_space());
    hold(&hub, "/preupload/");
    let run = Run::new(&hub, &folder).input("bundle_bucket", "ada/runs");
    let child = run.spawn();
    reached(&hub, "/preupload/", 1).await;
    crate::signals::send("TERM", child.id().unwrap());
    let ran = run.finish(child).await.ended(130, "cancelled");
    let state = hub.bucket("ada/runs").read(&format!("runs/{}/state.json", ran.output("run_id"))).await;
    let state: Value = serde_json::from_slice(&state.unwrap()).unwrap();
    assert_eq!(state["status"], "cancelled", "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn result_of_a_call_is_kept_unless_it_holds_a_secret() {
    let hub = hub().await;
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";
    let token = "hf_AnotherTokenOfTheCaller";
    for (content, is_kept) in [(png.to_vec(), true), ([&png[..], token.as_bytes()].concat(), false)] {
        let (folder, size) = (static_space(), content.len());
        let address = crate::scripted_app::drawing(content).await;
        let run = Run::new(&hub, &folder)
            .without("INPUT_HUGGINGFACE_REPO")
            .action("verify")
            .input("url", &format!("http://{address}"))
            .input("hf_token", token)
            .input("verify", "auto")
            .input("expect", "image")
            .input("api_args", &format!("[\"say {token}\"]"));
        let ran = run.run().await;
        assert_eq!((ran.code, ran.output("verify_status")), (0, "full_inference_success"), "{}", ran.log);
        let bundle = Bundle::of(&ran, &folder);
        let result = bundle.json("tests/test_result.json");
        let facts = ["endpoint", "gradio_version", "protocol", "expected"].map(|name| result[name].as_str());
        assert_eq!(facts, ["/draw", "5.50.0", "sse_v3", "image"].map(Some), "{result}");
        assert_eq!((&result["args"], &result["matched"]), (&json!(["say ***"]), &json!(true)));
        let artifact = &result["calls"][0]["artifacts"][0];
        assert_eq!(artifact["path"], "tests/artifacts/output-1.png", "{result}");
        assert_eq!((&artifact["mime"], &artifact["bytes"]), (&json!("image/png"), &json!(size)));
        assert_eq!(artifact["sha256"].as_str().map(str::len), Some(64));
        let files = bundle.files();
        assert!(files.contains("tests/api_schema.json"), "{files:?}");
        assert_eq!(files.contains("tests/artifacts/output-1.png"), is_kept, "{files:?}");
        let warning = "left `tests/artifacts/output-1.png` out of the run bundle, because it holds a secret";
        assert_eq!(ran.log.contains(warning), !is_kept, "{}", ran.log);
        for (path, content) in files_below(&bundle.0) {
            assert!(!String::from_utf8_lossy(&content).contains(token), "{}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bundle_of_this_machine_is_shown_without_a_token() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let id = ran.output("run_id");
    let show = |arguments: &[&str]| {
        let arguments = [&["bundle", "show"], arguments].concat();
        Run::at(&hub.endpoint(), &folder)
            .without("INPUT_HF_TOKEN")
            .without("GITHUB_ACTIONS")
            .arguments(&arguments)
    };
    hub.clear_requests();
    let shown = show(&[id]).run().await;
    assert_eq!(shown.code, 0, "{}", shown.everything());
    assert!(shown.log.contains("deploy succeeded in phase"), "{}", shown.log);
    assert!(shown.log.contains("\nstate.json (") && !shown.log.contains("no end:"), "{}", shown.log);
    // The state of a run whose process is killed stays as it is.
    let state = folder.path().join(".hf-deploy/runs").join(id).join("state.json");
    let text = std::fs::read_to_string(&state).unwrap().replace("\"succeeded\"", "\"running\"");
    std::fs::write(&state, text).unwrap();
    let shown = show(&[id]).run().await;
    assert!(
        shown.log.contains("no end: the run goes on, or its process was killed after 20"),
        "{}",
        shown.log
    );
    let json: Value = serde_json::from_str(&show(&[id, "--json"]).run().await.log).unwrap();
    assert_eq!(json["state"]["status"], "running");
    let none = show(&["gh-1-1-000000"]).run().await;
    assert_eq!(none.code, 2, "{}", none.everything());
    assert!(none.everything().contains("has no run `gh-1-1-000000`"), "{}", none.everything());
    assert_eq!(show(&["../runs"]).run().await.code, 2);
    assert!(hub.requests().is_empty());
}
