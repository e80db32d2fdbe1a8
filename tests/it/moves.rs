//! Small files that have only another name: their content is not sent again, whatever the Hub makes of that.

use local_hub::{Fault, FaultKind, Moves, RepoType};

use crate::harness::{Folder, Ran, Run, TestHub, hub_with, paths, static_space};

const SIZE: usize = 100_000;

fn content(number: usize) -> String {
    format!("{number}\n").repeat(SIZE / 2)
}

/// A Space with three files that are worth not to be sent.
fn before() -> Folder {
    let folder = static_space();
    for number in 0..3 {
        folder.write(&format!("pages/{number}.txt"), content(number));
    }
    folder
}

/// The same with a folder of another name, in which one file is another.
fn after() -> Folder {
    let folder = static_space();
    folder.write("texts/0.txt", content(0));
    folder.write("texts/1.txt", content(1));
    folder.write("texts/2.txt", content(9));
    folder.write("new.txt", "new\n");
    folder
}

fn run(hub: &TestHub, folder: &Folder) -> Run {
    Run::new(hub, folder).input("repo_type", "space").input("wait", "false")
}

/// The Hub holds the folder after its second deploy, whichever way it got there.
fn assert_there(hub: &TestHub, ran: &Ran) {
    let expected = [
        ".gitattributes",
        "README.md",
        "index.html",
        "new.txt",
        "style.css",
        "texts/0.txt",
        "texts/1.txt",
        "texts/2.txt",
    ];
    assert_eq!(paths(hub, RepoType::Space), expected, "{}", ran.log);
    for (path, number) in [("texts/0.txt", 0), ("texts/1.txt", 1), ("texts/2.txt", 9)] {
        let found = hub.repo(RepoType::Space, "ada/app").read_file("main", path).unwrap();
        assert!(found == content(number).as_bytes(), "{path}\n{}", ran.log);
    }
    assert_eq!(ran.output("commit_sha"), hub.repo(RepoType::Space, "ada/app").head("main").unwrap());
}

/// Deploys one after the other: what the second run said, the bytes it sent, and the commits it made.
async fn deploy_both(hub: &TestHub, limit: &str, faults: Vec<Fault>) -> (Ran, usize, usize) {
    run(hub, &before()).run().await.ended(0, "deployed");
    let commits = hub.repo(RepoType::Space, "ada/app").commits("main").len();
    hub.clear_requests();
    for fault in faults {
        hub.inject(fault);
    }
    let ran = run(hub, &after()).input("max_commit_files", limit).run().await.ended(0, "deployed");
    assert_there(hub, &ran);
    let sent = hub.requests().iter().map(|request| request.body_len).sum::<u64>();
    (
        ran,
        usize::try_from(sent).unwrap(),
        hub.repo(RepoType::Space, "ada/app").commits("main").len() - commits,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_file_that_moved_is_not_sent_again() {
    // In one commit, and in a draft of parts.
    for limit in ["", "3"] {
        let hub = hub_with(|_| {}).await;
        let (ran, sent, commits) = deploy_both(&hub, limit, Vec::new()).await;
        // One of three is new.
        assert!((SIZE..2 * SIZE).contains(&sent), "{sent} bytes\n{}", ran.log);
        let uploaded: usize = ran.output("bytes_uploaded").parse().unwrap();
        assert!((SIZE..SIZE + 1000).contains(&uploaded), "{uploaded}");
        assert!(ran.log.contains("2 files moved on the Hub"), "{}", ran.log);
        assert_eq!((commits, ran.output("files_added")), (1, "4"), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_does_not_move_files_gets_their_content() {
    for limit in ["", "3"] {
        for moves in [Moves::Copied, Moves::Unread] {
            let hub = hub_with(|config| config.moves = moves).await;
            let (ran, _, commits) = deploy_both(&hub, limit, Vec::new()).await;
            assert!(ran.log.contains("the Hub was asked to move 2 files, and did not"), "{}", ran.log);
            // What is put together in a draft is put right in it.
            assert_eq!(commits, if limit.is_empty() { 2 } else { 1 }, "{moves:?}\n{}", ran.log);
        }
        for (code, times) in [(400, 1), (422, 1), (500, 2)] {
            let hub = hub_with(|_| {}).await;
            let body = r#"{"error": "\"content\" is required"}"#.to_owned();
            let fault = Fault {
                method: None,
                path_contains: "/commit/".to_owned(),
                skip: 0,
                times,
                kind: FaultKind::Status { code, headers: Vec::new(), body },
            };
            let (ran, sent, commits) = deploy_both(&hub, limit, vec![fault]).await;
            assert!(ran.log.contains("the Hub does not move files, their content is sent"), "{}", ran.log);
            assert!(sent > 3 * SIZE, "{sent} bytes");
            assert_eq!(commits, 1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_carries_the_content() {
    let hub = hub_with(|_| {}).await;
    run(&hub, &before()).run().await.ended(0, "deployed");
    hub.clear_requests();
    let ran = run(&hub, &after()).input("create_pr", "true").run().await.ended(0, "deployed");
    let sent = hub.requests().iter().map(|request| request.body_len).sum::<u64>();
    assert!(sent > 3 * SIZE as u64, "{sent} bytes\n{}", ran.log);
    for (path, number) in [("texts/0.txt", 0), ("texts/1.txt", 1), ("texts/2.txt", 9)] {
        let found = hub.repo(RepoType::Space, "ada/app").read_file("refs/pr/1", path).unwrap();
        assert!(found == content(number).as_bytes(), "{path}\n{}", ran.log);
    }
    let files = hub.repo(RepoType::Space, "ada/app").tree("refs/pr/1").unwrap();
    assert!(files.keys().all(|path| !path.starts_with("pages/")), "{files:?}");
    assert!(paths(&hub, RepoType::Space).contains(&"pages/0.txt".to_owned()), "main is as it was");
}
