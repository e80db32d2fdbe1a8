//! Downloads of buckets and repos.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use hf_deploy::hub::{
    BucketFile, Cause, Download, DownloadFrom, DownloadId, Downloaded, PathFault, Repo, RepoName, RepoType,
    TargetFolder,
};
use local_hub::{Fault, FaultKind, LargeFileTransfer, NewRepo};

use super::{BUCKET, Client, bucket, fault, folder_of, no_bytes, status, storage_requests};
use crate::chaos::noise;
use crate::harness::{TestHub, hub, hub_with};

/// Returns the files below a folder, by path.
fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Fills the bucket from inside, as a Job does.
async fn filled(hub: &TestHub, files: &[(&str, &[u8])]) -> Vec<BucketFile> {
    hub.bucket(BUCKET).create("ada", true).unwrap();
    hub.bucket(BUCKET).write(files).await.unwrap();
    Client::new(hub).hub.list_bucket(&bucket(), None).await.unwrap()
}

fn downloads(files: &[BucketFile], below: &str) -> Vec<Download> {
    let folder = folder_of(below);
    files.iter().filter_map(|file| Some(Download::of_bucket_file(file, folder.below(&file.path)?))).collect()
}

fn without_xet(downloads: &mut [Download]) {
    downloads.iter_mut().for_each(|download| download.xet_hash = None);
}

async fn fetch(
    client: &Client,
    files: &[Download],
    target: &TargetFolder,
) -> Result<Downloaded, hf_deploy::hub::Error> {
    client.hub.download(&DownloadFrom::Bucket(bucket()), files, target, no_bytes()).await
}

fn cut(path: &str, times: usize, after: usize) -> Fault {
    let kind = FaultKind::TruncateBody { after };
    Fault { method: Some("GET".to_owned()), path_contains: path.to_owned(), skip: 0, times, kind }
}

