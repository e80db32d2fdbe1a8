//! Downloads of datasets by the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use local_hub::{Fault, FaultKind, LocalHub, NewRepo, RepoType};
use serde_json::Value;

use crate::chaos::noise;
use crate::harness::{Folder, Ran, Run, TOKEN, TestHub, hub};

pub(super) const DATASET: &str = "ada/rows";

/// A private dataset with small files and a large one.
pub(super) async fn with_dataset() -> TestHub {
    let hub = hub().await;
    hub.create_repo(NewRepo::new("ada", RepoType::Dataset, DATASET).private()).unwrap();
    let large = noise(3_000_000, 1);
    let files: [(&str, &[u8]); 4] = [
        ("README.md", b"# Rows\n"),
        ("data/train.jsonl", b"{\"a\":1}\n{\"a\":2}\n"),
        ("data/test.jsonl", b"{\"a\":3}\n"),
        ("large.bin", &large),
    ];
    hub.repo(RepoType::Dataset, DATASET).commit_as("ada", "main", &files, "rows").unwrap();
    hub
}

/// A command of the terminal, in a folder of its own.
pub(super) fn command(hub: &LocalHub, folder: &Folder, arguments: &[&str]) -> Run {
    let arguments: Vec<&str> = ["dataset"].iter().chain(arguments).copied().collect();
    let run = Run::at(&hub.endpoint(), folder).without("INPUT_HUGGINGFACE_REPO").without("INPUT_HF_TOKEN");
    run.without("GITHUB_ACTIONS").secret("HF_TOKEN", TOKEN).arguments(&arguments)
}

/// Returns the JSON of stdout.
pub(super) fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.log).unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.log, ran.stderr))
}

/// Returns all that a command prints.
pub(super) fn said(ran: &Ran) -> String {
    format!("{}{}", ran.log, ran.stderr)
}

/// Returns the files below a folder, by path.
fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

fn names(folder: &Folder) -> Vec<String> {
    contents(&folder.path().join("out")).into_keys().collect()
}

