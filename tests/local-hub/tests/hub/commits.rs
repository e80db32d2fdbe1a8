//! Commits, conflicts and what survives a restart.

use local_hub::{HubConfig, NewRepo, RepoType};
use serde_json::{Value, json};

use crate::client::{file, header, start, with};

const COMMIT: &str = "/api/models/ada/m/commit/main";

#[tokio::test]
async fn commit_delete_and_conflict() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let first = c.hub.repo(RepoType::Model, "ada/m").head("main").unwrap();
    let answer = c.commit(COMMIT, &[header("one"), file("a/x.txt", b"x"), file("a/y.txt", b"y")]).await;
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["commitOid"], json!(c.hub.repo(RepoType::Model, "ada/m").head("main")));

    let mut stale = header("two");
    stale["value"]["parentCommit"] = json!(first);
    let answer = c.commit(COMMIT, &[stale, file("b", b"b")]).await;
    assert_eq!(answer.status(), 412);
    assert!(answer.text().await.unwrap().starts_with("{\"error\":\"The branch was updated"));

    let gone = json!({"key": "deletedFile", "value": {"path": "nope"}});
    let answer = c.commit(COMMIT, &[header("three"), file("kept", b"k"), gone]).await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["x-error-code"].to_str().unwrap()),
        (404, "EntryNotFound")
    );
    let tree = c.hub.repo(RepoType::Model, "ada/m").tree("main").unwrap();
    assert!(!tree.contains_key("kept"), "a refused commit changes nothing");

    let folder = json!({"key": "deletedFolder", "value": {"path": "a/"}});
    assert_eq!(c.commit(COMMIT, &[header("four"), folder, file("a", b"now a file")]).await.status(), 200);
    assert_eq!(c.hub.repo(RepoType::Model, "ada/m").read_file("main", "a").unwrap(), b"now a file");
    assert_eq!(c.hub.repo(RepoType::Model, "ada/m").commits("main").len(), 3);
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), Vec::<String>::new());
}

#[tokio::test]
async fn a_folder_is_removed_by_deleted_file_too() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let files: &[(&str, &[u8])] = &[("1/a", b"a"), ("1/2/b", b"b"), ("10", b"c")];
    c.hub.repo(RepoType::Model, "ada/m").commit_as("ada", "main", files, "add files").unwrap();
    let line = json!({"key": "deletedFile", "value": {"path": "1"}});
    assert_eq!(c.commit(COMMIT, &[header("remove a folder"), line]).await.status(), 200);
    let tree = c.hub.repo(RepoType::Model, "ada/m").tree("main").unwrap();
    assert_eq!(tree.keys().collect::<Vec<_>>(), [".gitattributes", "10"]);
}

#[tokio::test]
async fn modes_come_by_git_and_are_kept_or_lost_by_commits() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let mode = || c.hub.repo(RepoType::Model, "ada/m").tree("main").unwrap()["run.sh"].mode.clone();
    assert_eq!(c.commit(COMMIT, &[header("one"), file("run.sh", b"1")]).await.status(), 200);
    assert_eq!(mode(), "100644");
    c.hub.repo(RepoType::Model, "ada/m").make_executable_as("ada", "main", "run.sh").unwrap();
    assert_eq!(mode(), "100755");
    assert_eq!(c.commit(COMMIT, &[header("two"), file("run.sh", b"2")]).await.status(), 200);
    assert_eq!(mode(), "100755");
    c.hub.set_policy(|policy| policy.commits_keep_modes = false);
    assert_eq!(c.commit(COMMIT, &[header("three"), file("run.sh", b"3")]).await.status(), 200);
    assert_eq!(mode(), "100644");
}

#[tokio::test]
async fn bad_paths_and_bodies_are_refused() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    for path in ["/a", "a//b", "../a", "a/../b", ".git/config", "a/.git", "a\u{7}", "", &"x".repeat(1001)] {
        let answer = c.commit(COMMIT, &[header("x"), file(path, b"x")]).await;
        assert_eq!(answer.status(), 400, "{path}");
    }
    let unknown = json!({"key": "lfsFile", "value": {"path": "big.bin", "algo": "sha256", "oid": "0".repeat(64), "size": 5}});
    assert_eq!(c.commit(COMMIT, &[header("x"), unknown]).await.status(), 400);
    assert_eq!(
        c.commit(COMMIT, &[header("x"), file("big.txt", &vec![b'a'; 10 * 1024 * 1024 + 1])]).await.status(),
        413
    );
    assert_eq!(c.commit(COMMIT, &[file("no-header", b"x")]).await.status(), 400);
    assert_eq!(c.hub.repo(RepoType::Model, "ada/m").commits("main").len(), 1);
}

