//! Logs that are followed: nothing twice, nothing lost, whatever the stream does.

use std::time::Duration;

use local_hub::{FaultKind, JobLogPolicy};

use super::{job, on, only};
use crate::harness::{Folder, Ran, TestHub, hub, until};

/// Returns the lines of the kept log that the script wrote.
fn lines(folder: &Folder, ran: &Ran) -> Vec<String> {
    let log = std::fs::read_to_string(folder.path().join(ran.output("log_path"))).unwrap();
    log.lines().filter(|line| line.starts_with("line ")).map(str::to_owned).collect()
}

fn expected(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("line {number}")).collect()
}

async fn follow_with(change: impl FnOnce(&mut JobLogPolicy), script: &str, count: usize) -> (TestHub, Ran) {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.set_policy(|policy| {
        policy.jobs.queue_time = Duration::from_millis(700);
        change(&mut policy.jobs.log);
    });
    let ran = job(&hub, &folder, script).run().await.ended(0, "succeeded");
    assert_eq!(lines(&folder, &ran), expected(count), "{}", ran.log);
    let shown = ran.log.lines().filter(|line| line.starts_with("line ")).count();
    assert_eq!(shown, count, "{}", ran.log);
    assert!(hub.requests().iter().all(|request| !request.query.contains("tail")));
    (hub, ran)
}

fn connections(hub: &TestHub) -> usize {
    hub.requests().iter().filter(|request| request.path.ends_with("/logs")).count()
}

const SLOW: &str = "for i in $(seq 20); do echo line $i; sleep 0.2; done";

#[tokio::test(flavor = "multi_thread")]
async fn stream_that_is_cut_every_second_loses_nothing() {
    let (hub, _) = follow_with(|log| log.reset_after = Some(Duration::from_secs(1)), SLOW, 20).await;
    assert!(connections(&hub) >= 4, "{}", connections(&hub));
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_that_ends_early_loses_nothing() {
    let (hub, _) = follow_with(|log| log.close_after_events = Some(7), "seq -f 'line %g' 6", 6).await;
    assert!(connections(&hub) >= 2, "{}", connections(&hub));
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_that_closes_while_the_job_waits_is_opened_again() {
    follow_with(|log| log.closes_while_scheduling = true, SLOW, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_that_never_ends_does_not_hold_the_run() {
    let change =
        |log: &mut JobLogPolicy| (log.stays_open, log.keep_alive) = (true, Duration::from_millis(100));
    follow_with(change, "seq -f 'line %g' 50", 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn same_lines_are_all_shown() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.set_policy(|policy| policy.jobs.log.reset_after = Some(Duration::from_millis(500)));
    let script = "for i in $(seq 40); do echo same; done; sleep 1; for i in $(seq 40); do echo same; done";
    let ran = job(&hub, &folder, script).run().await.ended(0, "succeeded");
    let log = std::fs::read_to_string(folder.path().join(ran.output("log_path"))).unwrap();
    assert_eq!(log.lines().filter(|line| *line == "same").count(), 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_is_refused_does_not_decide_about_the_job() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let mut refused =
        on("GET", "/logs", FaultKind::Status { code: 403, headers: Vec::new(), body: String::new() });
    refused.times = 1000;
    hub.inject(refused);
    let ran = job(&hub, &folder, "sleep 1; exit 5").run().await.failed(1, "job_failed");
    assert!(ran.log.contains("the log is not shown"), "{}", ran.log);
    assert_eq!(only(&hub).stage(), "ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_200_000_lines_is_followed_in_little_memory() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let run = job(&hub, &folder, "seq -f 'line %.0f' 200000");
    let child = run.spawn();
    let status = format!("/proc/{}/status", child.id().unwrap());
    let peak = std::sync::Mutex::new(0);
    let watch = until(|| match std::fs::read_to_string(&status) {
        Ok(text) => {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            if let Some(kib) = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()) {
                *peak.lock().unwrap() = kib / 1024;
            }
            false
        }
        Err(_) => true,
    });
    let (ran, ()) = tokio::join!(run.finish(child), watch);
    let ran = ran.ended(0, "succeeded");
    assert!(lines(&folder, &ran) == expected(200_000), "a line is missing, or is there twice");
    let peak = *peak.lock().unwrap();
    assert!((5..50).contains(&peak), "{peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_a_log_run_no_command_and_have_no_colors() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    let script = r"printf '::set-output name=status::x\n\033[31m::add-mask::x\033[0m\na\r::stop-commands::x\n##[error]x\n'";
    let ran = job(&hub, &folder, script).run().await.ended(0, "succeeded");
    for command in ["::set-output name=status::x", "::add-mask::x", "::stop-commands::x", "##[error]x"] {
        assert!(ran.log.lines().all(|line| line.trim_start() != command), "{command}: {}", ran.log);
    }
    assert!(ran.log.contains("set-output name=status::x") && !ran.log.contains('\u{1b}'), "{}", ran.log);
}
