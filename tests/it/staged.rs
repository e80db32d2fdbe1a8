//! Deploys that are too large for one commit: put together in a draft pull request, and merged at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use local_hub::{Fault, FaultKind, RepoType};
use serde_json::{Value, json};

use crate::harness::{Folder, Ran, Run, TOKEN, TestHub, hub, paths, reached, static_space, tree};

const REPO: &str = "ada/app";
/// The ref of the first pull request, as it stands in paths.
const FIRST: &str = "/commit/refs%2Fpr%2F1";

/// Nine files with the number `round` in them: three parts of three.
fn nine(round: u32) -> Folder {
    let folder = Folder::new(&[]);
    for index in 0..9 {
        folder.write(&format!("data/{index}.txt"), format!("{index} of round {round}\n"));
    }
    folder
}

fn run(hub: &TestHub, folder: &Folder) -> Run {
    run_at(&hub.endpoint(), folder)
}

fn run_at(endpoint: &str, folder: &Folder) -> Run {
    Run::at(endpoint, folder)
        .input("repo_type", "model")
        .input("prune", "true")
        .input("max_commit_files", "3")
}

/// A model that holds the files of round 0, and the folder of round 1.
async fn started() -> (TestHub, Folder) {
    let hub = hub().await;
    run(&hub, &nine(0)).input("max_commit_files", "").run().await.ended(0, "deployed");
    (hub, nine(1))
}

async fn ask(hub: &TestHub, method: reqwest::Method, path: &str, body: Value) -> Value {
    let client = crate::proxy::client();
    let url = format!("{}/api/models/{REPO}{path}", hub.endpoint());
    let request = client.request(method, url).bearer_auth(TOKEN);
    let request = if body.is_null() { request } else { request.json(&body) };
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap_or_default()
}

/// The status of each pull request, the oldest first.
async fn pull_requests(hub: &TestHub) -> Vec<String> {
    let list = ask(hub, reqwest::Method::GET, "/discussions", Value::Null).await;
    let rows = list["discussions"].as_array().unwrap();
    rows.iter().rev().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
}

fn commits(hub: &TestHub) -> usize {
    hub.repo(RepoType::Model, REPO).commits("main").len()
}

fn is_round(hub: &TestHub, round: u32) -> bool {
    (0..9).all(|index| {
        let path = format!("data/{index}.txt");
        let content = hub.repo(RepoType::Model, REPO).read_file("main", &path);
        content.is_ok_and(|content| content == format!("{index} of round {round}\n").as_bytes())
    })
}

fn fault(path: &str, skip: usize, kind: FaultKind) -> Fault {
    Fault { method: Some("POST".to_owned()), path_contains: path.to_owned(), skip, times: 1, kind }
}

