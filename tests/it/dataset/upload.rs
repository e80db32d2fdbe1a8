//! The upload: what lands on the Hub, and what the user reads.

use local_hub::{Fault, FaultKind, RepoType};
use serde_json::{Value, json};

use super::{read, run};
use crate::assert_ran;
use crate::contract::keys;
use crate::harness::{Folder, Run, hub};

const MANIFEST: &str = ".github/actions/dataset/action.yml";

fn rows() -> Folder {
    Folder::new(&[
        (
            "data/train.jsonl",
            "{\"question\": \"1 + 1?\", \"answer\": \"2\"}\n{\"question\": \"why?\", \"answer\": null}\n",
        ),
        ("data/test.jsonl", "{\"question\": \"2 + 2?\", \"answer\": \"4\"}\n"),
        ("notes/about.txt", "hello\n"),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn folder_becomes_a_private_dataset_in_one_commit() {
    let (hub, folder) = (hub().await, rows());
    let run = || run(&hub, &folder).input("license", "MIT").input("tags", "math, toy");
    let ran = run().run().await.ended(0, "deployed");
    assert_ran!(ran);
    let names: std::collections::BTreeSet<String> = ran.outputs.keys().cloned().collect();
    assert_eq!(names, keys(MANIFEST, "outputs"));
    let repo = hub.repo(RepoType::Dataset, "ada/rows");
    assert_eq!(repo.visibility().as_deref(), Some("private"));
    assert_eq!(repo.commits("main").len(), 2, "the first commit, and the upload");
    let tree = repo.tree("main").unwrap();
    let files = [
        ".gitattributes",
        "README.md",
        "data/test.jsonl",
        "data/train.jsonl",
        "metadata.json",
        "notes/about.txt",
    ];
    assert_eq!(tree.keys().collect::<Vec<_>>(), files);
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("card_of_a_new_dataset", read(&hub, "README.md"));
        insta::assert_snapshot!("metadata_of_a_new_dataset", read(&hub, "metadata.json"));
    });
    assert!(!folder.path().join("README.md").exists() && !folder.path().join("metadata.json").exists());
    let other_commit = "fedcba9876543210fedcba9876543210fedcba98";
    run().var("GITHUB_SHA", other_commit).run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn single_file_is_uploaded_alone() {
    let (hub, folder) = (hub().await, rows());
    let ran = run(&hub, &folder).input("path", "data/train.jsonl").run().await.ended(0, "deployed");
    assert_eq!((ran.output("rows"), ran.output("files")), ("2", "1"));
    let tree = hub.repo(RepoType::Dataset, "ada/rows").tree("main").unwrap();
    let files = [".gitattributes", "README.md", "metadata.json", "train.jsonl"];
    assert_eq!(tree.keys().collect::<Vec<_>>(), files);
    run(&hub, &folder).input("path", "data/train.jsonl").run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_and_pull_request_change_no_branch() {
    let (hub, folder) = (hub().await, rows());
    let ran = run(&hub, &folder).input("dry_run", "true").run().await.ended(0, "dry-run");
    assert_eq!(ran.output("splits"), r#"{"train":2,"test":1}"#);
    assert_eq!(hub.repo(RepoType::Dataset, "ada/rows").visibility(), None);
    run(&hub, &folder).input("private", "false").run().await.ended(0, "deployed");
    let head = hub.repo(RepoType::Dataset, "ada/rows").head("main");
    folder.write(
        "data/test.jsonl",
        "{\"question\": \"?\", \"answer\": \"\"}\n{\"question\": \"?\", \"answer\": \"\"}\n",
    );
    let ran = run(&hub, &folder).input("create_pr", "true").run().await.ended(0, "deployed");
    assert!(ran.log.contains("proposed: "), "{}", ran.log);
    assert!(!ran.log.contains("dataset viewer"), "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Dataset, "ada/rows").head("main"), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_others_stay_unless_prune_is_on() {
    let (hub, folder) = (hub().await, rows());
    run(&hub, &folder).run().await.ended(0, "deployed");
    folder.remove("notes/about.txt");
    run(&hub, &folder).run().await.ended(0, "unchanged");
    run(&hub, &folder).input("prune", "true").run().await.ended(0, "deployed");
    let tree = hub.repo(RepoType::Dataset, "ada/rows").tree("main").unwrap();
    assert!(!tree.contains_key("notes/about.txt") && tree.contains_key("README.md"));
}

#[tokio::test(flavor = "multi_thread")]
async fn configurations_share_a_repo() {
    let hub = hub().await;
    let folder = Folder::new(&[("en/train.csv", "text\nhello\n"), ("de/train.csv", "text\nhallo\nwelt\n")]);
    for (name, rows) in [("en", "1"), ("de", "2")] {
        let run = run(&hub, &folder).input("config_name", name).input("include", &format!("/{name}/"));
        assert_eq!(run.run().await.ended(0, "deployed").output("rows"), rows);
    }
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("card_of_two_configurations", read(&hub, "README.md"));
    });
    let metadata: Value = serde_json::from_str(&read(&hub, "metadata.json")).unwrap();
    assert_eq!(
        (&metadata["configs"]["en"]["rows"], &metadata["configs"]["de"]["rows"]),
        (&json!(1), &json!(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn viewer_answers_in_the_summary_and_fails_nothing() {
    let (hub, folder) = (hub().await, rows());
    let run = || run(&hub, &folder).var("HF_DATASETS_SERVER", &hub.viewer()).input("private", "false");
    let ran = run().run().await.ended(0, "deployed");
    let answer = "the dataset viewer shows `default/train` 2, `default/test` 1 (preview, viewer";
    assert!(ran.log.contains(answer), "{}", ran.log);
    assert!(ran.summary.contains("| Viewer | the dataset viewer shows `default/train` 2"), "{}", ran.summary);
    let kind = FaultKind::Status {
        code: 500,
        headers: Vec::new(),
        body: r#"{"error": "The server is busier than usual."}"#.to_owned(),
    };
    hub.inject(Fault { method: None, path_contains: "/__viewer/".to_owned(), skip: 0, times: 99, kind });
    let ran = run().run().await.ended(0, "unchanged");
    assert!(ran.log.contains("the dataset viewer is not ready: "), "{}", ran.log);
    hub.clear_faults();
    let ran = run().var("HF_DATASETS_SERVER", "http://127.0.0.1:9").run().await.ended(0, "unchanged");
    assert!(ran.log.contains("the dataset viewer does not show the dataset: "), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn command_line_prints_json() {
    let (hub, folder) = (hub().await, rows());
    let path = folder.path().join("data").to_string_lossy().into_owned();
    let arguments = ["dataset", "upload", "--path", &path, "--repo", "ada/rows", "--json", "--dry-run"];
    let ran = Run::new(&hub, &folder)
        .without("GITHUB_ACTIONS")
        .var("HF_TOKEN", crate::harness::TOKEN)
        .arguments(&arguments)
        .run()
        .await;
    let printed: Value = serde_json::from_str(&ran.log).unwrap();
    assert_eq!((&printed["status"], &printed["rows"]), (&json!("dry-run"), &json!("3")), "{}", ran.stderr);
}
