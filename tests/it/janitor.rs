//! Test repos come to an end: those that a run wrote down, and those that were forgotten.

use std::path::Path;
use std::time::Duration;

use local_hub::RepoType;

use crate::harness::{Folder, Run, TestHub, command, hub};
use crate::settings::refuse;

const PREFIX: &str = "hfd-test-";

/// Makes a repo with this tag in its card.
async fn make(hub: &TestHub, repo_type: &str, name: &str, tag: &str) {
    let card = format!("---\nsdk: static\ntags:\n- {tag}\n---\n");
    let folder = Folder::new(&[("README.md", &card), ("index.html", "hello\n")]);
    let run = Run::new(hub, &folder)
        .input("repo_type", repo_type)
        .input("huggingface_repo", &format!("ada/{name}"));
    run.run().await.ended(0, "deployed");
}

fn is_there(hub: &TestHub, repo_type: RepoType, name: &str) -> bool {
    hub.repo(repo_type, &format!("ada/{name}")).tree("main").is_ok()
}

async fn janitor(hub: &TestHub, older_than: &str, more: &[&str]) -> (i32, String) {
    let fixed = ["janitor", "--namespace", "ada", "--prefix", PREFIX, "--older-than", older_than];
    command(hub, Path::new("."), &[&fixed, more].concat()).await
}

async fn teardown(hub: &TestHub, list: &str) -> (i32, String) {
    let folder = Folder::new(&[("created.txt", list)]);
    let path = folder.path().join("created.txt");
    command(hub, folder.path(), &["teardown", "--prefix", PREFIX, "--list", &path.to_string_lossy()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn forgotten_test_repos_go_and_all_others_stay() {
    let hub = hub().await;
    make(&hub, "space", "hfd-test-1", "hf-deploy-test").await;
    make(&hub, "model", "hfd-test-2", "hf-deploy-test").await;
    make(&hub, "dataset", "hfd-test-3", "hf-deploy-test").await;
    make(&hub, "space", "hfd-test-of-a-model", "generated-by-hf-deploy").await;
    make(&hub, "space", "of-a-model", "generated-by-hf-deploy").await;
    make(&hub, "space", "hfd-test-unmarked", "demo").await;
    make(&hub, "space", "my-hfd-test-4", "hf-deploy-test").await;
    for bucket in ["ada/hfd-test-5-runs", "ada/my-hfd-test-6-runs"] {
        hub.bucket(bucket).create("ada", true).unwrap();
    }
    let (code, log) = janitor(&hub, "24h", &[]).await;
    assert_eq!(code, 0, "{log}");
    assert!(is_there(&hub, RepoType::Space, "hfd-test-1"), "it is young: {log}");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let (code, log) = janitor(&hub, "1s", &["--dry-run"]).await;
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("would delete the Space `ada/hfd-test-1`"), "{log}");
    assert!(log.contains("would delete the bucket `ada/hfd-test-5-runs`: it is old enough"), "{log}");
    assert_eq!(hub.bucket("ada/hfd-test-5-runs").is_private(), Some(true));
    assert!(is_there(&hub, RepoType::Space, "hfd-test-1"));
    let (code, log) = janitor(&hub, "1s", &[]).await;
    assert_eq!(code, 0, "{log}");
    let there = [
        (RepoType::Space, "hfd-test-1", false),
        (RepoType::Model, "hfd-test-2", false),
        (RepoType::Dataset, "hfd-test-3", false),
        (RepoType::Space, "hfd-test-of-a-model", false),
        (RepoType::Space, "of-a-model", true),
        (RepoType::Space, "hfd-test-unmarked", true),
        (RepoType::Space, "my-hfd-test-4", true),
    ];
    for (repo_type, name, expected) in there {
        assert_eq!(is_there(&hub, repo_type, name), expected, "{name}: {log}");
    }
    assert!(
        log.contains("kept the Space `ada/hfd-test-unmarked`: its card has no marker of a test"),
        "{log}"
    );
    assert!(log.contains("kept the Space `ada/my-hfd-test-4`: its name has another beginning"), "{log}");
    assert_eq!(hub.bucket("ada/hfd-test-5-runs").is_private(), None, "{log}");
    assert_eq!(hub.bucket("ada/my-hfd-test-6-runs").is_private(), Some(true), "{log}");
    assert!(log.contains("5 deleted, 3 kept, 0 failed"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_deleted_is_loud_and_does_not_stop_the_rest() {
    let hub = hub().await;
    make(&hub, "space", "hfd-test-1", "hf-deploy-test").await;
    make(&hub, "model", "hfd-test-2", "hf-deploy-test").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    refuse(&hub, ("DELETE", "/repos/delete"), 1, (403, "Not for you"));
    let (code, log) = janitor(&hub, "1s", &[]).await;
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("cannot clean up everything: 1 failed") && log.contains("Not for you"), "{log}");
    assert!(!is_there(&hub, RepoType::Model, "hfd-test-2"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_teardown_deletes_what_the_run_wrote_down_and_nothing_else() {
    let hub = hub().await;
    make(&hub, "space", "hfd-test-1", "hf-deploy-test").await;
    make(&hub, "space", "precious", "hf-deploy-test").await;
    for bucket in ["ada/hfd-test-1-runs", "ada/precious-runs"] {
        hub.bucket(bucket).create("ada", true).unwrap();
    }
    let list = "space ada/hfd-test-1\nmodel ada/hfd-test-gone\n\nbucket ada/hfd-test-1-runs\nbucket ada/hfd-test-none\n";
    let (code, log) = teardown(&hub, list).await;
    assert_eq!(code, 0, "{log}");
    assert_eq!(hub.bucket("ada/hfd-test-1-runs").is_private(), None, "{log}");
    assert!(log.contains("the bucket `ada/hfd-test-none` is gone already"), "{log}");
    assert!(log.contains("2 deleted, 0 kept, 0 failed"), "{log}");
    assert!(!is_there(&hub, RepoType::Space, "hfd-test-1"));
    assert!(log.contains("the model `ada/hfd-test-gone` is gone already"), "{log}");
    let (code, log) = teardown(&hub, "space ada/precious\nnonsense\nbucket ada/precious-runs\n").await;
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("cannot clean up everything: 3 failed"), "{log}");
    assert_eq!(hub.bucket("ada/precious-runs").is_private(), Some(true));
    assert!(is_there(&hub, RepoType::Space, "precious"));
    // A run that was cancelled before it made anything left no list.
    let (code, _) =
        command(&hub, Path::new("."), &["teardown", "--prefix", PREFIX, "--list", "/nowhere/created.txt"])
            .await;
    assert_eq!(code, 0);
    let (code, log) = command(&hub, Path::new("."), &["teardown", "--prefix", "h", "--list", "x"]).await;
    assert_eq!(code, 2, "{log}");
}
