//! A machine in trouble: no room on its disk, files that change under the deploy, a clock that is wrong.

use std::time::Duration;

use local_hub::{Fault, FaultKind, LargeFileTransfer, RepoType};

use crate::chaos::noise;
use crate::harness::{Folder, Run, hub, hub_with, reached, static_space, static_space_with_picture, tree};
use crate::network::Network;

#[tokio::test(flavor = "multi_thread")]
async fn full_disk_for_outputs_is_reported_and_undoes_nothing() {
    let (hub, folder) = (hub().await, static_space());
    let run =
        Run::new(&hub, &folder).var("GITHUB_OUTPUT", "/dev/full").var("GITHUB_STEP_SUMMARY", "/dev/full");
    let ran = run.run().await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.log);
    for what in ["cannot write the outputs", "cannot write the job summary"] {
        assert!(ran.log.contains(&format!("::warning::{what}: No space left")), "{what}:\n{}", ran.log);
    }
    assert!(hub.repo(RepoType::Space, "ada/app").head("main").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn outputs_that_fit_only_in_part_are_left_out_as_a_whole() {
    let (hub, folder) = (hub().await, static_space());
    let run = Run::new(&hub, &folder);
    let child = run.spawn_in("trap '' XFSZ; ulimit -f 1; exec \"$0\"");
    let ran = run.finish(child).await;
    assert_eq!(ran.code, 0, "{}", ran.log);
    assert!(ran.log.contains("::warning::cannot write the outputs: File too large"), "{}", ran.log);
    assert!(ran.outputs.is_empty(), "{:?}", ran.outputs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_ends_no_deploy() {
    for shell in ["exec \"$0\" >/dev/full", "exec \"$0\" >&- 2>&-", "\"$0\" | :; exit 0"] {
        let (hub, folder) = (hub().await, static_space());
        let run = Run::new(&hub, &folder);
        let child = run.spawn_in(shell);
        run.finish(child).await.ended(0, "deployed");
        assert!(hub.repo(RepoType::Space, "ada/app").head("main").is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_for_temporary_files_commits_nothing() {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", "---\nlicense: mit\n---\n")]);
    folder.write("weights.bin", noise(12_000_000, 1));
    let run = || Run::new(&hub, &folder).input("repo_type", "model");

    run().var("TMPDIR", "/dev/null/no-folder").run().await.failed(1, "local_io");

    // Files of no more than a few kilobytes: enough for outputs and summary, not for the transfer engine.
    let run = run();
    let child = run.spawn_in("trap '' XFSZ; ulimit -f 10; exec \"$0\"");
    let ran = run.finish(child).await;
    assert_eq!(ran.code, 1, "{}", ran.log);
    assert_eq!(ran.output("error_code"), "local_io", "{}", ran.log);
    assert_eq!(hub.repo(RepoType::Model, "ada/app").commits("main").len(), 1);
}

type Change = fn(&Folder, &str);

/// Changes of a file between two requests.
const CHANGES: &[(&str, Change)] = &[
    ("vanishes", |folder, path| folder.remove(path)),
    ("shrinks", |folder, path| folder.write(path, "short")),
    ("grows", |folder, path| folder.write(path, vec![9; 200_000])),
    ("changes", |folder, path| folder.write(path, vec![9; 100_000])),
    ("becomes a folder", |folder, path| {
        folder.remove(path);
        folder.write(&format!("{path}/inside"), "x");
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_at_any_moment_of_the_upload_is_never_half_deployed() {
    // The request before which it happens: to small files between plan and commit, to large ones also in between.
    for (transfer, path, before) in [
        (LargeFileTransfer::Xet, "small.txt", "/preupload/"),
        (LargeFileTransfer::Xet, "large.bin", "/preupload/"),
        (LargeFileTransfer::Xet, "large.bin", "/xet-write-token/"),
        (LargeFileTransfer::Xet, "small.txt", "/v2/shards"),
        (LargeFileTransfer::Multipart, "large.bin", "/info/lfs/objects/batch"),
        (LargeFileTransfer::Basic, "large.bin", "/info/lfs/objects/batch"),
    ] {
        for (name, change) in CHANGES {
            let case = format!("{path} {name} before {before} ({transfer:?})");
            let hub = hub_with(|config| {
                config.transfer = transfer;
                config.multipart_chunk = 64 << 10;
            })
            .await;
            let folder = Folder::new(&[("README.md", "---\nlicense: mit\n---\n")]);
            let run = || Run::new(&hub, &folder).input("repo_type", "model");
            run().run().await.ended(0, "deployed");
            let old = tree(&hub, RepoType::Model);
            folder.write("small.txt", vec![b'1'; 100_000]);
            folder.write("large.bin", vec![1; 100_000]);
            hub.clear_requests();
            hub.inject(Fault {
                method: None,
                path_contains: before.to_owned(),
                skip: 0,
                times: 1,
                kind: FaultKind::Delay(Duration::from_millis(400)),
            });
            let run = run();
            let child = run.spawn();
            reached(&hub, before, 1).await;
            change(&folder, path);
            let ran = run.finish(child).await;
            match ran.code {
                // What was read late enough was read as it is now, and whole.
                0 => {
                    let content =
                        hub.repo(RepoType::Model, "ada/app").read_file_async("main", path).await.unwrap();
                    let whole =
                        [[1; 100_000], [b'1'; 100_000], [9; 100_000]].iter().any(|whole| content == whole);
                    assert!(whole, "{case}: {} bytes\n{}", content.len(), ran.log);
                }
                _ => {
                    let code = ran.output("error_code");
                    assert!(
                        ["source_changed", "upload_failed", "source_unreadable"].contains(&code),
                        "{case}: {code}\n{}",
                        ran.log
                    );
                    assert!(ran.log.contains(&format!("`{path}`")), "{case}\n{}", ran.log);
                    assert_eq!(tree(&hub, RepoType::Model), old, "{case}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_by_years_changes_nothing() {
    for (year, retry) in
        [("1999", "Fri, 01 Jan 1999 00:00:02 GMT"), ("2055", "Fri, 01 Jan 2055 00:00:02 GMT")]
    {
        let (hub, folder) = (hub().await, static_space_with_picture());
        let network = Network::before(&hub.endpoint()).await;
        network.set_date(&format!("Fri, 01 Jan {year} 00:00:00 GMT"));
        hub.inject(Fault {
            method: None,
            path_contains: "/commit/".to_owned(),
            skip: 0,
            times: 1,
            kind: FaultKind::Status {
                code: 503,
                headers: vec![("retry-after".to_owned(), retry.to_owned())],
                body: String::new(),
            },
        });
        let ran = Run::at(&network.endpoint(), &folder).run().await.ended(0, "deployed");
        assert_eq!(ran.output("commit_sha"), hub.repo(RepoType::Space, "ada/app").head("main").unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unresolved_host_is_an_unavailable_hub() {
    let folder = static_space();
    let ran = Run::at("https://hub.invalid", &folder).run().await.failed(4, "hub_unavailable");
    assert!(ran.log.contains("status.huggingface.co"), "{}", ran.log);
}
