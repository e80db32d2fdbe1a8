//! Repositories and large files that are copied, and comments that are changed.

use local_hub::{DEFAULT_TOKEN, HubConfig, LargeFileTransfer, NewRepo, RepoType, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, file, header, refusal, start, with};
use crate::large_files::{lfs_file, put, sha256};

#[tokio::test]
async fn a_space_is_duplicated_with_its_variables() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Space, "ada/s").sdk("docker").private()).unwrap();
    c.commit("/api/spaces/ada/s/commit/main", &[header("a"), file("Dockerfile", b"FROM scratch")]).await;
    c.post("/api/spaces/ada/s/variables", json!({"key": "A", "value": "1"})).await;
    c.post("/api/spaces/ada/s/secrets", json!({"key": "S", "value": "1"})).await;
    let body = json!({"repository": "ada/copy", "secrets": [{"key": "T", "value": "2"}]});
    let answer = c.post("/api/spaces/ada/s/duplicate", body.clone()).await;
    assert_eq!(answer.status(), 200);
    let url = format!("{}/spaces/ada/copy", c.hub.endpoint());
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"url": url}));
    let tree = |id: &str| c.hub.repo(RepoType::Space, id).tree("main").unwrap();
    assert_eq!(tree("ada/copy"), tree("ada/s"));
    assert_eq!(c.hub.repo(RepoType::Space, "ada/copy").visibility().as_deref(), Some("private"));
    assert_eq!(c.json("/api/spaces/ada/copy/variables").await["A"]["value"], "1");
    assert_eq!(c.hub.space("ada/copy").secrets().unwrap().into_keys().collect::<Vec<_>>(), ["T"]);
    assert_eq!(c.hub.repo(RepoType::Space, "ada/copy").commits("main")[0].title, "Duplicate from ada/s");
    let again = c.post("/api/spaces/ada/s/duplicate", body).await;
    assert_eq!(again.status(), 409);
    assert_eq!(again.json::<Value>().await.unwrap()["url"], json!(url));
    c.hub.add_user(User::new("eve", "hf_eve"));
    let foreign = json!({"repository": "eve/copy"});
    let answer = c.as_user("hf_eve", Method::POST, "/api/spaces/ada/s/duplicate", foreign).await;
    assert_eq!(refusal(&answer).1, "RepoNotFound");
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

/// A hub with the model `ada/m`, which has the large files `a.bin` and `b.bin`.
async fn with_large_files() -> Client {
    let c = with(HubConfig { transfer: LargeFileTransfer::Basic, ..HubConfig::default() }).await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    for (path, data) in [("a.bin", b"large a"), ("b.bin", b"large b")] {
        put(&c, "ada/m", data).await;
        let lines = [header("add a large file"), lfs_file(path, data)];
        assert_eq!(c.commit("/api/models/ada/m/commit/main", &lines).await.status(), 200);
    }
    c
}

#[tokio::test]
async fn a_copy_of_a_model_has_its_large_files() {
    let c = with_large_files().await;
    let body = json!({"repository": "ada/copy", "visibility": "private"});
    assert_eq!(c.post("/api/models/ada/m/duplicate", body).await.status(), 200);
    let content = c.hub.repo(RepoType::Model, "ada/copy").read_file_async("main", "a.bin").await.unwrap();
    assert_eq!(content, b"large a");
    let lines = [header("again"), lfs_file("c.bin", b"large b")];
    assert_eq!(c.commit("/api/models/ada/copy/commit/main", &lines).await.status(), 200);
    c.hub.assert_contract_kept();
}