fn fault(path: &str, times: usize, kind: FaultKind) -> Fault {
    Fault { method: Some("GET".to_owned()), path_contains: path.to_owned(), skip: 0, times, kind }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_is_downloaded_and_a_second_run_fetches_nothing() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    let ran = command(&hub, &folder, &["download", DATASET, "out", "--json"]).run().await;
    assert_eq!(ran.code, 0, "{}{}", ran.log, ran.stderr);
    let found = contents(&folder.path().join("out"));
    let expected = [".gitattributes", "README.md", "data/test.jsonl", "data/train.jsonl", "large.bin"];
    assert_eq!(found.keys().collect::<Vec<_>>(), expected);
    assert!(found["large.bin"] == noise(3_000_000, 1));
    let head = hub.repo(RepoType::Dataset, DATASET).head("main").unwrap();
    let report = json(&ran);
    assert_eq!(
        (report["commit_sha"].as_str(), report["files_downloaded"].as_u64()),
        (Some(head.as_str()), Some(5))
    );
    let again = command(&hub, &folder, &["download", DATASET, "out", "--json"]).run().await;
    assert_eq!(json(&again)["files_unchanged"], 5);
    assert_eq!(json(&again)["bytes_downloaded"], 0);
    let log = command(&hub, &folder, &["download", DATASET, "out"]).run().await;
    assert!(
        said(&log).contains("downloaded 5 files, 5 of them unchanged, of the dataset `ada/rows` at"),
        "{}",
        log.log
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_and_a_revision_choose_the_files() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    let repo = hub.repo(RepoType::Dataset, DATASET);
    let before = repo.head("main").unwrap();
    repo.commit_as("ada", "main", &[("data/train.jsonl", b"{\"a\":9}\n")], "newer").unwrap();
    let arguments =
        ["download", DATASET, "out", "--revision", &before, "--include", "data/", "--exclude", "test*"];
    let ran = command(&hub, &folder, &arguments).run().await;
    assert_eq!((ran.code, names(&folder)), (0, vec!["data/train.jsonl".to_owned()]), "{}", said(&ran));
    let content = std::fs::read_to_string(folder.path().join("out/data/train.jsonl")).unwrap();
    assert_eq!(content, "{\"a\":1}\n{\"a\":2}\n");
    let none = command(&hub, &folder, &["download", DATASET, "out", "--include", "*.csv"]).run().await;
    assert!(none.code == 2 && said(&none).contains("leave none of its 5 files"), "{}", said(&none));
    let gone = command(&hub, &folder, &["download", DATASET, "out", "--revision", "next"]).run().await;
    assert!(
        gone.code == 3 && said(&gone).contains("cannot find the revision `next`"),
        "{} {}",
        gone.code,
        gone.log
    );
    let missing = command(&hub, &folder, &["download", "ada/gone", "out"]).run().await;
    assert!(said(&missing).contains("cannot find the dataset `ada/gone`"), "{}", said(&missing));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_dataset_needs_no_token() {
    let (hub, folder) = (hub().await, Folder::new(&[]));
    hub.create_repo(NewRepo::new("ada", RepoType::Dataset, DATASET)).unwrap();
    hub.repo(RepoType::Dataset, DATASET).commit_as("ada", "main", &[("a.csv", b"a\n1\n")], "a").unwrap();
    let run = || command(&hub, &folder, &["download", DATASET, "out"]).without("HF_TOKEN");
    assert_eq!(run().run().await.code, 0);
    let nameless = command(&hub, &folder, &["download", "rows", "out"]).without("HF_TOKEN").run().await;
    assert!(nameless.code != 0 && said(&nameless).contains("namespace"), "{}", said(&nameless));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_are_asked_for_again() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    let too_many = FaultKind::Status {
        code: 429,
        headers: vec![("ratelimit".to_owned(), "\"api\";r=0;t=1".to_owned())],
        body: "Too Many Requests".to_owned(),
    };
    hub.inject(fault("/tree/", 1, too_many));
    hub.inject(fault("README.md?", 1, FaultKind::DropConnection));
    hub.inject(fault("large.bin?", 1, FaultKind::TruncateBody { after: 1_000_000 }));
    let ran = command(&hub, &folder, &["download", DATASET, "out"]).run().await;
    assert_eq!((ran.code, names(&folder).len()), (0, 5), "{}{}", ran.log, ran.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_download_is_continued() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    let refused = || FaultKind::Status { code: 403, headers: vec![], body: "gone for now".to_owned() };
    hub.inject(Fault { skip: 1, ..fault("resolve-cache", 99, refused()) });
    let ran = command(&hub, &folder, &["download", DATASET, "out"]).run().await;
    assert_ne!(ran.code, 0, "{}", said(&ran));
    let partly = names(&folder).iter().filter(|name| !name.contains(".hf-deploy-download")).count();
    assert!(partly < 5, "{:?}", names(&folder));
    hub.clear_faults();
    let ran = command(&hub, &folder, &["download", DATASET, "out"]).run().await;
    assert_eq!((ran.code, names(&folder).len()), (0, 5), "{}", said(&ran));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_would_leave_the_folder_are_refused() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    let oid = "d".repeat(40);
    let rows: Vec<Value> = ["../evil", "/etc/evil", "data/../../evil", "a\\b", "good/../.."]
        .iter()
        .map(|path| serde_json::json!({"type": "file", "path": path, "oid": oid, "size": 1}))
        .collect();
    let listing = |rows: &[Value]| FaultKind::Status {
        code: 200,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Value::from(rows.to_vec()).to_string(),
    };
    hub.inject(fault("/tree/", 1, listing(&rows)));
    let ran = command(&hub, &folder, &["download", DATASET, "out"]).run().await;
    assert_eq!(ran.code, 2, "{}", said(&ran));
    assert!(
        said(&ran).contains("because of their paths") && said(&ran).contains("../evil"),
        "{}",
        said(&ran)
    );
    assert!(!folder.path().join("evil").exists() && !folder.path().parent().unwrap().join("evil").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_folder_is_not_followed() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[]));
    let outside = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("out")).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("out/data")).unwrap();
    let ran = command(&hub, &folder, &["download", DATASET, "out"]).run().await;
    assert_eq!(ran.code, 2, "{}", said(&ran));
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(folder.path().join("out/README.md").exists(), "the other files are there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_and_a_full_disk_are_errors() {
    let (hub, folder) = (with_dataset().await, Folder::new(&[("out", "a file")]));
    let ran = command(&hub, &folder, &["download", DATASET, "out/deep"]).run().await;
    assert!(ran.code == 1 && said(&ran).contains("cannot create the folder"), "{} {}", ran.code, said(&ran));
    // No file of this process may be larger than a block, as on a full disk.
    let run = command(&hub, &folder, &["download", DATASET, "space"]);
    let child = run.spawn_in("trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"");
    let ran = run.finish(child).await;
    assert!(
        ran.code == 1 && said(&ran).contains("free some space on this machine's disk"),
        "{} {}",
        ran.code,
        ran.log
    );
    assert!(!folder.path().join("space/large.bin").exists(), "no half file has a name");
}
