//! Runs that are cancelled or killed, and the post step after them.

use std::time::{Duration, Instant};

use local_hub::FaultKind;

use super::{a_moment, assert_job_ran, bare, job, on, only, printed};
use crate::harness::{Folder, Run, TestHub, hub, until};
use crate::signals::send;

/// Time in which a signal must have ended a run.
const SOON: Duration = Duration::from_millis(2500);

/// A state file, as the runner gives one to each step.
struct StateFile(tempfile::TempDir);

impl StateFile {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> String {
        self.0.path().join("state").to_string_lossy().into_owned()
    }

    /// Starts the post step with the state, as the runner does.
    fn post(&self, hub: &TestHub, folder: &Folder) -> Run {
        let text = std::fs::read_to_string(self.path()).unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let run = job(hub, folder, "echo a second time");
        pairs.fold(run, |run, (name, value)| run.var(&format!("STATE_{name}"), value))
    }
}

/// Starts a step, and kills it while its Job runs.
async fn killed(folder: &Folder, state: &StateFile, inputs: &[(&str, &str)]) -> TestHub {
    let hub = hub().await;
    let run = job(&hub, folder, "echo begin; sleep 60").var("GITHUB_STATE", &state.path());
    let run = inputs.iter().fold(run, |run, (name, value)| run.input(name, value));
    let mut child = run.spawn();
    printed(&hub, "begin").await;
    until(|| std::fs::read_to_string(state.path()).is_ok_and(|text| text.contains("\njob="))).await;
    child.kill().await.unwrap();
    hub
}

