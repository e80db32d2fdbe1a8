//! Requests that wait for each other: on a network with a delay, they decide the time of a deploy.

use std::time::Duration;

use local_hub::{Fault, FaultKind, RecordedRequest};

use crate::harness::{Folder, Run, TestHub, hub, static_space};

/// Time of each request: long enough to see that two run at once.
const DELAY: Duration = Duration::from_millis(400);

/// Returns the longest chain of requests of which each began after the answer to the one before it. Of two that run side
/// by side, one counts.
fn chain(requests: &[RecordedRequest]) -> Vec<String> {
    let mut by_end: Vec<&RecordedRequest> = requests.iter().collect();
    by_end.sort_by_key(|request| request.ended_ms);
    let (mut chain, mut end) = (Vec::new(), 0);
    for request in by_end {
        if request.began_ms >= end {
            chain.push(format!("{} {}", request.method, request.path));
            end = request.ended_ms;
        }
    }
    chain
}

async fn deploy(hub: &TestHub, folder: &Folder, inputs: &[(&str, &str)], status: &str) -> Vec<String> {
    hub.clear_requests();
    hub.clear_faults();
    hub.inject(Fault {
        method: None,
        path_contains: String::new(),
        skip: 0,
        times: usize::MAX,
        kind: FaultKind::Delay(DELAY),
    });
    // The wait for a Space begins when the deploy is done.
    let run = inputs.iter().fold(Run::new(hub, folder), |run, (name, value)| run.input(name, value));
    run.run().await.ended(0, status);
    chain(&hub.requests())
}

#[tokio::test(flavor = "multi_thread")]
async fn deploy_of_twenty_files_takes_at_most_four_round_trips_and_an_unchanged_one_two() {
    let with_data = |folder: Folder| {
        for index in 0..17 {
            folder.write(&format!("data/{index}.txt"), format!("{index}\n"));
        }
        folder
    };
    for (inputs, most) in [
        ([("wait", "false"), ("repo_type", "space")].as_slice(), 3),
        // With a message of the user, the files go into a commit of their own.
        (&[("wait", "false"), ("commit_message", "Hello")], 4),
        (&[("repo_type", "model")], 3),
        (&[("repo_type", "dataset"), ("commit_message", "Hello")], 3),
    ] {
        let folder = with_data(static_space());
        let hub = hub().await;
        let first = deploy(&hub, &folder, inputs, "deployed").await;
        assert!(first.len() <= most, "{inputs:?}: {first:#?}");
        let again = deploy(&hub, &folder, inputs, "unchanged").await;
        assert!(again.len() <= 2, "{again:#?}");
    }
}

/// Round trips that a deploy of 2,000 small files may take one after the other. Two of them are the commits, of which
/// each takes 1,000 files.
const TWO_THOUSAND_FILES: usize = 9;

#[tokio::test(flavor = "multi_thread")]
async fn deploy_of_two_thousand_files_takes_at_most_nine_round_trips() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    for round in ["first", "second"] {
        for index in 0..2000 {
            folder.write(&format!("folder-{}/{index}.txt", index % 20), format!("{index} {round}\n"));
        }
        let chain = deploy(&hub, &folder, &[("repo_type", "model")], "deployed").await;
        assert!(chain.len() <= TWO_THOUSAND_FILES, "{round}: {} {chain:#?}", chain.len());
        let merges = hub.requests().iter().filter(|request| request.path.ends_with("/merge")).count();
        assert_eq!(merges, 1, "the parts are merged at once");
    }
}