/// Keeps all requests after the first one from their content.
fn unavailable() -> Fault {
    Fault { skip: 1, times: 20, ..fault("GET", "/resolve/", status(503, "Service Unavailable")) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_downloaded_by_xet_and_by_plain_http() {
    let hub = hub().await;
    let large = noise(3_000_000, 1);
    let files =
        filled(&hub, &[("out/a.txt", b"a\n"), ("out/deep/er/empty", b""), ("out/large.bin", &large)]).await;
    let client = Client::new(&hub);
    for by_xet in [true, false] {
        let base = tempfile::tempdir().unwrap();
        let target = TargetFolder::create(base.path(), "job/42/output").unwrap();
        let mut wanted = downloads(&files, "out");
        if !by_xet {
            without_xet(&mut wanted);
        }
        hub.clear_requests();
        let done = fetch(&client, &wanted, &target).await.unwrap();
        assert_eq!((done.written, done.present, done.bytes), (3, 0, 3_000_002));
        let found = contents(target.path());
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a.txt", "deep/er/empty", "large.bin"]);
        assert!(found["large.bin"] == large && found["a.txt"] == b"a\n" && found["deep/er/empty"].is_empty());
        let plain = hub.requests().iter().filter(|request| request.path.starts_with("/__cdn/")).count();
        assert_eq!((storage_requests(&hub, "reconstructions") > 0, plain > 0), (by_xet, !by_xet));

        // What is there already is not downloaded again.
        fs::write(target.path().join("a.txt"), "b\n").unwrap();
        let again = fetch(&client, &wanted, &target).await.unwrap();
        assert_eq!((again.written, again.present, again.bytes), (1, 2, 2));
        assert_eq!(fs::read(target.path().join("a.txt")).unwrap(), b"a\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_repo_are_checked_by_the_ids_of_the_repo() {
    for transfer in [LargeFileTransfer::Xet, LargeFileTransfer::Basic] {
        let hub = hub_with(|config| config.transfer = transfer).await;
        hub.create_repo(NewRepo::new("ada", local_hub::RepoType::Dataset, "ada/data").private()).unwrap();
        let client = Client::new(&hub);
        let id = "ada/data".parse::<RepoName>().unwrap().full().unwrap();
        let repo = Repo { repo_type: RepoType::Dataset, id };
        let large = upload_large(&client, &repo).await;
        let commit = hub.repo(local_hub::RepoType::Dataset, "ada/data").head("main").unwrap();
        let files = client.hub.list_files(&repo, &commit, None).await.unwrap();
        let wanted: Vec<Download> = files.iter().filter_map(Download::of_repo_file).collect();
        let base = tempfile::tempdir().unwrap();
        let target = TargetFolder::create(base.path(), "data").unwrap();
        let from = DownloadFrom::Repo { repo, commit };
        let done = client.hub.download(&from, &wanted, &target, no_bytes()).await.unwrap();
        assert_eq!(done.written, wanted.len());
        let found = contents(target.path());
        assert!(found["deep/large.bin"] == large, "{transfer:?}");
        assert!(found.contains_key(".gitattributes"), "{:?}", found.keys());
        assert_eq!(
            storage_requests(&hub, "reconstructions") > 0,
            transfer == LargeFileTransfer::Xet,
            "{transfer:?}"
        );
    }
}

async fn upload_large(client: &Client, repo: &Repo) -> Vec<u8> {
    use hf_deploy::hub::{CommitRequest, InMemory, LargeFile, Marker, Operation, Revision, Transfer};
    use std::sync::Arc;

    let bytes = noise(2_000_000, 3);
    let path: hf_deploy::hub::RepoPath = "deep/large.bin".parse().unwrap();
    let content = Arc::new(InMemory { path: path.to_string(), bytes: bytes.clone().into() });
    let file = LargeFile { path: path.clone(), content, sha256: None, checksum: None };
    let transfer = Transfer { repo: repo.clone(), revision: Revision::default(), create_pr: false };
    let (uploaded, _) = client.hub.upload_large(&transfer, &[file], no_bytes()).await.unwrap();
    let marker = Marker::new(1);
    let request = CommitRequest {
        repo: repo.clone(),
        revision: Revision::default(),
        summary: "Add".to_owned(),
        description: marker.to_string(),
        marker,
        parent: None,
        create_pr: false,
        operations: Arc::new(vec![Operation::LargeFile {
            path,
            sha256: uploaded[0].sha256,
            size: uploaded[0].size,
        }]),
    };
    client.hub.commit(&request, no_bytes()).await.unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_breaks_goes_on_where_it_stopped() {
    let hub = hub().await;
    let large = noise(2_000_000, 2);
    let mut wanted = downloads(&filled(&hub, &[("out/large.bin", &large)]).await, "out");
    without_xet(&mut wanted);
    let client = Client::new(&hub);
    let base = tempfile::tempdir().unwrap();
    let target = TargetFolder::create(base.path(), "out").unwrap();
    hub.inject(cut("/__cdn/", 3, 500_000));
    let done = fetch(&client, &wanted, &target).await.unwrap();
    assert_eq!((done.written, done.bytes), (1, 2_000_000), "no byte comes twice");
    assert!(contents(target.path())["large.bin"] == large);
    let ranges: Vec<String> = hub
        .requests()
        .iter()
        .filter(|request| request.path.starts_with("/__cdn/"))
        .map(|request| request.header("range").unwrap_or("none").to_owned())
        .collect();
    assert_eq!(ranges, ["none", "bytes=500000-", "bytes=1000000-", "bytes=1500000-"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_download_is_continued_by_the_next_one() {
    let hub = hub().await;
    let large = noise(2_000_000, 4);
    let listed = filled(&hub, &[("out/large.bin", &large)]).await;
    for by_xet in [true, false] {
        let mut wanted = downloads(&listed, "out");
        let client = Client::new(&hub);
        let base = tempfile::tempdir().unwrap();
        let target = TargetFolder::create(base.path(), "out").unwrap();
        // The first attempts fail for good after a part of the content.
        let mut first = wanted.clone();
        without_xet(&mut first);
        hub.inject(cut("/__cdn/", 1, 700_000));
        hub.inject(unavailable());
        fetch(&client, &first, &target).await.unwrap_err();
        hub.clear_faults();
        let rest = contents(target.path());
        assert_eq!(rest.values().map(Vec::len).collect::<Vec<_>>(), [700_000], "{:?}", rest.keys());

        if !by_xet {
            without_xet(&mut wanted);
        }
        let done = fetch(&client, &wanted, &target).await.unwrap();
        assert_eq!((done.written, done.bytes), (1, 1_300_000), "by Xet: {by_xet}");
        let found = contents(target.path());
        assert!(found.len() == 1 && found["large.bin"] == large);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_content_never_gets_its_name() {
    let hub = hub().await;
    let listed = filled(&hub, &[("out/a.bin", &noise(300_000, 5))]).await;
    let mut wanted = downloads(&listed, "out");
    without_xet(&mut wanted);
    let client = Client::new(&hub);
    let base = tempfile::tempdir().unwrap();
    let target = TargetFolder::create(base.path(), "out").unwrap();
    // The Hub announces another content than it has.
    let mut other = wanted.clone();
    other[0].id = DownloadId::Xet([1; 32].into());
    let error = fetch(&client, &other, &target).await.unwrap_err();
    assert!(matches!(&*error.cause, Cause::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("`out/a.bin` of the bucket `ada/jobs-artifacts`"), "{error}");
    assert!(contents(target.path()).is_empty());

    // A damaged rest of an earlier run is given up, and the file is downloaded as a whole.
    hub.inject(cut("/__cdn/", 1, 100_000));
    hub.inject(unavailable());
    fetch(&client, &wanted, &target).await.unwrap_err();
    hub.clear_faults();
    let rest = contents(target.path()).into_keys().next().unwrap();
    fs::write(target.path().join(rest), [0; 100_000]).unwrap();
    let done = fetch(&client, &wanted, &target).await.unwrap();
    assert_eq!((done.written, done.bytes), (1, 500_000));
    assert!(contents(target.path())["a.bin"] == noise(300_000, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_paths_never_leave_the_folder() {
    let hub = hub().await;
    hub.bucket(BUCKET).create("ada", true).unwrap();
    let hostile = [
        "out/../../../escaped",
        "out//etc/escaped",
        "out/a/../../escaped",
        "out/..\\escaped",
        "out/nul\0byte",
        "out/line\nbreak",
        "out/link/escaped",
        "out/linked",
        "out/both",
        "out/both/file",
        "out/.hf-deploy-download/x",
    ];
    let mut files: Vec<(&str, &[u8])> = hostile.iter().map(|path| (*path, &b"evil"[..])).collect();
    files.push(("out/good.txt", b"good"));
    hub.bucket(BUCKET).write(&files).await.unwrap();
    let client = Client::new(&hub);
    let listed = client.hub.list_bucket(&bucket(), None).await.unwrap();
    let base = tempfile::tempdir().unwrap();
    let target = TargetFolder::create(base.path(), "job/output").unwrap();
    let outside = base.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "kept").unwrap();
    symlink(&outside, target.path().join("link")).unwrap();
    symlink(outside.join("kept"), target.path().join("linked")).unwrap();

    let done = fetch(&client, &downloads(&listed, "out"), &target).await.unwrap();
    let refused: BTreeMap<&str, &PathFault> =
        done.refused.iter().map(|refused| (refused.path.as_str(), &refused.fault)).collect();
    assert_eq!((done.written, refused.len()), (2, 10), "{refused:?}");
    assert_eq!(refused["link/escaped"], &PathFault::Link("link".to_owned()));
    assert_eq!(refused["linked"], &PathFault::Link("linked".to_owned()));
    assert_eq!(refused["both/file"], &PathFault::FileAndFolder("both".to_owned()));
    assert_eq!(refused["nul\0byte"], &PathFault::Character('\0'));
    assert_eq!(contents(&outside).into_iter().collect::<Vec<_>>(), [("kept".to_owned(), b"kept".to_vec())]);
    let mut names: Vec<String> = fs::read_dir(base.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["job", "outside"]);
    assert_eq!(fs::read(target.path().join("good.txt")).unwrap(), b"good");
}