#[tokio::test]
async fn large_files_are_listed_and_deleted_with_their_history() {
    let c = with_large_files().await;
    let files = "/api/models/ada/m/lfs-files";
    let first = c.get(&format!("{files}?limit=1")).await;
    let link = first.headers()["link"].to_str().unwrap().to_owned();
    let next = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    let mut rows: Vec<Value> = first.json().await.unwrap();
    rows.extend(c.get(&next).await.json::<Vec<Value>>().await.unwrap());
    let mut listed: Vec<(&str, &str, u64)> = rows
        .iter()
        .map(|row| {
            (row["filename"].as_str().unwrap(), row["oid"].as_str().unwrap(), row["size"].as_u64().unwrap())
        })
        .collect();
    listed.sort_unstable();
    let (a, b) = (sha256(b"large a"), sha256(b"large b"));
    assert_eq!(listed, [("a.bin", a.as_str(), 7), ("b.bin", b.as_str(), 7)]);
    let delete = |path: String| c.request(Method::DELETE, &path).bearer_auth(DEFAULT_TOKEN).send();
    assert_eq!(delete(format!("{files}/{a}?rewriteHistory=false")).await.unwrap().status(), 200);
    let tree = || c.hub.repo(RepoType::Model, "ada/m").tree("main").unwrap();
    assert!(tree().contains_key("a.bin"), "history stays");
    let body = json!({"deletions": {"sha": [a, b]}});
    assert_eq!(c.post(&format!("{files}/batch"), body).await.status(), 200);
    assert_eq!(tree().keys().collect::<Vec<_>>(), [".gitattributes"]);
    assert_eq!(
        c.hub.repo(RepoType::Model, "ada/m").commits("main").len(),
        3,
        "the commits stay, without the files"
    );
    assert_eq!(c.json(files).await, json!([]));
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

#[tokio::test]
async fn large_files_are_given_to_another_repository() {
    let dir = tempfile::tempdir().unwrap();
    let (sha, hash) = (sha256(b"large"), "ab".repeat(32));
    std::fs::create_dir(dir.path().join("xet")).unwrap();
    std::fs::write(dir.path().join("xet/files.txt"), format!("{sha} {hash} 5\n")).unwrap();
    let config = HubConfig { data_dir: Some(dir.path().to_owned()), ..HubConfig::default() };
    let c = with(config.clone()).await;
    let id = c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    c.hub.create_repo(NewRepo::new("ada", RepoType::Dataset, "ada/d")).unwrap();
    std::fs::write(dir.path().join("repos").join(&id).join("large.txt"), format!("{sha}\n")).unwrap();
    drop(c);
    let c = with(config).await;
    let lines = [header("copy"), lfs_file("big.bin", b"large")];
    assert_eq!(c.commit("/api/datasets/ada/d/commit/main", &lines).await.status(), 400);
    let files = |sha: &str| json!([{"xetHash": hash, "sha256": sha, "filename": "big.bin"}]);
    let target = json!({"type": "dataset", "name": "ada/d"});
    let duplicate = "/api/models/ada/m/lfs-files/duplicate";
    let wrong = c.post(duplicate, json!({"target": target, "files": files(&sha256(b"other"))})).await;
    assert_eq!(wrong.status(), 207);
    let answer = c.post(duplicate, json!({"target": target, "files": files(&sha)})).await;
    let expected = json!({"success": true, "processed": 1, "succeeded": 1, "failed": []});
    assert_eq!(answer.json::<Value>().await.unwrap(), expected);
    assert_eq!(c.commit("/api/datasets/ada/d/commit/main", &lines).await.status(), 200);
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

#[tokio::test]
async fn comments_are_edited_hidden_and_pinned() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    c.hub.add_user(User::new("bob", "hf_bob"));
    let discussions = "/api/models/ada/m/discussions";
    c.post(discussions, json!({"title": "A title", "description": "text"})).await;
    let said = c.post(&format!("{discussions}/1/comment"), json!({"comment": "first"})).await;
    let said: Value = said.json().await.unwrap();
    let comment = format!("{discussions}/1/comment/{}", said["newMessage"]["id"].as_str().unwrap());
    let edited = c.post(&format!("{comment}/edit"), json!({"content": "second"})).await;
    let edited: Value = edited.json().await.unwrap();
    let data = &edited["updatedComment"]["data"];
    assert_eq!(
        (&data["latest"]["raw"], &data["edited"], &data["numEdits"]),
        (&json!("second"), &json!(true), &json!(1))
    );
    let foreign =
        c.as_user("hf_bob", Method::POST, &format!("{comment}/edit"), json!({"content": "mine"})).await;
    assert_eq!(foreign.status(), 403);
    assert_eq!(
        c.post(&format!("{discussions}/1/comment/none/edit"), json!({"content": "x"})).await.status(),
        404
    );
    let hidden =
        c.request(Method::POST, &format!("{comment}/hide")).bearer_auth(DEFAULT_TOKEN).send().await.unwrap();
    assert_eq!(hidden.json::<Value>().await.unwrap()["updatedComment"]["data"]["hidden"], true);
    assert_eq!(c.post(&format!("{discussions}/1/pin"), json!({"pinned": true})).await.status(), 200);
    let details = c.json(&format!("{discussions}/1")).await;
    assert_eq!((&details["pinned"], &details["events"][1]["data"]["hidden"]), (&json!(true), &json!(true)));
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}
