//! Deploys: the tree, the log, the outputs and the summary.

use local_hub::RepoType;

use crate::assert_ran;
use crate::harness::{Folder, Run, hub, paths, static_space, tree};

#[tokio::test(flavor = "multi_thread")]
async fn first_deploy_then_no_change_then_change() {
    let (hub, folder) = (hub().await, static_space());
    let first = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_ran!(first);
    let head = hub.repo(RepoType::Space, "ada/app").head("main").unwrap();
    assert_eq!(first.output("commit_sha"), head);
    assert_eq!(paths(&hub, RepoType::Space), [".gitattributes", "README.md", "index.html", "style.css"]);
    let index = hub.repo(RepoType::Space, "ada/app").read_file("main", "index.html").unwrap();
    assert_eq!(index, b"<h1>Hello</h1>\n");

    let again = Run::new(&hub, &folder).run().await.ended(0, "unchanged");
    assert_ran!(again);
    assert_eq!(again.output("commit_sha"), head);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").head("main").unwrap(), head);

    folder.write("index.html", "<h1>Goodbye</h1>\n");
    folder.write("a/new file.txt", "new\n");
    folder.remove("style.css");
    let changed = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_ran!(changed);
    assert_eq!(changed.counts(), ["1", "1", "1", "1"]);
    assert_eq!(paths(&hub, RepoType::Space), [".gitattributes", "README.md", "a/new file.txt", "index.html"]);
    // The first commit is the Hub's own, made with the repo and its files.
    assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model() {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", "---\nlicense: mit\n---\n# Model\n"), ("config.json", "{}\n")]);
    let ran = Run::new(&hub, &folder).input("repo_type", "model").run().await.ended(0, "deployed");
    assert_ran!(ran);
    assert_eq!(paths(&hub, RepoType::Model), [".gitattributes", "README.md", "config.json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_dataset() {
    let hub = hub().await;
    let folder = Folder::new(&[("data/train.csv", "a,b\n1,2\n")]);
    let run = Run::new(&hub, &folder).input("repo_type", "dataset").input("private", "true");
    let ran = run.run().await.ended(0, "deployed");
    assert_ran!(ran);
    assert_eq!(paths(&hub, RepoType::Dataset), [".gitattributes", "data/train.csv"]);
    let created = hub.requests().into_iter().find(|request| request.path == "/api/repos/create").unwrap();
    assert!(String::from_utf8_lossy(&created.body).contains(r#""visibility":"private""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let (hub, folder) = (hub().await, static_space());
    let missing = Run::new(&hub, &folder).input("dry_run", "true").run().await.ended(0, "dry-run");
    assert_ran!(missing);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").head("main"), None);

    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let before = tree(&hub, RepoType::Space);
    folder.write("index.html", "changed");
    folder.remove("style.css");
    hub.clear_requests();
    let ran = Run::new(&hub, &folder).input("dry_run", "true").run().await.ended(0, "dry-run");
    assert_ran!(ran);
    assert_eq!(tree(&hub, RepoType::Space), before);
    let writes = hub.requests().into_iter().filter(|request| {
        request.path.contains("/commit/") || request.path.contains("token") || request.method == "PUT"
    });
    assert_eq!(writes.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_is_off_for_models_and_on_when_asked_for() {
    let hub = hub().await;
    let folder = Folder::new(&[("keep.txt", "1"), ("gone.txt", "2"), ("dir/gone.txt", "3")]);
    let model = |prune: &str| Run::new(&hub, &folder).input("repo_type", "model").input("prune", prune);
    model("auto").run().await.ended(0, "deployed");
    folder.remove("gone.txt");
    folder.remove("dir/gone.txt");
    model("auto").run().await.ended(0, "unchanged");
    assert!(paths(&hub, RepoType::Model).contains(&"gone.txt".to_owned()));
    let pruned = model("true").run().await.ended(0, "deployed");
    assert_eq!(pruned.counts(), ["0", "0", "2", "1"]);
    assert_eq!(paths(&hub, RepoType::Model), [".gitattributes", "keep.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_excluded_is_neither_sent_nor_deleted() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let theirs: &[(&str, &[u8])] = &[("data/live.db", b"theirs"), ("stale.txt", b"stale")];
    hub.repo(RepoType::Space, "ada/app").commit_as("ada", "main", theirs, "by hand").unwrap();
    folder.write("data/local.db", "mine");
    folder.write("notes.md", "mine");
    folder.write(".hfignore", "notes.md\n");
    let ran = Run::new(&hub, &folder).input("exclude", "data/\n# a comment\n").run().await;
    let ran = ran.ended(0, "deployed");
    assert_eq!(ran.counts(), ["0", "0", "1", "3"], "{}", ran.log);
    let found = paths(&hub, RepoType::Space);
    assert_eq!(found, [".gitattributes", "README.md", "data/live.db", "index.html", "style.css"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn include_narrows_what_is_sent_and_what_is_deleted() {
    let hub = hub().await;
    let folder = Folder::new(&[("web/a.txt", "a"), ("web/b.txt", "b"), ("other/c.txt", "c")]);
    let run = || Run::new(&hub, &folder).input("repo_type", "dataset").input("prune", "true");
    run().run().await.ended(0, "deployed");
    folder.remove("web/b.txt");
    folder.remove("other/c.txt");
    run().input("include", "web/").run().await.ended(0, "deployed");
    assert_eq!(paths(&hub, RepoType::Dataset), [".gitattributes", "other/c.txt", "web/a.txt"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_the_repo_is_the_whole_world() {
    let hub = hub().await;
    let folder = Folder::new(&[("a.txt", "a"), ("b/c.txt", "c")]);
    let run = |path: &str| {
        Run::new(&hub, &folder).input("repo_type", "model").input("prune", "true").input("path_in_repo", path)
    };
    run("one/two").run().await.ended(0, "deployed");
    run("one/three").run().await.ended(0, "deployed");
    folder.remove("a.txt");
    run("one/two").run().await.ended(0, "deployed");
    let found = paths(&hub, RepoType::Model);
    assert_eq!(found, [".gitattributes", "one/three/a.txt", "one/three/b/c.txt", "one/two/b/c.txt"]);
    run("one/two").run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_namespace_it_is_the_token_s_user() {
    let (hub, folder) = (hub().await, static_space());
    let ran = Run::new(&hub, &folder).input("huggingface_repo", "").run().await.ended(0, "deployed");
    assert_eq!(ran.output("repo_id"), "ada/hello");
    let asked = hub.requests().iter().filter(|request| request.path == "/api/whoami-v2").count();
    assert_eq!(asked, 1, "the Hub limits this call strictly");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_is_made_where_it_is_missing() {
    let hub = hub().await;
    let folder = Folder::new(&[("a.txt", "1")]);
    let run = || Run::new(&hub, &folder).input("repo_type", "model");
    run().run().await.ended(0, "deployed");
    folder.write("a.txt", "2");
    run().input("revision", "release/1.0").run().await.ended(0, "deployed");
    let read = |revision| hub.repo(RepoType::Model, "ada/app").read_file(revision, "a.txt").unwrap();
    assert_eq!(read("main"), b"1");
    assert_eq!(read("release/1.0"), b"2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_leaves_the_branch_alone() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let before = tree(&hub, RepoType::Space);
    folder.write("index.html", "proposed");
    let ran = Run::new(&hub, &folder).input("create_pr", "true").run().await.ended(0, "deployed");
    assert!(ran.output("pull_request_url").ends_with("/spaces/ada/app/discussions/1"), "{ran:?}");
    assert_eq!(tree(&hub, RepoType::Space), before);
    let proposed = hub.repo(RepoType::Space, "ada/app").read_file("refs/pr/1", "index.html").unwrap();
    assert_eq!(proposed, b"proposed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commit_says_where_it_came_from() {
    let (hub, folder) = (hub().await, static_space());
    let run = Run::new(&hub, &folder)
        .input("commit_message", "Release 1.2\nwith a second line")
        .input("commit_description", "And a paragraph.");
    run.run().await.ended(0, "deployed");
    let commit = hub.repo(RepoType::Space, "ada/app").commits("main").remove(0);
    assert_eq!(commit.title, "Release 1.2");
    let message = commit.message;
    for line in [
        "with a second line",
        "And a paragraph.",
        "Source-Repository: octo/hello",
        "Source-Commit: 0123456789abcdef0123456789abcdef01234567",
        "Workflow-Run: https://github.example/octo/hello/actions/runs/42",
    ] {
        assert!(message.contains(line), "{line} in {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repo_becomes_private_before_anything_is_uploaded() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    hub.clear_requests();
    folder.write("secret.txt", "not for everybody");
    Run::new(&hub, &folder).input("private", "true").run().await.ended(0, "deployed");
    let requests = hub.requests();
    let position = |text: &str| requests.iter().position(|request| request.path.contains(text)).unwrap();
    assert!(position("/settings") < position("/commit/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_files_cost_at_most_twenty_requests() {
    let hub = hub().await;
    let folder = static_space();
    for index in 0..1997 {
        folder.write(&format!("data/{:02}/{index}.txt", index % 50), format!("file {index}\n"));
    }
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(ran.counts(), ["1997", "3", "0", "0"], "three replace what the Hub put there");
    let requests = hub.requests();
    let listed: Vec<String> =
        requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert!(requests.len() <= 20, "{listed:#?}");
    assert_eq!(hub.repo(RepoType::Space, "ada/app").commits("main").len(), 2);

    // What the folder lost is found on whichever page of the listing it stands.
    folder.remove("data/49/1949.txt");
    hub.clear_requests();
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(ran.counts(), ["0", "0", "1", "1999"]);
    let pages = hub.requests().iter().filter(|request| request.path.contains("/tree/")).count();
    assert_eq!(pages, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_the_gitignore_of_the_repo_are_left_out_with_a_warning() {
    let hub = hub().await;
    let folder = Folder::new(&[(".gitignore", "*.log\n"), ("a.txt", "a"), ("debug.log", "x")]);
    let ran = Run::new(&hub, &folder).input("repo_type", "model").run().await.ended(0, "deployed");
    assert!(
        ran.log.contains("a `.gitignore` in the folder or in the repo matches: `debug.log` ("),
        "{}",
        ran.log
    );
    assert_eq!(paths(&hub, RepoType::Model), [".gitattributes", ".gitignore", "a.txt"]);
    Run::new(&hub, &folder).input("repo_type", "model").run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_s_length_is_known_before_it_is_sent() {
    let hub = hub().await;
    let folder =
        Folder::new(&[("empty", ""), ("one", "1"), ("two", "22"), ("three", "333"), ("ü \"q\".txt", "x")]);
    folder.write("a hundred thousand", vec![b'x'; 100_000]);
    Run::new(&hub, &folder).input("repo_type", "dataset").run().await.ended(0, "deployed");
    let requests = hub.requests();
    let commit = requests.iter().find(|request| request.path.contains("/commit/")).unwrap();
    assert_eq!(commit.header("content-length"), Some(commit.body_len.to_string().as_str()));
    assert_eq!(commit.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(commit.header("transfer-encoding"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_takes_the_place_of_a_folder_and_a_folder_that_of_a_file() {
    let hub = hub().await;
    let folder = Folder::new(&[("a/b.txt", "1"), ("c", "2")]);
    let run = || Run::new(&hub, &folder).input("repo_type", "model").input("prune", "true");
    run().run().await.ended(0, "deployed");
    folder.remove("a/b.txt");
    std::fs::remove_dir(folder.path().join("a")).unwrap();
    folder.write("a", "now a file");
    folder.remove("c");
    folder.write("c/d.txt", "now a folder");
    run().run().await.ended(0, "deployed");
    assert_eq!(paths(&hub, RepoType::Model), [".gitattributes", "a", "c/d.txt"]);
    run().run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_in_a_new_space_are_files_that_came_with_it() {
    let hub = hub().await;
    let folder = Folder::new(&[("index.html", "<h1>Hello</h1>\n")]);
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert!(ran.log.contains("deleting 1 file that came with the new Space\n- style.css\n"), "{}", ran.log);
    assert!(ran.summary.contains("#### 1 file deleted that came with the new Space\n"), "{}", ran.summary);
}