fn refused(code: u16) -> FaultKind {
    FaultKind::Status { code, headers: Vec::new(), body: r#"{"error":"no"}"#.to_owned() }
}

fn assert_merged(hub: &TestHub, ran: &Ran) {
    assert!(is_round(hub, 1), "{}", ran.log);
    let head = hub.repo(RepoType::Model, REPO).commits("main").remove(0);
    assert_eq!(ran.output("commit_sha"), head.id);
    assert!(head.title.starts_with("Deploy octo/hello@0123456 (#"), "{}", head.title);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_the_branch_during_a_deploy_of_five_thousand_files_sees_the_old_tree_or_the_new_one() {
    let hub = Arc::new(hub().await);
    let folder = static_space();
    for index in 0..1000 {
        folder.write(&format!("old/{index}.txt"), "old");
        folder.write(&format!("both/{index}.txt"), "before");
    }
    let run = |folder: &Folder| Run::new(&hub, folder);
    run(&folder).run().await.ended(0, "deployed");
    let old = tree(&hub, RepoType::Space);
    std::fs::remove_dir_all(folder.path().join("old")).unwrap();
    for index in 0..1000 {
        folder.write(&format!("both/{index}.txt"), "after");
        for place in ["a", "b", "c", "d"] {
            folder.write(&format!("{place}/{index}.txt"), format!("{place}{index}"));
        }
    }
    let over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (hub, over) = (Arc::clone(&hub), Arc::clone(&over));
        async move {
            let mut seen: Vec<BTreeMap<String, String>> = Vec::new();
            let mut looks = 0;
            while !over.load(Ordering::Relaxed) {
                let now = tree(&hub, RepoType::Space);
                looks += 1;
                if seen.last() != Some(&now) {
                    seen.push(now);
                }
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            (seen, looks)
        }
    });
    let before = hub.repo(RepoType::Space, REPO).commits("main").len();
    let ran = run(&folder).run().await.ended(0, "deployed");
    over.store(true, Ordering::Relaxed);
    let (seen, looks) = reader.await.unwrap();
    assert_eq!(ran.counts(), ["4000", "1000", "1000", "3"]);
    assert_eq!(seen, [old, tree(&hub, RepoType::Space)], "seen in {looks} looks");
    assert!(looks > 20, "{looks} looks");
    // A Space builds after each commit on its branch: there is one.
    assert_eq!(hub.repo(RepoType::Space, REPO).commits("main").len(), before + 1);
    let parts = ran.log.lines().filter(|line| line.starts_with("part ")).count();
    assert_eq!(parts, 6, "{}", ran.log);
    run(&folder).run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_are_merged_into_one_commit() {
    let (hub, folder) = started().await;
    let before = commits(&hub);
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert_merged(&hub, &ran);
    assert_eq!(commits(&hub), before + 1);
    assert_eq!(pull_requests(&hub).await, ["merged"]);
    assert_eq!(ran.output("pull_request_url"), "", "it is no result");
    assert_eq!(hub.repo(RepoType::Model, REPO).commits("refs/pr/1").len(), before + 3);
    run(&hub, &folder).run().await.ended(0, "unchanged");
    crate::assert_ran!(ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_of_many_bytes_are_staged_too() {
    let (hub, folder) = started().await;
    let run = run(&hub, &folder).input("max_commit_files", "").input("max_commit_size", "30B");
    let ran = run.run().await.ended(0, "deployed");
    assert_merged(&hub, &ran);
    assert_eq!(ran.log.lines().filter(|line| line.starts_with("part ")).count(), 5, "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_in_a_part_leaves_the_branch_and_closes_the_draft_and_the_next_run_sends_the_rest() {
    let (hub, folder) = started().await;
    let before = commits(&hub);
    hub.inject(fault(FIRST, 2, refused(402)));
    let ran = run(&hub, &folder).run().await.failed(3, "payment_required");
    assert!(ran.log.contains("discussions/1: nothing of it is on the branch"), "{}", ran.log);
    assert!(is_round(&hub, 0));
    assert_eq!((commits(&hub), pull_requests(&hub).await), (before, vec!["closed".to_owned()]));

    hub.clear_requests();
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("3 changes are missing there"), "{}", ran.log);
    assert_eq!(ran.counts(), ["0", "9", "0", "0"], "what the branch gets");
    let parts = hub.requests().iter().filter(|request| request.path.contains("/commit/")).count();
    assert_eq!(parts, 1, "the others are there already");
    assert_merged(&hub, &ran);
    assert_eq!(pull_requests(&hub).await, ["merged"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_in_the_middle_closes_the_draft() {
    let (hub, folder) = started().await;
    hub.inject(fault(FIRST, 1, FaultKind::Delay(Duration::from_secs(20))));
    let run = run(&hub, &folder);
    let child = run.spawn();
    reached(&hub, FIRST, 2).await;
    crate::signals::send("INT", child.id().unwrap());
    let ran = run.finish(child).await.ended(130, "cancelled");
    assert!(is_round(&hub, 0));
    assert_eq!(pull_requests(&hub).await, ["closed"], "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_next_run_sends_only_what_is_missing() {
    let (hub, folder) = started().await;
    hub.inject(fault(FIRST, 2, FaultKind::Delay(Duration::from_secs(20))));
    let mut child = run(&hub, &folder).spawn();
    reached(&hub, FIRST, 3).await;
    child.kill().await.unwrap();
    assert!(is_round(&hub, 0));
    assert_eq!(pull_requests(&hub).await, ["draft"]);
    hub.clear_requests();
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("3 changes are missing there"), "{}", ran.log);
    assert_merged(&hub, &ran);
    assert_eq!(pull_requests(&hub).await, ["merged"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_of_another_head_is_closed_and_a_stranger_s_is_left_alone() {
    let (hub, folder) = started().await;
    hub.inject(fault(FIRST, 2, FaultKind::Delay(Duration::from_secs(20))));
    let mut child = run(&hub, &folder).spawn();
    reached(&hub, FIRST, 3).await;
    child.kill().await.unwrap();
    let description = ask(&hub, reqwest::Method::GET, "/discussions/1", Value::Null).await["events"][0]["data"]
        ["latest"]["raw"]
        .clone();
    hub.add_user(local_hub::User::new("eve", "hf_TheTokenOfEve"));
    let client = crate::proxy::client();
    let theirs = json!({"title": "A deploy", "description": description, "pullRequest": true});
    let url = format!("{}/api/models/{REPO}/discussions", hub.endpoint());
    let answer = client.post(url).bearer_auth("hf_TheTokenOfEve").json(&theirs).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    hub.repo(RepoType::Model, REPO)
        .commit_as("ada", "main", &[("data/0.txt", b"by hand")], "By hand")
        .unwrap();
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert_merged(&hub, &ran);
    assert_eq!(pull_requests(&hub).await, ["closed", "draft", "merged"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commit_of_another_writer_leads_to_a_new_plan() {
    let (hub, folder) = started().await;
    hub.inject(fault(FIRST, 1, FaultKind::Delay(Duration::from_millis(500))));
    let run = run(&hub, &folder);
    let child = run.spawn();
    reached(&hub, FIRST, 2).await;
    hub.repo(RepoType::Model, REPO).commit_as("ada", "main", &[("theirs.txt", b"theirs")], "Theirs").unwrap();
    let ran = run.finish(child).await.ended(0, "deployed");
    assert!(ran.log.contains("the branch moved meanwhile, planning again"), "{}", ran.log);
    assert_merged(&hub, &ran);
    assert_eq!(pull_requests(&hub).await, ["closed", "merged"]);
    assert!(!paths(&hub, RepoType::Model).contains(&"theirs.txt".to_owned()), "pruned, as planned");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_right_before_the_merge_is_noticed_after_it() {
    for prune in ["true", "false"] {
        let (hub, folder) = started().await;
        hub.inject(fault("/discussions/1/merge", 0, FaultKind::Delay(Duration::from_millis(500))));
        let run = run(&hub, &folder).input("prune", prune);
        let child = run.spawn();
        reached(&hub, "/discussions/1/merge", 1).await;
        hub.repo(RepoType::Model, REPO)
            .commit_as("ada", "main", &[("theirs.txt", b"theirs")], "Theirs")
            .unwrap();
        let ran = run.finish(child).await.ended(0, "deployed");
        assert!(ran.log.contains("another writer committed right before the merge"), "{}", ran.log);
        assert!(is_round(&hub, 1));
        assert_eq!(ran.output("commit_sha"), hub.repo(RepoType::Model, REPO).head("main").unwrap());
        let theirs = paths(&hub, RepoType::Model).contains(&"theirs.txt".to_owned());
        assert_eq!(theirs, prune == "false", "the second plan decides");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_conflicts_is_planned_again() {
    let (hub, folder) = started().await;
    hub.inject(fault("/discussions/1/merge", 0, refused(409)));
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert_merged(&hub, &ran);
    assert_eq!(pull_requests(&hub).await, ["closed", "merged"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_are_looked_for_so_that_nothing_lands_twice() {
    for (path, skip) in [
        ("/discussions", 0),
        (FIRST, 0),
        (FIRST, 2),
        ("/discussions/1/status", 0),
        ("/discussions/1/merge", 0),
    ] {
        for kind in [
            FaultKind::DropAfterApply,
            FaultKind::StatusAfterApply { code: 504, body: String::new() },
            FaultKind::DropConnection,
        ] {
            let (hub, folder) = started().await;
            let before = commits(&hub);
            hub.inject(fault(path, skip, kind.clone()));
            let ran = run(&hub, &folder).run().await.ended(0, "deployed");
            assert_merged(&hub, &ran);
            assert_eq!(commits(&hub), before + 1, "{path} {kind:?}");
            assert_eq!(
                hub.repo(RepoType::Model, REPO).commits("refs/pr/1").len(),
                before + 3,
                "{path} {kind:?}"
            );
            assert_eq!(pull_requests(&hub).await, ["merged"], "{path} {kind:?}");
        }
    }
}

/// A Space with every kind of change: data, a large file, code, its card, and deletions.
fn space_of(round: u32) -> Folder {
    let folder =
        Folder::new(&[("README.md", "---\nsdk: static\n---\n"), (&format!("only{round}.html"), "x")]);
    for name in ["data.csv", "notes.txt", "index.html", "lib/code.js"] {
        folder.write(name, format!("{name} {round}"));
    }
    folder.write("README.md", format!("---\nsdk: static\n---\n{round}\n"));
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn where_pull_requests_are_refused_the_parts_go_to_the_branch_content_first_deletions_last() {
    let hub = hub().await;
    Run::new(&hub, &space_of(0)).run().await.ended(0, "deployed");
    let client = crate::proxy::client();
    let url = format!("{}/api/spaces/{REPO}/settings", hub.endpoint());
    let disabled = json!({"discussionsDisabled": true});
    assert_eq!(client.put(url).bearer_auth(TOKEN).json(&disabled).send().await.unwrap().status(), 200);
    let before = hub.repo(RepoType::Space, REPO).commits("main").len();
    let folder = space_of(1);
    let ran = Run::new(&hub, &folder).input("max_commit_files", "2").run().await.ended(0, "deployed");
    assert!(ran.log.contains("::warning"), "{}", ran.log);
    assert!(
        ran.log
            .contains("it goes to the branch `main` in 4 commits, content first, then code, then deletions"),
        "{}",
        ran.log
    );
    let mut history = hub.repo(RepoType::Space, REPO).commits("main");
    history.truncate(4);
    let mut last = hub.repo(RepoType::Space, REPO).tree(&history[3].parents[0]).unwrap();
    let changed: Vec<BTreeSet<String>> = history
        .iter()
        .rev()
        .map(|commit| {
            let now = hub.repo(RepoType::Space, REPO).tree(&commit.id).unwrap();
            let differs = |path: &&String| now.get(*path).map(|f| &f.oid) != last.get(*path).map(|f| &f.oid);
            let paths = now.keys().chain(last.keys()).filter(differs).cloned().collect();
            last = now;
            paths
        })
        .collect();
    let parts: Vec<Vec<&str>> =
        changed.iter().map(|part| part.iter().map(String::as_str).collect()).collect();
    assert_eq!(
        parts,
        [
            vec!["data.csv", "notes.txt"],
            vec!["index.html", "lib/code.js"],
            vec!["README.md", "only1.html"],
            vec!["only0.html"]
        ]
    );
    assert_eq!(hub.repo(RepoType::Space, REPO).commits("main").len(), before + 4);
    assert_eq!(ran.output("commit_sha"), history[0].id);

    // Interrupted in the middle: the message says so, and the next run sends the rest.
    hub.inject(fault("/commit/main", 1, refused(403)));
    let folder = space_of(2);
    let ran =
        Run::new(&hub, &folder).input("max_commit_files", "2").run().await.failed(3, "permission_denied");
    assert!(
        ran.log.contains("1 of 4 parts are on the branch, which is neither the old tree nor the new one"),
        "{}",
        ran.log
    );
    assert!(!ran.log.contains("nothing was committed"), "{}", ran.log);
    assert_eq!(ran.output("commit_sha"), hub.repo(RepoType::Space, REPO).head("main").unwrap());
    let ran = Run::new(&hub, &folder).input("max_commit_files", "2").run().await.ended(0, "deployed");
    assert_eq!(ran.counts()[1], "3", "{}", ran.log);
    Run::new(&hub, &folder).run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_is_refused_is_a_refusal_too() {
    let (hub, folder) = started().await;
    hub.inject(fault("/discussions/1/merge", 0, refused(403)));
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("the Hub takes no pull request"), "{}", ran.log);
    assert!(is_round(&hub, 1));
    assert_eq!(pull_requests(&hub).await, ["closed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_branch_gets_the_parts_itself() {
    let (hub, folder) = started().await;
    let ran = run(&hub, &folder).input("revision", "dev").run().await.ended(0, "deployed");
    assert!(ran.log.contains("pull requests lead to `main` only"), "{}", ran.log);
    assert!(is_round(&hub, 0));
    let content = hub.repo(RepoType::Model, REPO).read_file("dev", "data/8.txt").unwrap();
    assert_eq!(content, b"8 of round 1\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_proposal_is_one_pull_request_that_stays_open() {
    let (hub, folder) = started().await;
    let ran = run(&hub, &folder).input("create_pr", "true").run().await.ended(0, "deployed");
    assert!(ran.output("pull_request_url").ends_with("/ada/app/discussions/1"), "{ran:?}");
    assert_eq!(pull_requests(&hub).await, ["open"]);
    assert!(is_round(&hub, 0));
    let head = hub.repo(RepoType::Model, REPO).head("refs/pr/1").unwrap();
    assert_eq!(ran.output("commit_sha"), head);
    for index in 0..9 {
        let path = format!("data/{index}.txt");
        let content = hub.repo(RepoType::Model, REPO).read_file("refs/pr/1", &path).unwrap();
        assert_eq!(content, format!("{index} of round 1\n").as_bytes());
    }
    hub.inject(fault("/commit/refs%2Fpr%2F2", 0, refused(402)));
    run(&hub, &folder).input("create_pr", "true").run().await.failed(3, "payment_required");
    assert_eq!(pull_requests(&hub).await, ["open", "closed"], "half a proposal is none");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_hub_finds_too_large_is_halved() {
    let (hub, folder) = started().await;
    let before = commits(&hub);
    hub.inject(fault("/commit/main", 0, refused(413)));
    hub.inject(fault(FIRST, 1, refused(413)));
    let ran = run(&hub, &folder).input("max_commit_files", "").run().await.ended(0, "deployed");
    assert_merged(&hub, &ran);
    assert_eq!(commits(&hub), before + 1);
    // Four files, then two and two in place of the next four, then the last one.
    assert_eq!(hub.repo(RepoType::Model, REPO).commits("refs/pr/1").len(), before + 4, "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_repo_is_put_together_in_a_draft_too() {
    let hub = hub().await;
    let ran = run(&hub, &nine(1)).run().await.ended(0, "deployed");
    assert_merged(&hub, &ran);
    assert_eq!(commits(&hub), 2, "the Hub's own, and the merge");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_that_opens_while_the_upload_fails_is_closed() {
    let (hub, folder) = started().await;
    folder.write("weights.bin", vec![7; 150_000]);
    hub.inject(fault("/discussions", 0, FaultKind::Delay(Duration::from_millis(500))));
    let body = r#"{"error":"no"}"#.to_owned();
    for path in ["/xet-write-token/", "/info/lfs/objects/batch"] {
        let kind = FaultKind::Status { code: 403, headers: Vec::new(), body: body.clone() };
        hub.inject(Fault { method: None, path_contains: path.to_owned(), skip: 0, times: usize::MAX, kind });
    }
    let ran = run(&hub, &folder).run().await.failed(3, "permission_denied");
    assert_eq!(pull_requests(&hub).await, ["closed"], "{}", ran.log);
    assert_eq!(commits(&hub), 2, "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_that_is_created_with_its_files_needs_no_draft() {
    let hub = hub().await;
    let folder = static_space();
    for index in 0..20 {
        folder.write(&format!("pages/{index}.html"), format!("<p>{index}</p>\n"));
    }
    let ran = Run::new(&hub, &folder).input("max_commit_files", "5").run().await.ended(0, "deployed");
    assert!(!ran.log.contains("draft"), "{}", ran.log);
    let asked = hub.requests().into_iter().filter(|request| request.path.contains("/discussions")).count();
    assert_eq!(asked, 0, "{}", ran.log);
}