#[tokio::test]
async fn pull_request_and_merge() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let answer = c.commit(&format!("{COMMIT}?create_pr=1"), &[header("A change"), file("p", b"p")]).await;
    let body: Value = answer.json().await.unwrap();
    assert!(body["pullRequestUrl"].as_str().unwrap().ends_with("/ada/m/discussions/1"));
    assert!(c.hub.repo(RepoType::Model, "ada/m").tree("refs/pr/1").unwrap().contains_key("p"));
    assert!(!c.hub.repo(RepoType::Model, "ada/m").tree("main").unwrap().contains_key("p"));
    assert_eq!(c.post("/api/models/ada/m/discussions/1/merge", json!({})).await.status(), 200);
    assert!(c.hub.repo(RepoType::Model, "ada/m").tree("main").unwrap().contains_key("p"));
    let commits = c.hub.repo(RepoType::Model, "ada/m").commits("main");
    assert_eq!(commits[0].parents, [commits[1].id.clone()], "one commit, not a merge of two histories");
    assert_eq!(commits[0].title, "A change (#1)");
    let details = c.json("/api/models/ada/m/discussions/1").await;
    assert_eq!(
        (&details["status"], &details["changes"]["mergeCommitId"]),
        (&json!("merged"), &json!(commits[0].id))
    );
    let late = c.commit("/api/models/ada/m/commit/refs%2Fpr%2F1", &[header("late"), file("q", b"q")]).await;
    assert_eq!(late.status(), 403);
    c.hub.assert_contract_kept();
}

#[tokio::test]
async fn a_draft_is_opened_before_it_is_merged_and_a_closed_one_takes_no_commits() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let discussions = "/api/models/ada/m/discussions";
    let draft = json!({"title": "A draft", "description": "of something", "pullRequest": true});
    assert_eq!(c.post(discussions, draft.clone()).await.status(), 200);
    let part = |name: &str| [header("part"), file(name, b"x")];
    assert_eq!(c.commit("/api/models/ada/m/commit/refs%2Fpr%2F1", &part("a")).await.status(), 200);
    let merge = format!("{discussions}/1/merge");
    assert_eq!(c.post(&merge, json!({})).await.status(), 400, "a draft");
    let status = format!("{discussions}/1/status");
    assert_eq!(c.post(&status, json!({"status": "closed"})).await.status(), 200);
    assert_eq!(c.commit("/api/models/ada/m/commit/refs%2Fpr%2F1", &part("b")).await.status(), 403);
    assert_eq!(c.post(&status, json!({"status": "open"})).await.status(), 200);
    assert_eq!(c.commit("/api/models/ada/m/commit/refs%2Fpr%2F1", &part("b")).await.status(), 200);
    assert_eq!(c.post(&merge, json!({})).await.status(), 200);
    let tree = c.hub.repo(RepoType::Model, "ada/m").tree("main").unwrap();
    assert!(tree.contains_key("a") && tree.contains_key("b"));
    let settings = json!({"discussionsDisabled": true});
    let put = c.request(reqwest::Method::PUT, "/api/models/ada/m/settings");
    let put = put.bearer_auth(local_hub::DEFAULT_TOKEN).json(&settings);
    assert_eq!(put.send().await.unwrap().status(), 200);
    assert_eq!(c.post(discussions, draft).await.status(), 403, "discussions are disabled");
    c.hub.assert_contract_kept();
}

#[tokio::test]
async fn state_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = HubConfig { data_dir: Some(dir.path().to_owned()), ..HubConfig::default() };
    let c = with(config.clone()).await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("static").private()).unwrap();
    let head =
        c.hub.repo(RepoType::Space, "ada/s").commit_as("ada", "main", &[("f", b"content")], "m").unwrap();
    drop(c);
    let c = with(config).await;
    assert_eq!(c.hub.repo(RepoType::Space, "ada/s").head("main"), Some(head));
    assert_eq!(c.hub.repo(RepoType::Space, "ada/s").read_file("main", "f").unwrap(), b"content");
    assert_eq!(c.json("/api/spaces/ada/s").await["private"], true);
}

#[tokio::test]
async fn a_large_commit_is_quick() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Dataset, "ada/d")).unwrap();
    let mut lines = vec![header("many")];
    lines.extend(
        (0..20_000).map(|i| file(&format!("d{}/{}/f{i}.txt", i % 97, i % 7), format!("{i}").as_bytes())),
    );
    let start = std::time::Instant::now();
    assert_eq!(c.commit("/api/datasets/ada/d/commit/main", &lines).await.status(), 200);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    assert_eq!(c.hub.repo(RepoType::Dataset, "ada/d").tree("main").unwrap().len(), 20_001);
}
