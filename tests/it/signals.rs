//! Signals at every request of a deploy: the runner sends SIGINT, SIGTERM some seconds later, and then kills.

use std::sync::Arc;
use std::time::{Duration, Instant};

use local_hub::LargeFileTransfer;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::chaos::{Scenario, State, Unbroken, assert_reported};
use crate::harness::Folder;
use crate::network::{Kind, Place};

/// Time for a cancelled run to end: the runner kills it this long after SIGTERM.
const SOON: Duration = Duration::from_millis(2500);
const AT_ONCE: usize = 6;

pub(crate) fn send(signal: &str, process: u32) {
    let _ = std::process::Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status();
}

/// A request that stays without an answer: the Hub has heard it, or has not.
const HELD: [Kind; 2] = [Kind::SilentBefore, Kind::SilentAfter];

/// Runs `check` for each request of each deploy, and for each way to hold it.
async fn at_each_request<F>(check: impl Fn(Arc<Scenario>, Arc<Unbroken>, Place, Kind) -> F + Clone)
where
    F: Future<Output = ()> + Send + 'static,
{
    let scenarios = [
        Scenario::model(LargeFileTransfer::Xet).await,
        Scenario::staged().await,
        Scenario::space().await,
        Scenario::new_space().await,
    ]
    .map(Arc::new);
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    let mut cases = JoinSet::new();
    for scenario in scenarios {
        let unbroken = Arc::new(scenario.unbroken().await);
        for place in unbroken.places.clone() {
            for held in HELD {
                let case = check(Arc::clone(&scenario), Arc::clone(&unbroken), place.clone(), held);
                let (at_once, place) = (Arc::clone(&at_once), place.clone());
                cases.spawn(async move {
                    let _permit = at_once.acquire_owned().await.unwrap();
                    (place, held, tokio::spawn(case).await)
                });
            }
        }
    }
    let mut faults = Vec::new();
    while let Some(case) = cases.join_next().await {
        let (place, held, ended) = case.unwrap();
        if let Err(error) = ended {
            let text = error.try_into_panic().map(|panic| panic.downcast_ref::<String>().cloned());
            faults.push(format!("{place:?} {held:?}: {}", text.ok().flatten().unwrap_or_default()));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_at_any_request_says_so_and_leaves_a_whole_repo() {
    at_each_request(|scenario, unbroken, place, held| async move {
        // In turn, so that each request meets each of them in one way or the other.
        let turn = unbroken.places.iter().position(|other| *other == place).unwrap();
        let signals: &[&str] = [&["INT"][..], &["TERM"], &["INT", "TERM"]][turn % 3];
        let world = scenario.start().await;
        world.network.break_at(&place, held);
        let run = scenario.run(&world);
        let child = run.spawn();
        let process = child.id().unwrap();
        world.network.struck().await;
        let cancelled = Instant::now();
        for (index, signal) in signals.iter().enumerate() {
            tokio::time::sleep(Duration::from_millis(200 * index as u64)).await;
            send(signal, process);
        }
        let ran = run.finish(child).await.ended(130, "cancelled");
        assert!(cancelled.elapsed() < SOON, "{:?}", cancelled.elapsed());
        assert_eq!(ran.output("error_code"), "cancelled");
        assert_reported(&ran);
        // The Hub may still be at what it has heard.
        world.network.settled().await;
        let state = scenario.state(&world, &unbroken);
        let says_nothing = ran.log.contains("cancelled before anything was committed");
        let says_landed = ran.log.contains(" is on the Hub");
        assert!(!says_nothing || state == State::Old, "{}", ran.log);
        assert!(!says_landed || state == State::New, "{}", ran.log);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_at_any_request_leaves_a_whole_repo_and_the_next_one_completes_it() {
    at_each_request(|scenario, unbroken, place, held| async move {
        let world = scenario.start().await;
        world.network.break_at(&place, held);
        let run = scenario.run(&world);
        let mut child = run.spawn();
        world.network.struck().await;
        child.kill().await.unwrap();
        world.network.settled().await;
        let state = scenario.state(&world, &unbroken);
        let status = if state == State::New { "unchanged" } else { "deployed" };
        let ran = scenario.run(&world).run().await;
        assert_eq!((ran.code, ran.output("status")), (0, status), "{}", ran.log);
        assert_eq!(scenario.state(&world, &unbroken), State::New);
    })
    .await;
}

/// Waits until the process catches SIGINT: before that, the signal ends it, which takes a while on a busy machine.
async fn catches_interrupts(pid: u32) {
    let is_caught = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 0b10 != 0)
    };
    for _ in 0..1000 {
        if is_caught() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the process does not catch SIGINT");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_while_it_reads_the_folder_says_so() {
    let folder = Folder::new(&[]);
    for index in 0..20_000 {
        folder.write(&format!("{:03}/{index}.txt", index % 200), "x");
    }
    for _ in 0..6 {
        // No server listens there, and none is needed, because the folder comes first.
        let run = crate::harness::Run::at("http://127.0.0.1:9", &folder).input("repo_type", "model");
        let child = run.spawn();
        catches_interrupts(child.id().unwrap()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        send("INT", child.id().unwrap());
        let ran = run.finish(child).await.ended(130, "cancelled");
        assert_reported(&ran);
    }
}
