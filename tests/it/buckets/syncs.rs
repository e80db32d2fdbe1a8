//! Sync of a folder to a bucket, and its download.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use hf_deploy::failure::Code;
use hf_deploy::hub::TargetFolder;
use hf_deploy::ops::buckets::{FetchOptions, SyncOptions, Synced, fetch, sync};
use local_hub::FaultKind;

use super::{BUCKET, Client, bucket, fault, folder_of, hub_requests, status, storage_requests, walked};
use crate::chaos::noise;
use crate::harness::{Folder, hub, reached};

fn options(folder: &str) -> SyncOptions {
    SyncOptions {
        bucket: bucket(),
        folder: folder_of(folder),
        copy_from: None,
        executables: None,
        prune: true,
        tls_roots: None,
    }
}

async fn synced(client: &Client, folder: &Folder, options: &SyncOptions) -> Synced {
    sync(&client.session(), &walked(folder.path()), options).await.unwrap()
}

/// A folder of many small files in a few folders.
fn many(count: usize) -> Folder {
    let folder = Folder::new(&[("README.md", "# Many\n")]);
    for number in 1..count {
        let path = format!("src/{:02}/{number:05}.txt", number % 40);
        folder.write(&path, format!("file {number}\n").repeat(20 + number % 60));
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_synced_with_the_rules_of_a_deploy() {
    let (hub, folder) = (hub().await, Folder::new(&[("app.py", "print()\n"), (".gitignore", "*.draft\n")]));
    folder.write("run.sh", "#!/bin/sh\n");
    folder.write("data/x.csv", "1\n");
    folder.write("notes.draft", "noise\n");
    folder.write("__pycache__/x.pyc", "noise");
    folder.write("empty", "");
    fs::set_permissions(folder.path().join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    let client = Client::new(&hub);
    let options = SyncOptions { executables: Some(".executables".to_owned()), ..options("runs/1/source") };
    let first = synced(&client, &folder, &options).await;
    assert_eq!((first.uploaded, first.unchanged), (6, 0));
    let names: Vec<String> = hub.bucket(BUCKET).files().into_keys().collect();
    let expected = [".executables", ".gitignore", "app.py", "data/x.csv", "empty", "run.sh"];
    assert_eq!(names, expected.map(|name| format!("runs/1/source/{name}")));
    assert_eq!(hub.bucket(BUCKET).read("runs/1/source/.executables").await.unwrap(), b"run.sh\n");

    folder.write("app.py", "print(1)\n");
    fs::remove_file(folder.path().join("data/x.csv")).unwrap();
    let second = synced(&client, &folder, &options).await;
    assert_eq!((second.uploaded, second.unchanged, second.deleted), (1, 4, 1));
    let log = client.lines.text();
    assert!(
        log.contains("to `runs/1/source` in the bucket `ada/jobs-artifacts`: 1 uploaded, 0 copied, 4 unchanged, 1 deleted"),
        "{log}"
    );

    // Content of another folder of the bucket is copied there.
    hub.clear_requests();
    let elsewhere = SyncOptions { copy_from: Some(folder_of("runs/1/source")), ..options.clone() };
    let copied =
        synced(&client, &folder, &SyncOptions { folder: folder_of("runs/2/source"), ..elsewhere }).await;
    assert_eq!((copied.copied, copied.uploaded, copied.bytes_sent), (5, 0, 0));
    assert_eq!(storage_requests(&hub, "/"), 0);

    let base = tempfile::tempdir().unwrap();
    let target = TargetFolder::create(base.path(), "fetched").unwrap();
    let fetch_options = FetchOptions {
        bucket: bucket(),
        folder: folder_of("runs/2/source"),
        without: vec![".executables".to_owned()],
        target,
        tls_roots: None,
    };
    let fetched = fetch(&client.session(), &fetch_options).await.unwrap();
    assert_eq!(fetched.written, 4);
    assert_eq!(fs::read(base.path().join("fetched/app.py")).unwrap(), b"print(1)\n");
    assert!(!base.path().join("fetched/.executables").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_files_take_few_requests_and_a_second_sync_two() {
    let (hub, folder) = (hub().await, many(2_000));
    let client = Client::new(&hub);
    let first = synced(&client, &folder, &options("source")).await;
    assert_eq!((first.files, first.uploaded), (2_000, 2_000));
    assert_eq!(
        hub_requests(&hub),
        [
            "GET ~",
            "POST ~",
            "GET ~",
            "GET ~/tree/source",
            "GET ~/xet-write-token",
            "POST ~/batch",
            "POST ~/batch"
        ]
    );
    let storage = storage_requests(&hub, "/");
    assert!(storage < 40, "{storage} requests to the storage");

    hub.clear_requests();
    let second = synced(&client, &folder, &options("source")).await;
    assert_eq!((second.unchanged, second.bytes_sent), (2_000, 0));
    assert_eq!(hub_requests(&hub), ["GET ~", "GET ~/tree/source"]);
    assert_eq!(storage_requests(&hub, "/"), 0);

    // After the folder of the bucket is gone, its chunks are still in the storage.
    client.hub.delete_bucket_folder(&bucket(), &folder_of("source")).await.unwrap();
    hub.clear_requests();
    let third = synced(&client, &folder, &options("other")).await;
    assert_eq!((third.uploaded, storage_requests(&hub, "xorb")), (2_000, 0));
    let again = storage_requests(&hub, "/");
    assert!(again < 40, "{again} requests to the storage");
}

#[tokio::test(flavor = "multi_thread")]
async fn five_thousand_files_go_there_and_back() {
    let (hub, folder) = (hub().await, many(5_000));
    let client = Client::new(&hub);
    let first = synced(&client, &folder, &options("source")).await;
    assert_eq!(first.files, 5_000);
    assert_eq!(hub.bucket(BUCKET).files().len(), 5_000);
    let base = tempfile::tempdir().unwrap();
    let target = TargetFolder::create(base.path(), "fetched").unwrap();
    let options = FetchOptions {
        bucket: bucket(),
        folder: folder_of("source"),
        without: vec![],
        target,
        tls_roots: None,
    };
    let fetched = fetch(&client.session(), &options).await.unwrap();
    assert_eq!((fetched.written, fetched.bytes), (5_000, first.size));
    let back = walked(&base.path().join("fetched"));
    let there = walked(folder.path());
    for (back, there) in back.files.iter().zip(&there.files) {
        assert_eq!(back.path, there.path);
        assert!(back.read_to_vec().unwrap() == there.read_to_vec().unwrap(), "{}", back.path);
    }
    assert_eq!(back.files.len(), 5_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_new_chunks_of_a_large_file_travel() {
    let (hub, folder) = (hub().await, Folder::new(&[("a", "a")]));
    let mut content = noise(8_000_000, 6);
    folder.write("weights.bin", &content);
    let client = Client::new(&hub);
    let first = synced(&client, &folder, &options("source")).await;
    assert!(first.bytes_sent > 7_000_000, "{first:?}");
    content[4_000_000..4_000_010].copy_from_slice(b"0123456789");
    folder.write("weights.bin", &content);
    let second = synced(&client, &folder, &options("source")).await;
    assert!(second.uploaded == 1 && second.bytes_sent < 1_000_000, "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_bucket_gets_nothing() {
    let (hub, folder) = (hub().await, Folder::new(&[("a", "a")]));
    hub.bucket(BUCKET).create("ada", false).unwrap();
    let client = Client::new(&hub);
    let failure = sync(&client.session(), &walked(folder.path()), &options("source")).await.unwrap_err();
    assert_eq!(failure.code, Code::PublicBucket, "{failure:?}");
    assert_eq!(hub_requests(&hub), ["GET ~"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_was_killed_is_completed_by_the_next_one() {
    let (hub, folder) = (hub().await, many(300));
    for request in ["/xet-write-token", "/xorb", "/shards", "/batch"] {
        hub.inject(fault_delay(request));
        {
            let client = Client::new(&hub);
            let (session, source, options) = (client.session(), walked(folder.path()), options("source"));
            tokio::select! {
                ended = sync(&session, &source, &options) => panic!("{request}: {ended:?}"),
                () = reached(&hub, request, 1) => {}
            }
        }
        hub.clear_faults();
        let client = Client::new(&hub);
        let done = synced(&client, &folder, &options("source")).await;
        assert_eq!(done.files, 300, "{request}");
        assert_eq!(hub.bucket(BUCKET).files().len(), 300, "{request}");
        client.hub.delete_bucket_folder(&bucket(), &folder_of("source")).await.unwrap();
        folder.write("README.md", format!("# Changed before {request}\n"));
        hub.clear_requests();
    }
}

fn fault_delay(path: &str) -> local_hub::Fault {
    local_hub::Fault { method: None, ..fault("", path, FaultKind::Delay(Duration::from_secs(60))) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sync_names_its_reason() {
    let (hub, folder) = (hub().await, Folder::new(&[("a", "a")]));
    let client = Client::new(&hub);
    for (request, kind, code) in [
        ("/batch", status(402, "Private repository storage limit reached"), Code::PaymentRequired),
        ("/batch", status(403, "You don't have the required permissions"), Code::PermissionDenied),
        ("/xet-write-token", status(403, "You don't have the required permissions"), Code::PermissionDenied),
    ] {
        let fault = local_hub::Fault { method: None, ..fault("", request, kind) };
        hub.inject(fault);
        let failure = sync(&client.session(), &walked(folder.path()), &options("source")).await.unwrap_err();
        assert_eq!(failure.code, code, "{failure:?}");
        assert!(hub.bucket(BUCKET).files().is_empty());
    }
}
