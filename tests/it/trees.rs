//! Which files a deploy touches: what it leaves alone, what it refuses to take away, and what it says about both.

use std::os::unix::fs::symlink;

use std::time::Duration;

use local_hub::{Fault, FaultKind, LocalHub, RepoType};

use crate::assert_ran;
use crate::harness::{Folder, Ran, Run, hub, paths, reached, static_space, tree};

const DOCKER: [(&str, &str); 2] =
    [("README.md", "---\nsdk: docker\n---\n"), ("Dockerfile", "FROM scratch\n")];

/// Commits to the Hub, as an app or a person there does.
fn by_hand(hub: &LocalHub, repo_type: RepoType, files: &[(&str, &str)]) {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    hub.repo(repo_type, "ada/app").commit_as("ada", "main", &files, "by hand").unwrap();
}

fn writes(hub: &LocalHub) -> Vec<String> {
    let asks = ["/preupload/", "validate-yaml", "/paths-info/"];
    let requests = hub.requests();
    let is_write = |path: &str| !asks.iter().any(|ask| path.contains(ask));
    let written = requests.iter().filter(|request| request.method != "GET" && is_write(&request.path));
    written.map(|request| format!("{} {}", request.method, request.path)).collect()
}

/// Asserts that a deploy and its dry run end in the same way, and that neither writes.
async fn refused(hub: &LocalHub, run: impl Fn() -> Run, code: &str) -> Ran {
    hub.clear_requests();
    let ran = run().run().await.failed(2, code);
    let dry = run().input("dry_run", "true").run().await.failed(2, code);
    let message = |ran: &Ran| {
        let line = ran.log.lines().find(|line| line.starts_with("::error ")).expect("an error").to_owned();
        line.replace("would delete", "deletes")
    };
    assert_eq!(message(&ran), message(&dry));
    assert_eq!(writes(hub), Vec::<String>::new());
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_folder_does_not_take_a_gradio_space_down() {
    let hub = hub().await;
    let folder = Folder::new(&[("README.md", "---\nsdk: gradio\n---\n"), ("app.py", "import gradio\n")]);
    for index in 0..12 {
        folder.write(&format!("data/{index}.txt"), index.to_string());
    }
    folder.write("examples/one.txt", "1");
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let before = tree(&hub, RepoType::Space);
    let ran =
        refused(&hub, || Run::new(&hub, &folder).input("source_dir", "examples"), "space_without_app").await;
    assert_ran!(ran);
    assert_eq!(tree(&hub, RepoType::Space), before);
    let stays = Run::new(&hub, &folder).input("source_dir", "examples").input("prune", "false");
    stays.run().await.ended(0, "deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_folder_does_not_take_a_docker_space_down() {
    let (hub, folder) = (hub().await, Folder::new(&DOCKER));
    folder.write("docs/index.html", "not the app");
    folder.write("empty/notes.txt", "nothing");
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    for dir in ["docs", "empty"] {
        let ran =
            refused(&hub, || Run::new(&hub, &folder).input("source_dir", dir), "space_without_app").await;
        let message = format!(
            "this deploy would leave the Space `ada/app` without `Dockerfile`: it deletes it, and `source_dir` (`{dir}`) has none"
        );
        assert!(ran.log.contains(&message), "{}", ran.log);
        assert!(ran.log.contains("hint: add a `Dockerfile` to the folder"), "{}", ran.log);
        assert_eq!(ran.log.contains("hint: set `space_sdk: static`"), dir == "docs", "{}", ran.log);
    }
    // What the workflow says is done.
    let ran = Run::new(&hub, &folder).input("source_dir", "docs").input("space_sdk", "static").run().await;
    ran.ended(0, "deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_space_keeps_its_first_page() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.remove("index.html");
    folder.write("dist/index.html", "built");
    let ran = refused(&hub, || Run::new(&hub, &folder), "space_without_app").await;
    assert!(ran.log.contains("hint: write `app_file: dist/index.html` into"), "{}", ran.log);
    assert!(ran.log.contains("hint: set `source_dir: dist`, if `dist/index.html` is the app"), "{}", ran.log);
    folder.write(
        "README.md",
        "---\nsdk: static\napp_build_command: npm run build\napp_file: out/x.html\n---\n",
    );
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_for_a_folder_of_a_space_may_not_delete_its_app() {
    let hub = hub().await;
    let card = "---\nsdk: gradio\napp_file: web/main.py\n---\n";
    let folder =
        Folder::new(&[("README.md", card), ("web/main.py", "import gradio\n"), ("other/x.txt", "x")]);
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let run = |dir: &str, path: &str| {
        Run::new(&hub, &folder).input("source_dir", dir).input("path_in_repo", path).input("wait", "false")
    };
    refused(&hub, || run("other", "web"), "space_without_app").await;
    run("other", "other").run().await.ended(0, "unchanged");
    run("web", "elsewhere").run().await.ended(0, "deployed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_space_hears_where_its_app_is() {
    let hub = hub().await;
    let gradio = "---\nsdk: gradio\n---\n";
    let named = "---\nsdk: gradio\napp_file: main.py\n---\n";
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: [Case<'_>; 6] = [
        (
            &[("README.md", gradio), ("src/app.py", "")],
            "`app.py`",
            "set `source_dir: src`, if `src/app.py` is",
        ),
        (
            &[("README.md", named), ("app.py", "")],
            "`main.py`",
            "correct README.md: it says `app_file: main.py`, and the folder has `app.py`",
        ),
        (
            &[("README.md", gradio), ("main.py", "import gradio")],
            "`app.py`",
            "write `app_file: main.py` into",
        ),
        (
            &[("README.md", "---\nsdk: docker\n---\n"), ("dockerfile", "")],
            "`Dockerfile`",
            "rename `dockerfile`",
        ),
        (
            &[("README.md", gradio), ("Dockerfile", "")],
            "`app.py`",
            "set `space_sdk: docker`, if the Space should run the `Dockerfile` of the folder",
        ),
        (
            &[("README.md", "---\nsdk: static\n---\n"), ("x.html", "")],
            "`index.html`",
            "add `index.html` to the",
        ),
    ];
    for (files, app, hint) in cases {
        let folder = Folder::new(files);
        let ran = refused(&hub, || Run::new(&hub, &folder), "space_without_app").await;
        assert!(ran.log.contains(&format!("the folder has no {app}, which a new")), "{}", ran.log);
        assert!(ran.log.contains(&format!("hint: {hint}")), "{hint}:\n{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_deletes_half_of_what_is_there_is_warned_of_or_refused() {
    let hub = hub().await;
    let folder = Folder::new(&[("keep.txt", "k"), ("big/model.bin", "moves on")]);
    for index in 0..14 {
        folder.write(&format!("data/{index}.txt"), format!("content {index}"));
    }
    let run = || Run::new(&hub, &folder).input("repo_type", "dataset").input("prune", "true");
    run().run().await.ended(0, "deployed");
    for index in 0..14 {
        folder.remove(&format!("data/{index}.txt"));
    }
    for index in 10..14 {
        folder.write(&format!("moved/{index}.txt"), format!("content {index}"));
    }
    for (limit, allows) in [("9", "9"), ("58%", "58%"), ("0", "0")] {
        let ran = refused(&hub, || run().input("max_deletes", limit), "too_many_deletes").await;
        let message = format!(
            "this deploy deletes 10 of the 17 files of the dataset `ada/app` (4 more only get another name), and `max_deletes` allows {allows}"
        );
        assert!(ran.log.contains(&message), "{}", ran.log);
    }
    let ran = run().input("dry_run", "true").run().await.ended(0, "dry-run");
    let warning = "::warning::this deploy would delete 10 of the 17 files of the dataset `ada/app`";
    assert!(ran.log.contains(warning), "{}", ran.log);
    let ran = run().input("max_deletes", "59%").run().await.ended(0, "deployed");
    assert_ran!(ran);
    folder.remove("moved/10.txt");
    let ran = run().run().await.ended(0, "deployed");
    assert!(!ran.log.contains("::warning::"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gitignore_matches_stays_on_the_hub() {
    let (hub, folder) = (hub().await, static_space());
    folder.write(".gitignore", "*.db\nstate/\n");
    folder.write("data/.gitignore", "*\n!.gitignore\n!*.csv\n");
    folder.write("data/a.csv", "1,2\n");
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let state = [("users.db", "u"), ("state/log.txt", "l"), ("data/cache.bin", "c"), ("old.txt", "o")];
    by_hand(&hub, RepoType::Space, &state);
    folder.write("users.db", "of the developer");
    folder.write("other.db", "of the developer");
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_ran!(ran);
    let kept = [
        "data/.gitignore",
        "data/a.csv",
        "data/cache.bin",
        "index.html",
        "state/log.txt",
        "style.css",
        "users.db",
    ];
    assert_eq!(paths(&hub, RepoType::Space)[3..], kept);
    assert_eq!(hub.repo(RepoType::Space, "ada/app").read_file("main", "users.db").unwrap(), b"u");
    Run::new(&hub, &folder).run().await.ended(0, "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gitignore_that_only_the_hub_has_goes_on_protecting() {
    let hub = hub().await;
    let folder = Folder::new(&[("a.txt", "a")]);
    let run = || Run::new(&hub, &folder).input("repo_type", "model").input("prune", "true");
    run().run().await.ended(0, "deployed");
    let files = [
        (".gitignore", "/weights/\n"),
        ("weights/w.txt", "w"),
        ("logs/.gitignore", "*.log\n"),
        ("logs/x.log", "x"),
        ("old/.gitignore", "*.tmp\n"),
    ];
    by_hand(&hub, RepoType::Model, &files);
    folder.write("weights/local.txt", "not sent");
    folder.write("logs/y.log", "not sent");
    for (status, deleted) in [("deployed", "1"), ("unchanged", "0")] {
        let ran = run().run().await.ended(0, status);
        assert_eq!(ran.output("files_deleted"), deleted, "{}", ran.log);
        let kept =
            [".gitattributes", ".gitignore", "a.txt", "logs/.gitignore", "logs/x.log", "weights/w.txt"];
        assert_eq!(paths(&hub, RepoType::Model), kept, "{}", ran.log);
        assert!(ran.log.contains("matches: `logs/y.log`, `weights/local.txt` (to deploy"), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gitignore_counts_from_the_folder_in_the_repo_on() {
    let hub = hub().await;
    let folder = Folder::new(&[(".gitignore", "*.key\n"), ("a.key", "k"), ("a.txt", "a")]);
    let run = || {
        let run = Run::new(&hub, &folder).input("repo_type", "model").input("prune", "true");
        run.input("path_in_repo", "x/y")
    };
    run().run().await.ended(0, "deployed");
    by_hand(
        &hub,
        RepoType::Model,
        &[("x/y/their.key", "t"), ("x/y/b.db", "b"), ("x/.gitignore", "*.db\n"), ("c.key", "c")],
    );
    run().run().await.ended(0, "unchanged");
    let found = [
        ".gitattributes",
        "c.key",
        "x/.gitignore",
        "x/y/.gitignore",
        "x/y/a.txt",
        "x/y/b.db",
        "x/y/their.key",
    ];
    assert_eq!(paths(&hub, RepoType::Model), found);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ignored_is_not_judged_and_not_asked_about() {
    let (hub, folder) = (hub().await, static_space());
    folder.write(".gitignore", "env/\ncache/\nvendor/\n");
    std::fs::create_dir_all(folder.path().join("env/bin")).unwrap();
    symlink("/usr/bin/env", folder.path().join("env/bin/python")).unwrap();
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 9\n", "4d".repeat(32));
    folder.write("vendor/w.bin", pointer);
    for index in 0..10_050 {
        folder.write(&format!("cache/{index}"), "");
    }
    // What `python -m venv` and npm leave needs no line of the `.gitignore`.
    std::fs::create_dir_all(folder.path().join(".venv/bin")).unwrap();
    symlink("/usr/bin/env", folder.path().join(".venv/bin/python3")).unwrap();
    folder.write("node_modules/x/index.js", "x");
    folder.write(".github/workflows/deploy.yml", "on: push\n");
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_ran!(ran);
    let asked = hub.requests().iter().filter(|request| request.path.contains("/preupload/")).count();
    assert_eq!(asked, 1);
    let found = [".gitattributes", ".gitignore", "README.md", "index.html", "style.css"];
    assert_eq!(paths(&hub, RepoType::Space), found);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_defaults_can_be_switched_off_and_leave_the_hub_alone() {
    let (hub, folder) = (hub().await, static_space());
    folder.write("node_modules/x.js", "x");
    let run = || Run::new(&hub, &folder);
    run().input("default_excludes", "false").run().await.ended(0, "deployed");
    assert!(paths(&hub, RepoType::Space).contains(&"node_modules/x.js".to_owned()));
    folder.remove("node_modules/x.js");
    run().run().await.ended(0, "unchanged");
    run().input("default_excludes", "false").run().await.ended(0, "deployed");
    assert!(!paths(&hub, RepoType::Space).contains(&"node_modules/x.js".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_a_folder_brings_what_it_leads_to() {
    let (hub, folder) = (hub().await, static_space());
    folder.write("data/a.txt", "a");
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.remove("data/a.txt");
    std::fs::remove_dir(folder.path().join("data")).unwrap();
    folder.write("real/a.txt", "a");
    symlink("real", folder.path().join("data")).unwrap();
    let ran = Run::new(&hub, &folder).run().await.ended(0, "deployed");
    assert_eq!(ran.counts(), ["1", "0", "0", "4"], "{}", ran.log);
    let found = paths(&hub, RepoType::Space);
    assert!(found.contains(&"data/a.txt".to_owned()) && found.contains(&"real/a.txt".to_owned()));

    // A monorepo: what lies outside of `source_dir` is an error, as for a file.
    folder.write("web/README.md", "---\nsdk: static\n---\n");
    folder.write("web/index.html", "hi");
    symlink("../real", folder.path().join("web/common")).unwrap();
    let run = || Run::new(&hub, &folder).input("source_dir", "web");
    let ran = refused(&hub, run, "link_outside_source").await;
    assert!(ran.log.contains("`common` leads out of the source folder, to `"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_that_matches_nothing_is_warned_of() {
    let (hub, folder) = (hub().await, static_space());
    folder.write("secret.key", "k");
    folder.write("tests/a.py", "");
    let run = |exclude: &str| Run::new(&hub, &folder).input("exclude", exclude);
    let ran = run("*.key, .env, tests/\n*.kye\n").run().await.ended(0, "deployed");
    assert_ran!(ran);
    by_hand(&hub, RepoType::Space, &[("state.sqlite", "s")]);
    // On the Hub there is such a file, and tools leave the others.
    let ran = run("*.key\ntests/\n*.sqlite\n__pycache__/\n.DS_Store\n").run().await.ended(0, "unchanged");
    assert!(!ran.log.contains("::warning::"), "{}", ran.log);
    let ran = run("*.key\n").input("include", "*.html\n*.css\n*.md\n*.png; *.jpg\n").run().await;
    let ran = ran.ended(0, "unchanged");
    let warning =
        "::warning::`include`: the pattern `*.png; *.jpg` matches nothing: write `*.png` and `*.jpg`";
    assert!(ran.log.contains(warning) && ran.log.matches("::warning::").count() == 1, "{}", ran.log);
    let ran = run("").input("include", "*.png, *.jpg").run().await.failed(2, "source_missing");
    assert!(ran.log.contains("write `*.png` and `*.jpg`, each on a line of its own"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_takes_the_place_of_a_file_without_pruning_too() {
    let hub = hub().await;
    let folder = Folder::new(&[("train", "a file"), ("test/1.csv", "1"), ("test/2.csv", "2")]);
    let run = || Run::new(&hub, &folder).input("repo_type", "dataset");
    run().run().await.ended(0, "deployed");
    folder.remove("train");
    folder.write("train/part-0.csv", "0");
    let ran = run().input("dry_run", "true").run().await.ended(0, "dry-run");
    assert!(ran.log.contains("plan: 1 to add, 0 to update, 1 to delete, 2 unchanged"), "{}", ran.log);
    run().input("max_deletes", "0").run().await.failed(2, "too_many_deletes");
    run().run().await.ended(0, "deployed");
    let found = [".gitattributes", "test/1.csv", "test/2.csv", "train/part-0.csv"];
    assert_eq!(paths(&hub, RepoType::Dataset), found);

    // The other way round, more than one name would go.
    std::fs::remove_dir_all(folder.path().join("test")).unwrap();
    folder.write("test", "a file");
    let ran = refused(&hub, run, "invalid_path").await;
    assert_ran!(ran);
    run().input("prune", "true").run().await.ended(0, "deployed");
    assert_eq!(paths(&hub, RepoType::Dataset), [".gitattributes", "test", "train/part-0.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_and_none_of_the_deploy_stays() {
    let hub = hub().await;
    let folder = Folder::new(&[("a/x.txt", "x"), ("ok.txt", "")]);
    let run = || Run::new(&hub, &folder).input("repo_type", "model");
    run().input("include", "ok.txt").run().await.ended(0, "deployed");
    by_hand(&hub, RepoType::Model, &[("a", "theirs"), ("b/c.db", "theirs")]);
    folder.write(".hfignore", "/a\n!/a/\n");
    let ran = refused(&hub, run, "invalid_path").await;
    assert!(
        ran.log.contains("cannot deploy into the folder `a`: the model `ada/app` has a file"),
        "{}",
        ran.log
    );
    let ran = refused(&hub, || run().input("path_in_repo", "a/b"), "invalid_path").await;
    assert!(ran.log.contains("hint: delete `a` on the Hub, or choose another folder"), "{}", ran.log);
    folder.write(".hfignore", "/a\n*.db\n");
    folder.write("b", "a file");
    let ran = refused(&hub, || run().input("prune", "true"), "invalid_path").await;
    assert!(ran.log.contains("cannot deploy the file `b`: the model `ada/app` has a folder"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_deploy_leaves_the_visibility_alone() {
    let (hub, folder) = (hub().await, static_space());
    folder.write("docs/x.txt", "x");
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    let run = || Run::new(&hub, &folder).input("source_dir", "docs").input("private", "true");
    refused(&hub, run, "space_without_app").await;
    let ran = Run::new(&hub, &folder).input("private", "true").run().await;
    assert!(ran.log.contains("is private from now on"), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_another_sdk_do_not_turn_a_space_around() {
    let hub = hub().await;
    let folder = Folder::new(&[("app.py", "import gradio\n")]);
    let run = || Run::new(&hub, &folder).input("wait", "false");
    run().run().await.ended(0, "deployed");
    folder.write("Dockerfile", "FROM scratch\n");
    let ran = run().run().await.ended(0, "deployed");
    let expected = "SDK: gradio (the README card on the Hub says so, while the files look like docker: `space_sdk: docker` changes it)";
    assert!(ran.log.contains(expected), "{}", ran.log);
    let card = || hub.repo(RepoType::Space, "ada/app").read_file("main", "README.md").unwrap();
    assert!(String::from_utf8(card()).unwrap().contains("sdk: gradio"));
    run().input("space_sdk", "docker").run().await.ended(0, "deployed");
    assert!(String::from_utf8(card()).unwrap().contains("sdk: docker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_before_anything_is_written_is_a_fault_of_the_folder() {
    let (hub, folder) = (hub().await, static_space());
    Run::new(&hub, &folder).run().await.ended(0, "deployed");
    folder.write("style.css", "h1 { color: navy }\n");
    hub.clear_requests();
    hub.inject(Fault {
        method: Some("GET".to_owned()),
        path_contains: "/api/spaces/ada/app".to_owned(),
        skip: 0,
        times: 1,
        kind: FaultKind::Delay(Duration::from_secs(2)),
    });
    let run = Run::new(&hub, &folder);
    let child = run.spawn();
    reached(&hub, "validate-yaml", 1).await;
    folder.write("style.css", "h1 { color: black; margin: 0 }\n");
    let ran = run.finish(child).await.failed(2, "source_changed");
    assert_eq!(writes(&hub), Vec::<String>::new(), "{}", ran.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_with_a_backslash_are_deployed_and_pruned() {
    let hub = hub().await;
    let folder = Folder::new(&[("a\\b.txt", "1"), ("folder/..\\..\\file", "2"), ("c.txt", "3")]);
    let run = || Run::new(&hub, &folder).input("repo_type", "model").input("prune", "true");
    run().run().await.ended(0, "deployed");
    assert_eq!(hub.repo(RepoType::Model, "ada/app").read_file("main", "folder/..\\..\\file").unwrap(), b"2");
    folder.remove("a\\b.txt");
    folder.write("folder/..\\..\\file", "22");
    let ran = run().run().await.ended(0, "deployed");
    assert_eq!(ran.counts(), ["0", "1", "1", "1"], "{}", ran.log);
    folder.write("..\\up", "4");
    refused(&hub, run, "invalid_path").await;
}
