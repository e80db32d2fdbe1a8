//! `cache_path`: what was read once is not read again, and nothing else is deployed for it.

use std::time::Duration;

use local_hub::RepoType;
use sha2::Digest as _;

use crate::harness::{Folder, Run, TestHub, hub};

const CACHE: &str = "keep/hashes";

fn run(hub: &TestHub, folder: &Folder) -> Run {
    Run::new(hub, folder).input("repo_type", "model").input("prune", "true").input("cache_path", CACHE)
}

/// A model with a large and a small file, last changed long enough ago.
async fn folder() -> Folder {
    let folder = Folder::new(&[("README.md", "---\nlicense: mit\n---\n"), ("small.txt", "small")]);
    folder.write("large.bin", "large".repeat(3_000_000));
    tokio::time::sleep(Duration::from_millis(2100)).await;
    folder
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rewrites the entries, and the checksum above them.
fn forge(folder: &Folder, from: &str, to: &str) {
    let path = folder.path().join(CACHE);
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, body) = text.split_once('\n').unwrap();
    let forged = body.replace(from, to);
    assert_ne!(forged, body, "{from} is not in the cache:\n{text}");
    let head = head.replace(&hex(&sha2::Sha256::digest(body)), &hex(&sha2::Sha256::digest(&forged)));
    std::fs::write(path, format!("{head}\n{forged}")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unchanged_is_not_read_again() {
    let (hub, folder) = (hub().await, folder().await);
    run(&hub, &folder).run().await.ended(0, "deployed");
    let tree = hub.repo(RepoType::Model, "ada/app").tree("main").unwrap();
    assert!(!tree.keys().any(|path| path.starts_with("keep")), "the cache was deployed");
    let sha256 = tree["large.bin"].lfs_sha256.clone().unwrap();
    run(&hub, &folder).run().await.ended(0, "unchanged");

    // A lie about the large file, which the first run read while it sent it: believed, until the file is sent.
    forge(&folder, &sha256, &"0".repeat(64));
    run(&hub, &folder).run().await.failed(1, "source_changed");
    let after = hub.repo(RepoType::Model, "ada/app").tree("main").unwrap();
    assert_eq!(after["large.bin"].lfs_sha256, tree["large.bin"].lfs_sha256);
    // Which has corrected it.
    run(&hub, &folder).run().await.ended(0, "unchanged");
    // And a lie about the small one, which the second run read.
    let oid = tree["small.txt"].oid.clone();
    forge(&folder, &oid, &"0".repeat(40));
    run(&hub, &folder).run().await.failed(1, "source_changed");

    // Another content of the same size is read, and deployed.
    folder.write("large.bin", "LARGE".repeat(3_000_000));
    folder.write("small.txt", "SMALL");
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(ran.counts(), ["0", "2", "0", "1"]);
    let content = hub.repo(RepoType::Model, "ada/app").read_file_async("main", "large.bin").await.unwrap();
    assert!(content.starts_with(b"LARGE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_cache_is_reported_and_replaced() {
    let (hub, folder) = (hub().await, folder().await);
    folder.write(CACHE, "{\"format\":\"hf-deploy hashes 1\"");
    let ran = run(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("`cache_path` is not used: it is damaged"), "{}", ran.log);
    let ran = run(&hub, &folder).run().await.ended(0, "unchanged");
    assert!(!ran.log.contains("`cache_path`"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_cannot_be_written_fails_nothing() {
    let (hub, folder, outside) = (hub().await, folder().await, Folder::new(&[]));
    std::os::unix::fs::symlink(outside.path(), folder.path().join("keep")).unwrap();
    let ran = run(&hub, &folder).input("exclude", "keep").run().await.ended(0, "deployed");
    assert!(ran.log.contains("cannot write `cache_path`: a symbolic link leads out"), "{}", ran.log);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}
