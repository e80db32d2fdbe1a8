//! Large files: by Xet, and by Git LFS where the Hub offers no Xet.

use std::time::Duration;

use local_hub::{Fault, FaultKind, LargeFileTransfer, RepoType};

use crate::harness::{Folder, Run, hub_with, reached};

/// Bytes that do not compress, and differ with the seed.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

const MB: usize = 1_000_000;

fn folder() -> Folder {
    let folder = Folder::new(&[("README.md", "---\nlicense: mit\n---\n"), ("small.txt", "small")]);
    folder.write("one.bin", noise(11 * MB, 1));
    folder.write("two/model.safetensors", noise(5 * MB, 2));
    folder.write("two/copy.safetensors", noise(5 * MB, 2));
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn each_transfer_brings_the_same_tree_and_sends_nothing_twice() {
    let mut trees = Vec::new();
    for transfer in [LargeFileTransfer::Xet, LargeFileTransfer::Multipart, LargeFileTransfer::Basic] {
        let hub = hub_with(|config| {
            config.transfer = transfer;
            config.multipart_chunk = 4 << 20;
        })
        .await;
        let folder = folder();
        let run = || Run::new(&hub, &folder).input("repo_type", "model");
        let ran = run().run().await.ended(0, "deployed");
        assert!(ran.output("bytes_uploaded").parse::<u64>().unwrap() > 15_000_000, "{}", ran.log);
        for (path, size, seed) in [
            ("one.bin", 11 * MB, 1),
            ("two/model.safetensors", 5 * MB, 2),
            ("two/copy.safetensors", 5 * MB, 2),
        ] {
            let content = hub.repo(RepoType::Model, "ada/app").read_file_async("main", path).await.unwrap();
            assert!(content == noise(size, seed), "{path} by {transfer:?}");
        }
        run().run().await.ended(0, "unchanged");

        // Another content of the same size is hashed; nothing else of the folder is sent.
        folder.write("one.bin", noise(11 * MB, 3));
        let ran = run().run().await.ended(0, "deployed");
        assert_eq!(ran.counts(), ["0", "1", "0", "4"], "{transfer:?}");
        trees.push(
            hub.repo(RepoType::Model, "ada/app")
                .tree("main")
                .unwrap()
                .into_iter()
                .map(|(path, file)| (path, file.oid, file.lfs_sha256))
                .collect::<Vec<_>>(),
        );
    }
    assert!(trees.windows(2).all(|pair| pair[0] == pair[1]), "{trees:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_fails_is_sent_again_and_the_others_are_not() {
    let hub = hub_with(|config| {
        config.transfer = LargeFileTransfer::Multipart;
        config.multipart_chunk = 4 << 20;
    })
    .await;
    let folder = Folder::new(&[]);
    folder.write("one.bin", noise(11 * MB, 1));
    hub.inject(Fault {
        method: Some("PUT".to_owned()),
        path_contains: "/".to_owned(),
        skip: 1,
        times: 1,
        kind: FaultKind::Status { code: 500, headers: vec![], body: String::new() },
    });
    Run::new(&hub, &folder).input("repo_type", "model").run().await.ended(0, "deployed");
    let parts = hub.requests().into_iter().filter(|request| request.method == "PUT").count();
    assert_eq!(parts, 4, "three parts, one of them twice");
    let content = hub.repo(RepoType::Model, "ada/app").read_file_async("main", "one.bin").await.unwrap();
    assert!(content == noise(11 * MB, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_goes_to_the_hub_and_not_to_the_storage() {
    for transfer in [LargeFileTransfer::Xet, LargeFileTransfer::Multipart, LargeFileTransfer::Basic] {
        let hub = hub_with(|config| config.transfer = transfer).await;
        let folder = Folder::new(&[]);
        folder.write("one.bin", noise(11 * MB, 1));
        Run::new(&hub, &folder).input("repo_type", "model").run().await.ended(0, "deployed");
        let with_token = |request: &local_hub::RecordedRequest| {
            request.headers.iter().any(|(_, value)| value.contains(crate::harness::TOKEN))
        };
        for request in hub.requests().iter().filter(|request| with_token(request)) {
            let own = request.path.starts_with("/api/") || request.path.contains(".git/info/lfs/");
            // The confirmation is the Hub's own, and asks for the token.
            let own = own || request.path.starts_with("/__lfs/verify/");
            assert!(own, "the token went to {} {}", request.method, request.path);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_storage_are_survived() {
    let kinds = |code: u16| FaultKind::Status { code, headers: vec![], body: String::new() };
    for (path, kind) in [
        ("xet-write-token", kinds(503)),
        ("xet-write-token", FaultKind::DropConnection),
        ("/v2/shards", kinds(500)),
        ("/v1/xorb", kinds(503)),
    ] {
        let hub = hub_with(|_| {}).await;
        let folder = Folder::new(&[]);
        folder.write("one.bin", noise(11 * MB, 1));
        hub.inject(Fault {
            method: None,
            path_contains: path.to_owned(),
            skip: 0,
            times: 1,
            kind: kind.clone(),
        });
        let ran = Run::new(&hub, &folder).input("repo_type", "model").run().await;
        ran.ended(0, "deployed");
        let content = hub.repo(RepoType::Model, "ada/app").read_file_async("main", "one.bin").await.unwrap();
        assert!(content == noise(11 * MB, 1), "{path} {kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_refuses_fails_without_a_commit() {
    let hub = hub_with(|_| {}).await;
    let folder = Folder::new(&[]);
    folder.write("one.bin", noise(11 * MB, 1));
    let kind = FaultKind::Status { code: 403, headers: vec![], body: "no".to_owned() };
    hub.inject(Fault { method: None, path_contains: "/v1/xorb".to_owned(), skip: 0, times: 99, kind });
    let ran = Run::new(&hub, &folder).input("repo_type", "model").run().await;
    let ran = ran.failed(4, "hub_unavailable");
    for expected in ["cannot finish the upload of large files", "403 Forbidden", "nothing was committed"] {
        assert!(ran.log.contains(expected), "{expected}:\n{}", ran.log);
    }
    assert_eq!(hub.repo(RepoType::Model, "ada/app").commits("main").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_token_that_ends_is_fetched_anew() {
    let hub = hub_with(|_| {}).await;
    // The engine fetches the next token half a minute before the end of this one: at once.
    hub.set_policy(|policy| policy.xet_token_seconds = 5);
    let folder = Folder::new(&[]);
    folder.write("one.bin", noise(11 * MB, 1));
    Run::new(&hub, &folder).input("repo_type", "model").run().await.ended(0, "deployed");
    let fetched = hub.requests().iter().filter(|request| request.path.contains("xet-write-token")).count();
    assert!(fetched > 1, "{fetched}");
    let content = hub.repo(RepoType::Model, "ada/app").read_file_async("main", "one.bin").await.unwrap();
    assert!(content == noise(11 * MB, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_that_changes_after_it_was_hashed_commits_nothing() {
    let (hub, folder) = (hub_with(|_| {}).await, folder());
    let run = || Run::new(&hub, &folder).input("repo_type", "model");
    run().run().await.ended(0, "deployed");
    let head = hub.repo(RepoType::Model, "ada/app").head("main");
    // Another content of the same size, so that it is hashed, and again another one before it is sent.
    folder.write("one.bin", noise(11 * MB, 3));
    hub.clear_requests();
    hub.inject(Fault {
        method: None,
        path_contains: "/xet-write-token/".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::Delay(Duration::from_secs(1)),
    });
    let run = run();
    let child = run.spawn();
    reached(&hub, "/xet-write-token/", 1).await;
    folder.write("one.bin", noise(11 * MB, 4));
    let ran = run.finish(child).await.failed(1, "source_changed");
    assert!(ran.log.contains("`one.bin` changed while it was deployed"), "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Model, "ada/app").head("main"), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_that_moved_is_not_sent_again() {
    for (transfer, prune) in [
        (LargeFileTransfer::Xet, "true"),
        (LargeFileTransfer::Xet, "false"),
        (LargeFileTransfer::Basic, "false"),
    ] {
        let hub = hub_with(|config| config.transfer = transfer).await;
        let folder = folder();
        let run = || Run::new(&hub, &folder).input("repo_type", "model").input("prune", prune);
        run().run().await.ended(0, "deployed");
        let content = noise(11 * MB, 1);
        folder.remove("one.bin");
        folder.write("moved/uno.bin", &content);
        // Of the same size as the one that moved, and another content.
        folder.write("moved/due.bin", noise(11 * MB, 4));
        hub.clear_requests();
        let ran = run().run().await.ended(0, "deployed");
        let sent: u64 = ran.output("bytes_uploaded").parse().unwrap();
        assert!((10_000_000..13_000_000).contains(&sent), "{transfer:?}: {sent} bytes\n{}", ran.log);
        for (path, content) in [("moved/uno.bin", &content), ("moved/due.bin", &noise(11 * MB, 4))] {
            let found = hub.repo(RepoType::Model, "ada/app").read_file_async("main", path).await.unwrap();
            assert!(found == *content, "{path} by {transfer:?}");
        }
        folder.remove("moved/due.bin");
        folder.write("moved/again.bin", &content);
        hub.clear_requests();
        let ran = run().run().await.ended(0, "deployed");
        assert_eq!(ran.output("bytes_uploaded"), "0", "{transfer:?}: {}", ran.log);
        let storage = |path: &str| path.contains("xet") || path.contains("/lfs") || path.starts_with("/v1");
        assert!(hub.requests().iter().all(|request| !storage(&request.path)), "the storage is not asked");
    }
}
