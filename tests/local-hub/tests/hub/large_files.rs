//! The large-file decision, LFS uploads and downloads.

use base64::Engine as _;
use local_hub::{DEFAULT_TOKEN, HubConfig, LargeFileTransfer, NewRepo, RepoType, User};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, header, start, with};

#[tokio::test]
async fn who_is_large() {
    let c = start().await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    let b64 = |b: &[u8]| base64::engine::general_purpose::STANDARD.encode(b);
    let body = json!({"gitIgnore": "*.log\n", "files": [
        {"path": "a.txt", "size": 4, "sample": b64(b"text")},
        {"path": "a.bin", "size": 4, "sample": b64(b"text")},
        {"path": "a.png", "size": 9, "sample": b64(b"\x89PNG\0\0\0\0\0")},
        {"path": "huge.txt", "size": 20_000_000, "sample": b64(b"text")},
        {"path": "empty.bin", "size": 0, "sample": ""},
        {"path": "x.log", "size": 1, "sample": b64(b"l")},
        {"path": ".gitattributes", "size": 1, "sample": b64(b"l")},
    ]});
    let answer: Value = c.post("/api/models/ada/m/preupload/main", body).await.json().await.unwrap();
    let modes: Vec<&str> =
        answer["files"].as_array().unwrap().iter().map(|f| f["uploadMode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["regular", "lfs", "lfs", "lfs", "regular", "regular", "regular"]);
    assert_eq!(answer["files"][5]["shouldIgnore"], true);
    assert!(answer["files"][0].get("oid").is_none());
    assert_eq!(answer["files"][6]["oid"].as_str().unwrap().len(), 40);
    let many: Vec<Value> =
        (0..1001).map(|i| json!({"path": format!("{i}"), "size": 0, "sample": ""})).collect();
    assert_eq!(c.post("/api/models/ada/m/preupload/main", json!({"files": many})).await.status(), 422);
}

async fn batch(c: &Client, oid: &str, size: usize) -> Value {
    let body = json!({"operation": "upload", "transfers": ["basic", "multipart"], "hash_algo": "sha256",
        "objects": [{"oid": oid, "size": size}]});
    ask(c, "ada/m", DEFAULT_TOKEN, body).await.json().await.unwrap()
}

async fn ask(c: &Client, id: &str, token: &str, body: Value) -> Response {
    c.request(Method::POST, &format!("/{id}.git/info/lfs/objects/batch"))
        .bearer_auth(token)
        .header("accept", "application/vnd.git-lfs+json")
        .header("content-type", "application/vnd.git-lfs+json")
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

pub(crate) fn sha256(data: &[u8]) -> String {
    Sha256::digest(data).iter().map(|b| format!("{b:02x}")).collect()
}

/// The upload action for an object of a repository.
async fn upload(c: &Client, id: &str, data: &[u8]) -> Option<String> {
    let objects = json!([{"oid": sha256(data), "size": data.len()}]);
    let body =
        json!({"operation": "upload", "transfers": ["basic"], "hash_algo": "sha_256", "objects": objects});
    let answer: Value = ask(c, id, DEFAULT_TOKEN, body).await.json().await.unwrap();
    answer["objects"][0]["actions"]["upload"]["href"].as_str().map(ToOwned::to_owned)
}

/// Uploads a large file to a repository.
pub(crate) async fn put(c: &Client, id: &str, data: &[u8]) {
    let href = upload(c, id, data).await.unwrap();
    assert_eq!(c.request(Method::PUT, &href).body(data.to_vec()).send().await.unwrap().status(), 200);
}

pub(crate) fn lfs_file(path: &str, data: &[u8]) -> Value {
    json!({"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": sha256(data), "size": data.len()}})
}

#[tokio::test]
async fn a_large_file_belongs_to_the_repository_it_was_uploaded_to() {
    let dir = tempfile::tempdir().unwrap();
    let config = HubConfig {
        data_dir: Some(dir.path().to_owned()),
        transfer: LargeFileTransfer::Basic,
        ..HubConfig::default()
    };
    let mut c = with(config.clone()).await;
    for id in ["ada/a", "ada/b"] {
        c.hub.create_repo(NewRepo::new("ada", RepoType::Model, id)).unwrap();
    }
    let data = b"content of a large file";
    put(&c, "ada/a", data).await;
    let lines = [header("big"), lfs_file("big.bin", data)];
    assert_eq!(c.commit("/api/models/ada/b/commit/main", &lines).await.status(), 400, "not uploaded there");
    assert_eq!(c.commit("/api/models/ada/a/commit/main", &lines).await.status(), 200);
    drop(c);
    c = with(config).await;
    assert_eq!(upload(&c, "ada/a", data).await, None, "known after a restart");
    assert!(upload(&c, "ada/b", data).await.is_some());
    let deleted = c.as_user(
        DEFAULT_TOKEN,
        Method::DELETE,
        "/api/repos/delete",
        json!({"name": "ada/a", "type": "model"}),
    );
    assert_eq!(deleted.await.status(), 200);
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/a")).unwrap();
    assert!(upload(&c, "ada/a", data).await.is_some(), "gone with the first repository of that name");
    c.hub.assert_contract_kept();
}

#[tokio::test]
async fn files_for_a_pull_request_are_uploaded_without_a_ref() {
    let c = with(HubConfig { transfer: LargeFileTransfer::Basic, ..HubConfig::default() }).await;
    c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    c.hub.add_user(User::new("bob", "hf_bob"));
    let body = |name: Option<&str>| {
        let mut body = json!({"operation": "upload", "transfers": ["basic"], "hash_algo": "sha256",
            "objects": [{"oid": sha256(b"x"), "size": 1}]});
        if let Some(name) = name {
            body["ref"] = json!({"name": name});
        }
        body
    };
    for (name, expected) in [(None, 200), (Some("refs/pr/1"), 200), (Some("main"), 403)] {
        assert_eq!(ask(&c, "ada/m", "hf_bob", body(name)).await.status(), expected, "{name:?}");
    }
}

#[tokio::test]
async fn a_xet_file_is_described_to_those_who_accept_it() {
    // A file that an earlier run of the server has stored.
    let dir = tempfile::tempdir().unwrap();
    let (sha, hash) = (sha256(b"large"), "ab".repeat(32));
    std::fs::create_dir(dir.path().join("xet")).unwrap();
    std::fs::write(dir.path().join("xet/files.txt"), format!("{sha} {hash} 5\n")).unwrap();
    let c = with(HubConfig { data_dir: Some(dir.path().to_owned()), ..HubConfig::default() }).await;
    let id = c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
    std::fs::write(dir.path().join("repos").join(&id).join("large.txt"), format!("{sha}\n")).unwrap();
    drop(c);
    let c = with(HubConfig { data_dir: Some(dir.path().to_owned()), ..HubConfig::default() }).await;
    let lines = [header("big"), lfs_file("big.bin", b"large")];
    assert_eq!(c.commit("/api/models/ada/m/commit/main", &lines).await.status(), 200);
    let head = c.hub.repo(RepoType::Model, "ada/m").head("main").unwrap();
    let answer = c
        .request(Method::GET, "/ada/m/resolve/main/big.bin")
        .header("accept", "application/vnd.xet-fileinfo+json, */*")
        .header("range", "bytes=0-0")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let text = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    let (endpoint, etag) = (c.hub.endpoint(), format!("\"{sha}\""));
    let (refresh, rebuild) = (
        format!("{endpoint}/api/models/ada/m/xet-read-token/{head}"),
        format!("{endpoint}/v1/reconstructions/{hash}"),
    );
    assert_eq!(text("content-type"), "application/vnd.xet-fileinfo+json");
    assert_eq!(
        (text("x-linked-size"), text("x-xet-hash"), text("x-linked-etag")),
        ("5".into(), hash.clone(), etag.clone())
    );
    assert_eq!(
        text("link"),
        format!("<{refresh}>; rel=\"xet-auth\", <{rebuild}>; rel=\"xet-reconstruction-info\"")
    );
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        body,
        json!({"hash": hash, "refreshUrl": refresh, "reconstructionUrl": rebuild, "etag": etag, "size": 5})
    );
    let plain = c.get("/ada/m/resolve/main/big.bin").await;
    assert_eq!(
        (plain.status().as_u16(), plain.headers()["x-xet-hash"].to_str().unwrap()),
        (302, hash.as_str())
    );
    let pointer = c.get("/ada/m/raw/main/big.bin").await.text().await.unwrap();
    assert_eq!(pointer, format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize 5\n"));
    c.hub.assert_contract_kept();
    assert_eq!(c.hub.own_breaches(), [""; 0]);
}

#[tokio::test]
async fn uploads_and_downloads() {
    for transfer in [LargeFileTransfer::Basic, LargeFileTransfer::Multipart] {
        let c = with(HubConfig { transfer, multipart_chunk: 1000, ..HubConfig::default() }).await;
        c.hub.create_repo(NewRepo::new("ada", RepoType::Model, "ada/m")).unwrap();
        let data: Vec<u8> = (0..2500u32).map(|i| (i % 251) as u8).collect();
        let oid = sha256(&data);
        let answer = batch(&c, &oid, data.len()).await;
        let upload = &answer["objects"][0]["actions"]["upload"];
        let href = upload["href"].as_str().unwrap();
        if transfer == LargeFileTransfer::Basic {
            assert_eq!(c.request(Method::PUT, href).body("wrong").send().await.unwrap().status(), 400);
            assert_eq!(c.request(Method::PUT, href).body(data.clone()).send().await.unwrap().status(), 200);
        } else {
            let mut parts = Vec::new();
            for (index, chunk) in data.chunks(1000).enumerate() {
                let url = upload["header"][format!("{:05}", index + 1)].as_str().unwrap();
                let answer = c.request(Method::PUT, url).body(chunk.to_vec()).send().await.unwrap();
                parts.push(
                    json!({"partNumber": index + 1, "etag": answer.headers()["etag"].to_str().unwrap()}),
                );
            }
            let body = json!({"oid": oid, "parts": parts});
            assert_eq!(c.request(Method::POST, href).json(&body).send().await.unwrap().status(), 200);
        }
        assert!(batch(&c, &oid, data.len()).await["objects"][0].get("actions").is_none());
        let line = json!({"key": "lfsFile", "value": {"path": "odd name.xyz", "algo": "sha256", "oid": oid, "size": data.len()}});
        assert_eq!(c.commit("/api/models/ada/m/commit/main", &[header("big"), line]).await.status(), 200);
        assert_eq!(c.hub.repo(RepoType::Model, "ada/m").read_file("main", "odd name.xyz").unwrap(), data);
        let attributes = c.hub.repo(RepoType::Model, "ada/m").read_file("main", ".gitattributes").unwrap();
        assert!(
            String::from_utf8(attributes)
                .unwrap()
                .ends_with("odd[[:space:]]name.xyz filter=lfs diff=lfs merge=lfs -text\n")
        );
        let found = c.get("/ada/m/resolve/main/odd%20name.xyz").await;
        assert_eq!(
            (found.status().as_u16(), found.headers()["x-linked-size"].to_str().unwrap()),
            (302, "2500")
        );
        let place = found.headers()["location"].to_str().unwrap().to_owned();
        assert!(place.starts_with("http://localhost:"));
        let part = c.request(Method::GET, &place).header("range", "bytes=10-19").send().await.unwrap();
        assert_eq!(part.status(), 206);
        assert_eq!(part.bytes().await.unwrap(), data[10..20]);
        assert_eq!(c.get("/api/models/ada/m/xet-write-token/main").await.status(), 404);
        c.hub.assert_contract_kept();
        assert_eq!(c.hub.own_breaches(), Vec::<String>::new());
    }
}