#[tokio::test(flavor = "multi_thread")]
async fn signal_cancels_the_job() {
    for signal in ["INT", "TERM"] {
        let (hub, folder, state) = (hub().await, Folder::new(&[]), StateFile::new());
        let run = job(&hub, &folder, "echo begin; sleep 60").var("GITHUB_STATE", &state.path());
        let child = run.spawn();
        printed(&hub, "begin").await;
        a_moment().await;
        let signalled = Instant::now();
        send(signal, child.id().unwrap());
        let ran = run.finish(child).await.ended(130, "cancelled");
        assert!(signalled.elapsed() < SOON, "{:?}", signalled.elapsed());
        let job = only(&hub);
        assert_eq!(
            (job.stage(), ran.output("job_stage"), ran.output("job_id")),
            ("CANCELED", "CANCELED", job.id())
        );
        until(|| !job.has_process()).await;
        hub.clear_requests();
        let post = state.post(&hub, &folder).run().await;
        assert_eq!((post.code, post.log.as_str()), (0, ""), "nothing is left to do");
        assert!(hub.requests().is_empty());
        if signal == "INT" {
            assert_job_ran!(ran);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn job_of_a_killed_step_is_gone_after_the_post_step() {
    let (folder, state) = (Folder::new(&[]), StateFile::new());
    let hub = killed(&folder, &state, &[]).await;
    assert_eq!(only(&hub).stage(), "RUNNING");
    let post = state.post(&hub, &folder).run().await;
    assert_eq!(post.code, 0, "{}", post.log);
    assert!(post.log.contains("the step was killed: the Job `ada/"), "{}", post.log);
    assert_eq!(only(&hub).stage(), "CANCELED");
    let bundles = std::fs::read_dir(folder.path().join(".hf-deploy/runs")).unwrap();
    let bundles: Vec<_> = bundles.map(|bundle| bundle.unwrap().path()).collect();
    assert_eq!(bundles.len(), 1, "the post step is a part of the run");
    let state_of_run = std::fs::read_to_string(bundles[0].join("state.json")).unwrap();
    let state_of_run: serde_json::Value = serde_json::from_str(&state_of_run).unwrap();
    assert_eq!(
        (&state_of_run["status"], &state_of_run["error"]["code"]),
        (&"cancelled".into(), &"cancelled".into())
    );
    let events = std::fs::read_to_string(bundles[0].join("events.jsonl")).unwrap();
    assert!(events.lines().last().unwrap().contains("\"run_killed\""), "{events}");
    assert!(post.log.contains("the step was killed: its run bundle `"), "{}", post.log);
    let again = state.post(&hub, &folder).run().await;
    assert!(!again.log.contains("run bundle"), "{}", again.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn job_is_found_if_the_step_was_killed_before_the_answer() {
    let (hub, folder, state) = (hub().await, Folder::new(&[]), StateFile::new());
    hub.inject(on("POST", "/api/jobs/ada", FaultKind::DropAfterApply));
    hub.inject(on("GET", "label=hf-deploy-run", FaultKind::Delay(Duration::from_secs(60))));
    let run = job(&hub, &folder, "echo begin; sleep 60").var("GITHUB_STATE", &state.path());
    let mut child = run.spawn();
    printed(&hub, "begin").await;
    until(|| hub.requests().iter().any(|request| request.query.contains("label="))).await;
    child.kill().await.unwrap();
    hub.clear_faults();
    state.post(&hub, &folder).run().await;
    assert_eq!(only(&hub).stage(), "CANCELED");
}

#[tokio::test(flavor = "multi_thread")]
async fn post_step_of_a_run_that_ended_does_nothing() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    for (run, left) in [
        (job(&hub, &folder, "true"), 1),
        (job(&hub, &folder, "sleep 60").input("wait", "false"), 2),
        (bare(&hub, &folder), 2),
    ] {
        let state = StateFile::new();
        run.var("GITHUB_STATE", &state.path()).run().await;
        hub.clear_requests();
        let post = state.post(&hub, &folder).run().await;
        assert_eq!(post.code, 0, "{}", post.log);
        assert!(hub.requests().is_empty() && hub.jobs().len() == left, "{}", post.log);
    }
    assert_eq!(hub.jobs()[0].stage(), "RUNNING", "a Job that is left running goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn post_step_that_cannot_cancel_says_what_to_do() {
    let (folder, state) = (Folder::new(&[]), StateFile::new());
    let hub = killed(&folder, &state, &[]).await;
    let refused = FaultKind::Status { code: 403, headers: Vec::new(), body: r#"{"error":"no"}"#.to_owned() };
    hub.inject(on("POST", "/cancel", refused));
    let post = state.post(&hub, &folder).run().await;
    assert_eq!(post.code, 3, "{}", post.log);
    assert!(post.log.contains("cancel it at https://huggingface.co/jobs/ada"), "{}", post.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn checkout_of_a_killed_step_is_gone_after_the_post_step() {
    let (folder, state) = (Folder::new(&[("a.txt", "a")]), StateFile::new());
    let hub = killed(&folder, &state, &[("source_dir", ".")]).await;
    let checkouts = || {
        let files = hub.bucket("ada/jobs-artifacts").files();
        files.keys().filter(|path| path.contains("/source/")).count()
    };
    assert_ne!(checkouts(), 0);
    let post = state.post(&hub, &folder).run().await;
    assert_eq!((post.code, only(&hub).stage(), checkouts()), (0, "CANCELED", 0), "{}", post.log);
    assert!(post.log.contains("deleted the checkout in the bucket `ada/jobs-artifacts`"), "{}", post.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn job_that_appears_after_an_interrupted_creation_is_cancelled_by_the_post_step() {
    let (hub, folder, state) = (hub().await, Folder::new(&[]), StateFile::new());
    hub.inject(on("POST", "/api/jobs/ada", FaultKind::DropAfterApply));
    hub.inject(on("GET", "label=hf-deploy-run", FaultKind::Delay(Duration::from_secs(60))));
    let run = job(&hub, &folder, "echo begin; sleep 60").var("GITHUB_STATE", &state.path());
    let child = run.spawn();
    printed(&hub, "begin").await;
    until(|| hub.requests().iter().any(|request| request.query.contains("label="))).await;
    hub.clear_faults();
    let none = FaultKind::Status { code: 200, headers: Vec::new(), body: "[]".to_owned() };
    let mut not_yet = on("GET", "label=hf-deploy-run", none);
    not_yet.times = 2;
    hub.inject(not_yet);
    send("TERM", child.id().unwrap());
    run.finish(child).await.ended(130, "cancelled");
    assert_eq!(only(&hub).stage(), "RUNNING");
    let post = state.post(&hub, &folder).run().await;
    assert_eq!((post.code, only(&hub).stage()), (0, "CANCELED"), "{}", post.log);
}
