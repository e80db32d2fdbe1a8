//! The large-file decision, LFS uploads and downloads.

use base64::Engine as _;
use local_hub::{HubConfig, LargeFileTransfer, RepoType};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{Client, header, start, with};

#[tokio::test]
async fn who_is_large() {
    let c = start().await;
    c.hub.create_repo_as("ada", RepoType::Model, "ada/m", None, false).unwrap();
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
    c.request(Method::POST, "/ada/m.git/info/lfs/objects/batch")
        .bearer_auth(local_hub::DEFAULT_TOKEN)
        .header("accept", "application/vnd.git-lfs+json")
        .header("content-type", "application/vnd.git-lfs+json")
        .body(json!({"operation": "upload", "transfers": ["basic", "multipart"], "hash_algo": "sha256", "objects": [{"oid": oid, "size": size}]}).to_string())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap()
}

#[tokio::test]
async fn uploads_and_downloads() {
    for transfer in [LargeFileTransfer::Basic, LargeFileTransfer::Multipart] {
        let c = with(HubConfig { transfer, multipart_chunk: 1000, ..HubConfig::default() }).await;
        c.hub.create_repo_as("ada", RepoType::Model, "ada/m", None, false).unwrap();
        let data: Vec<u8> = (0..2500u32).map(|i| (i % 251) as u8).collect();
        let oid: String = Sha256::digest(&data).iter().map(|b| format!("{b:02x}")).collect();
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
        assert_eq!(c.hub.read_file(RepoType::Model, "ada/m", "main", "odd name.xyz").unwrap(), data);
        let attributes = c.hub.read_file(RepoType::Model, "ada/m", "main", ".gitattributes").unwrap();
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
