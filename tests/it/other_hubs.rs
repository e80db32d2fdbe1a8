//! Hubs that answer otherwise than expected, within the contract or beside it.

use local_hub::{Fault, FaultKind, LargeFileTransfer, Policy, RepoType, User};

use crate::harness::{Folder, Ran, Run, TestHub, hub, hub_with, tree};

const APP: &str = "ada/app";

/// Refuses preuploads.
fn refuse(times: usize, code: u16) -> Fault {
    let kind = FaultKind::Status { code, headers: vec![], body: r#"{"error":"no"}"#.to_owned() };
    Fault { method: None, path_contains: "/preupload/".to_owned(), skip: 0, times, kind }
}

/// A model with a large and a small file, deployed twice. Returns what the second run says.
async fn twice(change: impl Fn(&mut Policy), prune: &str, folder: &Folder) -> (TestHub, Ran) {
    let hub = hub().await;
    hub.set_policy(change);
    let run = || Run::new(&hub, folder).input("repo_type", "model").input("prune", prune);
    run().run().await.ended(0, "deployed");
    let ran = run().run().await;
    (hub, ran)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_goes_with_the_commit_whatever_its_name() {
    let names = ["empty.pkl", "empty.bin", "empty.pt", "empty.parquet"];
    for empty_files_are_large in [true, false] {
        let folder = Folder::new(&[("README.md", "# Hello\n")]);
        names.iter().for_each(|name| folder.write(name, ""));
        let change = |policy: &mut Policy| policy.empty_files_are_large = empty_files_are_large;
        let (hub, ran) = twice(change, "false", &folder).await;
        ran.ended(0, "unchanged");
        let tree = tree(&hub, RepoType::Model);
        for name in names {
            assert_eq!(tree[name], "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", "the blob without content");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tree_finds_unchanged_files_if_the_hub_returns_no_object_ids() {
    for prune in ["true", "false"] {
        let folder = Folder::new(&[("README.md", "# Hello\n"), ("a/b.txt", "b\n")]);
        folder.write("weights.bin", vec![7; 50_000]);
        let (hub, ran) = twice(|policy| policy.preupload_names_oids = false, prune, &folder).await;
        let ran = ran.ended(0, "unchanged");
        assert_eq!(ran.counts(), ["0", "0", "0", "3"]);
        let commits = hub.repo(RepoType::Model, APP).commits("main").len();
        folder.write("a/b.txt", "other\n");
        let run = Run::new(&hub, &folder).input("repo_type", "model").input("prune", prune);
        assert_eq!(run.run().await.ended(0, "deployed").counts(), ["0", "1", "0", "2"]);
        assert_eq!(hub.repo(RepoType::Model, APP).commits("main").len(), commits + 1);
    }
}

/// Counts the listings of the whole repo.
fn listings(hub: &TestHub) -> usize {
    hub.requests().iter().filter(|request| request.path.contains("/tree/")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_small_file_is_added_without_a_listing_of_the_repo() {
    let hub = hub().await;
    let run = |folder: &Folder| Run::new(&hub, folder).input("repo_type", "dataset").input("prune", "false");
    run(&Folder::new(&[("1.json", "{}"), ("2.json", "[]")])).run().await.ended(0, "deployed");
    hub.clear_requests();
    let folder = Folder::new(&[("3.json", "3")]);
    assert_eq!(run(&folder).run().await.ended(0, "deployed").counts(), ["1", "0", "0", "0"]);
    assert_eq!(listings(&hub), 0);
    // A Hub that names no object ids is asked about these files alone, and one that cannot be asked is listed.
    hub.set_policy(|policy| policy.preupload_names_oids = false);
    run(&folder).run().await.ended(0, "unchanged");
    assert_eq!(listings(&hub), 0);
    let kind = FaultKind::Status { code: 404, headers: vec![], body: r#"{"error":"no"}"#.to_owned() };
    let path_contains = "/paths-info/".to_owned();
    hub.inject(Fault { method: None, path_contains, skip: 0, times: usize::MAX, kind });
    run(&folder).run().await.ended(0, "unchanged");
    assert_eq!(listings(&hub), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preupload_that_is_too_large_is_asked_in_halves() {
    let folder = Folder::new(&[]);
    for index in 0..600 {
        folder.write(&format!("{index}.txt"), format!("{index}\n"));
    }
    for (max, refusal) in [(100, None), (1000, Some(400)), (1000, Some(413)), (1000, Some(422))] {
        let hub = hub_with(|config| config.preupload_max = max).await;
        if let Some(code) = refusal {
            hub.inject(refuse(1, code));
        }
        let run = || Run::new(&hub, &folder).input("repo_type", "dataset");
        // What is known of a new repo is not asked about.
        Run::new(&hub, &Folder::new(&[("x.txt", "x")])).input("repo_type", "dataset").run().await;
        let ran = run().run().await.ended(0, "deployed");
        assert_eq!(ran.counts(), ["600", "0", "0", "0"], "{max} {refusal:?}");
        run().run().await.ended(0, "unchanged");
    }
    // A refusal that has nothing to do with the number of files comes out soon.
    let hub = hub().await;
    Run::new(&hub, &Folder::new(&[("x.txt", "x")])).input("repo_type", "dataset").run().await;
    hub.inject(refuse(usize::MAX, 400));
    hub.clear_requests();
    Run::new(&hub, &folder).input("repo_type", "dataset").run().await.failed(1, "hub_refused");
    let asked = hub.requests().iter().filter(|request| request.path.contains("/preupload/")).count();
    assert!((6..16).contains(&asked), "{asked} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_file_is_proposed_to_another_users_repo_by_git_lfs() {
    let hub = hub_with(|config| config.transfer = LargeFileTransfer::Basic).await;
    Run::new(&hub, &Folder::new(&[("README.md", "# Hello\n")])).input("repo_type", "model").run().await;
    hub.add_user(User::new("eve", "hf_TheTokenOfEveWhoMayOnlyPropose"));
    let folder = Folder::new(&[("README.md", "# Hello\n")]);
    folder.write("weights.bin", vec![7; 50_000]);
    let run = Run::new(&hub, &folder).token("hf_TheTokenOfEveWhoMayOnlyPropose");
    let ran = run.input("repo_type", "model").input("create_pr", "true").run().await.ended(0, "deployed");
    assert!(ran.output("pull_request_url").ends_with("/ada/app/discussions/1"), "{}", ran.log);
    let content = hub.repo(RepoType::Model, APP).read_file_async("refs/pr/1", "weights.bin").await.unwrap();
    assert!(content == vec![7; 50_000]);
    let asked = hub.requests().into_iter().find(|request| request.path.contains("/objects/batch")).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(body["ref"], serde_json::Value::Null, "as the official clients ask for a pull request");
}
